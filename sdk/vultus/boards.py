"""Boards for calibrating cameras: a checkerboard, or a ChArUco board, whose squares carry markers so that a part of it is enough.

The origin is the outer corner of the top left square, x right, y down, in millimetres. Laser toner is black in near infrared too; the
inks of many inkjet printers are not. Glue the print to something flat: a sheet that bends by 2 mm spoils the result.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vultus import pictures
from vultus.types import U8

F64 = npt.NDArray[np.float64]
DPI: Final = 300
A4_MM: Final = (297.0, 210.0)
_MARGIN_MM: Final = 8.0
"""What printers leave white at the edge."""
_MARKER: Final = 0.66
"""Side of a marker in squares: large enough to be read from afar, with a rim in which a corner can be refined."""
_REFINE: Final = 0.13
"""Half the window in which a corner is refined, in squares: it ends before the markers, which begin at 0.17. Rendered cameras: the error
falls from 0.24 to 0.09 pixels with it, and rises to 0.4 with twice the window."""
_MIN_CORNERS: Final = 8
"""Corners of a ChArUco board that a view must show: twice as many as a pose needs."""


@dataclass(frozen=True, slots=True)
class Found:
    """Inner corners of a board in one picture: their numbers, int (n,), and places in pixels, float64 (n, 2)."""

    ids: npt.NDArray[np.intp]
    points: F64


@dataclass(frozen=True, slots=True)
class Board:
    """A printed board: `kind` is charuco or checkerboard; columns and rows count squares, one of them even and one odd for a checkerboard."""

    kind: str = "charuco"
    columns: int = 7
    rows: int = 5
    square_mm: float = 36.0

    def __post_init__(self) -> None:
        if self.kind not in ("charuco", "checkerboard"):
            raise ValueError(f"a board is charuco or checkerboard; got {self.kind!r}")
        if not (4 <= self.columns <= 20 and 4 <= self.rows <= 20 and 1 <= self.square_mm <= 1000):
            raise ValueError("a board has 4 to 20 columns and rows of squares of 1 to 1000 mm")
        if self.kind == "charuco" and self.columns * self.rows > 100:
            raise ValueError("a ChArUco board has at most 100 squares")
        if self.kind == "checkerboard" and (self.columns + self.rows) % 2 == 0:
            raise ValueError("a checkerboard needs an even and an odd side, or nobody can tell which way up it is")

    def points_mm(self, ids: npt.NDArray[np.intp]) -> F64:
        """Return where corners are on the board, float64 (n, 3)."""
        rows, columns = np.divmod(ids, self.columns - 1)
        return np.column_stack([(columns + 1) * self.square_mm, (rows + 1) * self.square_mm, np.zeros(len(ids))]).astype(np.float64)

    def find(self, picture: npt.NDArray[Any]) -> Found | None:
        """Return the corners of the board in an RGB or a grey picture; None when too few of them are seen."""
        grey = _grey(picture)
        found = self._find_markers(grey) if self.kind == "charuco" else self._find_squares(grey)
        return found if found is not None and len(found.ids) >= _MIN_CORNERS else None

    def _find_markers(self, grey: U8) -> Found | None:
        import cv2

        detector = cv2.aruco.CharucoDetector(self._charuco())
        found: tuple[Any, ...] = detector.detectBoard(grey)
        corners, ids = found[:2]
        if corners is None or ids is None:
            return None
        numbers, points = np.asarray(ids, np.intp).reshape(-1), np.asarray(corners, np.float32).reshape(-1, 1, 2)
        beside = np.flatnonzero((np.diff(numbers) == 1) & (numbers[1:] % (self.columns - 1) != 0))
        if len(beside):
            square_px = float(np.median(np.linalg.norm(points[beside + 1] - points[beside], axis=-1)))
            half = max(2, round(_REFINE * square_px))
            stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 1e-3)
            points = np.asarray(cv2.cornerSubPix(grey, np.ascontiguousarray(points), (half, half), (-1, -1), stop), np.float32)
        return Found(numbers, points.reshape(-1, 2).astype(np.float64))

    def _find_squares(self, grey: U8) -> Found | None:
        import cv2

        across, down = self.columns - 1, self.rows - 1
        ok, corners = cv2.findChessboardCornersSB(grey, (across, down), flags=cv2.CALIB_CB_ACCURACY | cv2.CALIB_CB_NORMALIZE_IMAGE)
        if not ok:
            return None
        points = np.asarray(corners, np.float64).reshape(down, across, 2)
        first, second = (grey[tuple(np.rint(points[:2, i : i + 2].mean((0, 1))).astype(int)[::-1])] for i in (0, 1))
        if first > second:  # the square inside the first four corners is black on the board: this one lies upside down
            points = points[::-1, ::-1]
        return Found(np.arange(across * down), points.reshape(-1, 2))

    def _charuco(self) -> Any:
        import cv2

        return cv2.aruco.CharucoBoard((self.columns, self.rows), self.square_mm, _MARKER * self.square_mm, _dictionary())

    def draw(self, square_px: int) -> U8:
        """Draw the board alone, uint8 (rows * square_px, columns * square_px), ink black on white."""
        squares = np.add.outer(np.arange(self.rows), np.arange(self.columns)) % 2
        board = np.kron(squares * 255, np.ones((square_px, square_px))).astype(np.uint8)
        if self.kind == "charuco":
            import cv2

            side = round(_MARKER * square_px)
            for number, (row, column) in enumerate(np.argwhere(squares)):
                y, x = (int(at) * square_px + (square_px - side) // 2 for at in (row, column))
                board[y : y + side, x : x + side] = cv2.aruco.generateImageMarker(_dictionary(), number, side)
        return board

    def page(self) -> U8:
        """Draw an A4 sheet, landscape, at 300 dots an inch, with the size of a square and a line of 100 mm to measure; raises ValueError."""
        square_px = round(self.square_mm / 25.4 * DPI)
        width, height = (round(mm / 25.4 * DPI) for mm in A4_MM)
        board = self.draw(square_px)
        edge = round(_MARGIN_MM / 25.4 * DPI)
        if board.shape[1] > width - 2 * edge or board.shape[0] > height - 3 * edge:
            raise ValueError(f"{self.columns} x {self.rows} squares of {self.square_mm:g} mm do not fit on A4; choose smaller ones")
        page = np.full((height, width, 3), 255, np.uint8)
        top, left = edge, (width - board.shape[1]) // 2
        page[top : top + board.shape[0], left : left + board.shape[1]] = board[..., None]
        y = top + board.shape[0] + edge
        page[y : y + 3, left : left + round(100 / 25.4 * DPI)] = 0
        pictures.draw_text(page, self._caption(square_px / DPI * 25.4), left, y + 40, (0, 0, 0), 1.0)
        return page

    def printed(self) -> Board:
        """Return the board as `page` draws it: a square is a whole number of dots."""
        return Board(self.kind, self.columns, self.rows, round(round(self.square_mm / 25.4 * DPI) / DPI * 25.4, 4))

    def write(self, path: Path) -> None:
        """Write the sheet as PNG, which states its scale, or as PDF (needs matplotlib); raises ValueError for another ending."""
        page = self.page()
        if path.suffix.lower() == ".pdf":
            self._write_pdf(path)
        elif path.suffix.lower() == ".png":
            path.write_bytes(_with_scale(pictures.encode_png(page)))
        else:
            raise ValueError(f"a board is written as .png or .pdf; got {path.name}")

    def _caption(self, square_mm: float) -> str:
        return f"{self.kind} {self.columns} x {self.rows}, squares of {square_mm:.2f} mm; this line is 100 mm: print at 100 %, measure it"

    def _write_pdf(self, path: Path) -> None:
        try:
            from matplotlib.figure import Figure
            from matplotlib.lines import Line2D
        except ImportError as problem:
            raise ValueError("a PDF needs matplotlib: pip install 'vultus[demo]', or write a .png") from problem
        width, height = (n * self.printed().square_mm for n in (self.columns, self.rows))
        left, bottom = (A4_MM[0] - width) / 2, A4_MM[1] - _MARGIN_MM - height
        figure = Figure(figsize=(A4_MM[0] / 25.4, A4_MM[1] / 25.4))
        axes = figure.add_axes((left / A4_MM[0], bottom / A4_MM[1], width / A4_MM[0], height / A4_MM[1]))
        axes.imshow(self.draw(100), cmap="gray", interpolation="none", aspect="auto")
        axes.set_axis_off()
        y = (bottom - _MARGIN_MM) / A4_MM[1]
        figure.add_artist(Line2D([left / A4_MM[0], (left + 100) / A4_MM[0]], [y, y], color="black"))
        figure.text(left / A4_MM[0], y - 0.02, self._caption(self.printed().square_mm), fontsize=9)
        figure.savefig(path, format="pdf")


def _dictionary() -> Any:
    import cv2

    return cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)


def _grey(picture: npt.NDArray[Any]) -> U8:
    """Return a picture as 8-bit grey; 16-bit infrared is brought to its own brightest hundredth."""
    if picture.ndim == 3:
        weights = np.array([0.299, 0.587, 0.114], np.float32)
        return np.rint(picture @ weights).astype(np.uint8)
    if picture.dtype == np.uint8:
        return np.ascontiguousarray(picture)
    top = max(float(np.percentile(picture, 99)), 1.0)
    return np.minimum(picture * (255.0 / top), 255).astype(np.uint8)


def _with_scale(png: bytes) -> bytes:
    """Return a PNG with the chunk that says how many dots make a metre."""
    per_metre = round(DPI / 0.0254)
    body = b"pHYs" + struct.pack(">IIB", per_metre, per_metre, 1)
    chunk = struct.pack(">I", 9) + body + struct.pack(">I", zlib.crc32(body))
    at = 8 + 12 + 13  # behind the header, before the pixels
    return png[:at] + chunk + png[at:]
