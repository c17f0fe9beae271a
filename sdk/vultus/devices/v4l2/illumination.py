"""Tell lit infrared frames from ambient ones: by what each frame's metadata states, or by a measured alternation of brightness.

Never assumed: a stream that shows neither has no ambient frames.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt

LOOK: Final = 16
"""Frames in a row that must alternate before brightness counts as proof.

If frames differed by chance alone, so that every order of 16 values were equally likely, one half by parity would lie wholly above the other
in 2 of C(16, 8) = 12 870 cases: 1.6e-4. `Alternation` looks at most twice before it says no, so that a stream without a strobe is taken for an
alternating one in at most 3.2e-4 of the openings. Light that flickers by half the frame rate would pass; mains light (100 or 120 Hz) does not
flicker at half of 15, 30 or 60 Hz.
"""
GAP: Final = 3.0
"""Least distance of the two halves' means in the sensor's own steps, of which an 8-bit one has 255: above the noise of a picture's mean, below
what an illuminator at arm's length adds to a face."""
SHARE: Final = 0.025
"""Least distance as a share of the brighter half's mean, the same at mid-grey: a 16-bit format does not say how many bits its sensor has."""
_LOOKS: Final = 2
_STATED: Final = 8
"""Metadata buffers that must have come before it counts what they state: four pairs."""
_KEPT: Final = 0.25
"""Share of the gap by which each later pair must still differ, or the rhythm counts as lost."""

T = TypeVar("T")
V = TypeVar("V")


def brightness(picture: npt.NDArray[Any]) -> float:
    """Return the mean of every fourth pixel of every fourth row, in the picture's own steps."""
    return float(np.mean(picture[::4, ::4]))


class Alternation:
    """Looks at brightness by sequence number; the brighter half is the lit one, since an illuminator only adds light.

    `found` is None while it looks, then True or False. After a loss of rhythm it looks again, and no frame is told apart until it is sure.
    """

    def __init__(self) -> None:
        self._recent: deque[tuple[int, float]] = deque(maxlen=LOOK)
        self._since = self._looks = 0
        self._lit_parity: int | None = None
        self._gap = 0.0
        self.found: bool | None = None
        self.losses = 0

    def lit(self, sequence: int, level: float) -> bool | None:
        """Take in the next frame's brightness and say whether it was lit; None when that is not known."""
        if self._recent and not 0 < sequence - self._recent[-1][0] <= LOOK:
            self.restart()
        before = self._recent[-1] if self._recent else None
        self._recent.append((sequence, level))
        if self._lit_parity is None:
            self._look()
            return None
        if before is not None and (sequence - before[0]) % 2 and not self._still(before, (sequence, level)):
            self.losses += 1
            self.restart()
            return None
        return sequence % 2 == self._lit_parity

    def restart(self) -> None:
        """Forget the rhythm, as after the stream was stopped; what was found stays."""
        self._recent.clear()
        self._since, self._lit_parity = 0, None

    def _look(self) -> None:
        self._since += 1
        halves: tuple[list[float], list[float]] = ([], [])
        for sequence, level in self._recent:
            halves[sequence % 2].append(level)
        even, odd = halves
        # A look takes frames that no earlier one took, half of them of each parity: with some dropped, it waits for the next that are.
        if self._since < LOOK or len(even) != len(odd):
            return
        self._since, self._looks = 0, self._looks + 1
        means = float(np.mean(even)), float(np.mean(odd))
        gap = means[0] - means[1]
        if abs(gap) >= max(GAP, SHARE * max(means)) and (min(even) > max(odd) or min(odd) > max(even)):
            self._lit_parity, self._gap, self.found = (0 if gap > 0 else 1), abs(gap), True
        elif self._looks >= _LOOKS and self.found is None:
            self.found = False

    def _still(self, before: tuple[int, float], now: tuple[int, float]) -> bool:
        rise = now[1] - before[1] if now[0] % 2 == self._lit_parity else before[1] - now[1]
        return rise >= max(1.0, _KEPT * self._gap)


class Strobe(Generic[T]):
    """Tells the frames of one infrared node apart; nothing is handed on until it is `settled` how.

    With metadata, a frame waits for what is stated about it, joined by sequence number, and is dropped when nothing is. `how` is "metadata",
    "brightness" or "none"; `pairs` is True when lit and ambient frames were both seen. Without pairs every frame is handed on as lit.
    """

    def __init__(self, *, metadata: bool) -> None:
        self._metadata = metadata
        self._alternation = Alternation()
        self._stated: dict[int, bool | None] = {}
        self._waiting: dict[int, T] = {}
        self._counts = {True: 0, False: 0, None: 0}
        self._frames = 0
        self.how = "none"
        self.pairs = False
        self.settled = False

    def frame(self, sequence: int, value: T, level: float) -> list[tuple[T, bool]]:
        """Take in a frame with its brightness; return what is now known to be (value, lit)."""
        self._frames += 1
        lit = self._alternation.lit(sequence, level) if self.how == "brightness" or not self.settled else None
        if not self.settled:
            self._settle()
        elif self.how == "brightness":
            return [] if lit is None else [(value, lit)]
        elif self.how == "none":
            return [(value, True)]
        _keep(self._waiting, sequence, value)
        return self._joined(sequence)

    def statement(self, sequence: int, lit: bool | None) -> list[tuple[T, bool]]:
        """Take in what a metadata buffer states; return what is now known to be (value, lit)."""
        if not self.settled:
            self._counts[lit] += 1
            self._settle()
        _keep(self._stated, sequence, lit)
        return self._joined(sequence)

    def restart(self) -> None:
        """Forget the rhythm and the numbers, as after the stream was stopped; what was settled stays."""
        self._alternation.restart()
        self._stated.clear()
        self._waiting.clear()

    def give_up(self) -> None:
        """Settle on no illumination after all, when too few frames came to tell."""
        self.how, self.pairs, self.settled = "none", False, True

    def _settle(self) -> None:
        lit, dark, silent = self._counts[True], self._counts[False], self._counts[None]
        if lit and dark and lit + dark >= _STATED:
            self.how, self.pairs, self.settled = "metadata", True, True
        elif lit >= LOOK:
            self.how, self.settled = "metadata", True
        elif dark >= _LOOKS * LOOK:
            # Never lit, however long an illuminator takes to start: the pictures are of the light that there is, and no half of a pair.
            self.give_up()
        if self.settled or lit + dark:
            return
        # Metadata that says nothing, or never comes, leaves the brightness.
        mute = not self._metadata or silent >= _STATED or self._frames >= _LOOKS * LOOK
        if mute and self._alternation.found is not None:
            self.pairs = self._alternation.found
            self.how, self.settled = ("brightness" if self.pairs else "none"), True

    def _joined(self, sequence: int) -> list[tuple[T, bool]]:
        if not self.settled or self.how != "metadata" or sequence not in self._stated or sequence not in self._waiting:
            return []
        lit, value = self._stated.pop(sequence), self._waiting.pop(sequence)
        return [] if lit is None or not (lit or self.pairs) else [(value, lit)]


def _keep(kept: dict[int, V], sequence: int, value: V) -> None:
    kept[sequence] = value
    while len(kept) > LOOK:
        del kept[next(iter(kept))]
