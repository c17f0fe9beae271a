"""The LFW protocol on a made-up set in its layout."""

from __future__ import annotations

import pytest

from vultus import pictures
from vultus.errors import DeviceNotFound, RecordingError
from vultus.evaluate.lfw import MIDDLE, run_lfw
from vultus.evaluate.samples import lfw_pairs, lfw_samples
from vultus.frames import Stream

from conftest import PEOPLE, write_picture  # isort: skip


@pytest.fixture
def root(tmp_path):
    """Ten folds of three genuine and three impostor pairs over twelve people."""
    lines = ["10\t3"]
    for fold in range(10):
        people = [PEOPLE[(fold + k) % 12] for k in range(4)]
        lines += [f"{people[k]}\t1\t2" for k in range(3)]
        lines += [f"{people[k]}\t1\t{people[k + 1]}\t2" for k in range(3)]
    (tmp_path / "pairs.txt").write_text("\n".join(lines) + "\n")
    for i, person in enumerate(PEOPLE):
        for k in (1, 2):
            write_picture(tmp_path / person / f"{person}_{k:04d}.png", person, 10 * i + k)
            (tmp_path / person / f"{person}_{k:04d}.png").rename(tmp_path / person / f"{person}_{k:04d}.jpg")
    return tmp_path


def test_ten_folds_and_all_pairs_are_reported(root, setting, validate) -> None:
    """Every picture of pairs.txt is used once; clean colours are told apart without error."""
    d = run_lfw(lfw_samples(root), setting).document
    validate(d)
    assert (d["counts"]["people"], d["counts"]["samples"], d["counts"]["genuine"], d["counts"]["impostor"]) == (12, 24, 12, 264)
    assert (d["accuracy_10fold"]["mean"], d["accuracy_10fold"]["sd"], d["accuracy_10fold"]["pairs"]) == (1.0, 0.0, 60)
    assert d["accuracy_10fold"]["low"] == pytest.approx(0.94, abs=0.01)
    assert d["protocol"]["middle"] == MIDDLE


def test_a_missing_picture_fails_to_acquire_and_costs_its_genuine_pairs(root, setting, validate) -> None:
    """Its pairs count as "different people": wrong for genuine, right for impostor ones."""
    (root / "p00" / "p00_0001.jpg").unlink()
    d = run_lfw(lfw_samples(root), setting).document
    validate(d)
    pairs = lfw_pairs((root / "pairs.txt").read_bytes())
    lost = [same for a, b, same, _ in pairs if ("p00", 1) in (a, b)]
    assert d["counts"]["failed_to_acquire"] == 1
    assert d["accuracy_10fold"]["failed_pairs"] == len(lost)
    assert d["accuracy_10fold"]["mean"] == pytest.approx(1 - sum(lost) / 60)


def test_only_the_middle_of_a_picture_is_the_frame(root) -> None:
    """The pipeline sees the middle share of each side, so that a bystander at the edge is not taken for the person."""
    from vultus.evaluate.extraction import Task, read_frames

    sample = lfw_samples(root).samples[0]
    whole = pictures.read(sample.files[Stream.RGB], Stream.RGB)
    frame = read_frames(Task(sample, 0, 0.5))[Stream.RGB]
    assert (frame.data == whole[8:24, 8:24]).all()


@pytest.mark.parametrize(
    "text",
    ["", "10", "ten 3\n", "10\t3\np00\t1\t2\n", "1\t1\np00\t1\t2\np00\t1\t2\n", "1\t1\np00\tx\t2\np00\t1\tp01\t2\n"],
    ids=["empty", "short header", "words", "too few pairs", "wrong kind of line", "no number"],
)
def test_a_damaged_pairs_file_is_refused(root, text) -> None:
    """A pairs.txt that is not LFW's raises RecordingError with what is wrong."""
    (root / "pairs.txt").write_text(text)
    with pytest.raises(RecordingError, match=r"pairs\.txt is not LFW's"):
        lfw_samples(root)


def test_a_folder_without_pairs_is_refused(tmp_path) -> None:
    """A folder that is not LFW raises DeviceNotFound and says what is needed."""
    with pytest.raises(DeviceNotFound, match=r"pairs\.txt"):
        lfw_samples(tmp_path)
