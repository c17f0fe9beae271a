"""Calibration document: a JSON file that carries its format and its own hash, read whole or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from vultus.documents import digest
from vultus.errors import CalibrationError

FORMAT: Final = 1


def read_document(path: Path) -> dict[str, Any]:
    """Read a calibration file and check its format and its hash; raises CalibrationError."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise CalibrationError(f"no calibration at {path}; reinstall vultus or run 'vultus calibrate'") from None
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise CalibrationError(
            f"{path} is not a readable calibration ({type(error).__name__}); restore it from where it came from"
        ) from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise CalibrationError(f"{path} has not the calibration format {FORMAT}; it was made by another version of vultus")
    if document.get("sha256") != digest(document):
        raise CalibrationError(f"{path} was altered after it was made; restore it from where it came from")
    return document
