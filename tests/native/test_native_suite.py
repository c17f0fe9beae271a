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
    here = {isa: {kernel for kernel in listed if kernel[1] == isa} for isa in {kernel[1] for kernel in listed}}
    intel, arm = here["ref"] | here["avx2"] | here["avx512"], here["ref"] | here["neon"]
    # A compiler from before AVX-VNNI leaves its kernels out.
    assert seen in (here["ref"], intel, intel | here["avxvnni"], arm)
    assert here["avx512"] >= {(operation, "avx512") for operation, _ in here["avxvnni"]}, "AVX-512 may stand without AVX-VNNI"


@pytest.mark.slow
def test_arm_kernels_are_exact_under_an_emulator(repository: Path, tmp_path: Path) -> None:
    """Cross-compiled for 64-bit Arm and run by qemu-user, every NEON kernel equals its reference."""
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", str(repository / "native" / "tests" / "run.sh"), "neon"]
    environment = {**os.environ, "PATH": tools, "VULTUS_NATIVE_BUILD": str(tmp_path / "neon")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip(f"no cross compiler or emulator: {done.stdout.strip()}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"^ok +\w+ neon$", done.stdout, re.MULTILINE)) >= 5
