"""Spoil the frame sets of a replay on purpose, for tests: `replay:FILE?freeze=1&on=depth&seed=3`; what comes out is a recording, never live.

drop freeze corrupt mirror swap half_black overexpose shift    the share of frame sets that it happens to, 0 to 1
delay    how many frame sets the streams lag behind the others     on    the streams, by comma; all without it     seed    any number
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus.devices.registry import Options
from vultus.frames import Frame, FrameSet, Stream

Array = npt.NDArray[Any]
MAX_DELAY: Final = 60
"""Longest lag in frame sets: two seconds at 30 a second."""


def _mirror(data: Array, rng: np.random.Generator) -> Array:
    del rng
    return data[:, ::-1]


def _corrupt(data: Array, rng: np.random.Generator) -> Array:
    """Overwrite an eighth of the rows with noise, as a transfer that lost its place does."""
    out = data.copy()
    rows = max(1, len(out) // 8)
    top = int(rng.integers(0, len(out) - rows + 1))
    out[top : top + rows] = rng.integers(0, np.iinfo(out.dtype).max, out[top : top + rows].shape, out.dtype, endpoint=True)
    return out


def _half_black(data: Array, rng: np.random.Generator) -> Array:
    del rng
    out = data.copy()
    out[:, : out.shape[1] // 2] = 0
    return out


def _overexpose(data: Array, rng: np.random.Generator) -> Array:
    """Give four times the light, as an exposure control that went wrong by two stops."""
    del rng
    return np.minimum(data.astype(np.uint32) * 4, np.iinfo(data.dtype).max).astype(data.dtype)


def _shift(data: Array, rng: np.random.Generator) -> Array:
    """Move the picture to the right by an eighth of its width, as a bumped camera."""
    del rng
    by = data.shape[1] // 8
    out = np.zeros_like(data)
    out[:, by:] = data[:, : data.shape[1] - by]
    return out


_PIXELS: Final[Mapping[str, Callable[[Array, np.random.Generator], Array]]] = {
    "corrupt": _corrupt,
    "mirror": _mirror,
    "half_black": _half_black,
    "overexpose": _overexpose,
    "shift": _shift,
}
FAULTS: Final = ("drop", "freeze", "swap", *_PIXELS)
"""The faults that happen to a share of the frame sets; `delay` beside them always holds."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which faults happen: the share of frame sets by name in FAULTS, the lag in frame sets, the streams, the seed."""

    shares: Mapping[str, float] = field(default_factory=dict)
    delay: int = 0
    on: frozenset[Stream] = frozenset(Stream)
    seed: int = 0

    @property
    def empty(self) -> bool:
        """True when nothing would happen."""
        return not self.delay and not any(self.shares.values())


def plan_of(options: Options) -> Plan | None:
    """Take the faults out of a URL's options, None where there are none; raises ValueError for one that makes no sense."""
    shares = {name: options.number(name, 0.0, 0.0, 1.0) for name in FAULTS}
    delay, seed = options.whole("delay", 0, 0, MAX_DELAY), options.whole("seed", 0, 0, 2**31)
    named = options.text("on", ",".join(Stream)).split(",")
    unknown = sorted(set(named) - set(Stream))
    if unknown:
        raise ValueError(f"replay: on takes {', '.join(Stream)} by comma; got {unknown[0]!r}")
    if not (any(shares.values()) or delay):
        return None
    return Plan(shares, delay, frozenset(Stream(name) for name in named), seed)


class Spoiler:
    """Applies a plan to frame sets in their order; the same plan and frame sets give the same result."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._rng = np.random.default_rng(plan.seed)
        self._behind: deque[dict[Stream, Frame]] = deque()
        self._before: dict[Stream, Frame] = {}

    def spoil(self, frame_set: FrameSet) -> FrameSet | None:
        """Return the frame set with its faults; None when nothing of it is left."""
        plan, rng = self._plan, self._rng
        happens = {name: rng.random() < plan.shares.get(name, 0.0) for name in FAULTS}
        frames = {f.stream: f for f in frame_set.frames()}
        self._behind.append(dict(frames))
        late = self._behind[0] if len(self._behind) > plan.delay else {}
        if len(self._behind) > plan.delay:
            self._behind.popleft()
        for stream in plan.on & frames.keys():
            if stream not in late:
                del frames[stream]
                continue
            frames[stream] = late[stream]
        if happens["swap"]:
            self._swap(frames)
        for stream in sorted(plan.on & frames.keys()):
            frame = frames[stream]
            if happens["freeze"] and stream in self._before:
                frame = _with(frame, self._before[stream].data)
            for name, change in _PIXELS.items():
                if happens[name]:
                    frame = _with(frame, change(frame.data, rng))
            frames[stream] = self._before[stream] = frame
            if happens["drop"]:
                del frames[stream]
        if Stream.NIR not in frames:
            frames.pop(Stream.NIR_AMBIENT, None)
        if not frames:
            return None
        return FrameSet(frame_set.device, frame_set.sequence, **{s.value: f for s, f in frames.items()}).timed(frame_set.timing)

    def _swap(self, frames: dict[Stream, Frame]) -> None:
        """Take lit for ambient, or green for infrared where there is no pair."""
        nir, ambient, rgb = (frames.get(s) for s in (Stream.NIR, Stream.NIR_AMBIENT, Stream.RGB))
        if nir is not None and ambient is not None:
            frames[Stream.NIR], frames[Stream.NIR_AMBIENT] = _with(nir, ambient.data), _with(ambient, nir.data)
        elif nir is not None and rgb is not None:
            frames[Stream.NIR] = Frame(Stream.NIR, np.ascontiguousarray(rgb.data[..., 1]), nir.time_ns, rgb.intrinsics, nir.extrinsics)


def _with(frame: Frame, data: Array) -> Frame:
    """Return the frame with other pixels; calibration stays where the size does."""
    same = data.shape[:2] == frame.data.shape[:2]
    return Frame(frame.stream, np.ascontiguousarray(data), frame.time_ns, frame.intrinsics if same else None, frame.extrinsics)
