"""Run: python -m models.matching landmarks | filters | forms [NAME ...] | fusions | thresholds; VULTUS_DATA names the data sets' folder. Prints Markdown."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

import numpy as np
from models.matching.faces import embed_all, open_detector, open_landmarks, open_recogniser, rap3df
from models.matching.filters import likeness
from models.matching.forms import FORMS
from models.matching.landmarks import errors
from models.matching.measure import SCORES, Weights, table
from models.matching.thresholds import ratios
from models.recipes.crops import data_folder

SHIPS: Final = "closer look, NIR at colour's landmarks (ships)"
_RR, _NN, _RN, _NR = ("rgb", "rgb"), ("nir", "nir"), ("rgb", "nir"), ("nir", "rgb")
FUSIONS: Final[dict[str, Weights]] = {
    "RGB-RGB alone": SCORES["RGB-RGB"],
    "equal": {_RR: 0.5, _NN: 0.5},
    "2 : 1 (ships)": SCORES["fused"],
    "4 : 1": {_RR: 0.8, _NN: 0.2},
    "all four, equal": {_RR: 0.25, _NN: 0.25, _RN: 0.25, _NR: 0.25},
    "all four, 4 : 2 : 1 : 1": {_RR: 0.5, _NN: 0.25, _RN: 0.125, _NR: 0.125},
}


def main(arguments: list[str]) -> int:
    """Print one of the tables; 2 for what is none."""
    match arguments:
        case ["landmarks"]:
            rows = errors(data_folder())
        case ["filters"]:
            rows = likeness(data_folder())
        case ["forms", *names] if set(names) <= set(FORMS):
            rows = _forms(names or list(FORMS))
        case ["fusions"]:
            rows = _forms([SHIPS], FUSIONS)
        case ["thresholds"]:
            rows = _thresholds()
        case _:
            print(f"{__doc__}\nNAMES: {', '.join(FORMS)}", file=sys.stderr)
            return 2
    for row in rows:
        print(row, flush=True)
    return 0


def _thresholds() -> Iterator[str]:
    shown = rap3df(data_folder(), open_detector(), open_landmarks())
    people = np.unique([one.person for one in shown], return_inverse=True)[1].astype(np.int64)
    return ratios(embed_all(open_recogniser(), shown, *FORMS[SHIPS]), people, SCORES)


def _forms(names: list[str], scores: dict[str, Weights] | None = None) -> Iterator[str]:
    shown = rap3df(data_folder(), open_detector(), open_landmarks())
    people = np.unique([one.person for one in shown], return_inverse=True)[1].astype(np.int64)
    recogniser = open_recogniser()
    made = ((name, embed_all(recogniser, shown, *FORMS[name])) for name in names)
    return table(list(made), people, scores or SCORES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
