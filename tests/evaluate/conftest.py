"""A small data set with known truth, and everything that a protocol needs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
# Worker processes import the stand-in by its name, along the path that they inherit.
from stand_in import ColourMaker, colour_of

import vultus.evaluate
from vultus import pictures
from vultus.evaluate.setting import Setting

PEOPLE = tuple(f"p{i:02d}" for i in range(12))


def write_picture(path: Path, person: str, seed: int, noise: float = 12.0, blue: int | None = None) -> None:
    """Write a person's colours with noise, 32 x 32."""
    rng = np.random.default_rng(seed)
    image = np.repeat(np.repeat(colour_of(person), 4, 0), 4, 1) + rng.normal(0, noise, (32, 32, 3))
    image = np.clip(image, 1, 199)
    if blue is not None:
        image[..., 2] = blue
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pictures.encode_png(image.astype(np.uint8)))


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """Twelve people with four samples each, two groups, two attacks of two species."""
    folder = tmp_path / "set"
    lines = ["person,sample,rgb,nir,nir_ambient,depth,label,group,session"]
    for i, person in enumerate(PEOPLE):
        for k in range(4):
            write_picture(folder / person / f"{k}.png", person, 10 * i + k)
            lines.append(f"{person},s{k},{person}/{k}.png,,,,bona_fide,{'even' if i % 2 == 0 else 'odd'},{1 + k // 2}")
    for name, blue in (("print", 250), ("mask", 20)):
        for k in range(2):
            write_picture(folder / "attack" / f"{name}{k}.png", PEOPLE[k], 900 + k, blue=blue)
            lines.append(f"{PEOPLE[k]},{name}{k},attack/{name}{k}.png,,,,{name},,")
    path = folder / "index.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def setting() -> Setting:
    """The stand-in pipeline in this process, no cache, few replicates."""
    return Setting(
        ColourMaker(), None, None, ["vultus", "evaluate", "match", "a b.csv"], datetime(2026, 1, 2, 3, 4, 5, 678, UTC), replicates=60
    )


@pytest.fixture(scope="session")
def validate() -> Callable[[dict[str, Any]], None]:
    """Check a document against the packaged schema, as it would be read back from a file."""
    path = Path(vultus.evaluate.__file__).parent / "schema" / "evaluation-1.json"
    schema = json.loads(path.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)

    def check(document: dict[str, Any]) -> None:
        # One kind's schema at a time gives a message that says what is wrong, which oneOf does not.
        read_back = json.loads(json.dumps(document, allow_nan=False))
        one = {k: v for k, v in schema.items() if k != "oneOf"} | {"$ref": f"#/$defs/{document['kind']}"}
        jsonschema.Draft202012Validator(one).validate(read_back)
        jsonschema.Draft202012Validator(schema).validate(read_back)

    return check
