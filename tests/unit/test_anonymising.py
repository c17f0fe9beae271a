"""Recordings without faces: nothing finds one in the copy, nothing recognises who was there, and doubt leaves a frame set out."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from vultus import calibration
from vultus.anonymising import Anonymiser
from vultus.cli import main
from vultus.devices import Recorder, open_device
from vultus.devices.recordings.recording import Recording
from vultus.frames import DeviceIdentity, Frame, FrameSet, Source, Stream
from vultus.graphs import open_graph
from vultus.manifest import load_manifest
from vultus.pipeline import Pipeline
from vultus.stages.align import align_nir, align_rgb
from vultus.stages.assess import level_of
from vultus.stages.detect import Detector
from vultus.types import Modality

BLANK = DeviceIdentity("simulator", "simulated RGB + NIR + depth", "", Source.SIMULATED)


@cache
def shots(url: str = "simulator:astronaut?seed=3", count: int = 3) -> tuple[FrameSet, ...]:
    with open_device(url) as camera:
        return tuple(fs for _ in range(count) if (fs := camera.read()) is not None)


@cache
def pipeline() -> Pipeline:
    manifest = load_manifest()
    return Pipeline(manifest, calibration.load(manifest.root / "calibration").limits)


@cache
def copies() -> tuple[FrameSet, ...]:
    return tuple(Anonymiser(load_manifest()).anonymise(shots(), BLANK))


def test_no_face_is_found_in_the_copy() -> None:
    """Neither in RGB nor in NIR, lit or ambient, at the score of signing in nor at half of it; the pictures elsewhere are as they were."""
    manifest = load_manifest()
    detector = Detector(open_graph(manifest.entry("detector")), open_graph(manifest.entry("detector_near")))
    assert len(copies()) == len(shots())
    for copy, original in zip(copies(), shots(), strict=True):
        assert copy.device == BLANK
        assert pipeline().process(original, with_embeddings=False).faces == 1
        assert pipeline().process(copy, with_embeddings=False).faces == 0
        for frame, old in zip(copy.frames(), original.frames(), strict=True):
            if frame.stream is not Stream.DEPTH:
                assert detector.find(frame.data, frame.stream, least=0.3) == []
            assert 0.2 < (frame.data == old.data).mean() < 0.97


def test_nobody_is_recognised_in_the_copy() -> None:
    """Where the face was, the copy compares with the original as different people do: above every target's false-match rate, in RGB and NIR."""
    base = calibration.load(load_manifest().root / "calibration")
    p = pipeline()
    for copy, original in zip(copies(), shots(), strict=True):
        probe = p.process(original)
        assert original.rgb is not None
        assert copy.rgb is not None
        assert copy.nir is not None
        for modality, face in ((Modality.RGB, probe.found[Stream.RGB]), (Modality.NIR, probe.found[Stream.NIR])):
            to = p._recogniser
            mean, scale = to.mean, to.scale
            if modality is Modality.RGB:
                crop = align_rgb(copy.rgb, face.landmarks, to.input, mean=mean, scale=scale)
            else:
                crop = align_nir(copy.nir.data, face.landmarks, level_of(face, copy.nir.data) or 1.0, to.input, mean=mean, scale=scale)
            found = to.embed(crop)
            assert found is not None
            score = float(found.vector @ probe.embeddings[modality].vector)
            rate, _ = base.tables[Modality.RGB, Modality.RGB].rate(score)
            assert rate > 1e-2, (modality, score)


def test_what_covers_a_face_does_not_depend_on_it() -> None:
    """Two recordings that differ in the face alone are covered from the same surroundings: the mean colour there is the same."""
    original = shots()[0]
    assert original.rgb is not None
    face = pipeline().process(original).found[Stream.RGB]
    x, y, w, h = (int(v) for v in face.box)
    darker = original.rgb.data.copy()
    darker[y : y + h, x : x + w] = darker[y : y + h, x : x + w] // 2
    other = replace(original, rgb=replace(original.rgb, data=darker))
    covered = [next(Anonymiser(load_manifest()).anonymise([fs], BLANK)) for fs in (original, other)]
    patches = [c.rgb.data[y : y + h, x : x + w].astype(float).mean((0, 1)) for c in covered if c.rgb is not None]
    assert np.abs(patches[0] - patches[1]).max() < 3


def test_the_depth_of_a_head_is_flat() -> None:
    """Inside the face one distance is left of the depth."""
    for copy, original in zip(copies(), shots(), strict=True):
        assert copy.depth is not None
        assert original.depth is not None
        face = pipeline().process(original).found[Stream.RGB]
        x, y = (int(v) for v in face.landmarks.mean(0))
        assert original.depth.data[y - 20 : y + 20, x - 20 : x + 20].std() > 1
        assert len(np.unique(copy.depth.data[y - 20 : y + 20, x - 20 : x + 20])) == 1


def test_without_a_face_a_frame_set_is_left_out() -> None:
    """An empty room gives nothing; a face that NIR cannot be related to gives nothing either."""
    empty = [replace(fs, rgb=Frame(Stream.RGB, np.full_like(fs.rgb.data, 90), fs.rgb.time_ns), nir=None, nir_ambient=None)
             for fs in shots() if fs.rgb is not None]  # fmt: skip
    anonymiser = Anonymiser(load_manifest())
    assert list(anonymiser.anonymise(empty, BLANK)) == []
    assert (anonymiser.counts.without_face, anonymiser.counts.kept) == (3, 0)
    one = shots()[0]
    assert one.nir is not None
    dark = Frame(Stream.NIR, np.zeros((100, 333), np.uint8), one.nir.time_ns)
    anonymiser = Anonymiser(load_manifest())
    assert list(anonymiser.anonymise([replace(one, nir=dark, nir_ambient=None, depth=None)], BLANK)) == []
    assert anonymiser.counts.not_carried == 1


def test_a_blink_of_the_detector_is_covered_too() -> None:
    """A face that is found just before and after is covered at that place in between, where its own moment shows another one."""
    first, second, third = shots()
    with_two = second
    assert first.rgb is not None
    only = Anonymiser(load_manifest())
    alone = next(only.anonymise([with_two], BLANK))
    among = list(Anonymiser(load_manifest()).anonymise([first, with_two, third], BLANK))[1]
    assert alone.rgb is not None
    assert among.rgb is not None
    assert second.rgb is not None
    changed = [(c.data != second.rgb.data).mean() for c in (alone.rgb, among.rgb)]
    assert changed[1] >= changed[0] - 0.01


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A recording comes out without faces, serial and note; embeddings come out without pictures and with their warning."""
    source, out = tmp_path / "a.mcap", tmp_path / "b.mcap"
    who = shots()[0].device
    with Recorder(source, who) as recorder:
        for frame_set in shots():
            recorder.write(frame_set)
    assert main(["export", str(source), str(out), "--anonymise", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["frame_sets"], document["left_out"]) == (3, 0)
    with closing(Recording(out)) as recording:
        assert recording.recorded.serial == ""
        assert sum(1 for _ in recording) == 3
    for name in ("e.json", "e.npz"):
        assert main(["export", str(source), str(tmp_path / name), "--embeddings-only"]) == 0
        assert "biometric data" in capsys.readouterr().err
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
    read = json.loads((tmp_path / "e.json").read_text())
    assert [sorted(r["embeddings"]) for r in read["frame_sets"]] == [["nir", "rgb"]] * 3
    packed = np.load(tmp_path / "e.npz")
    assert packed["vector"].shape == (6, len(read["frame_sets"][0]["embeddings"]["rgb"]))
    assert main(["export", str(source), str(out), "--anonymise"]) == 2
    assert main(["export", str(source), str(tmp_path / "c.mcap")]) == 2
    assert main(["export", str(source), str(tmp_path / "c.txt"), "--embeddings-only"]) == 2
    assert not (tmp_path / "c.txt").exists()


def test_nothing_is_written_when_nothing_may_leave(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A recording without a face is answered with no, and no file."""
    source = tmp_path / "a.mcap"
    with Recorder(source, BLANK) as recorder:
        recorder.write(FrameSet(BLANK, 0, rgb=Frame(Stream.RGB, np.full((120, 160, 3), 80, np.uint8), 1)))
    assert main(["export", str(source), str(tmp_path / "b.mcap"), "--anonymise"]) == 1
    assert "1 show no face" in capsys.readouterr().err
    assert not (tmp_path / "b.mcap").exists()
