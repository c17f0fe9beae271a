"""Fetches the network for recaptures that does not ship, by name: a package of the npm registry, pinned by its hash and by the graph's."""

from __future__ import annotations

import hashlib
import io
import tarfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

from models.recipes.source import SourceUnavailable

URL: Final = "https://registry.npmjs.org/faceplugin-face-recognition-js/-/faceplugin-face-recognition-js-0.0.1.tgz"
TARBALL_SHA256: Final = "7ea06031d9a3f83753254fcff60506a07b81b46fc84d4ee024cd041f260ec1ba"
MEMBER: Final = "package/model/fr_liveness.onnx"
SHA256: Final = "afa783b7e902fdfcf323a7240cac2a1c580c25314ea4161129dc1b0d100dc32d"
FILE: Final = "artefacts/fr_liveness.onnx"
_BYTES: Final = 1_886_811
_TARBALL_BYTES: Final = 41_114_878
_SECONDS: Final = 60.0

ENTRY: Final[dict[str, Any]] = {
    "role": "recapture", "file": FILE, "sha256": SHA256, "bytes": _BYTES, "licence": "MIT", "recipe": "models/recipes/recapture.py",
    "inputs": [{"name": "input", "dtype": "float32", "shape": [1, 3, 128, 128]}],
    "outputs": [{"name": "output", "dtype": "float32", "shape": [1, 3]}],
    "preprocessing": {"channels": "BGR", "mean": 0.0, "scale": 1.0},
    "source": {
        "package": "faceplugin-face-recognition-js", "version": "0.0.1", "member": MEMBER, "sha256": SHA256,
        "upstream": "https://www.npmjs.com/package/faceplugin-face-recognition-js; training data undisclosed",
    },
}  # fmt: skip
"""What the manifest says of it. It does not ship: it counts where its file was fetched, and in a decision only where a camera was calibrated with it."""


def fetch(into: Path, tarball: Path | None = None) -> Path:
    """Write the graph into the models folder `into` and return its path, out of `tarball` or of the registry's own.

    Raises SourceUnavailable when the registry cannot be reached and ValueError when package or graph are not the pinned ones.
    """
    data = _downloaded() if tarball is None else tarball.read_bytes()
    if hashlib.sha256(data).hexdigest() != TARBALL_SHA256:
        raise ValueError("the package does not have the pinned sha256; do not use it")
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        member = archive.extractfile(MEMBER)
        graph = b"" if member is None else member.read(_BYTES + 1)
    if hashlib.sha256(graph).hexdigest() != SHA256:
        raise ValueError(f"{MEMBER} does not have the pinned sha256; do not use it")
    path = into / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(graph)
    part.replace(path)
    return path


def _downloaded() -> bytes:
    try:
        with urllib.request.urlopen(URL, timeout=_SECONDS) as answer:
            found: bytes = answer.read(_TARBALL_BYTES + 1)
    except (urllib.error.URLError, TimeoutError) as error:
        raise SourceUnavailable(f"the npm registry could not be reached: {error}; download {URL} and give it with --tarball") from error
    return found
