"""Sign-in with colour alone, end to end: a live face, a simulated print of it, and no calibration."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import vultus
from vultus.authenticator import Authenticator
from vultus.devices import open_device
from vultus.errors import CalibrationError
from vultus.store import TemplateStore
from vultus.templates import Template
from vultus.types import FrameSet, Outcome, Reason, Source, SpoofKind, Verdict

POLICY = vultus.Policy(sources={Source.SIMULATED}, tier="convenience", allow_extrapolation=True, max_failures=1000, max_spoofs=1000)


def shots(url: str, count: int) -> list[FrameSet]:
    """Render frame sets and take all but the colour away."""
    with open_device(url) as camera:
        found = [fs for _ in range(count) if (fs := camera.read()) is not None]
    return [replace(fs, nir=None, nir_ambient=None, depth=None) for fs in found]


def printed(frame_set: FrameSet) -> FrameSet:
    """Return the frame set as if a printer had screened it with coarse dots: a simulated attack."""
    assert frame_set.rgb is not None
    picture = frame_set.rgb.data
    y, x = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]]
    wave = np.cos(1.7 * (0.8 * x + 0.6 * y)) + np.cos(1.7 * (0.8 * y - 0.6 * x))
    dots = np.clip(picture * (1 + 0.22 * wave[..., None]), 0, 255).astype(np.uint8)
    return replace(frame_set, rgb=replace(frame_set.rgb, data=np.ascontiguousarray(dots)))


@pytest.fixture(scope="module")
def auth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authenticator]:
    """Return an authenticator that knows the simulator's astronaut by colour alone."""
    with (
        TemplateStore.open(tmp_path_factory.mktemp("store") / "t.db") as store,
        Authenticator(store=store, policy=POLICY) as made,
    ):
        probe = made.observe(shots("simulator:astronaut?seed=1", 1)[0])
        store.add(Template("eileen", tuple(probe.embeddings.values()), 1))
        yield made


def test_a_live_face_is_no_spoof(auth: Authenticator) -> None:
    """A simulated head seen in colour alone is judged by its colour and accepted."""
    decision = auth.verify(shots("simulator:astronaut?seed=5", 1)[0], user="eileen")
    assert decision.liveness is not None
    assert {c.name for c in decision.liveness.cues} >= {"colour", "colour_network", "colour_grid", "colour_motion"}
    assert decision.accepted, decision.reason


def test_a_simulated_print_is_refused_by_its_dots(auth: Authenticator) -> None:
    """The same face screened with dots is refused; the vote says so with its number and limit, and the grid's number has risen."""
    live = shots("simulator:astronaut?seed=5", 1)[0]
    before, after = (auth.verify(fs, user="eileen") for fs in (live, printed(live)))
    assert (after.outcome, after.reason) == (Outcome.REJECT, Reason.SPOOF)
    assert before.liveness is not None
    assert after.liveness is not None
    told, grids = ({c.name: c for c in d.liveness.cues} for d in (after, before) if d.liveness is not None)
    assert told["colour"].verdict is Verdict.FAIL
    assert told["colour"].value is not None
    assert told["colour"].value < told["colour"].limit
    assert after.liveness.spoof_kind is SpoofKind.RECAPTURED
    assert (told["colour_grid"].value or 0.0) > (grids["colour_grid"].value or 0.0) + 1.0


def test_other_sensors_leave_colour_alone_out(auth: Authenticator) -> None:
    """A frame set with NIR and depth is judged by them: no cue of colour alone is there, whatever the tier."""
    with open_device("simulator:astronaut?seed=5") as camera:
        whole = camera.read()
    assert whole is not None
    found = auth.observe(whole).liveness
    assert found is not None
    assert not any(c.name.startswith("colour") for c in found.cues)


def test_without_the_vote_nothing_opens(tmp_path: Path, repository: Path) -> None:
    """A lost calibration of colour is an error when the authenticator opens."""
    models = tmp_path / "models"
    shutil.copytree(repository / "models", models, ignore=shutil.ignore_patterns("training", "recipes", "optimised", "weights"))
    (models / "calibration" / "colour.json").unlink()
    with TemplateStore.open(tmp_path / "t.db") as store, pytest.raises(CalibrationError, match=r"colour\.json"):
        Authenticator(store=store, policy=POLICY, models=models)
