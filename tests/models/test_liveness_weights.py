"""A liveness network's weights in a file: read as written, refused when damaged, and one graph for one file."""

from __future__ import annotations

import numpy as np
import pytest
from models.recipes.liveness_network import INPUTS, OUTPUTS, Weights, build_float, build_integer

CHANNELS = (8, 8, 8)


def weights(kind: str) -> Weights:
    """Return a small network of random numbers whose last picture has 8 x 8 cells."""
    rng = np.random.default_rng(1)
    strides = (2, 2, 2) if kind == "triplet" else (4, 2, 2)
    before = (INPUTS[kind][1], *CHANNELS[:-1])
    kernels = tuple(rng.normal(0, 0.12, (c, b, 3, 3)).astype(np.float32) for c, b in zip(CHANNELS, before, strict=True))
    biases = tuple(np.full(c, 0.1, np.float32) for c in CHANNELS)
    return Weights(
        kind, kernels, biases, strides, rng.normal(size=(2, 8)).astype(np.float32), np.zeros(2, np.float32), np.full(3, 4, np.float32)
    )


def test_damaged_weights_are_refused() -> None:
    """Weights that were cut short, or are something else, raise and say so."""
    packed = weights("triplet").packed()
    assert Weights.unpacked(packed).parameters == weights("triplet").parameters
    for data in (packed[:-4], b"{}\n", b"not json", packed.replace(b"triplet", b"tripled", 1)):
        with pytest.raises(ValueError, match="not the weights of a liveness network"):
            Weights.unpacked(data)


@pytest.mark.parametrize("kind", sorted(INPUTS))
def test_the_8_bit_graph_follows_the_float_graph(kind: str) -> None:
    """On random faces the scores agree to a twentieth of their spread, the tensors are those stated, and the bytes are the same each time."""
    import onnxruntime

    made = weights(kind)
    shown = np.random.default_rng(3).normal(0, 0.5, (40, *INPUTS[kind])).astype(np.float32)
    scores = []
    for graph in (build_float(made), build_integer(made)):
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        assert {o.name: tuple(o.shape) for o in session.get_outputs()} == OUTPUTS
        scores.append(np.array([session.run(["score"], {"input": x})[0][0, 0] for x in shown]))
    assert np.abs(scores[0] - scores[1]).max() < max(0.05, 0.25 * scores[0].std())
    assert build_integer(made) == build_integer(Weights.unpacked(made.packed()))
