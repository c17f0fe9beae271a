"""Reading evaluation indices: good rows are used, bad ones are listed with their line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vultus import pictures
from vultus.devices.images import ImagesDevice, load_row
from vultus.devices.index import read_index
from vultus.errors import DeviceNotFound, RecordingError
from vultus.frames import DeviceIdentity, Source, Stream

HEAD = "person,sample,rgb,nir,nir_ambient,depth,label,group,pose\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Return a writer of an index beside a few good and bad pictures."""
    folder = tmp_path / "set"
    (folder / "sub").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, image in {
        "rgb.png": rng.integers(0, 255, (20, 24, 3), np.uint8),
        "sub/rgb.png": rng.integers(0, 255, (20, 24, 3), np.uint8),
        "nir8.png": rng.integers(0, 255, (20, 24), np.uint8),
        "nir16.png": rng.integers(0, 65535, (20, 24), np.uint16),
        "nirbig.png": rng.integers(0, 255, (30, 24), np.uint8),
        "depth.png": rng.integers(0, 3000, (20, 24), np.uint16),
        "dot.png": np.zeros((1, 1), np.uint8),
        "../outside.png": rng.integers(0, 255, (20, 24, 3), np.uint8),
    }.items():
        (folder / name).write_bytes(pictures.encode_png(image))
    (folder / "text.png").write_text("not a picture")
    (folder / "empty.png").write_bytes(b"")
    (folder / "link.png").symlink_to(folder / ".." / "outside.png")

    def write_index(text: str) -> Path:
        path = folder / "index.csv"
        path.write_text(text, "utf-8")
        return path

    return write_index


def test_rows_carry_paths_label_group_and_the_sets_own_columns(write: Callable[[str], Path]) -> None:
    """A row gives its pictures by stream, absent ones left out, and every further column as text."""
    index = read_index(write(HEAD + "ada,1,rgb.png,nir16.png,,depth.png,bona_fide,g1,left\nbob,2,sub/rgb.png,,,,print,,\n"))
    assert not index.problems
    ada, bob = index.rows
    assert (ada.line, ada.person, ada.sample, ada.label, ada.group) == (2, "ada", "1", "bona_fide", "g1")
    assert set(ada.paths) == {Stream.RGB, Stream.NIR, Stream.DEPTH}
    assert ada.extra == {"pose": "left"}
    assert bob.paths[Stream.RGB].parent.name == "sub"
    assert (bob.label, bob.group) == ("print", "")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("ada,1,rgb.png", "3 cells where the first line names 9 columns"),
        (",1,rgb.png,,,,bona_fide,,", "person is empty"),
        ("ada, ,rgb.png,,,,bona_fide,,", "sample is empty"),
        ("ada,1,rgb.png,,,,,,", "label is empty"),
        ("ada,1,,,,,bona_fide,,", "no picture"),
        ("ada,1,,,nir8.png,,bona_fide,,", "no picture"),
        ("ada,1,rgb.png,,nir8.png,,bona_fide,,", "nir_ambient without nir"),
        ("ada,1,../outside.png,,,,bona_fide,,", "'../outside.png' lies outside the index's folder"),
        ("ada,1,/etc/passwd,,,,bona_fide,,", "'/etc/passwd' lies outside"),
        ("ada,1,link.png,,,,bona_fide,,", "'link.png' lies outside"),
        ("ada,1,gone.png,,,,bona_fide,,", "rgb: gone.png: no such file"),
        ("ada,1,sub,,,,bona_fide,,", "rgb: sub: cannot be read: Is a directory"),
        ("ada,1,text.png,,,,bona_fide,,", "rgb: text.png: neither PNG nor JPEG"),
        ("ada,1,empty.png,,,,bona_fide,,", "rgb: empty.png: the file is empty"),
        ("ada,1,,dot.png,,,bona_fide,,", "nir: dot.png: sides must be 16 to 8192 pixels; the picture is 1 x 1"),
        ("ada,1,,rgb.png,,,bona_fide,,", "nir: rgb.png: nir must be a grey picture; this one has 3 channels"),
        ("ada,1,,,,nir8.png,bona_fide,,", "depth must be 16-bit grey in millimetres; the picture has 8 bits"),
        ("ada,1,nir16.png,,,,bona_fide,,", "rgb must be 8 bits a channel; the picture has 16"),
        ("ada,1,a\0b,,,,bona_fide,,", "NUL"),
    ],
)
def test_a_bad_row_is_listed_and_the_others_are_used(write: Callable[[str], Path], row: str, problem: str) -> None:
    """A row that cannot be used is listed with its line and the reason; strict reading raises with both, in one line."""
    path = write(HEAD + f"zoe,0,rgb.png,,,,bona_fide,,\n{row}\nzoe,9,rgb.png,,,,bona_fide,,\n")
    index = read_index(path)
    assert [r.sample for r in index.rows] == ["0", "9"]
    assert [p.line for p in index.problems] == [3]
    assert problem in index.problems[0].text
    with pytest.raises(RecordingError, match="1 bad rows; the first, line 3") as caught:
        read_index(path, strict=True)
    assert "\n" not in str(caught.value)


def test_a_duplicate_names_both_lines(write: Callable[[str], Path]) -> None:
    """The second row of one person, sample and label is refused with the line of the first; under another label it is another sample."""
    index = read_index(write(HEAD + "ada,1,rgb.png,,,,bona_fide,,\n\nada,1,sub/rgb.png,,,,bona_fide,,\nada,1,rgb.png,,,,print,,\n"))
    assert [r.label for r in index.rows] == ["bona_fide", "print"]
    assert (index.problems[0].line, "line 2 already" in index.problems[0].text) == (4, True)


def test_pictures_are_looked_at_only_when_asked(write: Callable[[str], Path]) -> None:
    """Without check_pictures a missing file is found when it is loaded."""
    path = write(HEAD + "ada,1,gone.png,,,,bona_fide,,\n")
    assert len(read_index(path, check_pictures=False).rows) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the index is empty"),
        (b"a,b,c\n1,2,3\n", "must name person, sample, label and at least one of rgb, nir, depth"),
        (b"person,sample,label\n", "at least one of rgb, nir, depth"),
        (b"person,sample,label,rgb,rgb\n", "a column is named twice"),
        (b"person,sample,label,rgb\n\xff\xfe\n", "not UTF-8"),
        (b'person,sample,label,rgb\nada,1,"bona_fide,x.png\n', "not a CSV file at line"),
        (b"person,sample,label,rgb\nada,1," + b"x" * 200_000 + b",x.png\n", "not a CSV file at line 2"),
    ],
)
def test_a_file_that_is_no_index_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """A file without the columns, with a column twice, in another encoding or no CSV at all is a RecordingError in one line."""
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=message) as caught:
        read_index(path)
    assert "\n" not in str(caught.value)


def test_a_missing_index_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    """A missing index is not found, a folder cannot be read."""
    with pytest.raises(DeviceNotFound, match="no such index"):
        read_index(tmp_path / "gone.csv")
    with pytest.raises(RecordingError, match="cannot be read"):
        read_index(tmp_path)


@given(st.text(max_size=400), st.booleans())
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str, headed: bool) -> None:
    """Whatever text an index holds, reading gives rows and problems or a RecordingError."""
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text((HEAD if headed else "") + text, "utf-8", errors="surrogatepass")
    try:
        index = read_index(path)
    except RecordingError:
        return
    assert not index.rows or all(r.paths for r in index.rows)


def test_the_images_device_gives_one_frame_set_a_row(write: Callable[[str], Path]) -> None:
    """The device loads RGB, 8- or 16-bit NIR and depth of each row that its filters leave, in order."""
    path = write(
        HEAD + "ada,1,rgb.png,nir16.png,nir16.png,depth.png,bona_fide,a,\n" + "bob,1,rgb.png,,,,print,b,\nada,2,,nir8.png,,,bona_fide,b,\n"
    )
    with ImagesDevice(path) as device:
        sets = list(device.frames())
        assert device.capabilities.streams == set(Stream)
    assert [[f.stream.value for f in s.frames()] for s in sets] == [["rgb", "nir", "nir_ambient", "depth"], ["rgb"], ["nir"]]
    assert sets[0].nir is not None
    assert np.array_equal(sets[0].nir.data, pictures.read(path.parent / "nir16.png", Stream.NIR))
    for options, samples in (({"person": "ada"}, ["1", "2"]), ({"group": "b", "label": "print"}, ["1"]), ({"sample": "2"}, ["2"])):
        with ImagesDevice(path, **options) as device:
            assert [device.row.sample for _ in device.frames() if device.row] == samples


def test_filters_that_leave_nothing_are_refused(write: Callable[[str], Path]) -> None:
    """A person who is not in the index is a RecordingError that names the filters."""
    with pytest.raises(RecordingError, match="no row for person 'eve', label 'print'"):
        ImagesDevice(write(HEAD + "ada,1,rgb.png,,,,bona_fide,,\n"), person="eve", label="print").open()


def test_a_picture_that_cannot_be_loaded_raises_once(write: Callable[[str], Path]) -> None:
    """A row whose picture is bad raises with file and line, and the next read goes on with the next row."""
    path = write(HEAD + "ada,1,text.png,,,,bona_fide,,\nada,2,,nir8.png,nirbig.png,,bona_fide,,\nada,3,rgb.png,,,,bona_fide,,\n")
    with ImagesDevice(path) as device:
        with pytest.raises(RecordingError, match=r"index\.csv, line 2: text\.png: neither PNG nor JPEG"):
            device.read()
        with pytest.raises(RecordingError, match=r"line 3: nir and nir_ambient must have one shape"):
            device.read()
        found = device.read()
        assert found is not None
        assert found.sequence == 2
        assert device.read() is None


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["rap3df-2017", "print-screen", "nuaa-dev", "london", "canada"])
def test_the_real_indices_are_good(data_root: Path, name: str) -> None:
    """Every row of the real sets can be used, and the first loads."""
    path = data_root / name / "index.csv"
    if not path.is_file():
        pytest.skip(f"{name} is not among the real frames")
    index = read_index(path, strict=True)
    assert len(index.rows) >= 27
    frame_set = load_row(index.rows[0], DeviceIdentity("images", name, "", Source.IMAGES))
    assert {f.stream for f in frame_set.frames()} == set(index.rows[0].paths)
