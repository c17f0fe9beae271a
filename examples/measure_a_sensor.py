"""Measure what a sensor gives on a face: the numbers that the liveness cues judge, over some frame sets, with their limits.

    python examples/measure_a_sensor.py 'simulator:astronaut' --count 20

A new depth or NIR sensor is ready for `tier="secure"` when the bona fide values lie clear of the limits in every light that it will meet.
"""

from __future__ import annotations

import argparse
import statistics
import sys

import vultus
from vultus.calibration import load
from vultus.manifest import load_manifest
from vultus.pipeline import Pipeline


def measure(url: str, count: int) -> dict[str, list[float]]:
    """Return the values of each cue over `count` frame sets of a device, and of each stage's time in milliseconds."""
    manifest = load_manifest()
    pipeline = Pipeline(manifest, load(manifest.root / "calibration").limits)
    values: dict[str, list[float]] = {}
    with vultus.open_device(url) as camera:
        for _ in range(count):
            frame_set = camera.read()
            if frame_set is None:
                break
            probe = pipeline.process(frame_set, with_embeddings=False)
            for cue in probe.liveness.cues if probe.liveness is not None else ():
                if cue.value is not None:
                    values.setdefault(f"{cue.name} [{cue.unit}], limit {cue.limit:g}", []).append(cue.value)
            for stage, milliseconds in probe.latency_ms.items():
                values.setdefault(f"{stage} [ms]", []).append(milliseconds)
    return values


def main(arguments: list[str] | None = None) -> int:
    """Print the smallest, the median and the largest value of everything measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("device", help="device URL")
    parser.add_argument("--count", type=int, default=20, help="frame sets to measure (default: 20)")
    options = parser.parse_args(arguments)
    print(f"{'':44}{'n':>5}{'lowest':>10}{'median':>10}{'highest':>10}")
    for name, found in measure(options.device, options.count).items():
        print(f"{name:44}{len(found):>5}{min(found):>10.3f}{statistics.median(found):>10.3f}{max(found):>10.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
