"""Verification rates from embeddings of unit length."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
_BLOCK: Final = 1024


def read_pairs(path: Path) -> list[tuple[str, str, bool]]:
    """Read LFW's pairs.txt: two picture names and whether they show one person, in ten folds of 600."""
    pairs = []
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        words = line.split()
        if len(words) == 3:
            pairs.append((f"{words[0]}_{int(words[1]):04d}", f"{words[0]}_{int(words[2]):04d}", True))
        elif len(words) == 4:
            pairs.append((f"{words[0]}_{int(words[1]):04d}", f"{words[2]}_{int(words[3]):04d}", False))
    return pairs


def ten_fold(scores: npt.NDArray[Any], same: npt.NDArray[np.bool_]) -> float:
    """Return the mean accuracy over ten folds, each judged at the threshold that is best on the other nine."""
    fold = np.arange(len(scores)) * 10 // len(scores)
    accuracies = []
    for k in range(10):
        rest = fold != k
        candidates = np.append(np.sort(scores[rest]), np.inf)
        genuine, impostor = np.sort(scores[rest & same]), np.sort(scores[rest & ~same])
        right = len(genuine) - np.searchsorted(genuine, candidates) + np.searchsorted(impostor, candidates)
        threshold = candidates[int(right.argmax())]
        accuracies.append(float(((scores >= threshold) == same)[fold == k].mean()))
    return float(np.mean(accuracies))


class Rates:
    """All comparisons of a set: genuine scores, the highest impostor scores and how many there were."""

    def __init__(self, genuine: F32, highest: F32, impostors: int) -> None:
        self.genuine, self.impostors = genuine, impostors
        self._highest = np.sort(highest)[::-1]

    def accepted(self, far: float) -> float:
        """Return the share of genuine pairs above the score that at most `far` of the impostors exceed."""
        place = int(far * self.impostors)
        if place >= len(self._highest):
            raise ValueError(f"a false accept rate of {far} needs more impostor scores than were kept; lower `keep`")
        return float((self.genuine > self._highest[place]).mean())


def compare(left: F32, right: F32, same: Sequence[npt.NDArray[Any]], skip: Sequence[npt.NDArray[Any]], keep: float = 0.1) -> Rates:
    """Compare every row of `left` with every row of `right`, block by block.

    same: the people of both sides. skip: the samples of both sides; a pair of one sample is no pair. When both sides are one set
    (the same array), each pair counts once. Impostor scores up to `keep` are counted and dropped.
    """
    once = left is right
    genuine, highest, impostors = [], [], 0
    for start in range(0, len(left), _BLOCK):
        stop = min(start + _BLOCK, len(left))
        scores = left[start:stop] @ right.T
        mates = same[0][start:stop, None] == same[1][None, :]
        wanted = skip[0][start:stop, None] != skip[1][None, :]
        if once:
            wanted &= np.arange(start, stop)[:, None] < np.arange(len(right))[None, :]
        genuine.append(scores[mates & wanted])
        others = scores[~mates & wanted]
        impostors += others.size
        highest.append(others[others > keep])
    return Rates(np.concatenate(genuine), np.concatenate(highest), impostors)


def unit(embeddings: F32) -> F32:
    """Return the rows scaled to length 1."""
    return np.asarray(embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True), np.float32)
