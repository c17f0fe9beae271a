"""Writes a trained normaliser as ONNX, in float and in 8 bits, holds both against PyTorch, and measures what they cost."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from models.recipes.gate import open_session
from models.recipes.layers import Layer, Network
from models.recipes.normaliser import build_normaliser, of_stem
from models.recipes.recogniser import float_graph, integer_graph
from models.recipes.writer import GraphWriter
from models.training.normaliser.recogniser import Recogniser, embed
from models.training.normaliser.variants import PLANES, Affine, Encoder, Normaliser, Prepended, Stem
from torch import nn

F32 = npt.NDArray[np.float32]
_EQUAL: Final = 1e-3
"""Largest difference of a number of the float graph from PyTorch's: rounding in another order."""
_COSINE: Final = 0.99
"""Least mean cosine of the embeddings behind the 8-bit graph with PyTorch's; the shipped recogniser reaches 0.997 against its own float graph."""
_ROUNDS: Final = 40


@dataclass(frozen=True, slots=True)
class Form:
    """One written graph. difference: largest from PyTorch; None where 8 bits make it meaningless. cosine: mean, of the embeddings behind it, with
    PyTorch's. cost: its time as a ratio to the 8-bit recogniser's in the same run; of a whole recogniser, what it takes beyond it.
    """

    file: str
    bytes: int
    difference: float | None
    cosine: float
    cost: float


def export(model: Normaliser, recogniser: Recogniser, samples: F32, folder: Path) -> tuple[dict[str, Form], str]:
    """Write float.onnx and int8.onnx into `folder`; return their figures and which of them to use: the cheaper of those that pass.

    Of a stem also stem.onnx, which is what ships: the first layers alone, for the core to run before the shared 8-bit ones.

    samples: (n, 5, 112, 112) simulated inputs; half of them range the 8 bits, the other half judge. Raises ValueError when the float graph does not
    give what PyTorch gives.
    """
    model, recogniser = model.eval(), recogniser.eval()
    whole = isinstance(model, Affine | Stem)
    if whole:
        network = network_of(model, recogniser.network)
        graphs = {"float": float_graph(network, straight=True), "int8": integer_graph(network)}
        if isinstance(model, Stem):
            (folder / "stem.onnx").write_bytes(stem_graph(model, recogniser.network))
    else:
        data = picture_graph(model)
        graphs = {"float": data, "int8": _in_integers(data, _shown(model, samples[::2]))}
    judged = samples[1::2]
    wanted = embed(lambda x: recogniser(model(x), model.enters), judged)
    forms = {}
    costs = _costs(graphs, integer_graph(recogniser.network), _shown(model, judged)[:1])
    for name, graph in graphs.items():
        (folder / f"{name}.onnx").write_bytes(graph)
        out = np.concatenate(list(_run(open_session(graph), _shown(model, judged))))
        got = out / np.linalg.norm(out, axis=1, keepdims=True) if whole else embed(recogniser, out)
        exact = wanted if whole else embed(model, judged)
        difference = float(np.abs((got if whole else out) - exact).max())
        cosine = float((got * wanted).sum(1).mean())
        kept = difference if name == "float" else None
        forms[name] = Form(f"{name}.onnx", len(graph), kept, cosine, costs[name] - whole)
    if (forms["float"].difference or 0) > _EQUAL:
        raise ValueError(
            f"the float graph differs from PyTorch by {forms['float'].difference:.2g}, more than {_EQUAL}; it was not exported right"
        )
    passing = [name for name, form in forms.items() if name == "float" or form.cosine >= _COSINE]
    return forms, min(passing, key=lambda name: forms[name].cost)


def figures(forms: dict[str, Form], chosen: str) -> dict[str, Any]:
    """Return the figures as plain values."""
    return {"forms": {name: asdict(form) for name, form in forms.items()}, "chosen": chosen}


def network_of(model: Affine | Stem, network: Network) -> Network:
    """Return the recogniser for NIR crops (1, 1, 112, 112): the published one behind the model's own first layers."""
    own = [model.folded()] if isinstance(model, Affine) else [model.layer(i) for i in range(model.enters)]
    layers = [_with(layer, *values) for layer, values in zip(network.layers, own, strict=False)]
    return replace(network, layers=(*layers, *network.layers[len(own) :]))


def stem_graph(model: Stem, network: Network) -> bytes:
    """Return the graph of a stem as it ships."""
    values = [tuple(np.asarray(v.detach().numpy(), np.float64) for v in model.layer(i)) for i in range(model.enters)]
    return build_normaliser(network, of_stem(network, values))


def picture_graph(model: Normaliser) -> bytes:
    """Return the float graph of a form that gives a picture: `input` (1, c, 112, 112) to `picture` (1, 3, 112, 112).

    c is 1, or 5 with the planes of the shape. Raises TypeError for a form that has nothing to write.
    """
    writer = GraphWriter()
    if isinstance(model, Prepended):
        x = _convolution(writer, model.first, "input", "first")
        x = writer.add("PRelu", [x, writer.constant("slope", _array(model.slope.weight)[:, None, None])], "bent")
        writer.add("Add", ["input", _convolution(writer, model.last, x, "last")], "picture")
        return writer.serialise({"input": (1, 1, 112, 112)}, {"picture": (1, 3, 112, 112)})
    if not isinstance(model, Encoder):
        raise TypeError(f"{type(model).__name__} has no graph: it changes nothing")
    seen = ["input"]
    for i, layer in enumerate(model.down):
        seen.append(_leaky(writer, _convolution(writer, layer, seen[-1], f"down{i}"), f"down{i}_y"))
    x = seen.pop()
    for i, layer in reversed(list(enumerate(model.up))):
        x = _leaky(writer, _convolution(writer, layer, _doubled(writer, x, f"up{i}_grown"), f"up{i}"), f"up{i}_y")
        x = writer.add("Add", [x, seen.pop()], f"up{i}_sum")
    writer.split("input", {"nir": 1, "shape": PLANES - 1}, axis=1)
    both = writer.add("Concat", [_doubled(writer, x, "grown"), "nir"], "both", axis=1)
    writer.add("Add", ["nir", _convolution(writer, model.last, both, "last")], "picture")
    return writer.serialise({"input": (1, PLANES, 112, 112)}, {"picture": (1, 3, 112, 112)})


def _convolution(writer: GraphWriter, layer: Any, source: str, name: str) -> str:
    tensors = [writer.constant(f"{name}_weight", _array(layer.weight)), writer.constant(f"{name}_bias", _array(layer.bias))]
    shape = {"strides": list(layer.stride), "pads": list(layer.padding) * 2, "kernel_shape": list(layer.kernel_size)}
    return writer.add("Conv", [source, *tensors], f"{name}_x", **shape)


def _leaky(writer: GraphWriter, source: str, name: str) -> str:
    return writer.add("LeakyRelu", [source], name, alpha=0.1)


def _doubled(writer: GraphWriter, source: str, name: str) -> str:
    scales = writer.constant(f"{name}_scales", [1, 1, 2, 2])
    form = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return writer.add("Resize", [source, "", scales], name, **form)


def _array(values: nn.Parameter) -> F32:
    return np.asarray(values.detach().numpy(), np.float32)


def _with(layer: Layer, weight: torch.Tensor, bias: torch.Tensor, slope: torch.Tensor) -> Layer:
    told = {"weight": weight, "bias": bias, "slope": slope}
    return replace(layer, **{name: value.detach().numpy().astype(np.float64) for name, value in told.items()})


def _shown(model: Normaliser, samples: F32) -> F32:
    return samples if model.depth else np.ascontiguousarray(samples[:, :1])


def _run(session: Any, samples: F32) -> Iterator[F32]:
    for one in samples:
        yield session.run(None, {"input": one[None]})[0]


def _in_integers(graph: bytes, samples: F32) -> bytes:
    """Return the graph with 8-bit weights, a scale for each channel, and 8-bit activations ranged by the samples."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # the base has no types
        def __init__(self) -> None:
            self._left = iter(samples)

        def get_next(self) -> dict[str, F32] | None:
            one = next(self._left, None)
            return None if one is None else {"input": one[None]}

    with tempfile.TemporaryDirectory(prefix="vultus-export-") as folder:
        source, target = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        source.write_bytes(graph)
        types = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8, "quant_format": QuantFormat.QDQ, "per_channel": True}
        quantize_static(str(source), str(target), Reader(), **types)
        return target.read_bytes()


def _costs(graphs: dict[str, bytes], recogniser: bytes, sample: F32) -> dict[str, float]:
    """Return each graph's time as a ratio to the 8-bit recogniser's, all in ONNX Runtime with one thread, taking turns, median."""
    sessions = {name: open_session(graph) for name, graph in {**graphs, "": recogniser}.items()}
    crop = np.random.default_rng(0).normal(0, 0.5, sessions[""].get_inputs()[0].shape).astype(np.float32)
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(_ROUNDS):
        for name, session in sessions.items():
            start = time.perf_counter()
            session.run(None, {"input": sample if name else crop})
            times[name].append(time.perf_counter() - start)
    # The first tenth warms caches and arenas up.
    middle = {name: statistics.median(values[_ROUNDS // 10 :]) for name, values in times.items()}
    return {name: middle[name] / middle[""] for name in graphs}
