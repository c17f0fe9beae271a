"""Recipe of models/calibration/liveness.json: where the physical cues pass and fail.

Run: python -m models.recipes.liveness_limits ICT_FACE_NPZ. The relief limits lie between heads of the ICT face model (MIT) and sheets, both
rendered with a depth camera's noise; no picture of a person and no evaluation set goes in. Everything here is simulated and says so.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vultus.fitting import seal_document
from vultus.geometry import Relief, pose_of
from vultus.stages.relief import GRID, measure, sample

OUT = Path(__file__).resolve().parents[2] / "models" / "calibration" / "liveness.json"
COUNT = 400
_SPLATS = np.array([(1 / 3, 1 / 3), (1, 0), (0, 1), (0, 0), (0.5, 0.5), (0.5, 0), (0, 0.5), (0.2, 0.2), (0.6, 0.2), (0.2, 0.6)])
F64 = npt.NDArray[np.float64]


def noisy(z: F64, rng: np.random.Generator) -> npt.NDArray[np.uint16]:
    """Add a structured-light camera's axial noise, 1.2 mm + 1.9 mm (z - 0.4 m)^2 (Nguyen, Izadi, Lovell 2012), and round to millimetres."""
    sigma = 1.2 + 1.9 * (z / 1000.0 - 0.4) ** 2
    return np.where(z > 0, np.clip(np.rint(z + rng.normal(0, 1, z.shape) * sigma), 1, 65535), 0).astype(np.uint16)


def rotation(yaw: float, pitch: float, roll: float) -> F64:
    """Return the 3 x 3 rotation of angles in degrees."""
    (sy, sp, sr), (cy, cp, cr) = np.sin(np.radians([yaw, pitch, roll])), np.cos(np.radians([yaw, pitch, roll]))
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1.0]])
    about_x = np.array([[1.0, 0, 0], [0, cp, -sp], [0, sp, cp]])
    return about_z @ about_x @ np.array([[cy, 0, sy], [0, 1.0, 0], [-sy, 0, cy]])


def heads(path: Path, rng: np.random.Generator) -> list[tuple[Relief, Relief | None, float]]:
    """Measure heads of random identity, pose (35, 30, 20 degrees) and distance (350 to 900 mm): without and with eyeballs, and the yaw seen."""
    with np.load(path) as model:
        neutral, modes = model["neutral"], model["identity_modes"].astype(np.float32)
        marks, triangles = model["landmarks68"], model["triangles"]
    skin = triangles[(triangles < 9409).all(1)]
    # Vertices 21451 to 24590 are the eyeballs. The limits of the relief were made without; a generator of their own keeps the draws.
    eyed = triangles[((triangles < 9409) | ((triangles >= 21451) & (triangles < 24591))).all(1)]
    own, out = np.random.default_rng(8), []
    for _ in range(COUNT):
        vertices = 10.0 * (neutral + np.tensordot(rng.normal(0, 1, len(modes)).astype(np.float32), modes, 1))
        turned = (vertices - vertices[:9409].mean(0)) @ rotation(*(rng.uniform(-1, 1, 3) * (35, 30, 20))).T
        z = rng.uniform(350, 900) - turned[:, 2]
        focal = rng.choice([365.0, 600.0])
        pixels = np.stack([turned[:, 0] / z * focal + 320, -turned[:, 1] / z * focal + 240], axis=1)
        eyes = pixels[marks[36:42]].mean(0), pixels[marks[42:48]].mean(0)
        five = np.stack([*eyes, pixels[marks[30]], pixels[marks[48]], pixels[marks[54]]]).astype(np.float32)
        found = seen(noisy(drawn(pixels, z, skin), rng), five)
        if found is not None:
            out.append((found, seen(noisy(drawn(pixels, z, eyed), own), five), pose_of(five).yaw))
    return out


def drawn(pixels: F64, z: F64, triangles: npt.NDArray[np.int64]) -> F64:
    """Return depth in mm (480, 640) of points on the triangles, the nearest of each pixel, 0 where there is none."""
    picture = np.full((480, 640), 1e9)
    for a, b in _SPLATS:
        share = np.array([a, b, 1 - a - b])
        spot = np.rint(np.einsum("s,nsd->nd", share, pixels[triangles])).astype(int)
        np.minimum.at(picture, (spot[:, 1].clip(0, 479), spot[:, 0].clip(0, 639)), z[triangles] @ share)
    return np.where(picture < 1e8, picture, 0.0)


def seen(depth: npt.NDArray[np.uint16], five: npt.NDArray[np.float32]) -> Relief | None:
    """Measure the face with these landmarks."""
    grid = np.zeros((GRID, GRID), np.uint16)
    sample(depth, five, grid)
    return measure(grid)


def sheets(kind: str, rng: np.random.Generator) -> list[Relief]:
    """Measure sheets, 150 mm wide: flat and tilted, bent about any axis (radius 55 to 250 mm), or folded once."""
    u, v = np.meshgrid(np.linspace(-75, 75, GRID), np.linspace(-90, 60, GRID))
    out = []
    for _ in range(COUNT):
        distance, tilt, angle, radius = rng.uniform(350, 900), rng.uniform(-0.55, 0.55, 2), rng.uniform(0, np.pi), rng.uniform(55, 250)
        across = u * np.cos(angle) + v * np.sin(angle)
        z = distance + tilt[0] * u + tilt[1] * v
        if kind == "bent":
            z = z + radius - np.sqrt(radius**2 - np.clip(across, -0.95 * radius, 0.95 * radius) ** 2)
        if kind == "folded":
            z = z + np.abs(across - rng.uniform(-30, 30)) * rng.uniform(0.1, 0.8)
        found = measure(noisy(z, rng))
        if found is not None:
            out.append(found)
    return out


def net(relief: Relief) -> float:
    """Return what the cue judges: the residual to the best sheet without the sensor's noise, in mm."""
    return float(np.sqrt(max(relief.sheet_mm**2 - relief.noise_mm**2, 0.0)))


def main(path: Path) -> None:
    """Write liveness.json."""
    rng = np.random.default_rng(7)
    everyone = heads(path, rng)
    measured = [relief for relief, _, _ in everyone]
    real = np.array([net(r) for r in measured])
    noses = np.array([r.nose_mm for r in measured if r.nose_mm is not None])
    found = {kind: sheets(kind, rng) for kind in ("flat", "bent", "folded")}
    fake = {kind: np.array([net(r) for r in reliefs]) for kind, reliefs in found.items()}
    flat_plane = max(r.plane_mm for r in found["flat"])
    worst, least = float(max(fake["flat"].max(), fake["bent"].max())), float(real.min())
    if worst >= least:
        raise SystemExit(f"heads ({least:.2f} mm) and sheets ({worst:.2f} mm) overlap; no limit separates them")
    folded = int((fake["folded"] >= least).sum())
    simulated = (
        f"simulated: {len(real)} ICT heads from {least:.2f} mm, "
        f"{len(fake['flat']) + len(fake['bent'])} flat and bent sheets up to {worst:.2f} mm; "
        f"{folded} of {len(fake['folded'])} sheets folded once reach the heads"
    )

    sockets = np.array([r.sockets_mm for _, r, _ in everyone if r is not None and r.sockets_mm is not None])
    turns = np.array([(r.turn, yaw) for _, r, yaw in everyone if r is not None and r.turn is not None])
    share = -float((turns[:, 0] * turns[:, 1]).sum() / (turns[:, 1] ** 2).sum())
    apart = np.abs(turns[:, 0] + share * turns[:, 1])
    print(f"sockets {np.percentile(sockets, [0, 1, 5, 50, 95])}; turn share {share:.3f}, apart {np.percentile(apart, [50, 95, 99, 100])}")

    def limit(value: float, unit: str, origin: str) -> dict[str, Any]:
        return {"value": round(value, 3), "unit": unit, "origin": origin}

    limits = {
        "relief_fail_mm": limit(worst + (least - worst) / 3, "mm", simulated + "; a third of the way from sheets to heads"),
        "relief_pass_mm": limit(least, "mm", simulated + "; the flattest head"),
        "bent_plane_mm": limit(1.2 * flat_plane, "mm", "simulated: 1.2 times the largest residual of a flat sheet; names the species only"),
        "strobe_pass": limit(0.15, "(lit - ambient) / lit", "a lamp of a tenth of full scale near saturation; physics, not measured"),
        "strobe_fail": limit(
            0.05, "(lit - ambient) / lit", "noise of two pictures of a self-lit screen averages far below; physics, not measured"
        ),
        "agreement_pass": limit(0.30, "eye distances", "landmark jitter 0.05 to 0.1 and parallax; chosen, not measured"),
        "agreement_fail": limit(0.60, "eye distances", "another face in front of one camera is off by more; chosen, not measured"),
        "eye_distance_low_mm": limit(45.0, "mm", "adults 50 to 77 mm (ANSUR II), less a tenth for measurement"),
        "eye_distance_high_mm": limit(85.0, "mm", "adults 50 to 77 mm (ANSUR II), plus a tenth for measurement"),
        "nose_pass_mm": limit(
            np.percentile(noses, 5), "mm", f"simulated: one in twenty of {len(noses)} ICT heads turned up to 35 degrees has less"
        ),
        "nose_fail_mm": limit(
            -5.0, "mm", "a nose behind a cheek is none; less a coarse depth camera's error, half of a step of 8 mm and noise; not measured"
        ),
        "likeness_pass": limit(0.92, "correlation", "two simulated cameras reach 0.89; chosen between that and a copy, not measured"),
        "likeness_fail": limit(0.95, "correlation", "simulated: grey of the colour picture, noise added, from 0.98; chosen, not measured"),
        "outline_pass": limit(3.7, "eye distances", "a head of 167 mm (ANSUR II) over eyes 52 mm apart, and 12 mm of hair each side"),
        "outline_fail": limit(4.0, "eye distances", "as outline_pass, with 20 mm of hair each side; chosen, not measured"),
        "structure_pass": limit(0.1, "correlation", "brows and eyes are dark in both pictures; chosen, not measured"),
        "structure_fail": limit(0.0, "correlation", "pictures of different things share no detail; chosen, not measured"),
        "contrast_pass": limit(0.1, "nats", "eyes and nostrils absorb NIR; chosen, not measured"),
        "contrast_fail": limit(0.0, "nats", "never: a blurred picture is even too; the number counts in the vote of a calibrated sensor"),
        "nose_turn": limit(20.0, "degrees", "what counts as frontal; beyond it the nose hides a cheek; chosen, not measured"),
        "falloff_pass": limit(
            0.1, "correlation", "a matt head reaches 1; twice the scatter of about 400 independent cells; chosen, not measured"
        ),
        "falloff_fail": limit(-0.1, "correlation", "light that rises where it must fall, beyond the same scatter; chosen, not measured"),
        "detail_pass": limit(0.1, "correlation", "twice the scatter of about 400 independent cells; chosen, not measured"),
        "detail_fail": limit(
            -0.1, "correlation", "hollows that shine and ridges that are dark, beyond the same scatter; chosen, not measured"
        ),
        "eye_detail_pass": limit(0.15, "correlation", "as detail_pass, of about 150 independent cells; chosen, not measured"),
        "eye_detail_fail": limit(
            -0.3, "correlation", "as detail_fail; dark frames of spectacles stand out of the face; chosen, not measured"
        ),
        "gain_pass": limit(0.1, "ratio", "a matt white head has 1, noise of the depth takes from it; chosen, not measured"),
        "gain_fail": limit(-0.1, "ratio", "light that rises where it must fall; chosen, not measured"),
        "sockets_pass_mm": limit(
            np.percentile(sockets, 5), "mm", f"simulated: one in twenty of {len(sockets)} ICT heads with eyeballs has less"
        ),
        "sockets_fail_mm": limit(
            -15.0, "mm", "lenses of spectacles stand up to 14 mm before the cornea and may be what depth sees; not measured"
        ),
        "turn_share": limit(share, "ratio", f"simulated: depth's slope over the yaw that five landmarks tell, {len(turns)} ICT heads"),
        "turn_pass": limit(np.percentile(apart, 95), "degrees", f"simulated: one in twenty of {len(turns)} ICT heads is farther apart"),
        "turn_fail": limit(45.0, "degrees", "a head seen from the front against one in half profile; not measured"),
        "same_pass": limit(0.15, "cosine", "one pair of strangers in six is as alike, colour against simulated NIR (match.json)"),
        "same_fail": limit(0.06, "cosine", "half of the pairs of strangers are more alike, colour against simulated NIR (match.json)"),
    }
    document = {"id": "physics-5", "limits": limits, "recipe": "python -m models.recipes.liveness_limits ict_face_model.npz", "seed": 7}
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(seal_document(document), indent=1, sort_keys=True) + "\n", "utf-8")
    print(simulated)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
