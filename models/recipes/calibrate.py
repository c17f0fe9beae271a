"""Recipe of models/calibration/match.json: impostor tables and likelihood ratios of the shipped recogniser on nine folds of LFW.

Run: python -m models.recipes.calibrate LFW_ROOT. Fold 1 of pairs.txt is left out, people and all, so that an evaluation on it is untouched.
LFW has no NIR pictures: the NIR side is rendered from the colour crops (`render_nir`) and the tables made with it say `simulated`; the SDK
uses those on simulated sensors alone. A real sensor's NIR needs its own calibration (`vultus calibrate`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vultus import pictures
from vultus.fitting import compare_all, pair_entry, seal_document
from vultus.graphs import open_graph
from vultus.manifest import load_manifest
from vultus.stages.align import FACE_MEAN, GAMMA, align_rgb
from vultus.stages.detect import Detector
from vultus.stages.embed import Recogniser
from vultus.stages.landmarks import Landmarks
from vultus.types import Crop, Frame, Modality, Stream

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "models" / "calibration" / "match.json"
_SEED = 20260


def folds(pairs: Path) -> list[set[str]]:
    """Return the people of each fold of an LFW pairs.txt."""
    lines = [line.split("\t") for line in pairs.read_text("utf-8").splitlines()]
    count, size = int(lines[0][0]), int(lines[0][1])
    out = []
    for k in range(count):
        rows = lines[1 + k * 2 * size : 1 + (k + 1) * 2 * size]
        out.append({name for row in rows for name in ((row[0],) if len(row) == 3 else (row[0], row[2]))})
    return out


def render_nir(crop: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Render a NIR-like crop, float32 (h, w) 0..255, from an RGB one (3, h, w): linear light, R * (R / G)^k, skin scatter, exposure, noise.

    k in 0..1.1 stands for melanin from unchanged to fully removed between red and 850 nm (skin optics after Jacques 2013).
    """
    linear = (np.clip(crop, 0, 255) / 255.0) ** 2.2
    red, green = linear[0], linear[1]
    nir = red * np.clip((red + 0.02) / (green + 0.02), 0.5, 3.0) ** rng.uniform(0.0, 1.1)
    nir = pictures.blur(np.ascontiguousarray(nir, np.float32), float(rng.uniform(0.5, 1.5)))
    face = nir[30:100, 25:87]
    shown = np.clip(nir * (FACE_MEAN / 255.0) / (float(np.median(face)) + 1e-6), 0.0, 1.0) ** (1 / GAMMA) * 255.0
    return np.clip(shown + rng.normal(0.0, rng.uniform(0.0, 4.0), shown.shape), 0.0, 255.0).astype(np.float32)


def extract(root: Path, names: list[Path]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], list[int]]:
    """Return RGB and rendered-NIR embeddings of the pictures, and the indices of those in which no face was found."""
    manifest = load_manifest(ROOT / "models")
    detector = Detector(open_graph(manifest.entry("detector")), open_graph(manifest.entry("detector_near")))
    landmarks, recogniser = Landmarks(open_graph(manifest.entry("landmarks"))), Recogniser(manifest)
    to, mean, scale = recogniser.input, recogniser.mean, recogniser.scale
    rng = np.random.default_rng(_SEED)
    rgb, nir, missed = [], [], []
    for i, name in enumerate(names):
        frame = Frame(Stream.RGB, pictures.read(root / name), 0)
        faces = detector.search(frame.data, Stream.RGB)
        if not faces:
            missed.append(i)
            continue
        centre = np.array([frame.width, frame.height]) / 2
        face = max(faces, key=lambda f: f.box[2] * f.box[3] - 2 * float(((f.landmarks.mean(0) - centre) ** 2).sum()))
        crop = align_rgb(frame, landmarks.closer(frame.data, face).landmarks, to, mean=mean, scale=scale)
        colour = recogniser.embed(crop)
        to[0, :] = (render_nir(to[0] / scale + mean, rng) - mean) * scale
        grey = recogniser.embed(Crop(Modality.NIR, to, crop.matrix))
        if colour is None or grey is None:
            missed.append(i)
            continue
        rgb.append(colour.vector)
        nir.append(grey.vector)
        if sys.stderr.isatty() and i % 50 == 0:
            print(f"\r{i}/{len(names)}", end="", file=sys.stderr)
    return np.stack(rgb), np.stack(nir), missed


def main(root: Path) -> None:
    """Write match.json."""
    held_out = folds(root / "pairs.txt")[0]
    names = sorted(p.relative_to(root) for p in root.glob("*/*.jpg") if p.parent.name not in held_out)
    rgb, nir, missed = extract(root, names)
    kept = [n for i, n in enumerate(names) if i not in set(missed)]
    people = sorted({n.parent.name for n in kept})
    ids = np.array([people.index(n.parent.name) for n in kept], np.int64)
    pairs = [
        pair_entry((Modality.RGB, Modality.RGB), compare_all(rgb, ids), len(people), simulated=False),
        pair_entry((Modality.NIR, Modality.NIR), compare_all(nir, ids), len(people), simulated=True),
        pair_entry((Modality.RGB, Modality.NIR), compare_all(rgb, ids, nir, ids, paired=True), len(people), simulated=True),
    ]
    graph = load_manifest(ROOT / "models").graph
    listing = hashlib.sha256("\n".join(map(str, kept)).encode()).hexdigest()
    document = {
        "id": f"lfw9-{graph[:8]}",
        "graph": graph,
        "pairs": pairs,
        "dataset": {
            "name": "LFW, folds 2 to 10 of pairs.txt",
            "people": len(people),
            "samples": len(kept),
            "missed": len(missed),
            "files_sha256": listing,
        },
        "recipe": "python -m models.recipes.calibrate LFW_ROOT",
        "created": dt.datetime.now(dt.UTC).date().isoformat(),
    }
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(seal_document(document), indent=1, sort_keys=True) + "\n", "utf-8")
    print(f"wrote {OUT.name}: {len(people)} people, {len(kept)} samples, {pairs[0]['comparisons']} impostor comparisons a pair")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
