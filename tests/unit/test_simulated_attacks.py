"""Simulated attacks: what each species is made of, that seeds repeat it, and how an index of people is attacked."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from vultus.cli.entry import main
from vultus.evaluate.liveness_calibration import Origin, presentations
from vultus.evaluate.samples import BONA_FIDE, Sample
from vultus.policy import Tier, live_reason
from vultus.simulation.attacks import SPECIES, TESTS, TRAINING, attack
from vultus.simulation.triplets import Triplet, measured, onto, residuals
from vultus.types import Cue, Liveness, Reason, Verdict

MARKS = np.array([[45, 60], [75, 60], [60, 78], [48, 92], [72, 92]], np.float32)


def head(seed: int, shift: float = 0.0) -> Triplet:
    """Return a ball with a nose in front of a wall, in three streams."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:140, 0:120].astype(np.float64)
    r2 = ((x - 60 - shift) / 38) ** 2 + ((y - 74) / 52) ** 2
    inside = r2 < 1
    z = np.where(inside, 700 - 90 * np.sqrt(np.clip(1 - r2, 0, 1)), 1100)
    z = z - 20 * np.exp(-((x - 60 - shift) ** 2 + (y - 78) ** 2) / 40)
    depth = np.rint(z + rng.normal(0, 1, z.shape)).astype(np.uint16)
    nir = np.where(inside, 3000 + 400 * rng.random(z.shape), 200).astype(np.uint16)
    rgb = rng.integers(40, 200, (140, 120, 3)).astype(np.uint8)
    return Triplet(rgb, nir, depth, MARKS + np.array([shift, 0], np.float32))


def off_plane(depth: np.ndarray) -> float:
    """Return the median distance of the face's depth from its best plane, in mm."""
    y, x = np.mgrid[50:100, 40:80]
    z = depth[50:100, 40:80].astype(float)
    a = np.stack([np.ones(x.size), x.ravel(), y.ravel()], 1)[z.ravel() > 0]
    v = z.ravel()[z.ravel() > 0]
    return float(np.median(np.abs(v - a @ np.linalg.lstsq(a, v, rcond=None)[0])))


@pytest.mark.parametrize("species", SPECIES)
def test_a_seed_makes_the_same_presentation_again_and_another_seed_another(species: str) -> None:
    """Equal generator states give equal pictures; what is drawn at random differs with the seed, except for a stream swapped whole."""
    one, two, three = (attack(species, head(1), head(2, 6), np.random.default_rng(s)) for s in (5, 5, 6))
    for stream in ("rgb", "nir", "depth"):
        assert np.array_equal(getattr(one, stream), getattr(two, stream))
        assert getattr(one, stream).dtype == getattr(head(1), stream).dtype
        assert getattr(one, stream).shape == getattr(head(1), stream).shape
    if species not in ("other_rgb", "other_nir", "other_depth"):
        assert any(not np.array_equal(getattr(one, s), getattr(three, s)) for s in ("rgb", "nir", "depth"))


@pytest.mark.parametrize("species", ["print_flat", "print_tilted", "print_glossy", "replay_dark", "replay_bright", "injected_nir"])
def test_flat_species_are_as_flat_as_the_sensors_noise(species: str) -> None:
    """A sheet or a screen has no relief beyond noise and quantisation, while the head that it shows has."""
    shown = attack(species, head(1), head(2), np.random.default_rng(3))
    assert off_plane(shown.depth) < 3.0 < off_plane(head(1).depth)


@pytest.mark.parametrize("species", ["mask_paper", "mask_latex", "mask_silicone"])
def test_masks_keep_the_other_persons_relief_and_the_victims_colours(species: str) -> None:
    """A mask has a head's relief and shows the victim."""
    victim = head(1)
    shown = attack(species, victim, head(2, 6), np.random.default_rng(3))
    assert off_plane(shown.depth) > 4.0
    assert shown.rgb is victim.rgb
    assert not np.array_equal(shown.nir, victim.nir)


def test_tests_draw_from_inside_what_training_draws_from() -> None:
    """Every range of the tests lies inside that of training, and none is the same."""
    for name in ("tilt", "radius_mm", "fold", "protrusion_mm", "approach", "paper", "ink", "screen"):
        (low, high), (wide_low, wide_high) = getattr(TESTS, name), getattr(TRAINING, name)
        assert wide_low < low < high < wide_high


def test_a_surface_is_measured_with_the_noise_of_the_frame_it_is_compared_with() -> None:
    """The noise of a made surface has the deviation of the real frame's noise within a fifth."""
    like = head(1).depth
    made = measured(np.full(like.shape, 800.0), like, np.random.default_rng(1))
    assert np.std(made[made > 0].astype(float)) == pytest.approx(np.std(residuals(like)), rel=0.2)


def test_landmarks_are_carried_onto_the_others() -> None:
    """The similarity takes the target's points to the source's where they differ by turn, size and place."""
    angle, size = np.radians(10), 1.2
    turn = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    source = (MARKS @ turn.T + [4, -3]).astype(np.float32)
    matrix = onto(source, MARKS)
    assert np.allclose(MARKS @ matrix[:, :2].T + matrix[:, 2], source, atol=1e-3)


def test_one_species_does_not_shift_the_draws_of_another() -> None:
    """Asking for more of each species leaves the first presentations as they were."""
    sources = [Origin(Sample(0, p, "s", {}, BONA_FIDE), head(i)) for i, p in enumerate("abc")]
    few = {s.name: t for kind in SPECIES for s, t in presentations(sources, 1, 1, TESTS, "", kind)}
    more = {s.name: t for kind in SPECIES for s, t in presentations(sources, 2, 1, TESTS, "", kind)}
    assert len(few) == len(SPECIES)
    assert len(more) == 2 * len(SPECIES)
    assert all(np.array_equal(few[name].depth, more[name].depth) for name in few)


def cue(name: str, verdict: str) -> Cue:
    return Cue(name, 1.0, "mm", 1.0, Verdict(verdict))


@pytest.mark.parametrize(
    ("relief", "nir", "vote", "expected"),
    [
        ("pass", "pass", None, Reason.ACCEPTED),
        ("abstain", "pass", None, Reason.LIVENESS_UNDECIDED),
        ("pass", "fail", None, Reason.SPOOF),
        ("pass", "pass", "pass", Reason.ACCEPTED),
        ("pass", "pass", "abstain", Reason.LIVENESS_UNDECIDED),
        ("pass", "pass", "fail", Reason.SPOOF),
        ("abstain", "pass", "pass", Reason.LIVENESS_UNDECIDED),
    ],
)
def test_a_tier_passes_only_when_each_required_cue_and_the_vote_passed(relief: str, nir: str, vote: str | None, expected: Reason) -> None:
    """One required cue or a vote that abstains keeps a presentation from passing, one that fails fails it, and a vote replaces no cue."""
    cues = [cue("depth_relief", relief), cue("nir_face", nir), *([cue("vote", vote)] if vote else [])]
    assert live_reason(Liveness(Verdict.PASS if expected is not Reason.SPOOF else Verdict.FAIL, tuple(cues)), Tier.SECURE) is expected


@pytest.mark.real_data
def test_attacks_simulated_from_real_triplets_are_judged_by_species(data_root: Path, tmp_path: Path) -> None:
    """Flat prints and screens made from ten real people never pass the secure tier, and the report calls each species simulated."""
    folder = data_root / "rap3df-2017"
    with (folder / "index.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    people = sorted({r["person"] for r in rows})[:10]
    kept = [r for r in rows if r["person"] in people]
    for person in people:
        shutil.copytree(folder / person, tmp_path / person)
    with (tmp_path / "index.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(kept)
    out = tmp_path / "out.json"
    assert main(["evaluate", "attacks", str(tmp_path / "index.csv"), "--each", "4", "--json", str(out)]) == 0
    document = json.loads(out.read_text())
    assert set(document["apcer"]) == {f"simulated {name}" for name in SPECIES}
    for name in ("print_flat", "print_tilted", "print_glossy", "replay_dark", "replay_bright"):
        assert document["apcer"][f"simulated {name}"]["value"] == 0.0
