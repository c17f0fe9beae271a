"""A stand-in for the head model, laid out as its file is: an egg with a nose, two eyes and the marks of a face."""

from __future__ import annotations

from pathlib import Path

import numpy as np

MATERIALS = ("M_Face", "M_BackHead", "M_GumsTongue", "M_Teeth", "M_ScleraLeft", "M_IrisLeft", "M_ScleraRight", "M_IrisRight")
_ROWS, _COLUMNS = 60, 80
_MARKS = {
    **{i: (-7 + 14 * i / 16, 2 - 9 * np.sin(np.pi * i / 16)) for i in range(17)},
    **{17 + i: (-5 + 4 * i / 4, 5.5) for i in range(5)},
    **{22 + i: (1 + 4 * i / 4, 5.5) for i in range(5)},
    **{27 + i: (0, 4 - 1.3 * i) for i in range(4)},
    **{31 + i: (-1.2 + 0.6 * i, -0.8) for i in range(5)},
    **{36 + i: (-3.2 + 1.5 * np.cos(np.pi - i * np.pi / 3), 3.6 + 0.6 * np.sin(np.pi - i * np.pi / 3)) for i in range(6)},
    **{42 + i: (3.2 + 1.5 * np.cos(np.pi - i * np.pi / 3), 3.6 + 0.6 * np.sin(np.pi - i * np.pi / 3)) for i in range(6)},
    **{48 + i: (2.5 * np.cos(np.pi - i * np.pi / 6), -4 + 0.9 * np.sin(np.pi - i * np.pi / 6)) for i in range(12)},
    **{60 + i: (1.8 * np.cos(np.pi - i * np.pi / 4), -4 + 0.3 * np.sin(np.pi - i * np.pi / 4)) for i in range(8)},
}


def _ball(centre: tuple[float, float, float], radii: tuple[float, float, float], rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    down, round_ = np.meshgrid(np.linspace(0.02, np.pi - 0.02, rows), np.linspace(0, 2 * np.pi, columns, endpoint=False), indexing="ij")
    points = np.stack([np.sin(down) * np.sin(round_), np.cos(down), np.sin(down) * np.cos(round_)], 2).reshape(-1, 3) * radii + centre
    quads = []
    for r in range(rows - 1):
        for c in range(columns):
            a, b = r * columns + c, r * columns + (c + 1) % columns
            quads += [(a, a + columns, b + columns), (a, b + columns, b)]
    return points, np.array(quads, np.int32)


def write_egg(folder: Path) -> Path:
    """Write the stand-in below a data folder and return the folder."""
    points, triangles = _ball((0, 0, 1), (8, 13, 9), _ROWS, _COLUMNS)
    nose = np.exp(-(points[:, 0] ** 2 + (points[:, 1] - 0.5) ** 2) / 3) * (points[:, 2] > 0)
    points[:, 2] += 2.5 * nose
    front = points[triangles].mean(1)[:, 2] > 3
    material = np.where(front, 0, 1).astype(np.uint8)
    parts = [(points, triangles, material)]
    for side, x in (("Left", 3.2), ("Right", -3.2)):
        for kind, radius in (("Sclera", 1.2), ("Iris", 0.6)):
            ball, faces = _ball((x, 3.6, 8.0 if kind == "Sclera" else 8.7), (radius, radius, radius), 10, 12)
            parts.append((ball, faces, np.full(len(faces), MATERIALS.index(f"M_{kind}{side}"), np.uint8)))
    starts = np.cumsum([0, *(len(p) for p, _, _ in parts)])
    vertices = np.vstack([p for p, _, _ in parts]).astype(np.float32)
    skin = np.flatnonzero(points[:, 2] > 1)
    marks = [skin[np.linalg.norm(points[skin, :2] - _MARKS[i], axis=1).argmin()] for i in range(68)]
    rng = np.random.default_rng(3)
    modes = np.stack([0.4 * np.sin(vertices @ rng.normal(0, 0.2, (3, 3)) + rng.uniform(0, 6, 3)) for _ in range(12)])
    names = ("jawOpen", "mouthSmile_L", "mouthSmile_R", "eyeBlink_L", "eyeBlink_R", "mouthFunnel", "mouthShrugLower")
    (folder / "ict-face").mkdir(parents=True, exist_ok=True)
    np.savez(
        folder / "ict-face" / "ict_face_model.npz",
        neutral=vertices,
        identity_modes=modes.astype(np.float16),
        expression_modes=(0.3 * np.stack([np.sin(vertices * (i + 1) / 9) for i in range(len(names))])).astype(np.float16),
        expression_names=np.array(names),
        triangles=np.vstack([t + s for (_, t, _), s in zip(parts, starts, strict=False)]).astype(np.int32),
        triangle_material=np.concatenate([m for _, _, m in parts]),
        material_names=np.array(MATERIALS),
        landmarks68=np.array(marks, np.int32),
    )
    return folder
