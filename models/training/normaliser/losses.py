"""What a normaliser is trained for: NIR crops near their own person's colour, away from others', and colour left where it is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from models.training.normaliser.config import Run
from models.training.normaliser.variants import Normaliser
from torch import Tensor, nn
from torch.nn import functional


class Learner(nn.Module):
    """A normaliser and the people's prototypes, which are learnt with it. anchors: (p, 128) where colour alone puts them; they begin there.

    queue: how many NIR embeddings of earlier steps are kept, with the rows of their people, -1 where there is none yet.
    """

    queue: Tensor
    queue_own: Tensor

    def __init__(self, normaliser: Normaliser, anchors: Tensor, queue: int = 0) -> None:
        super().__init__()
        self.normaliser = normaliser
        self.prototypes = nn.Parameter(anchors.clone())
        self.register_buffer("queue", torch.zeros(queue, anchors.shape[1]))
        self.register_buffer("queue_own", torch.full((queue,), -1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the normalised inputs and the prototypes as unit vectors."""
        return self.normaliser(x), functional.normalize(self.prototypes, dim=1)

    def keep(self, vectors: Tensor, own: Tensor) -> None:
        """Put a step's embeddings into the queue; the oldest leave it."""
        size = len(self.queue)
        self.queue.copy_(torch.cat([vectors.detach(), self.queue])[:size])
        self.queue_own.copy_(torch.cat([own, self.queue_own])[:size])


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


def alike(vectors: Tensor, own: Tensor, learner: Learner, temperature: float) -> Tensor:
    """Return InfoNCE of NIR against NIR of this and of earlier steps, each pair of one person against all pairs of two; 0 before there is one."""
    others, rows = torch.cat([vectors, learner.queue]), torch.cat([own, learner.queue_own])
    logits = vectors @ others.T / temperature
    mates = own[:, None] == rows[None]
    strangers = torch.logsumexp(logits.masked_fill(mates | (rows < 0)[None], -torch.inf), 1, keepdim=True)
    mates[:, : len(vectors)] &= ~torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    each = torch.logaddexp(logits, strangers) - logits
    share = (each * mates).sum(1) / mates.sum(1).clamp(min=1)
    return share.sum() / mates.any(1).sum().clamp(min=1)


def preserved(vectors: Tensor, wanted: Tensor) -> Tensor:
    """Return how far embeddings are from where the recogniser puts the same in colour: 1 - cosine, mean."""
    return 1 - (vectors * wanted).sum(1).mean()
