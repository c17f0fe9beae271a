"""Colour only: the liveness cues of a frame set that has neither NIR nor depth, in the order in which the vote over them reads."""

from __future__ import annotations

from vultus.manifest import Manifest
from vultus.stages.colour import MOTION, Colours, cues_of
from vultus.stages.sheet import Sheets
from vultus.types import U8, Cue, Face, FrameSet


class ColourOnly:
    """Looks at colour where there is nothing else; costs nothing elsewhere."""

    def __init__(self, manifest: Manifest, threads: int = 1) -> None:
        self._colours, self._sheets = Colours(manifest, threads), Sheets()

    def cues(self, fs: FrameSet, luma: U8 | None, face: Face | None) -> tuple[Cue, ...]:
        """Return the cues of a frame set with colour alone, none of any other; they abstain until a calibration weighs them.

        Raises ModelError when the network is missing or altered.
        """
        if fs.rgb is None or luma is None or fs.nir is not None or fs.depth is not None:
            return ()
        if face is None:
            return cues_of({})
        found = self._colours.measure(fs.rgb.data, luma, face)
        return cues_of({**found, MOTION: self._sheets.measure(luma, face, fs.time_ns, fs.device.serial)})
