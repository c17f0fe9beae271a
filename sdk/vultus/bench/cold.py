"""A fresh process that makes one decision and says how long it took: `python -m vultus.bench.cold START RECORDING STORE MODE`.

START is the system's monotonic clock in nanoseconds just before the process was started, so that loading the interpreter counts. With
`peer:NAME` for MODE, STORE is a .npy file with the peer's enrolled embedding and RECORDING a .npy file with an RGB picture.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any


class Laps:
    """Times in milliseconds between one call and the next, from the start of the process on."""

    def __init__(self, start_ns: int) -> None:
        self.ms: dict[str, float] = {}
        self._begin = self._last = start_ns

    def lap(self, name: str) -> None:
        """End a stage."""
        now = time.monotonic_ns()
        self.ms[name] = (now - self._last) / 1e6
        self._last = now

    @property
    def total(self) -> float:
        """Milliseconds from the start of the process to the end of the last stage."""
        return (self._last - self._begin) / 1e6


def own(laps: Laps, recording: Path, store: Path, mode: str) -> dict[str, Any]:
    """Sign in once with vultus: open the device, take its first frame set, load the graphs, decide."""
    from vultus.bench.workload import MODES, PERSON, only, opened
    from vultus.devices import open_device
    from vultus.manifest import load_manifest

    laps.lap("import")
    with open_device(f"replay:{recording}") as device:
        laps.lap("open")
        frame_set = device.read(timeout_s=10.0)
        laps.lap("first_frame")
    if frame_set is None:
        raise SystemExit("the recording holds no frame set")
    with opened(load_manifest(), store, 1) as auth:
        laps.lap("load")
        decision = auth.verify(only(frame_set, MODES[mode]), user=PERSON)
        laps.lap("verify")
    return {"accepted": decision.accepted}


def peer(laps: Laps, picture: Path, reference: Path, name: str) -> dict[str, Any]:
    """Compare one picture with one stored embedding by a peer."""
    import numpy as np

    from vultus.bench.peers import load_peer, similarity

    laps.lap("import")
    rgb = np.load(picture)
    laps.lap("first_frame")
    embed = load_peer(name)
    laps.lap("load")
    score = similarity(embed(rgb), np.load(reference))
    laps.lap("verify")
    return {"accepted": score > 0.3}


def main(arguments: list[str]) -> int:
    """Run one of the two and print one JSON document."""
    start, frames, reference, mode = int(arguments[0]), Path(arguments[1]), Path(arguments[2]), arguments[3]
    laps = Laps(start)
    laps.lap("start")
    name = mode.removeprefix("peer:")
    result = own(laps, frames, reference, mode) if name == mode else peer(laps, frames, reference, name)
    from vultus.bench.machine import peak_mib

    print(json.dumps({**result, "ms": laps.total, "stages": laps.ms, "peak_mib": peak_mib()}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
