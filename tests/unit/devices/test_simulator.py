"""The simulator: its ground truth, its physics and its options."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vultus import pictures
from vultus.devices import open_device
from vultus.devices.simulator.device import Scene, SceneKind, Sensor, Simulator, Truth
from vultus.devices.simulator.optics import project, rotation
from vultus.devices.simulator.portraits import Portrait, carried_portrait, load_portrait
from vultus.errors import DeviceNotFound
from vultus.frames import FrameSet, Source, Stream

STEADY = Scene(motion=0.0)


@pytest.fixture(scope="module")
def astronaut() -> Portrait:
    """Return the portrait that scikit-image carries."""
    return carried_portrait("astronaut")


@pytest.fixture(scope="module")
def shoot(astronaut: Portrait) -> Callable[..., tuple[FrameSet, Truth]]:
    """Return a renderer of one frame set of a still scene."""

    def render(kind: SceneKind = SceneKind.BONA_FIDE, *, number: int = 0, seed: int = 0, noise: float = 1.0, **options: object):
        from vultus.devices.simulator.sensor import Light

        light = Light(**{k: options.pop(k) for k in ("level", "warmth", "side", "infrared") if k in options})
        scene = Scene(kind, motion=float(options.pop("motion", 0.0)), light=light, **options)
        other = carried_portrait("grace_hopper")
        return Simulator(astronaut, scene, Sensor(noise=noise), other=other, seed=seed).render(number)

    return render


def face_window(truth: Truth) -> tuple[slice, slice]:
    """Return the rows and columns between the landmarks."""
    low, high = truth.landmarks[0].min(axis=0).astype(int), truth.landmarks[0].max(axis=0).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])


def level_at(frame_set: FrameSet, truth: Truth, stream: Stream) -> float:
    """Return the median value between the landmarks."""
    return float(np.median(getattr(frame_set, stream.value).data[face_window(truth)]))


def relief_mm(frame_set: FrameSet, truth: Truth) -> float:
    """Return how far the nose tip stands before the plane through eyes and mouth corners, in mm."""
    depth = frame_set.depth.data.astype(float)

    def z(x: float, y: float) -> float:
        patch = depth[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3]
        return float(np.median(patch[patch > 0]))

    points = truth.landmarks[0]
    rows = np.column_stack([points[[0, 1, 3, 4]], np.ones(4)])
    plane = np.linalg.lstsq(rows, np.array([z(*p) for p in points[[0, 1, 3, 4]]]), rcond=None)[0]
    return float(plane @ [*points[2], 1.0]) - z(*points[2])


@pytest.mark.parametrize("distance", [350.0, 500.0, 850.0])
def test_depth_and_eye_distance_agree_with_the_truth(shoot: Callable[..., tuple[FrameSet, Truth]], distance: float) -> None:
    """The measured depth is the stated distance and the eyes are 63 mm apart at it, at every distance."""
    frame_set, truth = shoot(distance_mm=distance)
    assert level_at(frame_set, truth, Stream.DEPTH) == pytest.approx(distance, abs=15)
    eyes = truth.landmarks[0]
    measured = np.hypot(*(eyes[1] - eyes[0])) / frame_set.rgb.intrinsics.fx * distance
    assert measured == pytest.approx(63.0, rel=0.05)
    assert truth.eye_distance_mm == pytest.approx(63.0, abs=0.5)


def test_only_a_head_has_relief(shoot: Callable[..., tuple[FrameSet, Truth]]) -> None:
    """The nose stands out of a head by 15 mm or more, and out of no print or screen."""
    assert relief_mm(*shoot()) > 15
    assert relief_mm(*shoot(yaw=20.0)) > 10
    for kind in (SceneKind.FLAT_PRINT, SceneKind.TILTED_PRINT):
        assert abs(relief_mm(*shoot(kind))) < 3
    screen, truth = shoot(SceneKind.SCREEN_REPLAY)
    glass = screen.depth.data[face_window(truth)]
    # The glare leaves a hole where the nose is shown; the glass around it is flat.
    assert glass[glass > 0].std() < 2
    assert relief_mm(*shoot(SceneKind.BENT_PRINT)) < 9


@pytest.mark.parametrize(
    ("turn", "axis", "sign"), [({"yaw": 20.0}, 0, 1), ({"yaw": -20.0}, 0, -1), ({"pitch": 15.0}, 1, -1), ({"pitch": -15.0}, 1, 1)]
)
def test_turning_the_head_moves_the_nose(
    shoot: Callable[..., tuple[FrameSet, Truth]], turn: dict[str, float], axis: int, sign: int
) -> None:
    """Yaw moves the nose tip to larger x against the eyes, pitch moves it up."""

    def nose(truth: Truth) -> float:
        points = truth.landmarks[0]
        return float(points[2, axis] - points[[0, 1, 3, 4], axis].mean())

    assert sign * (nose(shoot(**turn)[1]) - nose(shoot()[1])) > 5


def test_roll_turns_the_crown_to_larger_x(shoot: Callable[..., tuple[FrameSet, Truth]]) -> None:
    """With roll the line between the eyes falls to the right in the picture."""
    eyes = shoot(roll=20.0)[1].landmarks[0]
    angle = np.degrees(np.arctan2(*(eyes[1] - eyes[0])[::-1]))
    level = shoot()[1].landmarks[0]
    assert angle - np.degrees(np.arctan2(*(level[1] - level[0])[::-1])) == pytest.approx(20, abs=3)


def test_the_texture_follows_the_truth(shoot: Callable[..., tuple[FrameSet, Truth]]) -> None:
    """The eyes' surroundings are darker than the cheeks below them at the stated landmarks, in colour and infrared, under every pose."""
    for pose in ({}, {"yaw": 20.0}, {"pitch": 12.0}, {"roll": -15.0}, {"distance_mm": 700.0}):
        frame_set, truth = shoot(**pose)
        points = truth.landmarks[0]
        down = (points[3:].mean(axis=0) - points[:2].mean(axis=0)) * 0.5
        for image in (frame_set.rgb.data[..., 0], frame_set.nir.data):
            for eye in points[:2]:
                x, y = (int(v) for v in eye)
                cx, cy = (int(v) for v in eye + down)
                assert image[y - 4 : y + 5, x - 4 : x + 5].min() < 0.7 * np.median(image[cy - 3 : cy + 4, cx - 3 : cx + 4])


def test_infrared_does_not_need_light(shoot: Callable[..., tuple[FrameSet, Truth]]) -> None:
    """In a dark room colour is black and lit infrared as bright as in an office; without the illuminator infrared is dark too."""
    dark, truth = shoot(level=0.0)
    office, _ = shoot(level=0.6)
    assert level_at(dark, truth, Stream.RGB) < 25
    assert level_at(office, truth, Stream.RGB) > 100
    assert level_at(dark, truth, Stream.NIR) == pytest.approx(level_at(office, truth, Stream.NIR), rel=0.15)
    assert level_at(dark, truth, Stream.NIR_AMBIENT) <= 2
    assert level_at(office, truth, Stream.NIR_AMBIENT) > 4


def test_the_illuminator_falls_off_with_distance(shoot: Callable[..., tuple[FrameSet, Truth]]) -> None:
    """Lit infrared minus ambient is at least four times darker on the wall than on the face."""
    frame_set, truth = shoot(level=0.0)
    wall = float(np.median(frame_set.nir.data[:40]))
    assert level_at(frame_set, truth, Stream.NIR) > 4 * wall > 0


def test_a_screen_shines_by_itself_and_is_dark_in_infrared(shoot: Callable[..., tuple[FrameSet, Truth]]) -> None:
    """A screen is visible in a dark room, and in infrared dark with or without the illuminator but for one small glare."""
    frame_set, truth = shoot(SceneKind.SCREEN_REPLAY, level=0.0)
    assert level_at(frame_set, truth, Stream.RGB) > 80
    assert level_at(frame_set, truth, Stream.NIR) < 40
    assert frame_set.nir.data.max() > 200
    print_, print_truth = shoot(SceneKind.FLAT_PRINT, level=0.0)
    assert level_at(print_, print_truth, Stream.RGB) < 25
    assert level_at(print_, print_truth, Stream.NIR) > 60


def test_depth_noise_has_the_stated_spread(shoot: Callable[..., tuple[FrameSet, Truth]]) -> None:
    """Depth of a flat print at half a metre scatters by the stated 1.2 mm and the rounding's 0.3."""
    noisy, truth = shoot(SceneKind.FLAT_PRINT, noise=1.0)
    clean, _ = shoot(SceneKind.FLAT_PRINT, noise=0.0)
    window = face_window(truth)
    scatter = (noisy.depth.data[window].astype(float) - clean.depth.data[window]).std()
    assert scatter == pytest.approx(1.25, abs=0.25)


def test_depth_has_holes_at_edges_and_none_in_the_face(shoot: Callable[..., tuple[FrameSet, Truth]]) -> None:
    """Where depth jumps some pixels return nothing; between the landmarks none do."""
    frame_set, truth = shoot()
    depth = frame_set.depth.data
    assert 0.001 < (depth == 0).mean() < 0.1
    assert (depth[face_window(truth)] == 0).mean() < 0.005


def test_the_same_seed_gives_the_same_frames(shoot: Callable[..., tuple[FrameSet, Truth]]) -> None:
    """A frame set depends on the seed and its number alone; another seed or number changes every stream."""
    first, _ = shoot(seed=3, number=5, motion=1.0)
    again, _ = shoot(seed=3, number=5, motion=1.0)
    for frame, same in zip(first.frames(), again.frames(), strict=True):
        assert np.array_equal(frame.data, same.data)
    for other in (shoot(seed=4, number=5, motion=1.0)[0], shoot(seed=3, number=6, motion=1.0)[0]):
        for frame, changed in zip(first.frames(), other.frames(), strict=True):
            assert not np.array_equal(frame.data, changed.data)


def test_people_sway_a_little(shoot: Callable[..., tuple[FrameSet, Truth]]) -> None:
    """From one frame set to the next a face moves by less than three pixels, over a second by more than one."""
    places = np.array([shoot(number=n, motion=1.0, noise=0.0)[1].landmarks[0][2] for n in (0, 1, 2, 15, 30)])
    steps = np.hypot(*np.diff(places[:3], axis=0).T)
    assert 0 < steps.max() < 3
    assert np.hypot(*(places - places[0]).T).max() > 1


@pytest.mark.parametrize(("kind", "faces"), [(SceneKind.NO_FACE, 0), (SceneKind.TWO_FACES, 2), (SceneKind.OTHER_PERSON, 1)])
def test_scenes_have_their_number_of_faces(shoot: Callable[..., tuple[FrameSet, Truth]], kind: SceneKind, faces: int) -> None:
    """An empty room has no face, two people have two that lie apart, another person has one."""
    frame_set, truth = shoot(kind, distance_mm=700.0)
    assert len(truth.landmarks) == faces
    if faces == 0:
        assert frame_set.depth.data[frame_set.depth.data > 0].min() >= 1150
    if faces == 2:
        assert truth.landmarks[1][:, 0].min() - truth.landmarks[0][:, 0].max() > 40


def test_another_person_looks_different(shoot: Callable[..., tuple[FrameSet, Truth]]) -> None:
    """The scene other_person shows the other portrait."""
    own, truth = shoot(noise=0.0)
    other, _ = shoot(SceneKind.OTHER_PERSON, noise=0.0)
    window = face_window(truth)
    assert np.abs(own.rgb.data[window].astype(int) - other.rgb.data[window]).mean() > 15


def test_every_frame_set_says_that_it_is_simulated(astronaut: Portrait) -> None:
    """Source and model say so, and truth is that of the frame set read last."""
    with Simulator(astronaut, STEADY, Sensor(160, 120, 150), count=2) as device:
        assert device.truth is None
        for number, frame_set in enumerate(device.frames()):
            assert frame_set.device.source is Source.SIMULATED
            assert "simulated" in frame_set.device.model
            assert device.truth is not None
            assert np.array_equal(device.truth.landmarks[0], device.render(number)[1].landmarks[0])


def test_streams_can_be_left_out() -> None:
    """The option streams leaves out the others, in frame sets and capabilities."""
    with open_device("simulator:astronaut?streams=nir,depth&count=1") as device:
        frame_set = device.read()
        assert frame_set is not None
        assert [f.stream.value for f in frame_set.frames()] == ["nir", "depth"]
        assert device.capabilities.streams == {Stream.NIR, Stream.DEPTH}


@pytest.mark.parametrize("streams", ["nir_ambient", "rgb,nir_ambient"])
def test_ambient_infrared_does_not_stand_alone(streams: str) -> None:
    """Streams that make no frame set are refused."""
    with pytest.raises(ValueError, match="streams must hold"):
        open_device(f"simulator:astronaut?streams={streams}")


def test_a_portrait_of_ones_own_needs_landmarks(tmp_path: Path, astronaut: Portrait) -> None:
    """A picture file works with landmarks given in the URL or found by a function, and not without."""
    path = tmp_path / "me.png"
    path.write_bytes(pictures.encode_png(astronaut.image))
    points = ",".join(str(float(v)) for v in astronaut.landmarks.ravel())
    with pytest.raises(ValueError, match=r"needs landmarks=x,y.* or find_landmarks"):
        open_device(f"simulator:{path}")
    with pytest.raises(ValueError, match="no face was found"):
        open_device(f"simulator:{path}", find_landmarks=lambda image: None)
    with pytest.raises(ValueError, match="five finite landmarks"):
        open_device(f"simulator:{path}?landmarks=1,2,3,4")
    truths = []
    for url, options in (
        (f"simulator:{path}?landmarks={points}", {}),
        (f"simulator:{path}", {"find_landmarks": lambda i: astronaut.landmarks}),
    ):
        with open_device(url, **options) as device:
            device.read()
            truths.append(device.truth.landmarks[0])
    assert np.array_equal(*truths)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([(20, 20), (22, 20), (21, 25), (20, 30), (22, 30)], "too small"),
        ([(20, 50), (40, 50), (30, 40), (22, 20), (38, 20)], "upside down"),
        ([(20, 20), (140, 20), (30, 40), (22, 60), (38, 60)], "outside the portrait"),
        ([(20, 20), (float("nan"), 20), (30, 40), (22, 60), (38, 60)], "five finite landmarks"),
    ],
)
def test_landmarks_that_make_no_face_are_refused(points: list[tuple[float, float]], message: str) -> None:
    """Landmarks that are too close, upside down, outside the picture or no numbers are ValueErrors."""
    with pytest.raises(ValueError, match=message):
        Portrait("x", np.zeros((80, 80, 3), np.uint8), np.array(points, np.float32))


def test_a_missing_portrait_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing file is DeviceNotFound; a missing package names the extra that brings it; an unreadable file is a ValueError."""
    with pytest.raises(DeviceNotFound, match="no such portrait"):
        open_device(f"simulator:{tmp_path / 'gone.png'}")
    (tmp_path / "bad.png").write_text("no picture")
    with pytest.raises(ValueError, match="neither PNG nor JPEG"):
        load_portrait(tmp_path / "bad.png")
    carried_portrait.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "skimage", None)
    with pytest.raises(DeviceNotFound, match=r"pip install 'vultus\[demo\]'"):
        open_device("simulator:astronaut")
    with pytest.raises(ValueError, match="known: grace_hopper, astronaut"):
        carried_portrait("mona_lisa")


@pytest.mark.parametrize("options", [{"distance_mm": 200.0}, {"yaw": 60.0}, {"motion": float("nan")}], ids=lambda o: next(iter(o)))
def test_scenes_outside_the_limits_are_refused(options: dict[str, float]) -> None:
    """A scene too near, too far turned or with no number is a ValueError that names the limit."""
    with pytest.raises(ValueError, match=f"a scene's {next(iter(options))} must be"):
        Scene(**options)


@pytest.mark.parametrize("options", [{"width": 63}, {"width": 101}, {"focal_px": 10.0}, {"noise": -1.0}])
def test_sensors_outside_the_limits_are_refused(options: dict[str, float]) -> None:
    """Odd or tiny sides, absurd focal lengths and negative noise are ValueErrors."""
    with pytest.raises(ValueError, match=r"must be|has even sides"):
        Sensor(**options)


def test_another_person_must_be_given(astronaut: Portrait) -> None:
    """The scene other_person without another portrait is refused."""
    with pytest.raises(ValueError, match="needs another portrait"):
        Simulator(astronaut, Scene(SceneKind.OTHER_PERSON))


def test_extreme_scenes_render(shoot: Callable[..., tuple[FrameSet, Truth]]) -> None:
    """At every corner of the limits the simulator gives a frame set, also when the face is out of view."""
    for pose in (
        {"distance_mm": 300.0, "yaw": 40.0, "pitch": 35.0, "roll": 45.0},
        {"distance_mm": 1100.0, "x_mm": 400.0, "y_mm": -300.0},
        {"distance_mm": 300.0, "x_mm": -400.0, "y_mm": 300.0, "motion": 5.0},
        {"level": 4.0, "infrared": 2.0, "side": -1.0, "warmth": 1.0},
    ):
        for kind in SceneKind:
            assert shoot(kind, **pose)[0].rgb is not None


def test_projection_and_rotation_are_what_they_say() -> None:
    """A rotation is orthonormal and turns right-handed; a point on the axis falls on the principal point."""
    r = rotation(20.0, -10.0, 5.0)
    assert np.allclose(r @ r.T, np.eye(3))
    assert np.linalg.det(r) == pytest.approx(1.0)
    camera = Sensor().intrinsics
    assert np.allclose(project(np.array([[0.0, 0.0, 700.0]]), camera), [[319.5, 239.5]])
    assert np.allclose(project(np.array([[70.0, -35.0, 700.0]]), camera), [[379.5, 209.5]])


@pytest.mark.slow
def test_a_frame_set_takes_little_time(astronaut: Portrait) -> None:
    """A frame set of 640 x 480 takes well under a fifth of a second even on a busy machine; alone it takes about 45 ms."""
    with Simulator(astronaut) as device:
        device.read()
        times = []
        for _ in range(8):
            start = time.perf_counter()
            device.read()
            times.append(time.perf_counter() - start)
    assert min(times) < 0.2
