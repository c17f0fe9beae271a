"""Cut a piece out of a recording; write a recording made from another one whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

from vultus.devices.recordings.envelope import Consent, Key
from vultus.devices.recordings.recorder import Recorder
from vultus.devices.recordings.recording import Recording
from vultus.errors import RecordingError
from vultus.frames import DeviceIdentity, FrameSet
from vultus.private_files import draft, publish


def trim(
    source: Path | str,
    target: Path | str,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    partial: bool = False,
    key: Key | None = None,
) -> int:
    """Write the frame sets of `source` from `start_s` up to, not including, `end_s` to a new recording; return how many.

    Seconds count from the recording's first time stamp; end_s None means to the end. Pixels, times, sequence numbers, calibration, timing,
    the recorded device's identity and the consent note stay bit for bit. `partial` takes the whole frame sets of a source that is cut
    short. An encrypted source, opened by `key` as `Recording` does, gives a piece encrypted by the same. Raises ValueError for seconds
    that make no sense, RecordingError when nothing lies there, when `target` exists, when the disk is full or when `source` is damaged;
    no `target` is left then.
    """
    if not 0 <= start_s < float("inf") or (end_s is not None and not end_s > start_s):
        raise ValueError(f"a piece begins at 0 s or later and ends after it begins; got {start_s:g} s to {end_s} s")
    with closing(Recording(source, partial=partial, key=key)) as recording:
        first, last = recording.span_ns
        begin = first + round(start_s * 1e9)
        end = first + round(end_s * 1e9) if end_s is not None and end_s < float("inf") else last + 1
        recording.seek(begin)
        frame_set = next(recording, None)
        if frame_set is None or frame_set.time_ns >= end:
            raise RecordingError(f"{source}: no frame set there; the recording is {(last - first) / 1e9:.3f} s long")
        wrapped_by = recording.envelope.wrapped_by if recording.envelope is not None else None
        piece = _until(frame_set, recording, end)
        return write_whole(target, recording.recorded, piece, consent=recording.consent, key=wrapped_by)


def _until(frame_set: FrameSet | None, recording: Recording, end_ns: int) -> Iterator[FrameSet]:
    while frame_set is not None and frame_set.time_ns < end_ns:
        yield replace(frame_set, device=recording.recorded).timed(frame_set.timing)
        frame_set = next(recording, None)


def write_whole(
    target: Path | str,
    device: DeviceIdentity,
    frame_sets: Iterable[FrameSet],
    *,
    consent: Consent | None = None,
    key: Key | None = None,
    about: Mapping[str, str] | None = None,
) -> int:
    """Write a new recording and return its number of frame sets; `target` appears when it is complete, else nothing is left of it.

    Raises RecordingError when `target` exists or cannot be written; what `frame_sets` raises goes through.
    """
    target = Path(target)
    if target.exists():
        raise RecordingError(f"{target} exists; choose another name or remove it")
    with _drafted(target) as path:
        with _named(target):
            recorder = Recorder(path, device, overwrite=True, consent=consent, key=key, about=about)
        with recorder:
            for frame_set in frame_sets:
                with _named(target):
                    recorder.write(frame_set)
            with _named(target):
                recorder.close()
        with _named(target):
            published = publish(path, target)
        if not published:
            raise RecordingError(f"{target} exists; choose another name or remove it")
    return recorder.written


@contextmanager
def _drafted(target: Path) -> Iterator[Path]:
    with ExitStack() as stack:
        with _named(target):
            path = stack.enter_context(draft(target))
        yield path


@contextmanager
def _named(target: Path) -> Iterator[None]:
    """Say of a failed write what it means here: the draft is gone."""
    try:
        yield
    except OSError as problem:
        raise RecordingError(f"{target}: the recording cannot be written: {problem.strerror}; nothing was kept") from problem
    except RecordingError as problem:
        if isinstance(problem.__cause__, OSError):
            raise RecordingError(f"{target}: {problem.__cause__.strerror}; nothing was kept, free some space and try again") from problem
        raise
