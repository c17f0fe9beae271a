"""Guard: what stood between a user's template and an accept when the template was made, so that nothing less opens it later.

A guard only grows. Taking a sensor or a calibration away leaves the guard unmet, and an unmet guard asks for more evidence; it never accepts.
Does not block: enrolling again, which takes the consent of whoever manages the users, or an older copy of the whole store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from vultus.types import DeviceIdentity, Liveness, Verdict

VOTE: Final = "vote"
"""The cue of a sensor with a liveness calibration; where there is, or ever was, one it must pass too."""

Device = tuple[str, str, str]
"""Kind, model and serial that a calibration holds for; an empty serial is every unit of the model."""


@dataclass(frozen=True, slots=True)
class Guard:
    """`streams` that must be there, by name, and `cues` that must pass, whatever the policy asks for."""

    streams: frozenset[str] = frozenset()
    cues: frozenset[str] = frozenset()

    def __or__(self, other: Guard) -> Guard:
        return Guard(self.streams | other.streams, self.cues | other.cues)

    @classmethod
    def seen(cls, samples: Iterable[Mapping[str, str]], cues: Iterable[str]) -> Self:
        """Return the guard of an enrolment: the streams of every sample (`Probe.modalities`) and the cues that all of them had to pass.

        Where no cue had to pass, as in the convenience tier, nothing is guarded.
        """
        there, asked = [present(modalities) for modalities in samples], frozenset(cues)
        return cls(frozenset.intersection(*there) if there and asked else frozenset(), asked)

    def missing_streams(self, modalities: Mapping[str, str]) -> frozenset[str]:
        """Return the streams that a frame set lacks; one that was there but could not be used is not missing."""
        return self.streams - present(modalities)

    def unmet(self, liveness: Liveness | None) -> frozenset[str]:
        """Return the cues that did not pass."""
        passed = () if liveness is None else (c.name for c in liveness.cues if c.verdict is Verdict.PASS)
        return self.cues - frozenset(passed)

    def to_dict(self) -> dict[str, list[str]]:
        """Return the guard as a template holds it."""
        return {"streams": sorted(self.streams), "cues": sorted(self.cues)}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave. Raises KeyError, TypeError or ValueError for anything else."""
        found = cls(frozenset(raw["streams"]), frozenset(raw["cues"]))
        if not all(isinstance(name, str) for name in found.streams | found.cues):
            raise ValueError("a guard names streams and cues")
        return found


def of_device(identity: DeviceIdentity, guarded: Iterable[Device]) -> Guard:
    """Return what a device asks for by itself: its vote, once a liveness calibration guarded it."""
    mine = any((kind, model) == (identity.kind, identity.model) and serial in ("", identity.serial) for kind, model, serial in guarded)
    return Guard(cues=frozenset({VOTE} if mine else ()))


def present(modalities: Mapping[str, str]) -> frozenset[str]:
    """Return the streams that are there, used or not."""
    return frozenset(name for name, state in modalities.items() if state != "missing")
