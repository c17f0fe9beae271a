"""Colour alone: the cues of a print or a screen, the vote over them, and what a policy makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus.colour_fitting import device_vote, first_vote, refitted
from vultus.colour_only import ColourOnly
from vultus.errors import CalibrationError, ModelMissing
from vultus.frames import DeviceIdentity, Frame, FrameSet, Source, Stream
from vultus.geometry import TARGET
from vultus.manifest import load_manifest
from vultus.policy import Tier, live_reason
from vultus.stages.colour import CUES, GRID, MOTION, NETWORK, SIDE, VOTE, ColourVote, Term, crop, cues_of, grid_of, grid_strength
from vultus.types import Cue, Face, Liveness, Reason, SpoofKind, Verdict

MARKS = (TARGET * 1.5 + 60.0).astype(np.float32)
FACE = Face(Stream.RGB, (90.0, 90.0, 110.0, 140.0), MARKS, 1.0)
SHIPPED = ColourVote(
    {NETWORK: Term(1.0, 0.0, -6.0, 6.0), GRID: Term(-3.0, 6.0, -6.0, 0.0), MOTION: Term(-10.0, 1.5, -4.0, 0.0)}, pass_llr=1.0, fail_llr=-1.0
)
numbers = st.floats(-20, 20)
maybe = st.none() | numbers


def noise(side: int = 128, seed: int = 0) -> np.ndarray:
    """Return a patch of skin: a slope and noise."""
    y, x = np.mgrid[0:side, 0:side]
    return np.clip(120 + 0.3 * x - 0.2 * y + np.random.default_rng(seed).normal(0, 4, (side, side)), 0, 255).astype(np.uint8)


def dots(side: int = 128, pitch: float = 3.7, strength: float = 12.0) -> np.ndarray:
    """Return the same skin, printed with dots aslant."""
    y, x = np.mgrid[0:side, 0:side]
    wave = np.cos(2 * np.pi / pitch * (0.8 * x + 0.6 * y)) + np.cos(2 * np.pi / pitch * (0.8 * y - 0.6 * x))
    return np.clip(noise(side) + strength * wave, 0, 255).astype(np.uint8)


def liveness(network: float | None, grid: float | None = 1.0, motion: float | None = None) -> Liveness:
    """Return what the stages say of a frame set with colour alone."""
    return Liveness(Verdict.ABSTAIN, cues_of({NETWORK: network, GRID: grid, MOTION: motion}))


def test_the_crop_holds_the_face_alone() -> None:
    """The crop's values are those of the pixels about the landmarks, and what is beside the face does not change it."""
    rgb = np.random.default_rng(1).integers(0, 255, (240, 240, 3), np.uint8)
    first, second = (np.empty((3, SIDE, SIDE), np.float32) for _ in range(2))
    marks = (TARGET + 60.0).astype(np.float32)
    crop(rgb, marks, first)
    other = rgb.copy()
    other[:, :60] = 0
    other[:60] = 0
    crop(other, marks, second)
    assert np.array_equal(first, second)
    assert np.abs(first).max() <= 1


@given(st.integers(0, 10_000))
def test_noise_has_no_grid(seed: int) -> None:
    """Noise without a pattern never stands out as dots do."""
    assert grid_strength(noise(seed=seed)) < 2.5 < grid_strength(dots())


@given(st.floats(2.4, 7.5))
def test_dots_of_any_pitch_that_the_camera_resolves_stand_out(pitch: float) -> None:
    """Dots between two and eight pixels apart are seen whatever their pitch."""
    assert grid_strength(dots(pitch=pitch)) > 3.0


def test_a_face_too_small_has_no_grid_to_measure() -> None:
    """A face narrower than the patch gives no number."""
    small = replace(FACE, landmarks=(TARGET * 0.3 + 60.0).astype(np.float32))
    assert grid_of(noise(240), small) is None
    assert grid_of(dots(240), FACE) is not None


@given(numbers, maybe, maybe)
def test_grid_and_motion_only_deny(network: float, grid: float | None, motion: float | None) -> None:
    """No grid and no movement ever raises the ratio above what the network alone says."""
    alone = SHIPPED.log_lr({NETWORK: network})
    found = SHIPPED.log_lr({NETWORK: network, GRID: grid, MOTION: motion})
    assert alone is not None
    assert found is not None
    assert found <= alone


@given(maybe, maybe, maybe)
def test_the_vote_never_passes_what_failed(network: float | None, grid: float | None, motion: float | None) -> None:
    """A cue that failed before keeps the verdict, and the vote states its own number beside it."""
    failed = replace(liveness(network, grid, motion), verdict=Verdict.FAIL, spoof_kind=SpoofKind.FLAT)
    cast = SHIPPED.cast(failed)
    assert (cast.verdict, cast.spoof_kind) == (Verdict.FAIL, SpoofKind.FLAT)
    assert cast.cues[-1].name == VOTE


def test_without_the_networks_score_the_vote_abstains() -> None:
    """A face that the network did not see is not judged, however little else speaks against it."""
    cast = SHIPPED.cast(liveness(None))
    assert cast.cues[-1] == Cue(VOTE, None, "nats", 1.0, Verdict.ABSTAIN)
    assert cast.verdict is Verdict.ABSTAIN


def test_where_colour_was_not_looked_at_nothing_is_added() -> None:
    """A frame set with other streams has none of these cues, and no vote over them."""
    other = Liveness(Verdict.PASS, (Cue("strobe", 0.9, "ratio", 0.5, Verdict.PASS),))
    assert SHIPPED.cast(other) is other


@pytest.mark.parametrize(
    ("network", "grid", "reason"),
    [
        (4.0, 1.0, Reason.ACCEPTED),
        (0.0, 1.0, Reason.LIVENESS_UNDECIDED),
        (-4.0, 1.0, Reason.SPOOF),
        (4.0, 5.0, Reason.SPOOF),
        (None, 1.0, Reason.LIVENESS_MISSING),
    ],
)
def test_convenience_asks_for_the_vote_where_there_is_colour_alone(network: float | None, grid: float, reason: Reason) -> None:
    """Above the limits the tier is content, between them it asks again, below it refuses; what was not measured opens nothing."""
    assert live_reason(SHIPPED.cast(liveness(network, grid)), Tier.CONVENIENCE) is reason


def test_convenience_without_the_vote_opens_nothing() -> None:
    """Cues of colour that no calibration weighs are no evidence."""
    assert live_reason(liveness(6.0), Tier.CONVENIENCE) is Reason.LIVENESS_MISSING


@pytest.mark.parametrize("tier", [Tier.SECURE, Tier.STANDARD])
def test_the_vote_never_stands_in_for_other_sensors(tier: Tier) -> None:
    """A face whose colour passes opens no tier that asks for NIR or depth."""
    assert live_reason(SHIPPED.cast(liveness(6.0)), tier) is Reason.LIVENESS_MISSING


@given(st.sampled_from(CUES), st.floats(-3, 3))
def test_the_explanation_changes_with_its_input_alone(name: str, change: float) -> None:
    """Changing one cue's value changes that cue and the vote, and no other number."""
    values = {NETWORK: 1.0, GRID: 2.5, MOTION: 0.3}
    first, second = (SHIPPED.cast(Liveness(Verdict.ABSTAIN, cues_of(v))) for v in (values, {**values, name: values[name] + change}))
    differing = {a.name for a, b in zip(first.cues, second.cues, strict=True) if a.value != b.value}
    assert differing <= {name, VOTE}
    assert (name in differing) == (values[name] + change != values[name])


def test_a_refusal_names_what_incriminates_most() -> None:
    """Moved surroundings point to something flat, dots and the network to a recapture."""
    assert SHIPPED.cast(liveness(-4.0)).spoof_kind is SpoofKind.RECAPTURED
    assert SHIPPED.cast(liveness(0.0, 1.0, 0.9)).spoof_kind is SpoofKind.FLAT


def test_a_vote_is_read_back_as_written() -> None:
    """What a calibration holds is the vote again; one that weighs unknown cues, or fails above where it abstains, is refused."""
    again = ColourVote.from_dict(SHIPPED.to_dict())
    assert again.terms == SHIPPED.terms
    assert (again.pass_llr, again.fail_llr) == (1.0, -1.0)
    for wrong in ({"fail_llr": 2.0}, {"terms": {}}, {"pass_llr": float("nan")}, {"terms": {**SHIPPED.to_dict()["terms"], "depth": {}}}):
        with pytest.raises((ValueError, KeyError)):
            ColourVote.from_dict({**SHIPPED.to_dict(), **wrong})


def samples(centre: float, count: int, seed: int) -> list[dict[str, float | None]]:
    rng = np.random.default_rng(seed)
    return [{NETWORK: float(rng.normal(centre, 1)), GRID: float(rng.normal(1.2, 0.1)), MOTION: None} for _ in range(count)]


def test_a_first_vote_tells_its_own_samples_apart() -> None:
    """Most live samples pass, few fail, and most attacks fail or abstain."""
    live, attacks = samples(2, 400, 1), samples(-2, 400, 2)
    vote = first_vote(live, attacks)
    ratios = [vote.log_lr(v) or 0.0 for v in live]
    assert sum(r < vote.fail_llr for r in ratios) <= 0.005 * 400
    assert sum((vote.log_lr(v) or 0.0) < vote.pass_llr for v in attacks) > 350


def test_a_camera_of_its_own_keeps_its_live_faces() -> None:
    """On a camera that shifts every score, the device's vote refuses half a per cent of its live faces and no more."""
    base = first_vote(samples(2, 400, 1), samples(-2, 400, 2))
    live = samples(-1, 400, 3)
    people = [f"p{i % 25}" for i in range(400)]
    own = device_vote(base, live, people, [])
    assert own.terms == base.terms
    assert sum((own.log_lr(v) or 0.0) < own.fail_llr for v in live) <= 0.005 * 400
    again = refitted(base, live, samples(-4, 60, 4))
    assert again.terms[NETWORK] != base.terms[NETWORK]
    assert again.terms[GRID] == base.terms[GRID]


def test_too_few_people_make_no_vote() -> None:
    """Nineteen people, or a hundred samples without a face that can be judged, are refused with the numbers that are missing."""
    base = first_vote(samples(2, 400, 1), samples(-2, 400, 2))
    with pytest.raises(CalibrationError, match="19 people"):
        device_vote(base, samples(2, 190, 3), [f"p{i % 19}" for i in range(190)], [])
    with pytest.raises(CalibrationError, match="colour vote takes"):
        first_vote(samples(2, 50, 1), samples(-2, 400, 2))


def shot(**others: Frame) -> FrameSet:
    rgb = np.repeat(noise(240)[..., None], 3, axis=2)
    return FrameSet(DeviceIdentity("images", "files", "", Source.IMAGES), 0, rgb=Frame(Stream.RGB, np.ascontiguousarray(rgb), 1), **others)


def test_colour_is_looked_at_where_there_is_nothing_else(repository: Path) -> None:
    """A set of colour gives the cues; with NIR beside it there are none, and without a face all of them are empty."""
    look = ColourOnly(load_manifest(repository / "models"))
    luma = noise(240)
    assert [c.name for c in look.cues(shot(), luma, FACE)] == list(CUES)
    assert all(c.verdict is Verdict.ABSTAIN for c in look.cues(shot(), luma, FACE))
    assert look.cues(shot(nir=Frame(Stream.NIR, luma, 1)), luma, FACE) == ()
    assert all(c.value is None for c in look.cues(shot(), luma, None))


def test_a_missing_network_is_an_error(repository: Path) -> None:
    """Without the graph nothing is judged: the look raises what says how to get it back, and nobody passes for that."""
    manifest = load_manifest(repository / "models")
    without = replace(manifest, entries=tuple(e for e in manifest.entries if e.role != "colour"))
    with pytest.raises(ModelMissing, match="colour"):
        ColourOnly(without).cues(shot(), noise(240), FACE)
