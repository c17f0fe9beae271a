"""Real RGB, NIR and depth frames (rap3df-2017, Kinect v2, 62 people) through the whole path: enrol, calibrate, verify, with the gate on."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

import vultus
from vultus import calibration as cal
from vultus.comparison import evidence_of
from vultus.device_fitting import fit_device
from vultus.devices.images import ImagesDevice, load_row
from vultus.devices.index import read_index
from vultus.geometry import pose_of
from vultus.guard import Guard
from vultus.manifest import load_manifest
from vultus.pipeline import Pipeline, Probe
from vultus.policy import presentation
from vultus.types import DeviceIdentity, Modality, Source, Stream

pytestmark = pytest.mark.real_data

TARGET = 1e-4
FRONTAL = 20.0
"""Degrees of yaw and pitch up to which a probe counts as frontal, by the five landmarks."""
POLICY = vultus.Policy(target_fmr=TARGET, sources=frozenset({Source.IMAGES}), allow_extrapolation=True)


@dataclass
class Outcomes:
    """Counts of one run over both halves of the people."""

    enrolled: int = 0
    genuine: Counter[str] = field(default_factory=Counter)
    frontal: Counter[str] = field(default_factory=Counter)
    impostor: Counter[str] = field(default_factory=Counter)
    spoof: int = 0
    observed: int = 0


def observe_all(index: Path) -> list[tuple[str, str, Probe]]:
    """Return person, pose and probe of every sample."""
    manifest = load_manifest()
    pipeline = Pipeline(manifest, cal.load(manifest.root / "calibration").limits)
    identity = DeviceIdentity("images", index.name, "", Source.IMAGES)
    rows = read_index(index, strict=True).rows
    return [(r.person, r.extra["pose"], pipeline.process(load_row(r, identity, 40 * i))) for i, r in enumerate(rows)]


def calibrate(probes: list[tuple[str, str, Probe]], people: set[str], path: Path, index: Path) -> None:
    """Write a device calibration fitted on `people` alone."""
    manifest = load_manifest()
    numbers = {p: i for i, p in enumerate(sorted(people))}
    samples = {}
    for modality in Modality:
        rows = [
            (p.embeddings[modality].vector, numbers[who], k)
            for k, (who, _, p) in enumerate(probes)
            if who in people and modality in p.embeddings
        ]
        samples[modality] = (np.stack([r[0] for r in rows]), np.array([r[1] for r in rows]), np.array([r[2] for r in rows]))
    identity = DeviceIdentity("images", index.name, "", Source.IMAGES)
    base = cal.load(manifest.root / "calibration")
    path.write_text(
        json.dumps(fit_device(base, samples, identity, name="kinect-half", origin={"people": len(people)}, whiten=True)), "utf-8"
    )


def is_frontal(probe: Probe) -> bool:
    """Say whether the head is turned by less than FRONTAL degrees in the picture that was used."""
    face = probe.found.get(Stream.RGB) or probe.found.get(Stream.NIR)
    pose = pose_of(face.landmarks) if face is not None else None
    return pose is not None and max(abs(pose.yaw), abs(pose.pitch)) <= FRONTAL


def run_half(index: Path, probes: list[tuple[str, str, Probe]], people: set[str], calibration: Path, folder: Path, out: Outcomes) -> None:
    """Enrol `people` from their main sample with a calibration that never saw them, and verify their other samples against all of them."""
    identity = DeviceIdentity("images", index.name, "", Source.IMAGES)
    with (
        vultus.TemplateStore.open(folder / f"{min(people)}.db") as store,
        vultus.Authenticator(store=store, policy=POLICY, calibrations=[calibration]) as auth,
    ):
        for person in sorted(people):
            with ImagesDevice(index, person=person, sample=next(r.sample for r in MAIN[person])) as camera:
                out.enrolled += auth.enroll(person, camera, samples=1, timeout_s=30).enrolled
        enrolled = set(store.users())
        for who, pose, probe in probes:
            if who not in people or pose != "test":
                continue
            for user in sorted(people):
                reason = auth.conclude(probe, identity, user).reason if user in enrolled else vultus.Reason.NOT_ENROLLED
                counts = out.genuine if user == who else out.impostor
                counts[reason.value] += 1
                if user == who and is_frontal(probe):
                    out.frontal[reason.value] += 1


MAIN: dict[str, list] = {}


@pytest.fixture(scope="module")
def outcomes(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """Run both halves, each with the calibration of the other."""
    index = data_root / "rap3df-2017" / "index.csv"
    for row in read_index(index, strict=True).rows:
        if row.extra["pose"] == "main":
            MAIN.setdefault(row.person, []).append(row)
    probes = observe_all(index)
    people = sorted({who for who, _, _ in probes})
    halves = set(people[::2]), set(people[1::2])
    folder = tmp_path_factory.mktemp("real")
    out = Outcomes()
    for fit, test in (halves, halves[::-1]):
        path = folder / f"calibration-{min(fit)}.json"
        calibrate(probes, fit, path, index)
        run_half(index, probes, test, path, folder, out)
    out.observed = len(probes)
    out.spoof = sum(presentation(evidence_of(p, Guard()), POLICY) is vultus.Reason.SPOOF for _, _, p in probes)
    print(f"\nreal frames: {out}")
    return out


def test_frontal_genuine_attempts_are_accepted(outcomes: Outcomes) -> None:
    """At a target of 1e-4 with the liveness gate on, at least 88 % of the frontal test samples are accepted, those of people not enrolled counted."""
    accepted, all_ = outcomes.frontal["accepted"], outcomes.frontal.total()
    assert all_ >= 100
    assert accepted >= 0.88 * all_, outcomes.frontal


def test_false_accepts_stay_within_the_target(outcomes: Outcomes) -> None:
    """The false accepts are no more than a rate of 1e-4 explains at 95 %: a Poisson bound on the comparisons made."""
    comparisons = outcomes.impostor.total()
    expected = TARGET * comparisons
    assert comparisons >= 6000
    assert outcomes.impostor["accepted"] <= expected + 2 * np.sqrt(expected) + 1, outcomes.impostor


def test_nearly_everybody_can_enrol(outcomes: Outcomes) -> None:
    """All but two of the 62 people enrol from their one frontal sample."""
    assert outcomes.enrolled >= 60


def test_real_heads_are_no_spoofs(outcomes: Outcomes) -> None:
    """At most 2 % of the 267 bona fide frame sets, every pose, are called a spoof."""
    assert outcomes.observed == 267
    assert outcomes.spoof <= 0.02 * outcomes.observed


def test_an_injected_copy_of_the_colour_picture_is_refused(data_root: Path) -> None:
    """Real frame sets whose NIR picture was computed from the colour picture, noise added, fail; as they are, none does for that reason."""
    manifest = load_manifest()
    pipeline = Pipeline(manifest, cal.load(manifest.root / "calibration").limits)
    identity = DeviceIdentity("images", "rap3df", "", Source.IMAGES)
    rng = np.random.default_rng(4)
    copies: Counter[str] = Counter()
    for number, row in enumerate(read_index(data_root / "rap3df-2017" / "index.csv", strict=True).rows[::3]):
        frame_set = load_row(row, identity, 40 * number)
        assert frame_set.rgb is not None
        assert frame_set.nir is not None
        grey = frame_set.rgb.data.astype(np.float32) @ np.float32([0.3, 0.6, 0.1])
        fake = np.clip(100 * (grey + rng.normal(0, 2, grey.shape)), 0, 65535).astype(np.uint16)
        for name, shown in (("real", frame_set), ("copy", replace(frame_set, nir=replace(frame_set.nir, data=fake)))):
            live = pipeline.process(shown, with_embeddings=False).liveness
            cue = next((c for c in live.cues if c.name == "nir_likeness"), None) if live is not None else None
            copies[f"{name} {cue.verdict.value if cue is not None else 'no face'}"] += 1
    assert copies["real fail"] == 0, copies
    assert copies["copy pass"] + copies["copy abstain"] <= 1, copies
    assert copies["copy fail"] >= 85, copies
