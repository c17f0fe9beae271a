"""Goes the whole way of a run: data, training, graphs, measurement on real NIR, model card."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from models.recipes.crops import Faces
from models.training.normaliser.card import Measured, write_card
from models.training.normaliser.compare import clearly_better, measure
from models.training.normaliser.config import Run
from models.training.normaliser.data import F32, Material, sample
from models.training.normaliser.export import export
from models.training.normaliser.recogniser import Recogniser
from models.training.normaliser.train import train
from models.training.normaliser.variants import VARIANTS, parameters

SAMPLES: Final = 64
"""Simulated crops that range the 8-bit graph and judge both; of people kept aside."""


def make(
    run: Run, recogniser: Recogniser, found: Material, folder: Path, real: tuple[Faces, F32] | None, samples: int = SAMPLES
) -> dict[str, Any]:
    """Train, export, measure and write the card into `folder`; return the card's figures of the graphs and whether it ships.

    real: what `real.rap3df` gives; None measures nothing, and then nothing ships. samples: simulated crops that range and judge the graphs.
    Goes on from where an earlier call stopped.
    Raises ValueError for a form that has nothing to train.
    """
    model = train(run, recogniser, found, folder).eval()
    if not parameters(model):
        raise ValueError(f"{run.variant} has nothing to train or to write")
    forms, chosen = export(model, recogniser, simulated(found, run.seed, samples), folder)
    rows = measure(recogniser, model, VARIANTS["direct"](recogniser).eval(), *real) if real is not None else None
    measured = Measured(forms, chosen, rows, rows is not None and clearly_better(rows))
    write_card(folder, run, model, found, recogniser.digest(), measured)
    return {"chosen": forms[chosen].file, "ships": measured.ships, "cost": forms[chosen].cost, "cosine": forms[chosen].cosine}


def simulated(found: Material, seed: int, count: int = SAMPLES) -> F32:
    """Return simulated inputs (n, 5, 112, 112) of people kept aside."""
    rng = np.random.default_rng((seed, 3 << 30))
    views = np.flatnonzero(np.isin(found.pool.people, found.watched))
    return np.stack([sample(found.pool, int(at), rng)[0] for at in rng.choice(views, count)])
