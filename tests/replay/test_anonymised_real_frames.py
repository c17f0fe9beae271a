"""Real people's frame sets, anonymised: what is kept, and whom the copies still resemble."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vultus import calibration
from vultus.anonymising import Anonymiser
from vultus.devices.images import load_row
from vultus.devices.index import read_index
from vultus.frames import DeviceIdentity, FrameSet, Source, Stream
from vultus.manifest import load_manifest
from vultus.pipeline import Pipeline
from vultus.stages.align import align_rgb
from vultus.types import Modality

WHO = DeviceIdentity("images", "rap3df-2017", "", Source.IMAGES)
EVERY = 6
"""One of so many samples: a quick look at each of the 62 people's sensor settings, not a rate."""


@pytest.mark.real_data
def test_real_people_are_covered_or_left_out(data_root: Path) -> None:
    """No copy shows a face to the detector of signing in, and each compares with its original as strangers do: none would match at a rate of 1e-3."""
    path = data_root / "rap3df-2017" / "index.csv"
    if not path.is_file():
        pytest.skip(f"no real frames at {path}")
    rows = [r for r in read_index(path, check_pictures=False).rows if {Stream.RGB, Stream.NIR, Stream.DEPTH} <= set(r.paths)][::EVERY]
    manifest = load_manifest()
    base = calibration.load(manifest.root / "calibration")
    pipeline = Pipeline(manifest, base.limits)
    kept, scores = 0, []
    for row in rows:
        original = load_row(row, WHO)
        copies: list[FrameSet] = list(Anonymiser(manifest).anonymise([original], WHO))
        if not copies:
            continue
        kept += 1
        copy = copies[0]
        assert pipeline.process(copy, with_embeddings=False).faces == 0
        probe = pipeline.process(replace(original, device=WHO))
        if Modality.RGB not in probe.embeddings or copy.rgb is None:
            continue
        to = pipeline._recogniser
        crop = align_rgb(copy.rgb, probe.found[Stream.RGB].landmarks, to.input, mean=to.mean, scale=to.scale)
        found = to.embed(crop)
        if found is not None:
            scores.append(float(found.vector @ probe.embeddings[Modality.RGB].vector))
    print(f"kept {kept} of {len(rows)}; {len(scores)} scores, largest {max(scores):.3f}, median {np.median(scores):.3f}")
    rates = [base.tables[Modality.RGB, Modality.RGB].rate(s)[0] for s in scores]
    assert kept >= 0.8 * len(rows)
    assert min(rates) > 1e-3
