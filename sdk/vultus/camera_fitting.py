"""Fit lenses and their places to views of a board (OpenCV's calibrateCamera and stereoCalibrate), with what the result can be trusted for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus.boards import Board, Found
from vultus.camera_calibration import motion
from vultus.errors import CalibrationError
from vultus.frames import Extrinsics, Intrinsics

F64 = npt.NDArray[np.float64]
MIN_VIEWS: Final = 10
"""Views below which a fit is refused: ten is what OpenCV's own guide asks for."""
MIN_TILT: Final = 20.0
"""Degrees by which the most tilted fifth of the views must lean: with boards that all face the camera, distance and focal length are one."""
MIN_COVERAGE: Final = 0.4
"""Share of the picture's cells, 8 x 6, in which a corner was seen; distortion elsewhere would be guessed."""
MAX_ERROR_PX: Final = 1.0
"""Reprojection error beyond which a fit is refused: registration could not stay within a pixel."""
MAX_FOCAL: Final = 0.02
"""Standard deviation of the focal length, as a share of it, beyond which the views do not determine it."""
_CELLS: Final = (8, 6)
_OUTLIER: Final = 3.0
"""A view whose error is this many times the median is left out once: the board moved, or a marker was misread."""
_DRAWS: Final = 2000


@dataclass(frozen=True, slots=True)
class Error:
    """A reprojection error in pixels, root mean square, with its 95 % interval over views (bootstrap)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Lens:
    """A fitted camera: k1, k2, p1, p2 of OpenCV's distortion model, standard deviations of fx, fy, cx, cy in pixels.

    left_out: views that did not fit. coverage: share of the picture's cells with a corner. tilt_deg: what a fifth of the views exceed.
    """

    intrinsics: Intrinsics
    distortion: tuple[float, float, float, float]
    deviations: tuple[float, float, float, float]
    error: Error
    views: int
    left_out: int
    coverage: float
    tilt_deg: float


@dataclass(frozen=True, slots=True)
class Motion:
    """Where a camera is, seen from RGB; `baseline_mm` is the distance, with the 95 % half width of its mean over views."""

    extrinsics: Extrinsics
    error: Error
    views: int
    baseline_mm: float
    baseline_half_mm: float


def fit_lens(board: Board, found: Sequence[Found], width: int, height: int, name: str) -> Lens:
    """Fit one camera; raises CalibrationError that says what views are missing."""
    if len(found) < MIN_VIEWS:
        raise CalibrationError(
            f"{name}: the board was found in {len(found)} views, {MIN_VIEWS} are needed; show it from more places and angles"
        )
    coverage = _coverage(found, width, height)
    kept = list(found)
    fit = _calibrate(board, kept, width, height, name)
    good = fit.errors <= _OUTLIER * float(np.median(fit.errors))
    if not good.all() and int(good.sum()) >= MIN_VIEWS:
        kept = [f for f, ok in zip(found, good, strict=True) if ok]
        fit = _calibrate(board, kept, width, height, name)
    tilt = float(np.percentile([_tilt(r) for r in fit.turns], 80))
    error = _interval(fit.errors, np.array([len(f.ids) for f in kept]))
    if tilt < MIN_TILT:
        raise CalibrationError(
            f"{name}: the board leans by {tilt:.0f} degrees at most; tilt it by {MIN_TILT:.0f} or more, each way, in every fifth view"
        )
    if coverage < MIN_COVERAGE:
        raise CalibrationError(
            f"{name}: the views cover {coverage:.0%} of the picture; show the board at its edges too, {MIN_COVERAGE:.0%} are needed"
        )
    if error.value > MAX_ERROR_PX:
        raise CalibrationError(
            f"{name}: the reprojection error is {error.value:.2f} pixels, above {MAX_ERROR_PX:g}; use a flat board, check its size, hold it still"
        )
    (fx, fy, cx, cy), deviations = fit.lens, fit.deviations
    if max(deviations[0] / fx, deviations[1] / fy) > MAX_FOCAL:
        raise CalibrationError(
            f"{name}: the views do not determine the focal length ({fx:.0f} +- {deviations[0]:.0f} pixels); tilt the board more"
        )
    return Lens(
        Intrinsics(fx, fy, cx, cy, width, height), fit.distortion, deviations, error, len(kept), len(found) - len(kept), coverage, tilt
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Fit:
    lens: tuple[float, float, float, float]
    distortion: tuple[float, float, float, float]
    deviations: tuple[float, float, float, float]
    errors: F64
    turns: list[F64]


def _calibrate(board: Board, found: Sequence[Found], width: int, height: int, name: str) -> _Fit:
    import cv2

    objects = [board.points_mm(f.ids).astype(np.float32) for f in found]
    images = [f.points.astype(np.float32) for f in found]
    try:
        _, k, d, turns, _, deviations, _, errors = cv2.calibrateCameraExtended(
            objects, images, (width, height), np.eye(3), np.zeros(5), flags=cv2.CALIB_FIX_K3
        )
    except cv2.error as problem:
        raise CalibrationError(f"{name}: no camera fits these views; show the board from more places and angles") from problem
    s = np.asarray(deviations).ravel()
    flat = np.asarray(d).ravel()
    lens = (float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2]))
    numbers = np.array([*lens, *flat[:4], *s[:4]])
    if not np.isfinite(numbers).all() or min(lens[:2]) <= 0:
        raise CalibrationError(f"{name}: no camera fits these views; show the board from more places and angles")
    return _Fit(
        lens, (float(flat[0]), float(flat[1]), float(flat[2]), float(flat[3])), (float(s[0]), float(s[1]), float(s[2]), float(s[3])),
        np.asarray(errors, np.float64).ravel(), [np.asarray(r, np.float64).ravel() for r in turns],
    )  # fmt: skip


def _tilt(turn: F64) -> float:
    """Return the angle in degrees between the board's normal and the camera's axis."""
    import cv2

    rotation = np.asarray(cv2.Rodrigues(turn)[0], np.float64)
    return float(np.degrees(np.arccos(min(1.0, abs(float(rotation[2, 2]))))))


def _coverage(found: Sequence[Found], width: int, height: int) -> float:
    seen = np.zeros(_CELLS, bool)
    for f in found:
        x = np.clip(f.points[:, 0] / width * _CELLS[0], 0, _CELLS[0] - 1).astype(int)
        y = np.clip(f.points[:, 1] / height * _CELLS[1], 0, _CELLS[1] - 1).astype(int)
        seen[x, y] = True
    return float(seen.mean())


def _interval(errors: F64, corners: npt.NDArray[Any]) -> Error:
    """Return the root mean square over all corners, with its interval from drawing views with replacement."""
    squares = errors**2 * corners
    drawn = np.random.default_rng(0).integers(0, len(errors), (_DRAWS, len(errors)))
    means = np.sqrt(squares[drawn].sum(1) / corners[drawn].sum(1))
    low, high = np.quantile(means, [0.025, 0.975])
    return Error(float(np.sqrt(squares.sum() / corners.sum())), float(low), float(high))


def fit_motion(board: Board, views: Sequence[tuple[Found, Found]], lens: Lens, rgb: Lens, name: str) -> Motion:
    """Fit where a camera is, from pairs of what it and the RGB camera saw at one moment; raises CalibrationError."""
    pairs = []
    for own, other in views:
        ids, a, b = np.intersect1d(own.ids, other.ids, return_indices=True)
        if len(ids) >= 6:
            pairs.append((board.points_mm(ids), own.points[a], other.points[b]))
    if len(pairs) < MIN_VIEWS:
        raise CalibrationError(
            f"{name}: both cameras saw the board in {len(pairs)} views, {MIN_VIEWS} are needed; hold it where both see it"
        )
    import cv2

    (k1, d1), (k2, d2) = _matrices(lens), _matrices(rgb)
    objects, own_points, rgb_points = ([p[i].astype(np.float32) for p in pairs] for i in range(3))
    size = (rgb.intrinsics.width, rgb.intrinsics.height)
    try:
        found = cv2.stereoCalibrate(objects, own_points, rgb_points, k1, d1, k2, d2, size, flags=cv2.CALIB_FIX_INTRINSIC)
        rotation, shift = np.asarray(found[5], np.float64), np.asarray(found[6], np.float64).ravel()
        errors, shifts = zip(*(_check(p, (k1, d1), (k2, d2), rotation, shift) for p in pairs), strict=True)
    except cv2.error as problem:
        raise CalibrationError(f"{name}: no place of the camera fits these views; hold the board still where both see it") from problem
    error = _interval(np.array(errors), np.array([len(p[0]) for p in pairs]))
    if error.value > MAX_ERROR_PX:
        raise CalibrationError(
            f"{name}: seen from RGB the board is off by {error.value:.2f} pixels, above {MAX_ERROR_PX:g}; hold it still, or fix it"
        )
    half = 1.96 * float(np.std([np.linalg.norm(s) for s in shifts], ddof=1)) / len(pairs) ** 0.5
    return Motion(motion(rotation, shift), error, len(pairs), float(np.linalg.norm(shift)), half)


def _matrices(lens: Lens) -> tuple[F64, F64]:
    i = lens.intrinsics
    return np.array([[i.fx, 0, i.cx], [0, i.fy, i.cy], [0, 0, 1.0]]), np.array([*lens.distortion, 0.0])


def _check(pair: tuple[F64, F64, F64], own: tuple[F64, F64], rgb: tuple[F64, F64], rotation: F64, shift: F64) -> tuple[float, F64]:
    """Carry the board's corners, posed by the camera's own view, to RGB; return the error there, and this view's own shift."""
    import cv2

    points, seen, there = pair
    _, turn, place = cv2.solvePnP(points, seen, *own)
    posed = points @ np.asarray(cv2.Rodrigues(turn)[0]).T + np.asarray(place).ravel()
    carried = posed @ rotation.T + shift
    drawn = np.asarray(cv2.projectPoints(carried, np.zeros(3), np.zeros(3), *rgb)[0]).reshape(-1, 2)
    _, turn2, place2 = cv2.solvePnP(points, there, *rgb)
    in_rgb = points @ np.asarray(cv2.Rodrigues(turn2)[0]).T + np.asarray(place2).ravel()
    error = float(np.sqrt(((drawn - there) ** 2).sum(1).mean()))
    return error, np.asarray(in_rgb.mean(0) - rotation @ posed.mean(0), np.float64)
