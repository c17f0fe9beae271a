"""What a normaliser is trained for: NIR crops near their own person's colour, away from others', and colour left where it is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from models.training.normaliser.config import Run
from models.training.normaliser.variants import Normaliser
from torch import Tensor, nn
from torch.nn import functional


class Learner(nn.Module):
    """A normaliser and the people's prototypes, which are learnt with it. anchors: (p, 128) where colour alone puts them; they begin there."""

    def __init__(self, normaliser: Normaliser, anchors: Tensor) -> None:
        super().__init__()
        self.normaliser = normaliser
        self.prototypes = nn.Parameter(anchors.clone())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the normalised inputs and the prototypes as unit vectors."""
        return self.normaliser(x), functional.normalize(self.prototypes, dim=1)


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """Colour embeddings of the people trained on, which do not change. vectors: (n, 128). own: (n,) row of each one's person."""

    vectors: Tensor
    own: Tensor


def shared_loss(vectors: Tensor, own: Tensor, prototypes: Tensor, anchors: Tensor, bank: Bank, run: Run) -> Tensor:
    """Return the loss of all processes' NIR embeddings (n, 128) of the people in rows `own`."""
    loss = vectors.new_zeros(())
    if run.prototype:
        cosine = vectors @ prototypes.T
        apart = functional.cross_entropy(cosine / run.temperature, own)
        near = 1 - cosine.gather(1, own[:, None]).mean()
        stay = 1 - (prototypes * anchors).sum(1).mean()
        loss = loss + run.prototype * (apart + near + stay)
    if run.contrast:
        colour = several(vectors @ bank.vectors.T / run.temperature, own[:, None] == bank.own[None])
        alone = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
        nir = (vectors @ vectors.T / run.temperature).masked_fill(alone, -torch.inf)
        loss = loss + run.contrast * (colour + several(nir, (own[:, None] == own[None]) & ~alone)) / 2
    return loss


def several(logits: Tensor, mates: Tensor) -> Tensor:
    """Return InfoNCE with several positives a row: -log of the share that all of them have in the softmax. A row without one costs nothing."""
    share = torch.logsumexp(logits.masked_fill(~mates, -torch.inf), 1) - torch.logsumexp(logits, 1)
    return -share[mates.any(1)].mean()


def preserved(vectors: Tensor, wanted: Tensor) -> Tensor:
    """Return how far colour pictures shown in grey are from where the recogniser puts them in colour: 1 - cosine, mean."""
    return 1 - (vectors * wanted).sum(1).mean()
