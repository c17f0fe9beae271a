"""Fits the vote over colour alone to one camera: limits from its own live faces, and from real attacks before it where the index has them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vultus.colour_fitting import device_vote
from vultus.errors import CalibrationError
from vultus.evaluate.extraction import Task, hash_files
from vultus.evaluate.samples import DataSet
from vultus.evaluate.setting import Setting
from vultus.frames import Stream


def colour_alone(data: DataSet) -> bool:
    """Say whether an index has pictures in colour and nothing that the vote of a depth camera could be fitted on."""
    live = [s for s in data.samples if s.bona_fide]
    return any(Stream.RGB in s.files for s in live) and not any(Stream.DEPTH in s.files or Stream.NIR in s.files for s in live)


def calibrate_colour(data: DataSet, setting: Setting) -> dict[str, Any]:
    """Return the "colour" entry of a device calibration. Raises CalibrationError on too few people or samples."""
    base = None if setting.calibration is None else setting.calibration.colour
    if base is None:
        raise CalibrationError("the installed calibration has no vote over colour alone to start from; reinstall vultus")
    samples = [replace(s, files={Stream.RGB: s.files[Stream.RGB]}) for s in data.samples if Stream.RGB in s.files]
    features = setting.extract([Task(s, i) for i, s in enumerate(samples)], hash_files(data, setting.progress))
    seen = [(s, f.judged()) for s, f in zip(samples, features, strict=True)]
    faced = [(s, {c.name: c.value for c in found.cues}) for s, found in seen if found is not None]
    live = [(s, values) for s, values in faced if s.bona_fide]
    attacks = [(s, values) for s, values in faced if not s.bona_fide]
    people = [s.person for s, _ in live]
    vote = device_vote(base, [v for _, v in live], people, [v for _, v in attacks])
    kinds = {label: sum(s.label == label for s, _ in attacks) for label in sorted({s.label for s, _ in attacks})}
    return {**vote.to_dict(), "people": len(set(people)), "live_samples": len(live), "attacks": kinds}
