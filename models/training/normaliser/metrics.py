"""Writes a run's figures as CSV, and as TensorBoard events where they are wanted."""

from __future__ import annotations

import csv
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

COLUMNS: Final = ("step", "loss", "own", "watch_own", "watch_first", "seconds")
"""own: mean cosine to the own prototype. watch_first: share of watched crops nearest to their own person."""


class Metrics:
    """One row a step; a resumed run goes on after the rows of the steps that its checkpoint holds."""

    def __init__(self, folder: Path, done: int, tensorboard: bool, columns: tuple[str, ...] = COLUMNS) -> None:
        self._path = folder / "metrics.csv"
        kept = []
        if done and self._path.is_file():
            with self._path.open(newline="", encoding="utf-8") as file:
                kept = [r for r in csv.DictReader(file) if (r["step"] or "").isdigit() and int(r["step"]) <= done]
        self._file = self._path.open("w", newline="", encoding="utf-8")
        self._csv = csv.DictWriter(self._file, columns)
        self._csv.writeheader()
        self._csv.writerows(kept)
        self._events: Any = None
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self._events = SummaryWriter(str(folder), purge_step=done or None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()
        if self._events is not None:
            self._events.close()

    def write(self, step: int, **values: float) -> None:
        """Write one step's figures."""
        self._csv.writerow({"step": step, **{k: f"{v:.6g}" for k, v in values.items()}})
        self._file.flush()
        if self._events is not None:
            for name, value in values.items():
                self._events.add_scalar(name, value, step)
