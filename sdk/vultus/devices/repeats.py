"""Notice frames that repeat: a real sensor has noise, so that two pictures equal to the last bit are one picture shown twice."""

from __future__ import annotations

import hashlib

from vultus.frames import FrameSet, Stream


class Repeats:
    """Remembers every picture of one attempt by a hash; a picture of one value throughout, such as a dark ambient frame, never counts."""

    def __init__(self) -> None:
        self._seen: dict[Stream, set[bytes]] = {}

    def repeated(self, frame_set: FrameSet) -> tuple[Stream, ...]:
        """Return the streams whose picture was seen before, and remember this one's."""
        found = []
        for frame in frame_set.frames():
            if frame.data.min() == frame.data.max():
                continue
            digest = hashlib.blake2b(frame.data.tobytes(), digest_size=16).digest()
            seen = self._seen.setdefault(frame.stream, set())
            if digest in seen:
                found.append(frame.stream)
            seen.add(digest)
        return tuple(found)
