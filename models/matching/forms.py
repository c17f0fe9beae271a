"""Every way of cutting a face out that was tried: landmarks, filters, light, and a head turned to the front by a mean face."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from models.matching.faces import F32, SIDE, Array, Form, Shown, carried, cut, shipped
from models.recipes.crops import data_folder, toned

from vultus.geometry import TARGET
from vultus.types import Face

_FOCAL: Final = 365.0
"""Focal length of Kinect v2's depth camera in pixels, as its drivers state it."""
_SPREAD: Final = 14.0
"""Pixels of the crop over which what a mean face does not explain at a landmark is carried to its surroundings."""

Change = Callable[[Shown, Array], Array]


def plain(looks: str, *, registered: bool, filter_: str = "ships") -> Form:
    """Cut at the landmarks of a look that `Shown` names, with `registered` NIR at those of colour."""

    def form(one: Shown) -> dict[str, F32]:
        faces: dict[str, Face] = getattr(one, looks)
        marks = carried(one, faces) if registered else {name: face.landmarks for name, face in faces.items()}
        return {name: cut(getattr(one, name), at, filter_) for name, at in marks.items()}

    return form


def averaged(one: Shown) -> dict[str, F32]:
    """Cut both pictures at the mean of the closer looks at each."""
    marks = {name: face.landmarks for name, face in one.closer.items()}
    both = np.mean(list(marks.values()), axis=0, dtype=np.float32) if marks else None
    return {} if both is None else {name: cut(getattr(one, name), both) for name in marks}


def changed(rgb: Change | None, nir: Change | None) -> Form:
    """Change the pictures first, then cut as the pipeline does."""

    def form(one: Shown) -> dict[str, F32]:
        change = {"rgb": rgb, "nir": nir}
        return {
            name: cut(one_change(one, getattr(one, name)) if (one_change := change[name]) is not None else getattr(one, name), at)
            for name, at in carried(one, one.closer).items()
        }

    return form


def median(_: Shown, picture: Array) -> Array:
    """Take the middle of each 3 x 3."""
    import cv2

    return np.asarray(cv2.medianBlur(picture.astype(np.float32), 3))


def bilateral(_: Shown, picture: Array) -> Array:
    """Smooth without crossing edges: 5 pixels, 12 levels."""
    import cv2

    return np.asarray(cv2.bilateralFilter(picture.astype(np.float32), 5, 12, 1.5))


def filled(_: Shown, picture: Array) -> Array:
    """Fill the black seams that registration leaves from the pixels beside them."""
    import cv2

    image = picture.astype(np.float32)
    there = (image.max(2) > 0).astype(np.float32)
    near = cv2.GaussianBlur(there, (0, 0), 1.5)
    value = cv2.GaussianBlur(image * there[..., None], (0, 0), 1.5) / np.maximum(near, 1e-6)[..., None]
    return np.where(((there == 0) & (near > 0.02))[..., None], value, image)


def lit_evenly(power: float, cosine: float) -> Change:
    """Take the lamp's fall-off with distance and, by `cosine`, the slope of the measured surface out of a NIR picture."""

    def change(one: Shown, picture: Array) -> Array:
        import cv2

        inside = one.depth[40:100, 30:90]
        middle = float(np.median(inside[inside > 0])) if (inside > 0).any() else 770.0
        mask = ((one.depth > middle - 150) & (one.depth < middle + 200)).astype(np.float32)
        weight = cv2.GaussianBlur(mask, (0, 0), 2.5)
        z = cv2.GaussianBlur(one.depth.astype(np.float32) * mask, (0, 0), 2.5) / np.maximum(weight, 1e-6)
        z = np.where(weight > 0.05, z, middle)
        down, right = np.gradient(z)
        facing = 1.0 / np.sqrt(1.0 + (right * _FOCAL / z) ** 2 + (down * _FOCAL / z) ** 2)
        gain = (z / middle) ** power / np.clip(facing, 0.35, 1.0) ** cosine
        # The picture carries the display curve; light is its 2.2nd power.
        return picture * gain ** (1 / 2.2)

    return change


def at_curve(gamma: float) -> Form:
    """Cut as the pipeline does, but give NIR another display curve, the mean of the face shown as bright as before."""

    def form(one: Shown) -> dict[str, F32]:
        return {name: toned(crop, gamma) if name == "nir" else crop for name, crop in shipped(one).items()}

    return form


def frontal(one: Shown) -> dict[str, F32]:
    """Turn each head to the front by a mean face (ICT-FaceKit, MIT) fitted to the landmarks; what is hidden comes from the other side."""
    return {name: _frontal(getattr(one, name), at) for name, at in carried(one, one.closer).items()}


@lru_cache(maxsize=1)
def _mean_face() -> tuple[Array, Array, Array]:
    from models.training.normaliser.face_shape import mean_face

    normals, depth = mean_face(Path(data_folder() / "ict-face" / "ict_face_model.npz"))
    # Eyes 6.4 cm apart in the model, 35 pixels in the crop.
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    points = np.dstack([x, y, depth * float(TARGET[1, 0] - TARGET[0, 0]) / 6.4]).astype(np.float64)
    five = np.array([points[round(v), round(u)] for u, v in TARGET])
    five[:, :2] = TARGET
    return points, normals, five


def _frontal(picture: Array, marks: F32) -> F32:
    import cv2
    from scipy.optimize import least_squares
    from scipy.spatial.transform import Rotation

    points, normals, five = _mean_face()
    centre, target = five.mean(0), marks.astype(np.float64)

    def project(p: Array, of: Array) -> Array:
        turned: Array = np.exp(p[3]) * (of - centre) @ Rotation.from_rotvec(p[:3]).as_matrix()[:2].T + p[4:]
        return turned

    left, size, right = np.linalg.svd(np.linalg.lstsq(five - centre, target - target.mean(0), rcond=None)[0].T, full_matrices=False)
    rows = left @ right
    turn = Rotation.from_matrix(np.vstack([rows, np.cross(rows[0], rows[1])])).as_rotvec()
    start = np.concatenate([turn, [np.log(size.mean())], target.mean(0)])
    pose = least_squares(lambda p: (project(p, five) - target).ravel(), start, loss="soft_l1").x
    near = np.exp(-((points[..., None, :2] - five[:, :2]) ** 2).sum(-1) / (2 * _SPREAD**2)) + 1e-9
    at = project(pose, points) - ((near / near.sum(-1, keepdims=True))[..., None] * (project(pose, five) - target)).sum(-2)
    seen = cv2.remap(
        picture.astype(np.float32), *at.astype(np.float32).transpose(2, 0, 1), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    # The mesh has y up and z towards the camera, the crop y down and z away from it.
    facing = np.clip((-(normals * (1, -1, -1)) @ Rotation.from_rotvec(pose[:3]).as_matrix()[2] - 0.15) / 0.25, 0, 1)
    share = np.where(facing >= 0.6, 1.0, np.clip(0.5 + 2 * (facing - facing[:, ::-1]), 0, 1))
    weight = cv2.GaussianBlur(share.astype(np.float32), (0, 0), 2)
    weight = weight[..., None] if seen.ndim == 3 else weight
    return np.clip(seen * weight + seen[:, ::-1] * (1 - weight), 0, 255).astype(np.float32)


FORMS: Final[dict[str, tuple[Form, str]]] = {
    "first look (before)": (plain("first", registered=False), "none"),
    "first look, NIR at colour's landmarks": (plain("first", registered=True), "none"),
    "detector's closer look, NIR at colour's landmarks": (plain("detector", registered=True), "none"),
    "network twice, NIR at colour's landmarks": (plain("again", registered=True), "none"),
    "closer look, each picture its own": (plain("closer", registered=False), "none"),
    "closer look, both at the mean landmarks": (averaged, "none"),
    "closer look, NIR at colour's landmarks (ships)": (shipped, "none"),
    "ships, bilinear throughout": (plain("closer", registered=True, filter_="linear"), "none"),
    "ships, cubic throughout": (plain("closer", registered=True, filter_="cubic"), "none"),
    "ships, Lanczos throughout": (plain("closer", registered=True, filter_="lanczos"), "none"),
    "ships, NIR without the normaliser": (shipped, "direct"),
    "ships, NIR at a curve of 2.2 (before)": (at_curve(2.2), "none"),
    "ships, NIR at a curve of 1.8": (at_curve(1.8), "none"),
    "ships, NIR at a curve of 1.25": (at_curve(1.25), "none"),
    "ships, NIR as it is, linear": (at_curve(1.0), "none"),
    "ships, NIR at a curve of 2.2 without the normaliser (before)": (at_curve(2.2), "direct"),
    "ships + mirror image in references": (shipped, "references"),
    "ships + mirror image": (shipped, "both"),
    "ships + mirror image of NIR": (shipped, "nir"),
    "ships + seams filled": (changed(filled, None), "none"),
    "ships + NIR median": (changed(None, median), "none"),
    "ships + NIR bilateral": (changed(None, bilateral), "none"),
    "ships + NIR fall-off": (changed(None, lit_evenly(2.0, 0.0)), "none"),
    "ships + NIR fall-off and half the slope": (changed(None, lit_evenly(2.0, 0.5)), "none"),
    "ships + NIR fall-off and slope": (changed(None, lit_evenly(2.0, 1.0)), "none"),
    "turned to the front": (frontal, "none"),
}
"""Name, crops, and to whose embedding that of the mirror image is added, or what else is done, one of `faces.WAYS`."""
