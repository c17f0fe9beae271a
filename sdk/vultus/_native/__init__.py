"""The C core as typed functions over numpy arrays.

Outputs are arrays of the caller. Nothing is copied, so an image may be a view with gaps between its rows but not between its
pixels. A wrong dtype raises TypeError, a wrong shape or layout ValueError, before any work. A rectangle is (x, y, width,
height) in pixels and lies inside its image. Calls release the interpreter lock.
"""

from vultus._native.arrays import F64, I8, I32, Rect, aligned
from vultus._native.candidates import candidates
from vultus._native.instruction_sets import force_isa, isa
from vultus._native.layers import HEAD_OUT, Layer, Layers, Sums, head, pack_depth, pack_point
from vultus._native.pixels import difference, luma, nv12_to_bgr, nv12_to_rgb, yuyv_to_bgr, yuyv_to_rgb
from vultus._native.registration import register_depth, register_through_depth
from vultus._native.stem import STEM_IN, STEM_OUT, STEM_SCRATCH, STEM_WEIGHTS, stem
from vultus._native.sums import ImageSums, StrobeSums, image_sums, strobe_sums
from vultus._native.vectors import dot_f32, dot_i8
from vultus._native.warps import warp_depth, warp_grey, warp_rgb
from vultus._native.words import read_word, write_word

__all__ = [
    "F64",
    "HEAD_OUT",
    "I8",
    "I32",
    "STEM_IN",
    "STEM_OUT",
    "STEM_SCRATCH",
    "STEM_WEIGHTS",
    "ImageSums",
    "Layer",
    "Layers",
    "Rect",
    "StrobeSums",
    "Sums",
    "aligned",
    "candidates",
    "difference",
    "dot_f32",
    "dot_i8",
    "force_isa",
    "head",
    "image_sums",
    "isa",
    "luma",
    "nv12_to_bgr",
    "nv12_to_rgb",
    "pack_depth",
    "pack_point",
    "read_word",
    "register_depth",
    "register_through_depth",
    "stem",
    "strobe_sums",
    "warp_depth",
    "warp_grey",
    "warp_rgb",
    "write_word",
    "yuyv_to_bgr",
    "yuyv_to_rgb",
]
