"""What the pipeline found in one sample, in the form that is cached and compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

import vultus
from vultus.calibration import Calibration
from vultus.frames import Stream
from vultus.types import Cue, Liveness, Modality, SpoofKind, Verdict

FORMAT: Final = 1
"""Raised when the meaning of a stored field changes."""
_CODE: Final = (
    "pipeline.py",
    "colour_only.py",
    "pictures.py",
    "geometry.py",
    "detail.py",
    "products.py",
    "types.py",
    "_native/*.py",
    "_core*.so",
    "stages/*.py",
    "devices/index.py",
)
"""What decides, besides the graphs, which features a file gives."""

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """One sample after the pipeline.

    vectors: unit-length embeddings of the usable modalities. found: for each stream with a face its box, landmarks and score.
    liveness: None when no face was found, so that the gates did not run. problem: why the sample could not even be read, or None.
    """

    vectors: Mapping[Modality, F32] = field(repr=False)
    faces: int = 0
    found: Mapping[Stream, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    quality: Mapping[str, int | None] = field(default_factory=dict)
    hints: tuple[str, ...] = ()
    liveness: Mapping[str, Any] | None = None
    modalities: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None

    @classmethod
    def unreadable(cls, problem: str) -> Features:
        """Return the features of a sample that no stage saw."""
        return cls({}, problem=problem)

    @classmethod
    def of(cls, probe: Any) -> Features:
        """Take what evaluation needs from a `vultus.pipeline.Probe`."""
        found = {
            stream: {"box": [float(v) for v in face.box], "landmarks": np.asarray(face.landmarks).tolist(), "score": float(face.score)}
            for stream, face in probe.found.items()
        }
        return cls(
            {m: np.array(e.vector, np.float32) for m, e in probe.embeddings.items()},
            int(probe.faces),
            found,
            dict(probe.quality.components) if probe.quality is not None else {},
            tuple(h.value for h in probe.hints),
            _plain_liveness(probe.liveness),
            dict(probe.modalities),
        )

    def judged(self) -> Liveness | None:
        """Return what the gates said as the value that a vote is cast on; None where they did not run."""
        if self.liveness is None:
            return None
        cues = tuple(Cue(name, c["value"], c["unit"], c["limit"], Verdict(c["verdict"])) for name, c in self.liveness["cues"].items())
        kind = self.liveness["spoof_kind"]
        found = None if kind is None else SpoofKind(kind)
        return Liveness(Verdict(self.liveness["verdict"]), cues, found, self.liveness["p_live"], self.liveness["log_lr"])

    def voted(self, calibration: Calibration | None) -> Features:
        """Return the features with a calibration's votes cast, as a sign-in casts them."""
        return self if calibration is None else replace(self, liveness=_plain_liveness(calibration.voted(self.judged())))

    def why_not(self, modality: Modality) -> str | None:
        """Say why there is no embedding of a modality; None when there is one."""
        if modality in self.vectors:
            return None
        return self.problem or self.modalities.get(modality.value, "missing")

    def to_row(self) -> tuple[str, bytes | None, bytes | None]:
        """Return the JSON part, the RGB and the NIR embedding."""
        meta = {
            "faces": self.faces,
            "found": {k.value: dict(v) for k, v in self.found.items()},
            "quality": dict(self.quality),
            "hints": self.hints,
            "liveness": self.liveness,
            "modalities": dict(self.modalities),
            "problem": self.problem,
        }
        blobs = [self.vectors[m].astype("<f4").tobytes() if m in self.vectors else None for m in (Modality.RGB, Modality.NIR)]
        return json.dumps(meta, allow_nan=False), blobs[0], blobs[1]

    @classmethod
    def from_row(cls, meta: str, rgb: bytes | None, nir: bytes | None) -> Features:
        """Read back `to_row`; raises ValueError when it is not one."""
        raw = json.loads(meta)
        blobs = {Modality.RGB: rgb, Modality.NIR: nir}
        try:
            return cls(
                {m: np.frombuffer(b, "<f4").astype(np.float32) for m, b in blobs.items() if b is not None},
                raw["faces"],
                {Stream(k): v for k, v in raw["found"].items()},
                raw["quality"],
                tuple(raw["hints"]),
                raw["liveness"],
                raw["modalities"],
                raw["problem"],
            )
        except (KeyError, TypeError) as error:
            raise ValueError("not a row of features") from error


def _plain_liveness(liveness: Liveness | None) -> dict[str, Any] | None:
    """Return the liveness result as JSON-ready values."""
    if liveness is None:
        return None
    return {
        "verdict": liveness.verdict.value,
        "spoof_kind": liveness.spoof_kind.value if liveness.spoof_kind is not None else None,
        "p_live": liveness.p_live,
        "log_lr": liveness.log_lr,
        "cues": {c.name: {"value": c.value, "unit": c.unit, "limit": c.limit, "verdict": c.verdict.value} for c in liveness.cues},
    }


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Return a hash of the code between a file and its features, so that a change of a stage never meets stale features."""
    root = Path(vultus.__file__).parent
    digest = hashlib.sha256()
    for pattern in _CODE:
        for path in sorted(root.glob(pattern)):
            digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def feature_key(graphs: Mapping[str, str], streams: Mapping[Stream, str], change: str = "") -> str:
    """Return the cache key of one sample: the graphs, the code, the bytes of its files and what was done to them.

    graphs: role to sha256. streams: stream to the sha256 of its file. change: a corruption's own description.
    """
    parts = [FORMAT, code_digest(), sorted(graphs.items()), sorted((s.value, h) for s, h in streams.items()), change]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
