# What cffi builds from native/include/vultus/core.h, as far as vultus._native uses it.
from typing import Any, TypeAlias

# A cffi pointer or struct; its fields follow the header, which a stub cannot see.
_Pointer: TypeAlias = Any

class _Lib:
    VULTUS_CANDIDATES: int
    VULTUS_HEAD_OUT: int
    VULTUS_OK: int
    VULTUS_STEM_SCRATCH: int
    VULTUS_STEM_SIDE: int
    VULTUS_STEM_WEIGHTS: int
    VULTUS_UNKNOWN_ISA: int

    def vultus_status_text(self, status: int, /) -> _Pointer: ...
    def vultus_op_name(self, op: int, /) -> _Pointer: ...
    def vultus_op_isa(self, op: int, /) -> _Pointer: ...
    def vultus_force_isa(self, name: bytes, /) -> int: ...
    def vultus_warp_rgb_u8(
        self,
        src: _Pointer,
        width: int,
        height: int,
        stride: int,
        matrix: _Pointer,
        cubic: int,
        bgr: int,
        scale: float,
        offset: float,
        out: _Pointer,
        out_width: int,
        out_height: int,
        /,
    ) -> int: ...
    def vultus_warp_grey_u8(
        self,
        src: _Pointer,
        width: int,
        height: int,
        stride: int,
        matrix: _Pointer,
        cubic: int,
        gain: float,
        lut: _Pointer,
        scale: float,
        offset: float,
        out: _Pointer,
        planes: int,
        out_width: int,
        out_height: int,
        /,
    ) -> int: ...
    vultus_warp_grey_u16 = vultus_warp_grey_u8
    def vultus_warp_depth_u16(
        self,
        src: _Pointer,
        width: int,
        height: int,
        stride: int,
        matrix: _Pointer,
        out: _Pointer,
        out_width: int,
        out_height: int,
        /,
    ) -> int: ...
    def vultus_difference_u8(
        self,
        lit: _Pointer,
        lit_stride: int,
        ambient: _Pointer,
        ambient_stride: int,
        out: _Pointer,
        out_stride: int,
        width: int,
        height: int,
        /,
    ) -> int: ...
    vultus_difference_u16 = vultus_difference_u8
    def vultus_luma_u8(self, rgb: _Pointer, stride: int, out: _Pointer, out_stride: int, width: int, height: int, /) -> int: ...
    def vultus_yuyv_u8(self, src: _Pointer, stride: int, bgr: int, out: _Pointer, out_stride: int, width: int, height: int, /) -> int: ...
    def vultus_nv12_u8(
        self,
        luma: _Pointer,
        luma_stride: int,
        chroma: _Pointer,
        chroma_stride: int,
        bgr: int,
        out: _Pointer,
        out_stride: int,
        width: int,
        height: int,
        /,
    ) -> int: ...
    def vultus_image_sums_u8(
        self, src: _Pointer, width: int, height: int, stride: int, rect: _Pointer, low: int, high: int, out: _Pointer, /
    ) -> int: ...
    vultus_image_sums_u16 = vultus_image_sums_u8
    def vultus_strobe_sums_u8(
        self,
        lit: _Pointer,
        lit_stride: int,
        ambient: _Pointer,
        ambient_stride: int,
        width: int,
        height: int,
        rect: _Pointer,
        high: int,
        out: _Pointer,
        /,
    ) -> int: ...
    vultus_strobe_sums_u16 = vultus_strobe_sums_u8
    def vultus_register_depth_u16(
        self,
        src: _Pointer,
        width: int,
        height: int,
        stride: int,
        source: _Pointer,
        motion: _Pointer,
        target: _Pointer,
        out: _Pointer,
        out_stride: int,
        out_width: int,
        out_height: int,
        /,
    ) -> int: ...
    def vultus_register_through_u8(
        self,
        depth: _Pointer,
        width: int,
        height: int,
        depth_stride: int,
        view: _Pointer,
        motion: _Pointer,
        camera: _Pointer,
        src: _Pointer,
        src_stride: int,
        seen: _Pointer,
        seen_stride: int,
        src_width: int,
        src_height: int,
        slack: float,
        out: _Pointer,
        out_stride: int,
        /,
    ) -> int: ...
    vultus_register_through_u16 = vultus_register_through_u8
    def vultus_dot_f32(self, query: _Pointer, rows: _Pointer, stride: int, count: int, dim: int, out: _Pointer, /) -> int: ...
    vultus_dot_i8 = vultus_dot_f32
    def vultus_stem_f32(
        self, weights: _Pointer, count: int, planes: _Pointer, zero: int, out: _Pointer, scratch: _Pointer, room: int, /
    ) -> int: ...
    def vultus_packed_size(self, count: int, made: int, /) -> int: ...
    def vultus_pack_point(
        self,
        weights: _Pointer,
        bias: _Pointer,
        scale: _Pointer,
        slope: _Pointer,
        step: _Pointer,
        count: int,
        made: int,
        zero_in: int,
        packed: _Pointer,
        room: int,
        /,
    ) -> int: ...
    def vultus_pack_depth(
        self, weights: _Pointer, bias: _Pointer, scale: _Pointer, channels: int, zero_in: int, packed: _Pointer, room: int, /
    ) -> int: ...
    def vultus_layers_room(self, layers: _Pointer, count: int, /) -> int: ...
    def vultus_layers_u8(self, layers: _Pointer, count: int, levels: _Pointer, out: _Pointer, scratch: _Pointer, room: int, /) -> int: ...
    def vultus_head_u8(
        self, levels: _Pointer, pixels: int, channels: int, weights: _Pointer, bias: _Pointer, scale: _Pointer, out: _Pointer, /
    ) -> int: ...
    def vultus_candidates_f32(
        self, scores: _Pointer, boxes: _Pointer, count: int, least: float, overlap: float, taken: _Pointer, found: _Pointer, /
    ) -> int: ...
    def vultus_word_write(self, piece: _Pointer, size: int, number: int, pieces: int, line: _Pointer, /) -> int: ...
    def vultus_word_read(self, line: _Pointer, word: _Pointer, repaired: _Pointer, /) -> int: ...

class _Ffi:
    NULL: _Pointer

    def new(self, kind: str, init: Any = ..., /) -> _Pointer: ...
    def cast(self, kind: str, value: int, /) -> _Pointer: ...
    def string(self, pointer: _Pointer, /) -> bytes: ...
    def from_buffer(self, kind: str, data: Any, /) -> _Pointer: ...

ffi: _Ffi
lib: _Lib
