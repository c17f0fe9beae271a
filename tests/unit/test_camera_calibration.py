"""Cameras that are known exactly, rendered before a printed board: what the calibration finds of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

import vultus
from vultus import camera_calibration, pictures
from vultus.boards import Board, Found
from vultus.camera_calibration import Camera, Cameras
from vultus.camera_fitting import fit_lens, fit_motion
from vultus.camera_views import Views, fit, from_folder
from vultus.cli import main
from vultus.devices import Recorder, open_device
from vultus.errors import CalibrationError
from vultus.frames import DeviceIdentity, Extrinsics, Frame, FrameSet, Intrinsics, Source, Stream

BOARD = Board("charuco", 7, 5, 36.0)
RGB = Camera(Intrinsics(615.0, 612.0, 322.5, 236.0, 640, 480), (-0.21, 0.07, 0.0006, -0.0004))
TURN = cv2.Rodrigues(np.radians([0.4, -1.1, 0.3]))[0]
NIR = Camera(
    Intrinsics(388.0, 389.5, 201.0, 148.5, 400, 300),
    (0.05, -0.08, 0.0, 0.0003),
    camera_calibration.motion(TURN, np.array([-28.0, 1.5, 3.0])),
)
WHO = DeviceIdentity("v4l2", "bench camera", "7", Source.LIVE)


def rays(camera: Camera) -> np.ndarray:
    """Return the direction in which each pixel of a distorted picture looks, float64 (h, w, 3)."""
    i = camera.intrinsics
    k = np.array([[i.fx, 0, i.cx], [0, i.fy, i.cy], [0, 0, 1]])
    grid = np.stack(np.meshgrid(np.arange(i.width), np.arange(i.height)), -1).reshape(-1, 1, 2).astype(np.float64)
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-10)
    straight = cv2.undistortPoints(grid, k, np.array([*camera.distortion, 0.0]), None, None, None, criteria).reshape(i.height, i.width, 2)
    return np.dstack([straight, np.ones(straight.shape[:2])])


@cache
def looks(camera_name: str) -> np.ndarray:
    return rays({"rgb": RGB, "nir": NIR}[camera_name])


def render(name: str, rotation: np.ndarray, place: np.ndarray, board: Board, rng: np.random.Generator) -> np.ndarray:
    """Draw the board as a camera sees it, with noise; the board's pose is that in the RGB camera's frame."""
    camera = {"rgb": RGB, "nir": NIR}[name]
    if camera.extrinsics is not None:
        turn, shift = np.reshape(camera.extrinsics.rotation, (3, 3)), np.array(camera.extrinsics.translation_mm)
        rotation, place = turn.T @ rotation, turn.T @ (place - shift)
    d = looks(name)
    normal = rotation[:, 2]
    distance = (normal @ place) / (d @ normal)
    on_board = (d * distance[..., None] - place) @ rotation
    pixels = 48 / board.square_mm  # of the drawing, a millimetre
    drawing = cv2.GaussianBlur(cv2.copyMakeBorder(board.draw(48), 48, 48, 48, 48, cv2.BORDER_CONSTANT, value=255), (0, 0), 1.6).astype(
        np.float32
    )
    x, y = ((on_board[..., i] * pixels - 0.5 + 48).astype(np.float32) for i in (0, 1))
    seen = pictures.sample(drawing, x, y, outside=110.0)
    noisy = np.clip(20 + 0.75 * seen + rng.normal(0, 2, seen.shape), 0, 255).astype(np.uint8)
    return np.dstack([noisy] * 3) if name == "rgb" else noisy


def poses(count: int, *, lean: float = 35.0, seed: int = 1) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return board poses all over the picture: a person with a board, who leans it each way."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        way = rng.uniform(-1, 1, 3) * np.radians([lean, lean, 20])
        if np.abs(np.degrees(way[:2])).max() < 0.6 * lean:
            way[0] = np.radians(0.8 * lean) * (1 if way[0] > 0 else -1)
        rotation = cv2.Rodrigues(way)[0]
        z = rng.uniform(380, 700)
        middle = np.array([rng.uniform(-0.3, 0.3) * z, rng.uniform(-0.22, 0.22) * z, z])
        out.append((rotation, middle - rotation @ np.array([3.5 * 36, 2.5 * 36, 0])))
    return out


@cache
def shots(count: int = 24, lean: float = 35.0) -> list[dict[Stream, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [{Stream(name): render(name, r, t, BOARD, rng) for name in ("rgb", "nir")} for r, t in poses(count, lean=lean)]


@cache
def gathered() -> Views:
    views = Views(BOARD)
    for taken in shots():
        views.look(taken)
    return views


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Cameras:
    """Return what the calibration of 24 rendered views says, by way of its file."""
    path = tmp_path_factory.mktemp("cameras") / "c.json"
    path.write_text(json.dumps(fit(gathered(), WHO, {}, depth_is_nir=True).document))
    return camera_calibration.load(path)


@pytest.mark.parametrize(("stream", "truth"), [(Stream.RGB, RGB), (Stream.NIR, NIR)], ids=["rgb", "nir"])
def test_a_lens_is_found_within_stated_errors(stream: Stream, truth: Camera) -> None:
    """Focal length to half a per cent, centre to two pixels, and the reprojection error with an interval around it, below half a pixel."""
    lens = fit(gathered(), WHO, {}).lenses[stream]
    found, want = lens.intrinsics, truth.intrinsics
    assert abs(found.fx / want.fx - 1) < 0.005
    assert abs(found.fy / want.fy - 1) < 0.005
    assert np.hypot(found.cx - want.cx, found.cy - want.cy) < 2.0
    assert 0 < lens.error.low <= lens.error.value <= lens.error.high < 0.5
    for value, true, deviation in zip((found.fx, found.cx), (want.fx, want.cx), (lens.deviations[0], lens.deviations[2]), strict=True):
        assert abs(value - true) < 6 * deviation + 0.5  # the deviation is of the right size


def test_the_place_of_nir_is_found(cameras: Cameras) -> None:
    """The baseline to 0.5 mm, the turn to 0.25 degrees."""
    found = cameras.streams[Stream.NIR].extrinsics
    assert found is not None
    assert NIR.extrinsics is not None
    assert np.linalg.norm(np.subtract(found.translation_mm, NIR.extrinsics.translation_mm)) < 0.5
    turn = np.reshape(found.rotation, (3, 3)) @ TURN.T
    assert np.degrees(np.linalg.norm(cv2.Rodrigues(turn)[0])) < 0.25
    motion = fit(gathered(), WHO, {}).motion
    assert motion is not None
    assert abs(motion.baseline_mm - np.linalg.norm(NIR.extrinsics.translation_mm)) < 3 * motion.baseline_half_mm + 0.2


def test_points_seen_by_nir_land_within_a_pixel_in_rgb(cameras: Cameras) -> None:
    """A calibrated frame set, registered: points all over NIR's picture at 0.4 to 0.8 m are off by one pixel of RGB at most."""
    found, colour = cameras.streams[Stream.NIR], cameras.streams[Stream.RGB]
    assert found.extrinsics is not None
    assert NIR.extrinsics is not None
    rng = np.random.default_rng(3)
    z = rng.uniform(400, 800, 2000)
    points = np.column_stack([rng.uniform(-0.33, 0.33, 2000) * z, rng.uniform(-0.25, 0.25, 2000) * z, z])
    true = points @ np.reshape(NIR.extrinsics.rotation, (3, 3)).T + NIR.extrinsics.translation_mm

    def project(p: np.ndarray, camera: Camera) -> np.ndarray:
        i = camera.intrinsics
        return np.column_stack([p[:, 0] / p[:, 2] * i.fx + i.cx, p[:, 1] / p[:, 2] * i.fy + i.cy])

    def taken(p: np.ndarray, camera: Camera) -> np.ndarray:
        i = camera.intrinsics
        k = np.array([[i.fx, 0, i.cx], [0, i.fy, i.cy], [0, 0, 1]])
        return cv2.projectPoints(p, np.zeros(3), np.zeros(3), k, np.array([*camera.distortion, 0.0]))[0].reshape(-1, 2)

    def straightened(pixels: np.ndarray, camera: Camera) -> np.ndarray:
        i = camera.intrinsics
        k = np.array([[i.fx, 0, i.cx], [0, i.fy, i.cy], [0, 0, 1]])
        criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-10)
        return cv2.undistortPoints(pixels.reshape(-1, 1, 2), k, np.array([*camera.distortion, 0.0]), None, None, k, criteria).reshape(-1, 2)

    in_nir = straightened(taken(points, NIR), found)
    i = found.intrinsics
    back = np.column_stack([(in_nir[:, 0] - i.cx) / i.fx, (in_nir[:, 1] - i.cy) / i.fy, np.ones(2000)]) * z[:, None]
    carried = back @ np.reshape(found.extrinsics.rotation, (3, 3)).T + found.extrinsics.translation_mm
    truth = straightened(taken(true, RGB), colour)
    inside = (truth[:, 0] > 0) & (truth[:, 0] < 639) & (truth[:, 1] > 0) & (truth[:, 1] < 479)
    off = np.linalg.norm(project(carried, colour) - truth, axis=1)[inside]
    assert inside.sum() > 1000
    assert np.percentile(off, 99) < 1.0
    assert off.mean() < 0.5


def test_a_device_gives_straight_pictures_and_registers(cameras: Cameras, tmp_path: Path) -> None:
    """`calibration=FILE` straightens a recording's pictures so that the board's edges are straight, and its NIR registers to RGB."""
    path, (rotation, place) = tmp_path / "board.mcap", (np.eye(3), np.array([-128.0, -105.0, 360.0]))
    rng = np.random.default_rng(0)
    depth = np.full((300, 400), 600, np.uint16)
    frames = {"rgb": render("rgb", rotation, place, BOARD, rng), "nir": render("nir", rotation, place, BOARD, rng), "depth": depth}
    with Recorder(path, WHO) as recorder:
        recorder.write(FrameSet(WHO, 0, **{s: Frame(Stream(s), p, 5) for s, p in frames.items()}))
    with open_device(f"replay:{path}?calibration={cameras.path}") as device:
        frame_set = device.read()
    assert frame_set is not None
    assert frame_set.rgb is not None
    assert frame_set.nir is not None
    assert frame_set.rgb.intrinsics == cameras.streams[Stream.RGB].intrinsics
    assert frame_set.nir.extrinsics == cameras.streams[Stream.NIR].extrinsics

    def bow(picture: np.ndarray) -> float:
        found = BOARD.find(picture)
        assert found is not None
        rows = found.ids // 6
        lines = [found.points[rows == r] for r in np.unique(rows) if (rows == r).sum() >= 4]
        return max(float(np.linalg.svd(p - p.mean(0))[1][1] / len(p) ** 0.5) for p in lines)

    assert bow(frame_set.rgb.data) < 0.25 < bow(frames["rgb"])
    registered = vultus.register(frame_set)
    assert registered.nir is not None
    assert registered.nir.data.shape == (480, 640)


def test_depth_keeps_its_holes_and_invents_nothing(cameras: Cameras) -> None:
    """Straightened depth holds values of the taken one alone, and ambient NIR goes the way of NIR."""
    rng = np.random.default_rng(2)
    depth = rng.choice(np.array([0, 500, 900], np.uint16), (300, 400))
    nir = rng.integers(0, 255, (300, 400), np.uint8)
    taken = {"nir": nir, "nir_ambient": nir.copy(), "depth": depth}
    frame_set = FrameSet(WHO, 0, **{s: Frame(Stream(s), p, 5) for s, p in taken.items()})
    straight = cameras.apply(frame_set)
    assert straight.depth is not None
    assert straight.nir is not None
    assert straight.nir_ambient is not None
    assert set(np.unique(straight.depth.data)) <= {0, 500, 900}
    assert np.array_equal(straight.nir.data, straight.nir_ambient.data)
    assert straight.nir_ambient.extrinsics == straight.nir.extrinsics == straight.depth.extrinsics


def _few() -> Views:
    views = Views(BOARD)
    for taken in shots()[:6]:
        views.look(taken)
    return views


def _flat() -> Views:
    views = Views(BOARD)
    rng = np.random.default_rng(0)
    for r, t in poses(14, lean=4.0):
        views.look({Stream.RGB: render("rgb", r, t, BOARD, rng)})
    return views


def _corner() -> Views:
    views = Views(BOARD)
    rng = np.random.default_rng(0)
    for r, _ in poses(14):
        views.look({Stream.RGB: render("rgb", r, np.array([-60, -40, 900]) - r @ np.array([126, 90, 0]), BOARD, rng)})
    return views


def _bent() -> Views:
    views, rng = Views(BOARD), np.random.default_rng(0)
    views.sizes = dict(gathered().sizes)
    views.seen = [{s: Found(f.ids, f.points + rng.normal(0, 3, f.points.shape)) for s, f in v.items()} for v in gathered().seen]
    return views


@pytest.mark.parametrize(
    ("views", "said"),
    [(_few, "in 6 views, 10 are needed"), (_flat, r"leans by \d+ degrees"), (_corner, "of the picture"), (_bent, "pixels, above 1")],
    ids=["few", "flat", "corner", "bent"],
)
def test_what_cannot_be_trusted_is_refused(views: Callable[[], Views], said: str) -> None:
    """Too few views, boards that face the camera, a corner of the picture alone, and a board that is not flat each name what is missing."""
    with pytest.raises(CalibrationError, match=said):
        fit(views(), WHO, {})


def test_one_bad_view_is_left_out() -> None:
    """A view whose corners are wrong does not count, and is stated."""
    good = [v[Stream.RGB] for v in gathered().seen if Stream.RGB in v]
    bad = Found(good[0].ids, good[0].points + np.random.default_rng(0).normal(0, 6, good[0].points.shape))
    lens = fit_lens(BOARD, [bad, *good], 640, 480, "rgb")
    assert lens.left_out >= 1
    assert abs(lens.intrinsics.fx / RGB.intrinsics.fx - 1) < 0.005
    with pytest.raises(CalibrationError, match="both cameras saw the board in 0 views"):
        fit_motion(BOARD, [], lens, lens, "nir")


@pytest.mark.parametrize("board", [Board("checkerboard", 8, 5, 30.0), Board("charuco", 7, 5, 36.0)], ids=["checkerboard", "charuco"])
def test_a_printed_board_is_found_either_way_up(board: Board, tmp_path: Path) -> None:
    """The sheet as printed is found at its stated scale, also upside down, with the corners in the same order."""
    path = tmp_path / "board.png"
    board.write(path)
    page = pictures.read(path)
    assert b"pHYs" in path.read_bytes()
    small = cv2.resize(page, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    upright, turned = board.find(small), board.find(np.ascontiguousarray(small[::-1, ::-1]))
    assert upright is not None
    assert turned is not None
    assert np.array_equal(upright.ids, turned.ids)
    assert np.abs(upright.points + turned.points - (np.array(small.shape[1::-1]) - 1)).max() < 0.3
    step = np.linalg.norm(upright.points[1] - upright.points[0]) * 4 / 300 * 25.4
    assert abs(step - board.printed().square_mm) < 0.1


@pytest.mark.parametrize("wrong", [{"kind": "dots"}, {"columns": 3}, {"kind": "checkerboard", "columns": 8, "rows": 6}, {"square_mm": 0}])
def test_a_board_that_cannot_be_used_is_refused(wrong: dict[str, object]) -> None:
    """Unknown kinds, tiny boards, and checkerboards that look alike upside down are wrong arguments."""
    with pytest.raises(ValueError, match=r"board|squares"):
        replace(BOARD, **wrong)
    with pytest.raises(ValueError, match="do not fit on A4"):
        Board("charuco", 10, 7, 36.0).page()


def test_the_file_is_checked(cameras: Cameras, tmp_path: Path) -> None:
    """A changed, foreign or missing file, and pictures of another size, are one line each."""
    text = cameras.path.read_text()
    for content, said in ((text.replace("640", "641", 1), "altered"), ("{}", "not a camera calibration"), ("[", "not a readable")):
        (tmp_path / "c.json").write_text(content)
        with pytest.raises(CalibrationError, match=said):
            camera_calibration.load(tmp_path / "c.json")
    with pytest.raises(CalibrationError, match="no camera calibration at"):
        camera_calibration.load(tmp_path / "gone.json")
    with pytest.raises(CalibrationError, match="is for rgb of 640 x 480, the device gives 32 x 20"):
        cameras.apply(FrameSet(WHO, 0, rgb=Frame(Stream.RGB, np.zeros((20, 32, 3), np.uint8), 5)))


def test_a_live_device_finds_its_own_file(cameras: Cameras, tmp_path: Path) -> None:
    """By kind and model, its own serial before any; a recording and another model find nothing."""
    document = json.loads(cameras.path.read_text())
    streams = dict(cameras.streams)
    for serial in ("", "7", "8"):
        made = camera_calibration.document(replace(WHO, serial=serial), streams, document["made"])
        (tmp_path / f"{serial or 'any'}.json").write_text(json.dumps(made))
    find = camera_calibration.of_device(tmp_path)
    found = {serial: find(replace(WHO, serial=serial)) for serial in ("7", "9", "")}
    assert [c.path.name if c else None for c in found.values()] == ["7.json", "any.json", "any.json"]
    assert find(replace(WHO, model="other")) is None
    assert find(replace(WHO, source=Source.RECORDING)) is None


def test_the_command_line_from_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder of pictures gives a file; a second run replaces it; too few pictures are an error and write nothing."""
    folder = tmp_path / "shots"
    for stream in ("rgb", "nir"):
        (folder / stream).mkdir(parents=True)
        for number, taken in enumerate(shots()):
            (folder / stream / f"{number:02}.png").write_bytes(pictures.encode_png(taken[Stream(stream)]))
    out = tmp_path / "c.json"
    assert main(["calibrate-camera", str(folder), "--out", str(out), "--depth", "nir", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["fit"]["rgb"]["views"] >= 20
    assert document["streams"]["depth"] == document["streams"]["nir"]
    assert camera_calibration.load(out).device.kind == "images"
    assert main(["calibrate-camera", str(folder), "--out", str(out)]) == 0
    assert "nir stands 28" in capsys.readouterr().out
    for path in sorted((folder / "nir").iterdir())[5:]:
        path.unlink()
    assert main(["calibrate-camera", str(folder), "--out", str(tmp_path / "never.json")]) == 2
    assert "10 are needed" in capsys.readouterr().err
    assert not (tmp_path / "never.json").exists()


def test_the_command_line_from_a_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A recording in which the board rests between places gives a file for the recorded device, where that device finds it."""
    monkeypatch.setattr("vultus.settings.camera_calibration_folder", lambda: tmp_path / "cameras")
    path, number = tmp_path / "board.mcap", 0
    with Recorder(path, WHO) as recorder:
        for place, taken in enumerate(shots()):
            for rest in range(2):
                at = place * 10**9 + rest * 200_000_000
                frames = {s.value: Frame(s, p, at + (8_000_000 if s is Stream.NIR else 0)) for s, p in taken.items()}
                recorder.write(FrameSet(WHO, number, **frames))
                number += 1
    assert main(["calibrate-camera", f"replay:{path}"]) == 0
    views, moving, alike = map(int, re.findall(r"(\d+) (?:views,|while|like)", capsys.readouterr().out.splitlines()[-1]))
    assert (views + alike, moving) == (48, 0)
    assert views >= 18
    file = tmp_path / "cameras" / "v4l2-bench_camera-7.json"
    assert camera_calibration.load(file).holds_for(WHO)


def test_the_board_is_written_by_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--board writes PNG or PDF with the size of its squares, overwrites nothing, and refuses other endings."""
    for name in ("b.png", "b.pdf"):
        assert main(["calibrate-camera", "--board", str(tmp_path / name), "--json"]) == 0
        assert abs(json.loads(capsys.readouterr().out)["square_mm"] - 36) < 0.05
    assert (tmp_path / "b.pdf").read_bytes().startswith(b"%PDF")
    assert main(["calibrate-camera", "--board", str(tmp_path / "b.png")]) == 2
    assert main(["calibrate-camera", "--board", str(tmp_path / "b.gif")]) == 2
    assert main(["calibrate-camera", "--squares", "7", "--board", str(tmp_path / "c.png")]) == 2


def test_a_moving_board_and_the_same_place_make_no_view() -> None:
    """While the board moves the streams of one set would disagree; a second look at the same place adds nothing."""
    views, taken = Views(BOARD), shots()[0]
    assert views.look(taken, time_ns=0, skew_ns=10_000_000)
    assert not views.look(taken, time_ns=100_000_000, skew_ns=10_000_000)
    assert views.alike == 1
    assert not views.look(shots()[1], time_ns=200_000_000, skew_ns=10_000_000)
    assert views.moving == 1
    assert views.look(shots()[1], time_ns=300_000_000, skew_ns=10_000_000)
    with pytest.raises(CalibrationError, match="two sizes"):
        views.look({Stream.RGB: np.zeros((100, 100, 3), np.uint8)})


def test_an_unreadable_folder_is_one_line(tmp_path: Path) -> None:
    """A folder without pictures, and a broken picture, say so."""
    with pytest.raises(vultus.VultusError, match="has no pictures"):
        from_folder(Views(BOARD), tmp_path, print)
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(vultus.VultusError, match="neither PNG nor JPEG"):
        from_folder(Views(BOARD), tmp_path, print)


def test_extrinsics_are_nine_and_three_numbers() -> None:
    """A motion of another shape is a wrong value, not a wrong camera."""
    assert camera_calibration.motion(np.eye(3), np.zeros(3)) == Extrinsics((1, 0, 0, 0, 1, 0, 0, 0, 1), (0, 0, 0))
    with pytest.raises(ValueError, match="unpack"):
        camera_calibration.motion(np.eye(2), np.zeros(3))
