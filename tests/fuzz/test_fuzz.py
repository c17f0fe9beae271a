"""A few hundred bad inputs for every parser of outside bytes; `python tests/fuzz/run.py --count 1000000` goes on from there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
try:
    import targets
finally:
    sys.path.remove(str(HERE))


@pytest.mark.parametrize("name", list(targets.TARGETS))
def test_no_parser_breaks(name: str, tmp_path: Path) -> None:
    """Whatever is done to valid bytes, a parser accepts them or says what is wrong with its own error, in time and in bounded memory."""
    command = [sys.executable, str(HERE / "run.py"), name, "--count", "400", "--keep", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, 1), done.stderr[-2000:]
    result = json.loads(done.stdout)
    assert not result["findings"], result["findings"][0]
    assert result["iterations"] == 400
    assert 0 < result["accepted"] < 400
