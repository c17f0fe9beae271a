"""Exposure: how a colour or NIR picture is shown to the networks that find faces."""

from __future__ import annotations

from typing import Final, cast

import numpy as np

from vultus import _native
from vultus._native.arrays import F64
from vultus.types import F32, U8, Grey

_GREY_LEVEL: Final = 72.0
"""Level, of 255, that the light-weighted mean of a NIR picture is brought to before the display curve."""
_ROWS: Final = 120
"""Rows of a picture that are looked at for its level; every fourth of 480 gives it to a hundredth of itself at a quarter of the cost."""
_CURVE: Final[F32] = (255.0 * (np.arange(256) / 255.0) ** (1 / 2.2)).astype(np.float32)


def show(image: Grey, matrix: F64, out: F32) -> bool:
    """Warp a picture into planes (3, h, w) of 0..255, colour as B, G, R, NIR exposed for its bright parts; False for a NIR picture that is black.

    `matrix` (2, 3) takes a pixel (x, y) of the planes to a place in the picture, which is 0 outside.
    """
    if image.ndim == 3 and image.dtype == np.uint8:
        _native.warp_rgb(cast(U8, image), matrix, out, bgr=True, scale=1.0, offset=0.0)
        return True
    gain = grey_gain(image)
    if gain is None:
        return False
    _native.warp_grey(image, matrix, out, gain=gain, lut=_CURVE, scale=1.0, offset=0.0)
    return True


def grey_gain(image: Grey) -> float | None:
    """Return the gain that exposes a NIR picture for its bright parts; None for a black picture.

    The level is the light-weighted mean, sum(v^2) / sum(v): a lit face in front of a dark room sets it, the room does not.
    """
    image = image[:: max(1, len(image) // _ROWS)]
    height, width = image.shape
    top = 255 if image.dtype == np.uint8 else 65535
    sums = _native.image_sums(image, (0, 0, width, height), 0, top)
    return _GREY_LEVEL * sums.total / sums.total_squares if sums.total_squares > 0 else None
