"""Notice frames that repeat: a real sensor has noise, so that two pictures equal to the last bit are one picture shown twice."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from typing import Final

from vultus.frames import FrameSet, Stream

MOST: Final = 2048
"""Pictures of each stream that are remembered: more than a minute at 30 a second, in half a megabyte of digests."""


class Repeats:
    """Remembers the last pictures by a keyed hash of every fourth row, which noise tells apart as well as all of them.

    A picture of one value throughout, such as a dark ambient frame, never counts, nor does a slow stream's frame that is handed over again
    under its own time. Frames that somebody alters by a single bit are not noticed. The key is random and never leaves the object.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._key = os.urandom(32)
        self._seen: dict[Stream, OrderedDict[bytes, int]] = {}

    def repeated(self, frame_set: FrameSet) -> tuple[Stream, ...]:
        """Return the streams whose picture was seen before at another time, and remember this one's."""
        found = []
        for frame in frame_set.frames():
            rows = frame.data[::4]
            if rows.min() == rows.max():
                continue
            digest = hashlib.blake2b(rows.tobytes(), digest_size=16, key=self._key).digest()
            seen = self._seen.setdefault(frame.stream, OrderedDict())
            if seen.setdefault(digest, frame.time_ns) != frame.time_ns:
                found.append(frame.stream)
            if len(seen) > self._most:
                seen.popitem(last=False)
        return tuple(found)
