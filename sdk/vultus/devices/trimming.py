"""Cut a piece out of a recording."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from vultus.devices.recorder import Recorder
from vultus.devices.recording import Recording
from vultus.errors import RecordingError


def trim(source: Path | str, target: Path | str, *, start_s: float = 0.0, end_s: float | None = None, partial: bool = False) -> int:
    """Write the frame sets of `source` from `start_s` up to, not including, `end_s` to a new recording; return how many.

    Seconds count from the recording's first time stamp; end_s None means to the end. Pixels, times, sequence numbers, calibration,
    timing and the recorded device's identity stay bit for bit. `partial` takes the whole frame sets of a source that is cut short.
    Raises ValueError for seconds that make no sense, RecordingError when nothing lies there, when `target` exists or when `source`
    is damaged; no `target` is left then.
    """
    if not 0 <= start_s < float("inf") or (end_s is not None and not end_s > start_s):
        raise ValueError(f"a piece begins at 0 s or later and ends after it begins; got {start_s:g} s to {end_s} s")
    with closing(Recording(source, partial=partial)) as recording:
        first, last = recording.span_ns
        begin = first + round(start_s * 1e9)
        end = first + round(end_s * 1e9) if end_s is not None and end_s < float("inf") else last + 1
        recording.seek(begin)
        frame_set = next(recording, None)
        if frame_set is None or frame_set.time_ns >= end:
            raise RecordingError(f"{source}: no frame set there; the recording is {(last - first) / 1e9:.3f} s long")
        recorder = Recorder(target, recording.recorded)
        try:
            with recorder:
                while frame_set is not None and frame_set.time_ns < end:
                    recorder.write(replace(frame_set, device=recording.recorded).timed(frame_set.timing))
                    frame_set = next(recording, None)
        except BaseException:
            Path(target).unlink(missing_ok=True)
            raise
        return recorder.written
