"""Measures colour networks on real prints and screens, beside a vendor's network and simple cues, all on the same frames."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
from models.recipes.crops import data_folder
from models.recipes.liveness_network import Weights, build_integer
from models.training.liveness.crops import COLOUR_SIDE, colour_crop

from vultus import pictures
from vultus.evaluate.metrics.pad import equal_error
from vultus.evaluate.progress import progress_bar
from vultus.evaluate.samples import Sample, index_samples
from vultus.graphs import open_graph
from vultus.manifest import load_manifest
from vultus.stages.colour import grid_of
from vultus.stages.detect import Detector
from vultus.types import Face, Stream

U8 = npt.NDArray[np.uint8]
F64 = npt.NDArray[np.float64]
SETS: Final = ("nuaa-dev", "print-screen")
VENDOR_SHA256: Final = "afa783b7e902fdfcf323a7240cac2a1c580c25314ea4161129dc1b0d100dc32d"
_DRAWS: Final = 1000
_BRIGHT: Final = 1.8
_SURROUNDINGS: Final = 2.7
"""Share of the face box that the vendor's JavaScript shows its network."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A picture with the face that was found in the unaltered picture."""

    rgb: U8
    face: Face


def as_it_is(seen: Seen) -> Seen:
    """Return the picture unchanged."""
    return seen


def box_alone(seen: Seen) -> Seen:
    """Return the picture black outside the detector's box."""
    x0, y0, x1, y1 = _corners(seen, 1.0)
    out = np.zeros_like(seen.rgb)
    out[y0:y1, x0:x1] = seen.rgb[y0:y1, x0:x1]
    return replace(seen, rgb=out)


def grey(seen: Seen) -> Seen:
    """Return the picture without colour."""
    luma = np.rint(seen.rgb @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    return replace(seen, rgb=np.repeat(luma[..., None], 3, axis=2))


def half_resolution(seen: Seen) -> Seen:
    """Return the picture at half its size."""
    small = cv2.resize(seen.rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    x, y, w, h = (v / 2 for v in seen.face.box)
    return Seen(np.asarray(small, np.uint8), Face(Stream.RGB, (x, y, w, h), ((seen.face.landmarks + 0.5) / 2 - 0.5), seen.face.score))


def bright(seen: Seen) -> Seen:
    """Return the picture with its values times 1.8, clipped."""
    return replace(seen, rgb=np.clip(seen.rgb * _BRIGHT, 0, 255).astype(np.uint8))


CHANGES: Final[Mapping[str, Callable[[Seen], Seen]]] = {
    "as it is": as_it_is,
    "face box alone": box_alone,
    "grey": grey,
    "half resolution": half_resolution,
    "1.8 x brightness": bright,
}


def measure(networks: Mapping[str, Weights], name: str, vendor: Path | None) -> tuple[dict[str, Any], list[str]]:
    """Return equal error rates with intervals over people, for each scorer and change, and the lines of a Markdown table.

    Raises ValueError when the vendor's file is another one, OSError when the set is missing.
    """
    samples, scores, blurred = scored(networks, name, vendor)
    document: dict[str, Any] = {
        "set": name, "frames": len(samples), "face_found_only_when_blurred": blurred,
        "without_face": int(np.isnan(next(iter(scores.values()))["as it is"]).sum()), "rates": {},
    }  # fmt: skip
    species = sorted({s.label for s in samples} - {"bona_fide"})
    lines = ["| scorer | attack | " + " | ".join(CHANGES) + " |", "|---" * (len(CHANGES) + 2) + "|"]
    for scorer, by_change in scores.items():
        for attack in species:
            rates = {c: rate(list(samples), values, attack) for c, values in by_change.items()}
            document["rates"].setdefault(scorer, {})[attack] = rates
            lines.append(f"| {scorer} | {attack} | " + " | ".join(cell(r) for r in rates.values()) + " |")
    return document, lines


def scored(networks: Mapping[str, Weights], name: str, vendor: Path | None) -> tuple[list[Sample], dict[str, dict[str, F64]], int]:
    """Return the samples of a set, the score of each by scorer and change, NaN without a face, and how many faces were found blurred alone."""
    scorers = {**{n: _own(w) for n, w in networks.items()}, "grid": _grid, "Laplacian variance": _laplacian}
    if vendor is not None:
        scorers["vendor, surroundings"], scorers["vendor, face box"] = (_vendor(vendor, share) for share in (_SURROUNDINGS, 1.0))
    samples, found, blurred = zip(*_faces(name), strict=True)
    scores = {
        k: {c: np.array([np.nan if f is None else score(change(f)) for f in found]) for c, change in CHANGES.items()}
        for k, score in scorers.items()
    }
    return list(samples), scores, sum(blurred)


def _faces(name: str) -> Iterator[tuple[Sample, Seen | None, bool]]:
    """Yield every row of the set with the face that the shipped detector finds in it, and whether it took a blurred copy to find it.

    Coarse halftone dots hide a face from the detector: a sign-in then ends with `no_face`, but the scorers are asked all the same.
    """
    manifest = load_manifest()
    detector = Detector(open_graph(manifest.entry("detector")), open_graph(manifest.entry("detector_near")))
    data = index_samples(data_folder() / name / "index.csv")
    with progress_bar() as progress:
        for i, sample in enumerate(data.samples):
            rgb = pictures.read(sample.files[Stream.RGB], Stream.RGB)
            plain = detector.find(rgb, Stream.RGB)
            faces = plain or detector.find(np.ascontiguousarray(cv2.GaussianBlur(rgb, (0, 0), rgb.shape[1] / 160)), Stream.RGB)
            best = max(faces, key=lambda f: f.box[2] * f.box[3], default=None)
            yield sample, None if best is None else Seen(rgb, best), best is not None and not plain
            if progress is not None:
                progress("faces", i + 1, len(data.samples))


def _own(weights: Weights) -> Callable[[Seen], float]:
    session = _session(build_integer(weights))
    tensor = np.empty((1, 3, COLOUR_SIDE, COLOUR_SIDE), np.float32)

    def score(seen: Seen) -> float:
        colour_crop(np.ascontiguousarray(seen.rgb), seen.face.landmarks.astype(np.float32), tensor[0])
        return float(session.run(["score"], {"input": tensor})[0][0, 0])

    return score


def _vendor(path: Path, share: float) -> Callable[[Seen], float]:
    """Return the score of the vendor's network: the log-odds of its first class; pixels 0..255 in the order B, G, R, 128 x 128."""
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != VENDOR_SHA256:
        raise ValueError(f"{path} is not model/fr_liveness.onnx of faceplugin-face-recognition-js 0.0.1")
    session = _session(data)

    def score(seen: Seen) -> float:
        x0, y0, x1, y1 = _corners(seen, share)
        crop = cv2.resize(seen.rgb[y0:y1, x0:x1], (128, 128))
        logits = session.run(None, {"input": np.ascontiguousarray(crop[..., ::-1].transpose(2, 0, 1)[None], np.float32)})[0][0].astype(
            np.float64
        )
        return float(logits[0] - np.logaddexp(logits[1], logits[2]))

    return score


def _grid(seen: Seen) -> float:
    """Return the shipped cue of dots and pixels, the other way round: higher is livelier; 0 where it was not measured."""
    luma = np.ascontiguousarray(cv2.cvtColor(seen.rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    found = grid_of(luma, seen.face)
    return 0.0 if found is None else -found


def _laplacian(seen: Seen) -> float:
    """Return the logarithm of the variance of the Laplacian of the box, 128 pixels wide and in even exposure: prints are blurred."""
    x0, y0, x1, y1 = _corners(seen, 1.0)
    luma = cv2.resize(cv2.cvtColor(seen.rgb[y0:y1, x0:x1], cv2.COLOR_RGB2GRAY), (128, 128)).astype(np.float64)
    return float(np.log(cv2.Laplacian(luma / max(luma.mean(), 1.0), cv2.CV_64F).var() + 1e-9))


def _corners(seen: Seen, share: float) -> tuple[int, int, int, int]:
    """Return the box about the face's, `share` times as large, moved and cut to lie in the picture as the vendor does it."""
    height, width = seen.rgb.shape[:2]
    x, y, w, h = seen.face.box
    share = min(share, (width - 1) / w, (height - 1) / h)
    left = min(max(x + w / 2 - w * share / 2, 0), width - 1 - w * share)
    top = min(max(y + h / 2 - h * share / 2, 0), height - 1 - h * share)
    x0, y0 = max(int(left), 0), max(int(top), 0)
    return x0, y0, min(x0 + max(int(w * share), 8), width), min(y0 + max(int(h * share), 8), height)


def _session(graph: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def rate(samples: list[Sample], scores: F64, attack: str) -> dict[str, float | int]:
    """Return the equal error rate of live against one species, with the 95 % interval of drawing the people anew."""
    live, shown = ([i for i, s in enumerate(samples) if s.label == label and np.isfinite(scores[i])] for label in ("bona_fide", attack))
    people = sorted({samples[i].person for i in (*live, *shown)})
    mine = {p: [scores[[i for i in rows if samples[i].person == p]] for rows in (live, shown)] for p in people}
    rng, drawn = np.random.default_rng(0), []
    for _ in range(_DRAWS):
        chosen = [mine[people[k]] for k in rng.integers(len(people), size=len(people))]
        a, b = (np.concatenate([c[k] for c in chosen]) for k in (0, 1))
        value = equal_error(a, b) if a.size and b.size else None
        drawn += [value] if value is not None else []
    found = equal_error(scores[live], scores[shown])
    low, high = np.percentile(drawn, (2.5, 97.5))
    return {
        "eer": float("nan") if found is None else found, "low": float(low), "high": float(high),
        "live": len(live), "attacks": len(shown), "people": len(people),
    }  # fmt: skip


def cell(found: Mapping[str, float | int]) -> str:
    """Return an equal error rate with its interval in per cent."""
    return f"{100 * found['eer']:.1f} ({100 * found['low']:.1f} to {100 * found['high']:.1f})"
