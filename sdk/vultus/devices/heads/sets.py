"""Make frame sets of the pictures that a serial head sends: streams named, the lit NIR picture told from the other, all of it checked."""

from __future__ import annotations

from collections import Counter
from typing import Final

from vultus.devices.base import Order
from vultus.devices.heads.description import Description
from vultus.devices.heads.frames import NIR, RGB, HeadFrame
from vultus.devices.heads.strobe import Strobe
from vultus.frames import DeviceIdentity, Frame, FrameSet, Stream, StreamTiming, Timing

_MOST: Final = 4
"""Pictures of one set: one of each stream."""


def needed(wanted: frozenset[Stream], description: Description) -> frozenset[Stream]:
    """Return what to ask a head for: with a strobe both pictures of a NIR pair, because the pattern says only then which one is lit."""
    return wanted | {Stream.NIR_AMBIENT} if description.strobe and Stream.NIR in wanted else wanted


class SetMaker:
    """Takes pictures one by one and gives a frame set with the last one of each set; a set with anything wrong is dropped whole.

    Dropped is a set with a stream missing or twice, of another size or format than the head stated, at a place of the strobe that the
    host's pattern has not still to come, whose lit picture is not the brighter one, or whose number or time runs backwards.
    `dropped` counts them by reason, `stale` is for the caller to count.
    """

    def __init__(self, identity: DeviceIdentity, description: Description, streams: frozenset[Stream], strobe: Strobe) -> None:
        self.dropped: Counter[str] = Counter()
        self.stale = 0
        self._identity, self._description, self._strobe = identity, description, strobe
        self._wanted = streams
        self._needed = needed(self._wanted, description)
        self._formats = {f.stream: f for f in description.capabilities.formats}
        self._received: Counter[Stream] = Counter()
        self._refused: Counter[Stream] = Counter()
        self._order = Order()
        self._pictures: list[HeadFrame] = []
        self._number: int | None = None
        self._made = self._lost = self._total_skew = self._worst_skew = 0

    def take(self, picture: HeadFrame) -> FrameSet | None:
        """Take in the next picture; return the frame set that it completes."""
        if picture.set != self._number:
            if self._pictures:
                self._end()
            if self._number is not None:
                self._lost += max(0, picture.set - self._number - 1)
        if self._number is not None and picture.set < self._number:
            self.dropped["its number runs backwards"] += picture.last
            return None
        self._number = picture.set
        if len(self._pictures) < _MOST:
            self._pictures.append(picture)
        return self._end() if picture.last else None

    def timed(self, frame_set: FrameSet, offset_ns: int) -> FrameSet:
        """Return the frame set with the counts up to now; `offset_ns` takes the head's clock to the host's."""
        streams = {
            s: StreamTiming(self._received[s], self._made, self._lost, self._refused[s], offset_ns) for s in Stream if s in self._wanted
        }
        mean = self._total_skew // self._made if self._made else 0
        return frame_set.timed(Timing(streams, self._made, self.dropped.total(), self.stale, mean, self._worst_skew))

    def _end(self) -> FrameSet | None:
        """Make the frame set of the pictures that came, or drop them all."""
        pictures, self._pictures = self._pictures, []
        lit = self._lit(pictures)
        named = [(self._stream(picture, lit), picture) for picture in pictures]
        self._received.update(stream for stream, _ in named)
        made = (
            self._make(dict(named), twice=len({s for s, _ in named}) < len(named))
            if lit is not None
            else "its strobe pattern is no longer known"
        )
        if isinstance(made, FrameSet):
            self._made += 1
            self._total_skew += made.skew_ns
            self._worst_skew = max(self._worst_skew, made.skew_ns)
            return made
        self.dropped[made] += 1
        self._refused.update(stream for stream, _ in named)
        return None

    def _lit(self, pictures: list[HeadFrame]) -> int | None:
        """Say which NIR exposure is the lit one; None when the pattern that the pictures stand under does not tell."""
        places = {(p.strobe, p.position) for p in pictures if p.stream == NIR}
        if not self._description.strobe or not places:
            return 0
        if len(places) > 1:
            return None
        (place,) = places
        return self._strobe.use(*place)

    @staticmethod
    def _stream(picture: HeadFrame, lit: int | None) -> Stream:
        if picture.stream != NIR:
            return Stream.RGB if picture.stream == RGB else Stream.DEPTH
        return Stream.NIR if picture.exposure == (lit or 0) else Stream.NIR_AMBIENT

    def _make(self, pictures: dict[Stream, HeadFrame], *, twice: bool) -> FrameSet | str:
        """Return the frame set, or why there is none."""
        if twice or not self._needed <= pictures.keys():
            return "a stream is missing or twice there"
        frames: dict[Stream, Frame] = {}
        for stream in self._wanted:
            data, form, optics = pictures[stream].data, self._formats[stream], self._description.optics[stream]
            if (data.shape[1], data.shape[0], str(data.dtype)) != (form.width, form.height, form.dtype):
                return "a picture has another size or format than the head stated"
            frames[stream] = Frame(stream, data, 1000 * pictures[stream].time_us, optics.intrinsics, optics.extrinsics)
        if Stream.NIR_AMBIENT in self._needed and not pictures[Stream.NIR].data.mean() > pictures[Stream.NIR_AMBIENT].data.mean():
            return "its lit NIR picture is not the brighter one"
        made = FrameSet(self._identity, self._made, **{s.value: f for s, f in frames.items()})
        return "its time runs backwards" if self._order.problem(made) is not None else made
