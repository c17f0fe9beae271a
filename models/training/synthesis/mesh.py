"""The ICT head: its visible parts, bent to an identity and an expression, with surface normals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]
MODEL: Final = "ict-face/ict_face_model.npz"
"""Where the model (MIT) lies below the folder of the data sets."""
_SEEN: Final = (
    "M_Face",
    "M_BackHead",
    "M_GumsTongue",
    "M_Teeth",
    "M_ScleraLeft",
    "M_IrisLeft",
    "M_ScleraRight",
    "M_IrisRight",
)
"""Parts that are drawn. Lacrimal fluid and the blending shells are glass, the lashes thinner than a pixel."""
FACE_VERTICES: Final = 9409
"""The first vertices of the model are the face's skin."""


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """The head model. Units are centimetres, x right as seen, y up, the face looks towards +z.

    neutral: (v, 3). identity, expression: (m, v, 3) offsets. triangles: (t, 3). material: (t,) index into `materials`.
    landmarks: (68,) vertices of the Multi-PIE points. expressions: name of each expression mode.
    """

    neutral: F64
    identity: npt.NDArray[np.float16]
    expression: npt.NDArray[np.float16]
    triangles: I32
    material: npt.NDArray[np.uint8]
    materials: tuple[str, ...]
    landmarks: I32
    expressions: tuple[str, ...]

    def shaped(self, identity: F64, expression: dict[str, float] | None = None) -> F64:
        """Return vertices (v, 3) for identity weights (m,), drawn from N(0, 1), and expression weights 0..1 by name.

        Raises ValueError for an expression that the model has not.
        """
        out = self.neutral + np.tensordot(identity, self.identity[: len(identity)].astype(np.float32), 1)
        for name, weight in (expression or {}).items():
            if name not in self.expressions:
                raise ValueError(f"the head has no expression {name}; it has {', '.join(self.expressions)}")
            out = out + weight * self.expression[self.expressions.index(name)].astype(np.float64)
        return np.asarray(out, np.float64)

    def parts(self, *names: str) -> npt.NDArray[np.bool_]:
        """Return which triangles belong to materials whose name holds one of `names`."""
        wanted = [i for i, m in enumerate(self.materials) if any(n in m for n in names)]
        return np.isin(self.material, wanted)


@lru_cache(maxsize=2)
def read_mesh(path: Path) -> Mesh:
    """Read ict_face_model.npz. Raises FileNotFoundError that names the setting when it is missing."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; set VULTUS_DATA to the folder of the data sets")
    with np.load(path) as file:
        names = tuple(str(n) for n in file["material_names"])
        drawn = np.isin(file["triangle_material"], [names.index(n) for n in _SEEN])
        return Mesh(
            np.asarray(file["neutral"], np.float64),
            file["identity_modes"],
            file["expression_modes"],
            np.asarray(file["triangles"][drawn], np.int32),
            np.asarray(file["triangle_material"][drawn], np.uint8),
            names,
            np.asarray(file["landmarks68"], np.int32),
            tuple(str(n) for n in file["expression_names"]),
        )


def normals(vertices: npt.NDArray[Any], triangles: I32) -> F64:
    """Return the unit normal (v, 3) of each vertex: the mean of its triangles' weighted by their area."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    out = np.stack(
        [np.bincount(triangles.ravel(), np.repeat(face[:, axis], 3), minlength=len(vertices)) for axis in range(3)],
        axis=1,
    )
    return np.asarray(out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12), np.float64)
