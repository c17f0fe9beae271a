"""The C core's own tests: every kernel against its reference, and random calls, under AddressSanitizer and UBSan."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_kernels_and_api_are_clean_under_sanitizers(repository: Path) -> None:
    """Every kernel of the list equals its reference and no random call touches memory that is not its own."""
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", str(repository / "native" / "tests" / "run.sh"), "sanitize"],
        env={**os.environ, "PATH": tools},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    listed = re.findall(
        r"^VULTUS_KERNEL\((\w+), (\w+)\)$", (repository / "native" / "src" / "kernels.def").read_text(encoding="utf-8"), re.MULTILINE
    )
    seen = set(re.findall(r"^(?:ok|skipped) +(\w+) (\w+)", done.stdout, re.MULTILINE))
    portable = {kernel for kernel in listed if kernel[1] == "ref"}
    assert portable <= seen <= set(listed)
    assert len(seen) in {len(portable), len(listed)}
