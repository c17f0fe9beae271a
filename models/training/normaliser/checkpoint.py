"""Keeps a run's state so that a killed run goes on as if nothing had been."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a run's state lies. run: the run's digest; material: that of its pictures; a state of another run is refused."""

    path: Path
    run: str
    material: str

    def save(self, step: int, model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Write the state after `step` steps; a kill leaves the last one or the new one, never a part."""
        state = {"run": self.run, "material": self.material, "step": step, "model": model.state_dict(), "optimiser": optimiser.state_dict()}
        part = self.path.with_suffix(".part")
        torch.save(state, part)
        part.replace(self.path)

    def load(self, model: nn.Module, optimiser: torch.optim.Optimizer) -> int:
        """Take up the state and return how many steps are done; 0 when there is none.

        Raises ValueError when it is of another run, of other pictures, or damaged.
        """
        if not self.path.is_file():
            return 0
        try:
            state: dict[str, Any] = torch.load(self.path, weights_only=True)
        except (RuntimeError, OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
            raise ValueError(f"{self.path} is damaged ({error}); delete it to start again") from error
        if (state["run"], state["material"]) != (self.run, self.material):
            raise ValueError(f"{self.path} is of another run or of other pictures; give another folder")
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        return int(state["step"])
