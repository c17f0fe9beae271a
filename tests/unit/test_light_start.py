"""What a sign-in from a recording loads, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import json, sys
before = set(sys.modules)
from pathlib import Path
from vultus.bench.workload import PERSON, opened
from vultus.devices import open_device
from vultus.manifest import load_manifest
with opened(load_manifest(), Path(sys.argv[2]), 1) as auth, open_device("replay:" + sys.argv[1]) as device:
    accepted = auth.verify(device.read(timeout_s=10.0), user=PERSON).accepted
print(json.dumps([accepted, sorted(set(sys.modules) - before)]))
"""


def test_a_sign_in_loads_no_module_that_it_does_not_need(tmp_path) -> None:
    """Masked arrays, random generators, package metadata, child processes and OpenCV stay out: they are a tenth of a cold start."""
    from vultus.bench.workload import prepare
    from vultus.devices import Recorder
    from vultus.manifest import load_manifest

    work = prepare("simulator:astronaut?seed=1", load_manifest(), tmp_path, 1)
    with Recorder(tmp_path / "one.mcap", work.frame_sets[0].device) as recorder:
        recorder.write(work.frame_sets[0])
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "one.mcap"), str(work.store)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    accepted, modules = json.loads(done.stdout)
    assert accepted
    heavy = {"numpy.ma", "numpy.random", "importlib.metadata", "subprocess", "tempfile", "cv2", "vultus.devices.synchroniser"}
    assert not heavy & set(modules)
