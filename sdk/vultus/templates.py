"""Hold one enrolled user and turn it into bytes and back; nothing here is sealed yet.

Format 2: a 32-bit length, that many bytes of JSON (user, time, device, calibration, guard, modality and length of each embedding, and by
modality the graphs that made them), then the embeddings as little-endian float32, bit for bit. Format 1, which is read too, names one graph
for all of them, in the record itself.
"""

from __future__ import annotations

import json
import struct
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from vultus.errors import StoreError
from vultus.frames import DeviceIdentity, Source
from vultus.guard import Guard
from vultus.types import Embedding, Modality, Reason

FORMAT: Final = 2
READ: Final = (1, 2)
"""Formats that can be read."""
MAX_NAME: Final = 128
"""Characters of a user name; longer than any mail address part (64) and any login name (32)."""
MAX_EMBEDDINGS: Final = 64
MAX_DIMENSIONS: Final = 4096
"""Eight times the widest face embedding in use (512)."""
_LENGTH: Final = struct.Struct(">I")


def check_user(name: str) -> str:
    """Return a user name in its one spelling (Unicode NFC); raises TypeError or ValueError when it is no name."""
    if not isinstance(name, str):
        raise TypeError(f"a user name is a str, got {type(name).__name__}")
    normal = unicodedata.normalize("NFC", name)
    if not 1 <= len(normal) <= MAX_NAME:
        raise ValueError(f"a user name has 1 to {MAX_NAME} characters, got {len(normal)}")
    if normal != normal.strip():
        raise ValueError("a user name neither starts nor ends with a space")
    if any(unicodedata.category(c).startswith("C") for c in normal):
        raise ValueError("a user name holds no control or other invisible characters")
    return normal


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """What is kept of one enrolled user: embeddings of any mix of modalities, those of one made by one graph, when and how they were taken.

    `created_ns` counts from the Unix epoch; `device` None means unknown; `calibration` is the id of the one in use at enrolment;
    `guard` is what a sign-in must show at least (empty in templates made before there were guards).
    Raises TypeError or ValueError for what cannot be stored.
    """

    user: str
    embeddings: tuple[Embedding, ...]
    created_ns: int
    device: DeviceIdentity | None = None
    calibration: str = ""
    guard: Guard = field(default_factory=Guard)

    def __post_init__(self) -> None:
        object.__setattr__(self, "user", check_user(self.user))
        if not 1 <= len(self.embeddings) <= MAX_EMBEDDINGS:
            raise ValueError(f"a template holds 1 to {MAX_EMBEDDINGS} embeddings, got {len(self.embeddings)}")
        if len({(e.modality, e.graph) for e in self.embeddings}) != len({e.modality for e in self.embeddings}):
            raise ValueError("the embeddings of one modality in a template come from one graph")
        if any(not 1 <= e.vector.size <= MAX_DIMENSIONS for e in self.embeddings):
            raise ValueError(f"an embedding has 1 to {MAX_DIMENSIONS} dimensions")
        if type(self.created_ns) is not int or not 0 <= self.created_ns < 2**63:
            raise ValueError("created_ns must be a non-negative integer number of nanoseconds")

    @property
    def graph(self) -> str:
        """The hash of what made the first embedding, which the record names."""
        return self.embeddings[0].graph

    @property
    def graphs(self) -> Mapping[Modality, str]:
        """By modality the hash of what made the embeddings."""
        return {e.modality: e.graph for e in self.embeddings}

    def usable(self, forms: Mapping[Modality, str]) -> Template | None:
        """Return the template with those of its embeddings that were made as `forms` says by modality; None when there are none."""
        kept = tuple(e for e in self.embeddings if forms.get(e.modality) == e.graph)
        return self if len(kept) == len(self.embeddings) else replace(self, embeddings=kept) if kept else None

    def count(self) -> dict[Modality, int]:
        """Return how many embeddings there are of each modality present."""
        return {m: n for m in Modality if (n := sum(e.modality is m for e in self.embeddings))}


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """Everyone that can be compared with, by those embeddings that can be; `outdated` names those without any, who must enrol again."""

    templates: tuple[Template, ...]
    outdated: tuple[str, ...]

    def __iter__(self) -> Iterator[Template]:
        return iter(self.templates)

    def __len__(self) -> int:
        return len(self.templates)


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One record for a listing: the template, or why it cannot be read (altered, or of another format)."""

    record: int
    content: Template | StoreError

    def readable(self) -> Template:
        """Return the template or raise what keeps it from being read."""
        if isinstance(self.content, StoreError):
            raise self.content
        return self.content


@dataclass(frozen=True, slots=True)
class Enrollment:
    """How an enrolment ended: `reason` is ACCEPTED when the template was stored; `samples` counts embeddings by modality."""

    user: str
    reason: Reason
    samples: Mapping[str, int] = field(default_factory=dict)

    @property
    def enrolled(self) -> bool:
        """True when the template is in the store."""
        return self.reason is Reason.ACCEPTED


def encode(template: Template) -> bytes:
    """Write a template as bytes of the present format."""
    device = template.device
    head = json.dumps(
        {
            "user": template.user,
            "created_ns": template.created_ns,
            "calibration": template.calibration,
            "guard": template.guard.to_dict(),
            "device": None if device is None else [device.kind, device.model, device.serial, device.source.value],
            "embeddings": [[e.modality.value, e.vector.size] for e in template.embeddings],
            "graphs": {modality.value: graph for modality, graph in template.graphs.items()},
        }
    ).encode()
    return b"".join([_LENGTH.pack(len(head)), head, *(e.vector.astype("<f4").tobytes() for e in template.embeddings)])


def decode(data: bytes, graph: str) -> Template:
    """Read what `encode` wrote; `graph` is the one that the record names, for format 1. Raises ValueError when it is anything else."""
    try:
        (size,) = _LENGTH.unpack_from(data)
        head = json.loads(data[_LENGTH.size : _LENGTH.size + size])
        return Template(
            user=head["user"],
            embeddings=_embeddings(head["embeddings"], data[_LENGTH.size + size :], head.get("graphs", {}), graph),
            created_ns=head["created_ns"],
            device=_device(head["device"]),
            calibration=head["calibration"],
            guard=Guard.from_dict(head["guard"]) if "guard" in head else Guard(),
        )
    except (struct.error, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a template: {type(error).__name__}") from error


def _embeddings(shapes: list[list[Any]], data: bytes, graphs: Mapping[str, str], graph: str) -> tuple[Embedding, ...]:
    """Cut the float32 block into embeddings; raises ValueError when its length is another."""
    if not all(isinstance(made, str) for made in graphs.values()):
        raise ValueError("the graphs are named by their hashes")
    if 4 * sum(size for _, size in shapes) != len(data):
        raise ValueError("the embeddings have another length than stated")
    out, at = [], 0
    for modality, size in shapes:
        vector = np.frombuffer(data, "<f4", size, at).astype(np.float32)
        vector.flags.writeable = False
        out.append(Embedding(Modality(modality), vector, graphs.get(modality, graph)))
        at += 4 * size
    return tuple(out)


def _device(fields: list[str] | None) -> DeviceIdentity | None:
    """Read a device identity."""
    if fields is None:
        return None
    kind, model, serial, source = fields
    return DeviceIdentity(kind, model, serial, Source(source))


def describe(template: Template) -> Mapping[str, Any]:
    """Return what may be shown of a template: no embedding, nothing derived from one."""
    device = template.device
    return {
        "user": template.user,
        "created_ns": template.created_ns,
        "embeddings": {m.value: n for m, n in template.count().items()},
        "graphs": {m.value: graph for m, graph in template.graphs.items()},
        "calibration": template.calibration,
        "guard": template.guard.to_dict(),
        "device": None if device is None else {"kind": device.kind, "model": device.model, "source": device.source.value},
    }
