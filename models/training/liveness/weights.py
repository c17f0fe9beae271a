"""A trained network as plain arrays: normalisation folded into the convolutions, and the range of each layer over training samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from models.recipes.liveness_network import Weights
from models.training.liveness.batches import plain
from models.training.liveness.networks import FORMS, Tower
from models.training.liveness.samples import LIVE, Samples
from models.training.liveness.train import scores_of
from torch import nn

_LOOKED_AT: Final = 512
_TOP: Final = 0.9999
"""Share of a layer's values that its 8-bit range holds; the rest is clipped."""

_UNSURE: Final = 0.02
_REFUSED: Final = 0.005


def folded(model: Tower, seen: npt.NDArray[Any]) -> Weights:
    """Return the network's weights, with the ranges that samples (n, ...) of its training give its layers."""
    model = model.eval().cpu()
    kernels, biases = [], []
    for conv, norm in zip(list(model.body)[0::3], list(model.body)[1::3], strict=True):
        if not isinstance(conv, nn.Conv2d) or not isinstance(norm, nn.BatchNorm2d) or norm.running_var is None or norm.running_mean is None:
            raise TypeError("the body is not made of convolutions and normalisations")
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        kernels.append((conv.weight * gain[:, None, None, None]).detach().numpy())
        biases.append((norm.bias - norm.running_mean * gain).detach().numpy())
    head = np.stack([model.decide.weight.detach().numpy()[0], model.map.weight.detach().numpy()[0, :, 0, 0]])
    offset = np.concatenate([layer.state_dict()["bias"].numpy() for layer in (model.decide, model.map)])
    return Weights(
        model.kind, tuple(kernels), tuple(biases), tuple(s for _, s in FORMS[model.kind].layers), head, offset, _tops(model, seen)
    )


def _tops(model: Tower, seen: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the value below which nearly all outputs of each layer lie."""
    x = torch.from_numpy(plain(model.kind, seen[:: max(1, len(seen) // _LOOKED_AT)][:_LOOKED_AT]))
    tops = []
    with torch.inference_mode():
        for layer in model.body:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                tops.append(float(np.quantile(x.numpy().reshape(-1)[::7], _TOP)))
    return np.array(tops, np.float32)


def save(path: Path, weights: Weights) -> None:
    """Write the weights as the recipe reads them, the same bytes for the same weights."""
    path.write_bytes(weights.packed())


def limits_of(model: Tower, watched: Samples) -> dict[str, float]:
    """Return the scores from which the cue passes and below which it fails: what one simulated live sample in fifty and in two hundred misses."""
    scores = scores_of(model, watched.seen)[watched.species == LIVE]
    return {"pass": float(np.quantile(scores, _UNSURE)), "fail": float(np.quantile(scores, _REFUSED))}
