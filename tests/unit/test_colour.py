"""Colour alone: the cues of a print or a screen, the vote over them, and what a policy makes of it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus.colour_fitting import device_vote, first_vote, refitted
from vultus.colour_only import ColourOnly
from vultus.errors import CalibrationError, ModelAltered
from vultus.frames import DeviceIdentity, Frame, FrameSet, Source, Stream
from vultus.geometry import TARGET
from vultus.manifest import load_manifest
from vultus.policy import Tier, live_reason
from vultus.stages.colour import CUES, GRID, MOTION, NETWORK, SIDE, VOTE, ColourVote, Term, cues_of, grid_of, grid_strength, view
from vultus.types import Cue, Face, Liveness, Reason, SpoofKind, Verdict

MARKS = (TARGET * 1.5 + 60.0).astype(np.float32)
FACE = Face(Stream.RGB, (90.0, 90.0, 110.0, 140.0), MARKS, 1.0)
BASE = ColourVote({GRID: Term(-3.0, 6.0, -6.0, 0.0), MOTION: Term(-10.0, 1.5, -4.0, 0.0)}, pass_llr=-0.7, fail_llr=-2.3)
WITH_NETWORK = replace(BASE, terms={**BASE.terms, NETWORK: Term(1.0, 0.0, -6.0, 0.0)})
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


def liveness(grid: float | None, motion: float | None = None, network: float | None = None) -> Liveness:
    """Return what the stages say of a frame set with colour alone."""
    return Liveness(Verdict.ABSTAIN, cues_of({NETWORK: network, GRID: grid, MOTION: motion}))


@given(st.floats(0, 500), st.floats(0, 380), st.floats(20, 300))
def test_the_view_lies_in_the_picture_and_about_the_face(x: float, y: float, side: float) -> None:
    """The network's view is 2.7 boxes wide where the picture is, never shows black from outside it, and holds the middle of the face."""
    rows, columns = np.mgrid[0:480, 0:640]
    rgb = np.stack([np.full((480, 640), 9), 1 + columns * 254 // 640, 1 + rows * 254 // 480], -1).astype(np.uint8)
    out = np.empty((3, SIDE, SIDE), np.float32)
    w, h = min(side, 640 - x), min(side, 480 - y)
    view(np.ascontiguousarray(rgb), replace(FACE, box=(x, y, w, h)), out)
    assert out.min() >= 1.0
    green, blue = out[1] * 640 / 254, out[0] * 480 / 254
    assert green.min() - 4 <= x + w / 2 <= green.max() + 4
    assert blue.min() - 4 <= y + h / 2 <= blue.max() + 4


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


@given(numbers, maybe, numbers)
def test_every_cue_only_denies(grid: float, motion: float | None, network: float) -> None:
    """Whatever a cue says, the ratio is never above what it is without the cue, and never above nought."""
    values = {GRID: grid, MOTION: motion, NETWORK: network}
    for vote, less in ((BASE, {GRID: grid}), (WITH_NETWORK, {GRID: grid, NETWORK: network})):
        found, fewer = vote.log_lr(values), vote.log_lr(less)
        assert found is not None
        assert fewer is not None
        assert found <= fewer <= 0.0
    with_network, without = WITH_NETWORK.log_lr(values), BASE.log_lr(values)
    assert with_network is not None
    assert without is not None
    assert with_network <= without


@given(maybe, maybe, maybe)
def test_the_vote_never_passes_what_failed(grid: float | None, motion: float | None, network: float | None) -> None:
    """A cue that failed before keeps the verdict, and the vote states its own number beside it."""
    failed = replace(liveness(grid, motion, network), verdict=Verdict.FAIL, spoof_kind=SpoofKind.FLAT)
    cast = WITH_NETWORK.cast(failed)
    assert (cast.verdict, cast.spoof_kind) == (Verdict.FAIL, SpoofKind.FLAT)
    assert cast.cues[-1].name == VOTE


@pytest.mark.parametrize(
    ("vote", "shown"), [(BASE, liveness(None)), (WITH_NETWORK, liveness(1.0)), (WITH_NETWORK, liveness(None, None, 3.0))]
)
def test_without_what_is_weighed_the_vote_abstains(vote: ColourVote, shown: Liveness) -> None:
    """A face without a grid's number, or without the network's where a camera was calibrated with it, is not judged and opens nothing."""
    cast = vote.cast(shown)
    assert cast.cues[-1] == Cue(VOTE, None, "nats", -0.7, Verdict.ABSTAIN)
    assert cast.verdict is Verdict.ABSTAIN
    assert live_reason(cast, Tier.CONVENIENCE) is Reason.LIVENESS_MISSING


def test_where_colour_was_not_looked_at_nothing_is_added() -> None:
    """A frame set with other streams has none of these cues, and no vote over them."""
    other = Liveness(Verdict.PASS, (Cue("strobe", 0.9, "ratio", 0.5, Verdict.PASS),))
    assert BASE.cast(other) is other


@pytest.mark.parametrize(
    ("grid", "motion", "reason"),
    [
        (1.0, None, Reason.ACCEPTED),
        (2.5, None, Reason.LIVENESS_UNDECIDED),
        (1.0, 0.3, Reason.LIVENESS_UNDECIDED),
        (3.5, None, Reason.SPOOF),
        (1.0, 0.6, Reason.SPOOF),
        (None, 0.0, Reason.LIVENESS_MISSING),
    ],
)
def test_convenience_asks_for_the_vote_where_there_is_colour_alone(grid: float | None, motion: float | None, reason: Reason) -> None:
    """Above the limits the tier is content, between them it asks again, below it refuses; what was not measured opens nothing."""
    assert live_reason(BASE.cast(liveness(grid, motion)), Tier.CONVENIENCE) is reason


def test_convenience_without_the_vote_opens_nothing() -> None:
    """Cues of colour that no calibration weighs are no evidence."""
    assert live_reason(liveness(1.0), Tier.CONVENIENCE) is Reason.LIVENESS_MISSING


@pytest.mark.parametrize("tier", [Tier.SECURE, Tier.STANDARD])
def test_the_vote_never_stands_in_for_other_sensors(tier: Tier) -> None:
    """A face whose colour passes opens no tier that asks for NIR or depth."""
    assert live_reason(BASE.cast(liveness(1.0)), tier) is Reason.LIVENESS_MISSING


@given(st.sampled_from(CUES), st.floats(-3, 3))
def test_the_explanation_changes_with_its_input_alone(name: str, change: float) -> None:
    """Changing one cue's value changes that cue and the vote, and no other number."""
    values = {NETWORK: 1.0, GRID: 2.5, MOTION: 0.3}
    first, second = (WITH_NETWORK.cast(Liveness(Verdict.ABSTAIN, cues_of(v))) for v in (values, {**values, name: values[name] + change}))
    differing = {a.name for a, b in zip(first.cues, second.cues, strict=True) if a.value != b.value}
    assert differing <= {name, VOTE}
    assert (name in differing) == (values[name] + change != values[name])


def test_a_refusal_names_what_incriminates_most() -> None:
    """Moved surroundings point to something flat, dots and the network to a recapture."""
    assert BASE.cast(liveness(4.0)).spoof_kind is SpoofKind.RECAPTURED
    assert WITH_NETWORK.cast(liveness(1.0, None, -5.0)).spoof_kind is SpoofKind.RECAPTURED
    assert BASE.cast(liveness(1.0, 0.9)).spoof_kind is SpoofKind.FLAT


def test_a_vote_is_read_back_as_written() -> None:
    """What a calibration holds is the vote again; one that weighs unknown cues, or fails above where it abstains, is refused."""
    again = ColourVote.from_dict(BASE.to_dict())
    assert again.terms == BASE.terms
    assert (again.pass_llr, again.fail_llr) == (-0.7, -2.3)
    for wrong in ({"fail_llr": 2.0}, {"terms": {}}, {"pass_llr": float("nan")}, {"terms": {**BASE.to_dict()["terms"], "depth": {}}}):
        with pytest.raises((ValueError, KeyError)):
            ColourVote.from_dict({**BASE.to_dict(), **wrong})


def samples(centre: float, count: int, seed: int) -> list[dict[str, float | None]]:
    rng = np.random.default_rng(seed)
    return [{NETWORK: float(rng.normal(centre, 1)), GRID: float(rng.normal(1.2, 0.1)), MOTION: None} for _ in range(count)]


def test_a_first_vote_keeps_live_faces() -> None:
    """A grid counts from what one live sample in two hundred has; dots are refused."""
    live = samples(2, 400, 1)
    vote = first_vote(live)
    assert sum((vote.log_lr(v) or 0.0) < vote.pass_llr for v in live) <= 0.005 * 400
    assert (vote.log_lr({GRID: 4.0}) or 0.0) < vote.fail_llr


def test_a_camera_of_its_own_keeps_its_live_faces() -> None:
    """On a camera whose live faces show stripes the device's vote refuses half a per cent of them and no more; its terms stay."""
    base = first_vote(samples(2, 400, 1))
    live = [{**v, GRID: (v[GRID] or 0.0) + 1.5} for v in samples(2, 400, 3)]
    own = device_vote(base, live, [f"p{i % 25}" for i in range(400)], [])
    assert own.terms == base.terms
    assert sum((own.log_lr(v) or 0.0) < own.fail_llr for v in live) <= 0.005 * 400


def test_a_fetched_network_counts_where_a_camera_was_calibrated_with_it() -> None:
    """With enough live samples and attacks that it saw, its score gets a term that can only lower the ratio; with fewer it gets none."""
    base = first_vote(samples(2, 400, 1))
    fitted = refitted(base, samples(2, 400, 3), samples(-2, 60, 4))
    assert fitted.terms[NETWORK].high == 0.0
    assert sum((fitted.log_lr(v) or 0.0) < fitted.fail_llr for v in samples(-4, 60, 5)) > 50
    assert NETWORK not in refitted(base, samples(2, 400, 3), samples(-2, 20, 4)).terms


def test_too_few_people_make_no_vote() -> None:
    """Nineteen people, or fifty samples, are refused with the numbers that are missing."""
    base = first_vote(samples(2, 400, 1))
    with pytest.raises(CalibrationError, match="19 people"):
        device_vote(base, samples(2, 190, 3), [f"p{i % 19}" for i in range(190)], [])
    with pytest.raises(CalibrationError, match="colour vote takes"):
        first_vote(samples(2, 50, 1))


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


def test_a_fetched_network_that_is_altered_is_an_error(repository: Path, tmp_path: Path) -> None:
    """A file in the network's place with other bytes raises; without one the network's number is simply not there."""
    shutil.copy(repository / "models" / "manifest.toml", tmp_path)
    assert ColourOnly(load_manifest(tmp_path)).cues(shot(), noise(240), FACE)[0].value is None
    (tmp_path / "artefacts").mkdir()
    (tmp_path / "artefacts" / "fr_liveness.onnx").write_bytes(b"another graph")
    with pytest.raises(ModelAltered, match="recapture"):
        ColourOnly(load_manifest(tmp_path)).cues(shot(), noise(240), FACE)
