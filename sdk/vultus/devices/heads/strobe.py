"""Draw the pattern in which a serial head lights its NIR exposures, and say by it which of two pictures is the lit one.

The bits and the number come from a cryptographic random source, and each place of a pattern counts once: pictures from
an earlier moment stand under a pattern that is not known any more, or at a place that was seen.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

LENGTH: Final = 64
"""Frame sets of one pattern: as many as STROBE takes."""
_KEPT: Final = 2
"""Patterns that are known at a time: sets of the last one may still be on the line when the next one holds."""


@dataclass(slots=True)
class Pattern:
    """Bits of one pattern, and the next place of it that may come."""

    number: int
    bits: int
    next: int = 0


class Strobe:
    """The patterns that a head was given."""

    def __init__(self) -> None:
        self._known: list[Pattern] = []
        self._asked: Pattern | None = None

    def draw(self) -> Pattern:
        """Draw a new pattern; the head has it when `taken` is called."""
        self._asked = Pattern(1 + secrets.randbelow(2**32 - 1), secrets.randbits(LENGTH))
        return self._asked

    def taken(self) -> None:
        """Note that the head took the pattern that was drawn last."""
        if self._asked is not None:
            self._known = [*self._known[1 - _KEPT :], self._asked]
            self._asked = None

    @property
    def due(self) -> bool:
        """True when the newest pattern is half used up and none is on its way."""
        return self._asked is None and bool(self._known) and self._known[-1].next >= LENGTH // 2

    def use(self, number: int, position: int) -> int | None:
        """Use up a place of a pattern and say which exposure, 0 or 1, is lit there; None for an unknown pattern or a place that was passed."""
        for pattern in [*self._known, *([self._asked] if self._asked else [])]:
            if pattern.number == number and pattern.next <= position < LENGTH:
                pattern.next = position + 1
                return 0 if pattern.bits >> position & 1 else 1
        return None
