"""Say what a figure was made with."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from vultus._version import __version__


def provenance(
    graphs: Mapping[str, str], calibration: str | None, dataset_sha256: str, arguments: Sequence[str], now: datetime
) -> dict[str, Any]:
    """Return SDK version, graph hashes, calibration id, data set hash, the command and the date (UTC, to the second)."""
    return {
        "sdk": __version__,
        "graphs": dict(sorted(graphs.items())),
        "calibration": calibration,
        "dataset_sha256": dataset_sha256,
        "command": shlex.join(arguments),
        "date": now.astimezone(UTC).replace(microsecond=0).isoformat(),
    }
