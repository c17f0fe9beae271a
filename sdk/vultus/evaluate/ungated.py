"""The shipped pipeline without its quality gate, for protocols that compare every face whatever it looks like."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vultus.pipeline import Pipeline


class UngatedPipeline(Pipeline):
    """Embeds every face that is found; hints, components and liveness are those of the shipped pipeline.

    Only `vultus.evaluate` uses it: what the gate refuses must never reach a decision.
    """

    def _assess(self, work: Any) -> None:
        super()._assess(work)
        work.qualities = {stream: replace(quality, usable=True) for stream, quality in work.qualities.items()}
