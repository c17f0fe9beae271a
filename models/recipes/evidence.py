"""Recipe of the section Evidence in models/README.md: the abstain band, the dependence of comparisons, and quality as a covariate.

Run: python -m models.recipes.evidence LFW_ROOT RAP3DF_INDEX NUAA_INDEX. Prints one Markdown table a question; writes nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from models.recipes.calibrate import folds

from vultus.calibration import Calibration, PairTable, merge
from vultus.evaluate.cache import FeatureCache, default_path
from vultus.evaluate.calibrated import load_calibration
from vultus.evaluate.device_calibration import calibrated_on, samples_of
from vultus.evaluate.extraction import ShippedPipeline
from vultus.evaluate.held_out import Scored, decide_splits, halves, held_out, intraclass, judge, score_pairs
from vultus.evaluate.lfw import MIDDLE
from vultus.evaluate.metrics.likelihood import cllr
from vultus.evaluate.samples import index_samples, lfw_samples
from vultus.evaluate.setting import Acquired, Setting, acquire
from vultus.space_fitting import Samples
from vultus.types import DeviceIdentity, Modality, Reason, Source

F64 = npt.NDArray[np.float64]
RGB, NIR = Modality.RGB, Modality.NIR
KINECT: Final = DeviceIdentity("images", "kinect", "", Source.IMAGES)
PAIRS: Final = {
    "RGB-RGB": ((RGB, RGB),),
    "NIR-NIR": ((NIR, NIR),),
    "RGB-NIR": ((RGB, NIR),),
    "both merged": ((RGB, RGB), (NIR, NIR)),
}
TARGET: Final = 1e-3
"""False-match rate of the checks: what the impostor comparisons of half of 62 people can still speak of."""
RISKS: Final = (0.02, 0.05, 0.10)
SPLITS: Final = 10
FORMS: Final = {"score": "", "score, eyes": "e", "score, sharpness": "s", "score, eyes, sharpness": "es"}
_LOOKS: Final = 5
"""Frame sets of one sign-in, as `Policy.max_frame_sets` has it."""


def shipped(base: Calibration, cache: FeatureCache, *, gate: bool) -> Setting:
    """Return the installed graphs with the cache that `vultus evaluate` fills."""
    return Setting(ShippedPipeline(gate=gate), base, cache, ["evidence"], datetime.now(UTC), 1)


def band(base: Calibration, samples: Mapping[Modality, Samples], gate: str) -> None:
    """Print what held-out halves of the people are told, by pair and by stated risk."""
    for name, pairs in PAIRS.items():
        found = held_out(base, samples, KINECT, pairs, splits=SPLITS)
        for risk in RISKS:
            splits = decide_splits(found, TARGET, risk)
            shares = [s.wrong_genuine for s in splits]
            even = [s.wrong_even for s in splits]
            genuine = np.mean([s.genuine.total() for s in splits])
            unsure = np.mean([s.genuine[Reason.UNSURE] / s.genuine.total() for s in splits])
            open_ = np.mean([s.impostor[Reason.UNSURE] / s.impostor.total() for s in splits])
            false = np.mean([s.false_accepts for s in splits])
            print(
                f"| {gate} | {name} | {risk:g} | {np.mean(shares):.2%} ({min(shares):.2%} to {max(shares):.2%}) | {np.mean(even):.2%} "
                f"| {unsure:.1%} | {open_:.1%} | {false:.2g} | {genuine:.0f} |"
            )


def fold_one(root: Path, base: Calibration, got: Acquired) -> None:
    """Print what the people of LFW's fold 1 are told by the shipped calibration, which never saw them."""
    held = folds(root / "pairs.txt")[0]
    people = np.array([i for i, name in enumerate(got.people) if name in held], np.int64)
    scored = score_pairs(samples_of(got), people, PAIRS["RGB-RGB"])
    judged = judge(scored, [base.tables[RGB, RGB]], most=400_000)
    for target in (1e-3, 1e-4):
        for risk in RISKS:
            d = judged.decide(target, risk)
            low, high = d.wrong_interval
            wrong, kept = d.genuine[Reason.NO_MATCH], d.genuine[Reason.ACCEPTED]
            print(
                f"| LFW fold 1, {len(people)} people | {target:g} | {risk:g} | {wrong} of {wrong + kept}: {d.wrong_genuine:.2%} "
                f"({low:.2%} to {high:.2%}) | {d.wrong_even:.2%} | {d.genuine[Reason.UNSURE]} of {d.genuine.total()} "
                f"| {d.impostor[Reason.ACCEPTED]} of {d.impostor.total()} |"
            )


def cells(got: Acquired, modality: Modality, reference: npt.NDArray[np.bool_], probe: npt.NDArray[np.bool_]) -> Iterator[tuple[str, Any]]:
    """Yield for impostors and for genuine people the correlation of scores of one person's probes against one reference sample."""
    vectors = got.vectors[modality]
    there = np.abs(vectors).max(axis=1) > 0
    r, p = np.flatnonzero(reference & there), np.flatnonzero(probe & there)
    scores = (vectors[r] @ vectors[p].T).astype(np.float64)
    who_r, who_p = got.person[r], got.person[p]
    cell = np.arange(len(r))[:, None] * (int(got.person.max()) + 1) + who_p[None]
    same = who_r[:, None] == who_p[None]
    other = r[:, None] != p[None]
    for kind, mask in (("impostor", ~same), ("genuine", same & other)):
        found = intraclass(scores[mask], cell[mask])
        if found is not None:
            looks = np.sqrt((1 + (_LOOKS - 1) * found[0]) / _LOOKS)
            yield kind, (found[0], found[1], int(mask.sum()), looks)


def dependence(name: str, got: Acquired, reference: npt.NDArray[np.bool_], probe: npt.NDArray[np.bool_]) -> None:
    """Print the correlation of scores of several probes of one person."""
    for modality in got.vectors:
        for kind, (value, count, n, looks) in cells(got, modality, reference, probe):
            print(f"| {name}, {modality.value} | {kind} | {value:.2f} | {n} in {count} cells | {looks:.2f} |")


def across(samples: Mapping[Modality, Samples], people: int) -> None:
    """Print the correlation of RGB and NIR scores of one pair of frame sets."""
    both = score_pairs(samples, np.arange(people), PAIRS["both merged"])
    for kind, mask in (("impostor", ~both.same), ("genuine", both.same)):
        r = float(np.asarray(np.corrcoef(both.scores[mask].T))[0, 1])
        print(f"| rap3df-2017, RGB with NIR of one moment | {kind} | {r:.2f} | {int(mask.sum())} | {np.sqrt((1 + r) / 2):.2f} |")


def deviates(scored: Scored, tables: Sequence[PairTable]) -> F64:
    """Return the false-match rates of all comparisons as normal deviates (n, pairs), rising with the evidence."""
    from scipy.stats import norm

    rates = np.array([[t.rate(s)[0] for t, s in zip(tables, row, strict=True)] for row in scored.scores.tolist()])
    z: F64 = norm.isf(np.clip(rates, 1e-12, 1 - 1e-6))
    return z


def merges(base: Calibration, samples: Mapping[Modality, Samples], people: int) -> None:
    """Print false matches and accepts of three merges of RGB and NIR on held-out halves of the people."""
    from scipy.stats import norm

    pairs = PAIRS["both merged"]
    names = ("e times the geometric mean", "correlation measured on the other half", "as if independent")
    out: dict[str, list[tuple[float, float]]] = {n: [] for n in names}
    correlations = []
    for fit, test in halves(people, SPLITS // 2):
        tables = [calibrated_on(base, samples, KINECT, fit).tables[p] for p in pairs]
        seen = score_pairs(samples, fit, pairs)
        z = deviates(Scored(seen.scores[~seen.same], seen.same[~seen.same], seen.rows[~seen.same]), tables)
        r = float(np.asarray(np.corrcoef(z.T))[0, 1])
        correlations.append(r)
        held = score_pairs(samples, test, pairs)
        z = deviates(held, tables)
        each = norm.sf(z)
        rates = (
            np.array([merge(row) for row in each.tolist()]),
            norm.sf(z.sum(axis=1) / np.sqrt(2 + 2 * r)),
            norm.sf(z.sum(axis=1) / np.sqrt(2.0)),
        )
        for name, rate in zip(names, rates, strict=True):
            out[name].append((float((rate[~held.same] <= TARGET).mean()), float((rate[held.same] <= TARGET).mean())))
    print(f"correlation of the deviates: {np.mean(correlations):.2f} ({min(correlations):.2f} to {max(correlations):.2f})")
    for name, found in out.items():
        fmr, tar = np.array(found).T
        print(f"| {name} | {fmr.mean():.2g} ({fmr.min():.2g} to {fmr.max():.2g}) | {tar.mean():.1%} |")


def columns(used: str, score: F64, eyes: F64, sharpness: F64) -> F64:
    """Return the score and, for each letter e, s of `used`, that quality and its product with the score, so that it may bend the slope too."""
    chosen = [q for letter, q in (("e", eyes), ("s", sharpness)) if letter in used]
    return np.stack([score, *chosen, *(q * score for q in chosen)], axis=1)


def covariate(name: str, got: Acquired, parts: int, seed: int = 0) -> None:
    """Print the Cllr over people held out, of a line in the score alone and of one that may also use and be bent by quality."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(seed)
    part = rng.permutation(len(got.people))[got.person] % parts
    rows = np.flatnonzero(np.abs(got.vectors[RGB]).max(axis=1) > 0)
    eyes, sharp = (np.array([(f.quality.get(c) or 0) / 100 for f in got.features]) for c in ("inter_eye_distance", "sharpness"))
    train: list[list[F64]] = []
    for k in range(parts):
        mine = rows[part[rows] == k]
        i, j = np.triu_indices(len(mine), 1)
        same = got.person[mine[i]] == got.person[mine[j]]
        keep = same | (rng.random(len(i)) < 20_000 / len(i))
        a, b, y = mine[i[keep]], mine[j[keep]], same[keep]
        s = np.einsum("nd,nd->n", got.vectors[RGB][a], got.vectors[RGB][b]).astype(np.float64)
        train.append([s, np.minimum(eyes[a], eyes[b]), np.minimum(sharp[a], sharp[b]), y.astype(np.float64)])
    alone: F64 | None = None
    for form, used in FORMS.items():
        costs = []
        for k in range(parts):
            s, e, h, y = (np.concatenate([t[c] for n, t in enumerate(train) if n != k]) for c in range(4))
            weights = np.where(y == 1, 0.5 / y.sum(), 0.5 / (len(y) - y.sum())) * len(y)
            model = LogisticRegression(C=1e4, max_iter=2000).fit(columns(used, s, e, h), y, sample_weight=weights)
            s, e, h, y = train[k]
            costs.append(cllr(model.decision_function(columns(used, s, e, h)), y, 1 - y))
        found = np.array(costs, np.float64)
        alone = found if alone is None else alone
        better = int((found < alone).sum())
        total = int(sum(t[3].sum() for t in train))
        print(f"| {name} | {form} | {found.mean():.4f} | {(found - alone).mean():+.4f} | {better} of {parts} | {total} |")


def main(lfw: Path, rap3df: Path, nuaa: Path) -> None:
    """Print everything."""
    base = load_calibration(None, None)
    with FeatureCache(default_path()) as cache:
        found = {}
        for gate in (True, False):
            data = index_samples(rap3df)
            found[gate] = acquire(data, data.samples, shipped(base, cache, gate=gate))
        data = lfw_samples(lfw)
        web = acquire(data, data.samples, shipped(base, cache, gate=False), MIDDLE)
        data = index_samples(nuaa)
        live = [s for s in data.samples if s.bona_fide]
        cam = acquire(data, live, shipped(base, cache, gate=False))
    print("\n## Band\n")
    fold_one(lfw, base, web)
    for gate, got in found.items():
        band(base, samples_of(got), "gate on" if gate else "gate off")
    print("\n## Dependence\n")
    everything = np.ones(len(found[True].samples), bool)
    dependence("rap3df-2017", found[True], everything, everything)
    session = np.array([s.column("session") for s in cam.samples])
    dependence("nuaa-dev, session 1 against 2", cam, session == "1", session == "2")
    across(samples_of(found[True]), len(found[True].people))
    merges(base, samples_of(found[True]), len(found[True].people))
    print("\n## Quality\n")
    covariate("LFW", web, 10)
    covariate("rap3df-2017, gate off", found[False], 5)
    covariate("rap3df-2017, gate on", found[True], 5)


if __name__ == "__main__":
    main(*(Path(p) for p in sys.argv[1:4]))
