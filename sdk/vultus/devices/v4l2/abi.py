"""State the part of Linux's video ABI that the SDK uses: structures of linux/videodev2.h and linux/uvcvideo.h, and their request numbers.

Written down with ctypes rather than read from a header, so that installing needs no kernel headers; a test compiles a C program against the
real header and compares every size, offset and number. They hold for 64-bit Linux on x86 and Arm.
"""

from __future__ import annotations

import ctypes
from ctypes import c_char, c_int32, c_int64, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p
from typing import Final

VIDEO: Final = 1
META: Final = 13
MMAP: Final = 1
CAP_VIDEO_CAPTURE: Final = 0x00000001
CAP_META_CAPTURE: Final = 0x00800000
CAP_STREAMING: Final = 0x04000000
CAP_DEVICE_CAPS: Final = 0x80000000
BUF_ERROR: Final = 0x40
BUF_TIME_MASK: Final = 0xE000
BUF_TIME_MONOTONIC: Final = 0x2000
BUF_SOURCE_MASK: Final = 0x70000
BUF_SOURCE_START_OF_EXPOSURE: Final = 0x10000
SIZE_DISCRETE: Final = 1
CTRL_NEXT: Final = 0x80000000
CTRL_DISABLED: Final = 0x0001
CTRL_READ_ONLY: Final = 0x0004
CTRL_WRITE_ONLY: Final = 0x0040
CTRL_CLASS: Final = 6
# UVC 1.5 table A-8.
SET_CUR: Final = 0x01
GET_CUR: Final = 0x81
GET_MAX: Final = 0x83
GET_LEN: Final = 0x85
GET_INFO: Final = 0x86
GET_DEF: Final = 0x87


class Capability(ctypes.Structure):
    """What a node says about itself (v4l2_capability)."""

    _fields_ = (
        ("driver", c_char * 16),
        ("card", c_char * 32),
        ("bus_info", c_char * 32),
        ("version", c_uint32),
        ("capabilities", c_uint32),
        ("device_caps", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class FormatDescription(ctypes.Structure):
    """One format in a list (v4l2_fmtdesc)."""

    _fields_ = (
        ("index", c_uint32),
        ("type", c_uint32),
        ("flags", c_uint32),
        ("description", c_char * 32),
        ("pixelformat", c_uint32),
        ("mbus_code", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class PixelFormat(ctypes.Structure):
    """A picture's layout (v4l2_pix_format)."""

    _fields_ = tuple(
        (name, c_uint32)
        for name in (
            "width",
            "height",
            "pixelformat",
            "field",
            "bytesperline",
            "sizeimage",
            "colorspace",
            "priv",
            "flags",
            "ycbcr_enc",
            "quantization",
            "xfer_func",
        )
    )


class MetaFormat(ctypes.Structure):
    """A metadata buffer's layout (v4l2_meta_format)."""

    _fields_ = (("dataformat", c_uint32), ("buffersize", c_uint32))


class FormatUnion(ctypes.Union):
    """The union in v4l2_format; `align` stands for the pointers in the members that are not used."""

    _fields_ = (("pix", PixelFormat), ("meta", MetaFormat), ("raw", c_uint8 * 200), ("align", c_void_p))


class Format(ctypes.Structure):
    """A node's format (v4l2_format)."""

    _fields_ = (("type", c_uint32), ("fmt", FormatUnion))


class FrameSizes(ctypes.Structure):
    """One size, or a range of sizes, in a list (v4l2_frmsizeenum); a discrete size stands in the first two of `size`."""

    _fields_ = (
        ("index", c_uint32),
        ("pixel_format", c_uint32),
        ("type", c_uint32),
        ("size", c_uint32 * 6),
        ("reserved", c_uint32 * 2),
    )


class FrameIntervals(ctypes.Structure):
    """One frame interval, or a range, in a list (v4l2_frmivalenum); numerator and denominator of the first stand first."""

    _fields_ = (
        ("index", c_uint32),
        ("pixel_format", c_uint32),
        ("width", c_uint32),
        ("height", c_uint32),
        ("type", c_uint32),
        ("interval", c_uint32 * 6),
        ("reserved", c_uint32 * 2),
    )


class StreamParameters(ctypes.Structure):
    """The frame interval in force (v4l2_streamparm with v4l2_captureparm)."""

    _fields_ = (
        ("type", c_uint32),
        ("capability", c_uint32),
        ("capturemode", c_uint32),
        ("numerator", c_uint32),
        ("denominator", c_uint32),
        ("rest", c_uint8 * 184),
    )


class BufferRequest(ctypes.Structure):
    """How many buffers (v4l2_requestbuffers)."""

    _fields_ = (
        ("count", c_uint32),
        ("type", c_uint32),
        ("memory", c_uint32),
        ("capabilities", c_uint32),
        ("flags", c_uint8),
        ("reserved", c_uint8 * 3),
    )


class Buffer(ctypes.Structure):
    """One buffer (v4l2_buffer); `offset` is the union's member for mapped memory."""

    _fields_ = (
        ("index", c_uint32),
        ("type", c_uint32),
        ("bytesused", c_uint32),
        ("flags", c_uint32),
        ("field", c_uint32),
        ("seconds", c_int64),
        ("microseconds", c_int64),
        ("timecode", c_uint8 * 16),
        ("sequence", c_uint32),
        ("memory", c_uint32),
        ("offset", c_uint64),
        ("length", c_uint32),
        ("reserved2", c_uint32),
        ("request_fd", c_int32),
    )


class ControlDescription(ctypes.Structure):
    """A control's name and range (v4l2_queryctrl)."""

    _fields_ = (
        ("id", c_uint32),
        ("type", c_uint32),
        ("name", c_char * 32),
        ("minimum", c_int32),
        ("maximum", c_int32),
        ("step", c_int32),
        ("default_value", c_int32),
        ("flags", c_uint32),
        ("reserved", c_uint32 * 2),
    )


class ControlValue(ctypes.Structure):
    """A control's value (v4l2_control)."""

    _fields_ = (("id", c_uint32), ("value", c_int32))


class ExtensionQuery(ctypes.Structure):
    """One request to a UVC extension unit (uvc_xu_control_query)."""

    _fields_ = (("unit", c_uint8), ("selector", c_uint8), ("query", c_uint8), ("size", c_uint16), ("data", c_void_p))


def _request(direction: int, group: str, number: int, size: int) -> int:
    """Number a request as asm-generic/ioctl.h does; direction 1 = write, 2 = read, 3 = both."""
    return direction << 30 | size << 16 | ord(group) << 8 | number


QUERYCAP: Final = _request(2, "V", 0, ctypes.sizeof(Capability))
ENUM_FMT: Final = _request(3, "V", 2, ctypes.sizeof(FormatDescription))
S_FMT: Final = _request(3, "V", 5, ctypes.sizeof(Format))
REQBUFS: Final = _request(3, "V", 8, ctypes.sizeof(BufferRequest))
QUERYBUF: Final = _request(3, "V", 9, ctypes.sizeof(Buffer))
QBUF: Final = _request(3, "V", 15, ctypes.sizeof(Buffer))
DQBUF: Final = _request(3, "V", 17, ctypes.sizeof(Buffer))
STREAMON: Final = _request(1, "V", 18, 4)
STREAMOFF: Final = _request(1, "V", 19, 4)
S_PARM: Final = _request(3, "V", 22, ctypes.sizeof(StreamParameters))
G_CTRL: Final = _request(3, "V", 27, ctypes.sizeof(ControlValue))
S_CTRL: Final = _request(3, "V", 28, ctypes.sizeof(ControlValue))
QUERYCTRL: Final = _request(3, "V", 36, ctypes.sizeof(ControlDescription))
ENUM_FRAMESIZES: Final = _request(3, "V", 74, ctypes.sizeof(FrameSizes))
ENUM_FRAMEINTERVALS: Final = _request(3, "V", 75, ctypes.sizeof(FrameIntervals))
CTRL_QUERY: Final = _request(3, "u", 0x21, ctypes.sizeof(ExtensionQuery))


def fourcc(text: str) -> int:
    """Return the number of a format's four characters; shorter names end in spaces."""
    return int.from_bytes(text.ljust(4).encode("ascii"), "little")


def fourcc_text(number: int) -> str:
    """Return the four characters of a format without trailing spaces; what is no printable ASCII becomes a dot."""
    return "".join(chr(b) if 32 <= b < 127 else "." for b in number.to_bytes(4, "little")).rstrip()
