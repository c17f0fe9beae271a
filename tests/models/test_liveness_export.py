"""A models folder with liveness networks beside the shipped graphs: it opens, its cues are measured, and it is whole or nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from models.recipes.liveness_network import INPUTS, Weights
from models.training.liveness.export import export

from vultus.calibration import load
from vultus.devices import open_device
from vultus.errors import ModelMissing
from vultus.manifest import load_manifest
from vultus.pipeline import Pipeline
from vultus.types import Verdict

CHANNELS = (8, 8, 8)


def weights(kind: str) -> Weights:
    """Return a small network of random numbers whose last picture has 8 x 8 cells."""
    rng = np.random.default_rng(1)
    strides = (2, 2, 2) if kind == "triplet" else (4, 2, 2)
    before = (INPUTS[kind][1], *CHANNELS[:-1])
    kernels = tuple(rng.normal(0, 0.3, (c, b, 3, 3)).astype(np.float32) for c, b in zip(CHANNELS, before, strict=True))
    biases = tuple(np.full(c, 0.1, np.float32) for c in CHANNELS)
    return Weights(
        kind, kernels, biases, strides, rng.normal(size=(2, 8)).astype(np.float32), np.zeros(2, np.float32), np.full(3, 4, np.float32)
    )


def test_exported_networks_give_cues_that_fail_below_their_limits(tmp_path: Path) -> None:
    """One face before the simulator: both networks are measured; with limits above every score both fail and the face is refused."""
    pytest.importorskip("skimage")
    verdicts = {}
    for name, limit in (("low", -1e3), ("high", 1e3)):
        networks = {kind: (weights(kind), {"pass": limit, "fail": limit}) for kind in ("triplet", "colour")}
        export(networks, tmp_path / name)
        manifest = load_manifest(tmp_path / name)
        assert [s.problem for s in manifest.verify()] == [""] * 5
        pipeline = Pipeline(manifest, load(tmp_path / name / "calibration").limits)
        with open_device("simulator:astronaut") as camera:
            liveness = pipeline.process(camera.read(), with_embeddings=False).liveness
        assert liveness is not None
        found = {c.name: c for c in liveness.cues if c.name.endswith("_network")}
        assert set(found) == {"triplet_network", "colour_network"}
        assert all(c.value is not None and np.isfinite(c.value) for c in found.values())
        verdicts[name] = ({c.verdict for c in found.values()}, liveness.verdict)
    assert verdicts["low"] == ({Verdict.PASS}, Verdict.PASS)
    assert verdicts["high"] == ({Verdict.FAIL}, Verdict.FAIL)


def test_two_networks_of_one_kind_are_refused(tmp_path: Path) -> None:
    """A folder holds one network of each kind."""
    limits = {"pass": 0.0, "fail": 0.0}
    with pytest.raises(ValueError, match="one network of each kind"):
        export({"a": (weights("colour"), limits), "b": (weights("colour"), limits)}, tmp_path)


def test_a_calibration_that_counts_on_a_network_opens_nothing_without_it(tmp_path: Path) -> None:
    """The exported calibration with the shipped manifest raises and names the graph."""
    export({"triplet": (weights("triplet"), {"pass": 0.0, "fail": 0.0})}, tmp_path)
    with pytest.raises(ModelMissing, match="counts on the graph triplet_network"):
        Pipeline(load_manifest(), load(tmp_path / "calibration").limits)


def test_damaged_weights_are_refused() -> None:
    """Weights that were cut short, or are something else, raise and say so."""
    packed = weights("triplet").packed()
    assert Weights.unpacked(packed).parameters == weights("triplet").parameters
    for data in (packed[:-4], b"{}\n", b"not json", packed.replace(b"triplet", b"tripled", 1)):
        with pytest.raises(ValueError, match="not the weights of a liveness network"):
            Weights.unpacked(data)
