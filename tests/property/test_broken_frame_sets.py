"""Frame sets of the enrolled person with one stream broken, foreign, stale or made up: none of them is accepted.

`python tests/property/test_broken_frame_sets.py 640 2026` runs as many of each from a seed, a tenth of that of those that no cue refuses for
certain (`DOUBTFUL`), and counts how they end; everything is simulated.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vultus
from vultus.types import FrameSet, Source

POLICY = vultus.Policy(sources=frozenset({Source.SIMULATED}), max_failures=2**31, max_spoofs=2**31)
Rng = np.random.Generator
Breaker = Callable[[FrameSet, FrameSet, Rng], FrameSet]


def put(frame_set: FrameSet, **pictures: np.ndarray[Any, Any]) -> FrameSet:
    """Return a frame set with other pixels in some streams."""
    return replace(
        frame_set, **{name: replace(getattr(frame_set, name), data=np.ascontiguousarray(data)) for name, data in pictures.items()}
    )


def late(frame_set: FrameSet, names: tuple[str, ...], rng: Rng) -> FrameSet:
    """Return a frame set in which some streams were taken 60 to 500 ms later."""
    by = int(rng.uniform(60, 500) * 1e6)
    return replace(frame_set, **{n: replace(getattr(frame_set, n), time_ns=getattr(frame_set, n).time_ns + by) for n in names})


def grey(frame_set: FrameSet, rng: Rng) -> np.ndarray[Any, Any]:
    """Return a NIR picture made from the colour picture: random weights, gain and noise."""
    weights = rng.dirichlet((4.0, 8.0, 2.0)).astype(np.float32)
    shown = rng.uniform(0.4, 1.0) * (frame_set.rgb.data.astype(np.float32) @ weights)
    return np.clip(shown + rng.normal(0, rng.uniform(0, 2), shown.shape), 0, 255).astype(np.uint8)


def brighter(data: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a picture of which nearly everything is clipped."""
    top = np.iinfo(data.dtype).max
    return np.minimum(data.astype(np.uint32) * 12 + top // 3, top).astype(data.dtype)


BREAKERS: dict[str, Breaker] = {
    "another person in RGB": lambda own, other, _: put(own, rgb=other.rgb.data),
    "another person in NIR": lambda own, other, _: put(own, nir=other.nir.data, nir_ambient=other.nir_ambient.data),
    "all but RGB of another person": lambda own, other, _: put(
        own, nir=other.nir.data, nir_ambient=other.nir_ambient.data, depth=other.depth.data
    ),
    "all but NIR of another person": lambda own, other, _: put(own, rgb=other.rgb.data, depth=other.depth.data),
    "NIR made from RGB": lambda own, _, rng: put(own, nir=grey(own, rng), nir_ambient=np.zeros_like(own.nir.data)),
    "lit and ambient NIR swapped": lambda own, _, rng: put(own, nir=own.nir_ambient.data, nir_ambient=own.nir.data),
    "NIR without its lamp": lambda own, _, rng: put(own, nir=own.nir_ambient.data),
    "NIR over-exposed": lambda own, _, rng: put(own, nir=brighter(own.nir.data)),
    "NIR black": lambda own, _, rng: put(own, nir=np.zeros_like(own.nir.data), nir_ambient=np.zeros_like(own.nir.data)),
    "RGB late": lambda own, _, rng: late(own, ("rgb",), rng),
    "NIR late": lambda own, _, rng: late(own, ("nir", "nir_ambient"), rng),
    "depth late": lambda own, _, rng: late(own, ("depth",), rng),
    "depth flat": lambda own, _, rng: put(own, depth=np.full_like(own.depth.data, rng.integers(300, 1500))),
    "depth of a slope": lambda own, _, rng: put(
        own, depth=(600 + np.linspace(0, rng.uniform(-200, 200), own.depth.width)[None, :].repeat(own.depth.height, 0)).astype(np.uint16)
    ),
    "depth empty": lambda own, _, rng: put(own, depth=np.zeros_like(own.depth.data)),
    "depth of noise": lambda own, _, rng: put(own, depth=rng.integers(0, 2000, own.depth.data.shape).astype(np.uint16)),
}


def shifted(data: np.ndarray[Any, Any], by: int) -> np.ndarray[Any, Any]:
    """Return a picture moved to the right, what leaves it coming in on the left."""
    return np.roll(data, by, axis=1)


DOUBTFUL: dict[str, Breaker] = {
    "depth moved by 40 pixels": lambda own, _, rng: put(own, depth=shifted(own.depth.data, int(rng.choice([-40, 40])))),
    "depth moved by 12 pixels": lambda own, _, rng: put(own, depth=shifted(own.depth.data, int(rng.choice([-12, 12])))),
    "depth mirrored": lambda own, _, rng: put(own, depth=own.depth.data[:, ::-1]),
    "NIR mirrored": lambda own, _, rng: put(own, nir=own.nir.data[:, ::-1], nir_ambient=own.nir_ambient.data[:, ::-1]),
    "RGB mirrored": lambda own, _, rng: put(own, rgb=own.rgb.data[:, ::-1]),
    "all three mirrored": lambda own, _, rng: put(
        own, rgb=own.rgb.data[:, ::-1], nir=own.nir.data[:, ::-1], nir_ambient=own.nir_ambient.data[:, ::-1], depth=own.depth.data[:, ::-1]
    ),
}
"""Frame sets of which some are accepted: what they show still is one living head, in places."""


def scene(person: str, rng: Rng) -> FrameSet:
    """Return one simulated frame set of a random pose, place and distance."""
    pose = f"yaw={rng.uniform(-10, 10):.1f}&pitch={rng.uniform(-6, 6):.1f}&distance_mm={rng.uniform(420, 750):.0f}"
    place = f"x_mm={rng.uniform(-60, 60):.0f}&y_mm={rng.uniform(-35, 35):.0f}"
    with vultus.open_device(f"simulator:{person}?seed={rng.integers(2**31)}&{pose}&{place}") as device:
        frame_set = device.read()
    assert frame_set is not None
    return frame_set


@contextmanager
def enrolled(folder: Path) -> Iterator[vultus.Authenticator]:
    with vultus.TemplateStore.open(folder / "store.db") as store, vultus.Authenticator(policy=POLICY, store=store) as auth:
        with vultus.open_device("simulator:astronaut?seed=1") as camera:
            assert auth.enroll("eileen", camera).enrolled
        yield auth


def count(auth: vultus.Authenticator, rng: Rng, each: int, scenes: int) -> dict[str, Counter[str]]:
    """Break `each` frame sets in every way, drawn from `scenes` scenes of the person and of somebody else, and count the reasons."""
    own, other = ([scene(who, rng) for _ in range(scenes)] for who in ("astronaut", "grace_hopper"))
    found: dict[str, Counter[str]] = {name: Counter() for name in ("untouched", *BREAKERS, *DOUBTFUL)}
    for i in range(each):
        mine, theirs = own[rng.integers(scenes)], other[rng.integers(scenes)]
        found["untouched"][auth.verify(mine, user="eileen").reason] += 1
        for name, breaker in (*BREAKERS.items(), *(DOUBTFUL.items() if i % 10 == 0 else ())):
            found[name][auth.verify(breaker(mine, theirs, rng), user="eileen").reason] += 1
    return found


@pytest.mark.slow
def test_no_broken_frame_set_is_accepted(tmp_path: Path) -> None:
    """Whatever one broken or foreign stream shows, the answer is not yes, while the untouched frame sets mostly are accepted."""
    with enrolled(tmp_path) as auth:
        found = count(auth, np.random.default_rng(11), 12, 6)
    assert found.pop("untouched")["accepted"] >= 10
    assert {name: reasons for name, reasons in found.items() if reasons["accepted"] and name not in DOUBTFUL} == {}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name, enrolled(Path(name)) as authenticator:
        results = count(authenticator, np.random.default_rng(int(sys.argv[2])), int(sys.argv[1]), 60)
    for what, counted in results.items():
        print(f"{what:32}{counted['accepted']:6} accepted of {sum(counted.values())}: {dict(counted)}")
