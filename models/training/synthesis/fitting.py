"""Lays the head model onto a photograph: pose and identity from landmarks, then a smooth bend that takes the rest of the error away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from models.training.synthesis.mesh import F64, Mesh

_ROUNDS: Final = 6
_ERROR_CM: Final = 0.15
"""Expected error of a landmark set by hand: what weighs identity modes against their prior N(0, 1)."""
_STIFF: Final = 1e-3
"""How much the bend gives up at a landmark for smoothness, of the squared face width."""


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A head laid onto a photograph. vertices: (v, 3) cm in the photograph's own frame, x right, y up, z towards the camera.

    places: (v, 2) pixels of the photograph where each vertex is seen. error: mean distance in cm at the landmarks before the bend.
    """

    vertices: F64
    places: F64
    identity: F64
    error: float


def fit(mesh: Mesh, corners: npt.NDArray[Any], seen: npt.NDArray[Any], weight: npt.NDArray[Any]) -> Fit:
    """Fit the head to landmarks.

    corners: (n,) vertices. seen: (n, 2) their pixels, y down. weight: (n,) trust in each. Raises ValueError for fewer than six landmarks.
    """
    if len(corners) < 6:
        raise ValueError(f"{len(corners)} landmarks do not hold a head; at least 6 are needed")
    target = np.asarray(seen, np.float64) * (1, -1)
    modes = mesh.identity[:, corners].astype(np.float64)
    identity = np.zeros(len(modes))
    for _ in range(_ROUNDS):
        shape = mesh.neutral[corners] + np.tensordot(identity, modes, 1)
        scale, turn, shift = _pose(shape, target, weight)
        left = (target - shift) / scale - mesh.neutral[corners] @ turn[:2].T
        basis = np.einsum("mnk,dk->ndm", modes, turn[:2]).reshape(-1, len(modes))
        trust = np.repeat(weight, 2) / _ERROR_CM**2
        identity = np.linalg.solve(basis.T @ (basis * trust[:, None]) + np.eye(len(modes)), basis.T @ (left.ravel() * trust))
    scale, turn, shift = _pose(mesh.neutral[corners] + np.tensordot(identity, modes, 1), target, weight)
    vertices = mesh.shaped(identity) @ turn.T
    flat = vertices[:, :2] + shift / scale
    error = target / scale - flat[corners]
    moved = _bend(flat[corners], error, flat)
    vertices[:, :2] += moved
    places = (flat + moved) * scale * (1, -1)
    return Fit(vertices, places, identity, float(np.linalg.norm(error, axis=1).mean()))


def _pose(shape: F64, target: F64, weight: F64) -> tuple[float, F64, F64]:
    """Return scale, rotation (3, 3) and shift (2,) that lay points onto the picture plane without perspective."""
    share = weight / weight.sum()
    middle, goal = share @ shape, share @ target
    a, *_ = np.linalg.lstsq((shape - middle) * np.sqrt(weight)[:, None], (target - goal) * np.sqrt(weight)[:, None], rcond=None)
    u, s, vt = np.linalg.svd(a.T, full_matrices=False)
    rows = u @ vt
    turn = np.vstack([rows, np.cross(rows[0], rows[1])])
    scale = float(s.mean())
    return scale, turn, goal - scale * turn[:2] @ middle


def _bend(places: F64, moved: F64, points: F64) -> F64:
    """Return the thin-plate spline (Bookstein 1989) of displacements given at `places`, nothing far away, at `points`."""
    centre, reach = places.mean(0), 1.5 * np.ptp(places, axis=0).max()
    ring = centre + reach * np.stack([np.cos(t := np.linspace(0, 2 * np.pi, 12, endpoint=False)), np.sin(t)], 1)
    knots = np.vstack([places, ring])
    values = np.vstack([moved, np.zeros_like(ring)])
    n = len(knots)
    system = np.zeros((n + 3, n + 3))
    system[:n, :n] = _kernel(knots, knots) + _STIFF * reach**2 * np.eye(n)
    system[:n, n:] = np.column_stack([np.ones(n), knots])
    system[n:, :n] = system[:n, n:].T
    found = np.linalg.solve(system, np.vstack([values, np.zeros((3, 2))]))
    return np.asarray(_kernel(points, knots) @ found[:n] + np.column_stack([np.ones(len(points)), points]) @ found[n:], np.float64)


def _kernel(a: F64, b: F64) -> F64:
    square = ((a[:, None] - b[None]) ** 2).sum(2)
    return np.asarray(square * np.log(np.maximum(square, 1e-12)) / 2, np.float64)
