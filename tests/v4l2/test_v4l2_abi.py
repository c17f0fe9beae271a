"""The structures that are written down are those of the kernel's own header."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import subprocess
import sys
import termios
from pathlib import Path

import numpy as np
import pytest
from fake_kernel import CALLS

from vultus.devices.v4l2 import abi
from vultus.devices.v4l2.kernel import Kernel

STRUCTURES = {
    "Capability": ("v4l2_capability", ["card", "bus_info", "capabilities", "device_caps"]),
    "FormatDescription": ("v4l2_fmtdesc", ["type", "description", "pixelformat"]),
    "Format": ("v4l2_format", ["fmt"]),
    "PixelFormat": ("v4l2_pix_format", ["height", "pixelformat", "bytesperline", "sizeimage", "xfer_func"]),
    "MetaFormat": ("v4l2_meta_format", ["buffersize"]),
    "FrameSizes": ("v4l2_frmsizeenum", ["pixel_format", "type", ("size", "discrete"), "reserved"]),
    "FrameIntervals": ("v4l2_frmivalenum", ["width", "type", ("interval", "discrete"), "reserved"]),
    "StreamParameters": ("v4l2_streamparm", [("capability", "parm.capture.capability"), ("numerator", "parm.capture.timeperframe.numerator")]),
    "BufferRequest": ("v4l2_requestbuffers", ["type", "memory", "flags"]),
    "Buffer": (
        "v4l2_buffer",
        ["bytesused", "flags", ("seconds", "timestamp.tv_sec"), ("microseconds", "timestamp.tv_usec"),
         "timecode", "sequence", "memory", ("offset", "m"), "length", "request_fd"],
    ),
    "ControlDescription": ("v4l2_queryctrl", ["name", "minimum", "default_value", "flags"]),
    "ControlValue": ("v4l2_control", ["value"]),
    "ExtensionQuery": ("uvc_xu_control_query", ["selector", "query", "size", "data"]),
}  # fmt: skip
REQUESTS = {name: f"VIDIOC_{name}" for name in CALLS} | {"CTRL_QUERY": "UVCIOC_CTRL_QUERY"}
NUMBERS = {
    "VIDEO": "V4L2_BUF_TYPE_VIDEO_CAPTURE", "META": "V4L2_BUF_TYPE_META_CAPTURE", "MMAP": "V4L2_MEMORY_MMAP",
    "CAP_VIDEO_CAPTURE": "V4L2_CAP_VIDEO_CAPTURE", "CAP_META_CAPTURE": "V4L2_CAP_META_CAPTURE", "CAP_STREAMING": "V4L2_CAP_STREAMING",
    "CAP_DEVICE_CAPS": "V4L2_CAP_DEVICE_CAPS", "BUF_ERROR": "V4L2_BUF_FLAG_ERROR", "BUF_TIME_MASK": "V4L2_BUF_FLAG_TIMESTAMP_MASK",
    "BUF_TIME_MONOTONIC": "V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC", "BUF_SOURCE_MASK": "V4L2_BUF_FLAG_TSTAMP_SRC_MASK",
    "BUF_SOURCE_START_OF_EXPOSURE": "V4L2_BUF_FLAG_TSTAMP_SRC_SOE", "SIZE_DISCRETE": "V4L2_FRMSIZE_TYPE_DISCRETE",
    "CTRL_NEXT": "V4L2_CTRL_FLAG_NEXT_CTRL", "CTRL_DISABLED": "V4L2_CTRL_FLAG_DISABLED", "CTRL_READ_ONLY": "V4L2_CTRL_FLAG_READ_ONLY",
    "CTRL_WRITE_ONLY": "V4L2_CTRL_FLAG_WRITE_ONLY", "CTRL_CLASS": "V4L2_CTRL_TYPE_CTRL_CLASS", "SET_CUR": "UVC_SET_CUR", "GET_CUR": "UVC_GET_CUR",
    "GET_MAX": "UVC_GET_MAX", "GET_LEN": "UVC_GET_LEN", "GET_INFO": "UVC_GET_INFO", "GET_DEF": "UVC_GET_DEF",
}  # fmt: skip


@pytest.mark.skipif(not Path("/usr/include/linux/videodev2.h").is_file(), reason="the kernel's headers are not installed")
def test_sizes_offsets_and_numbers_are_the_headers_own(tmp_path: Path) -> None:
    """Every structure, member, request and constant agrees with linux/videodev2.h and linux/uvcvideo.h as the C compiler reads them."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    lines, expected = [], {}
    for name, (real, members) in STRUCTURES.items():
        mine = getattr(abi, name)
        lines.append(f'printf("{name} %llu\\n", (unsigned long long)sizeof(struct {real}));')
        expected[name] = ctypes.sizeof(mine)
        for member in members:
            own, theirs = member if isinstance(member, tuple) else (member, member)
            lines.append(f'printf("{name}.{own} %llu\\n", (unsigned long long)offsetof(struct {real}, {theirs}));')
            expected[f"{name}.{own}"] = getattr(mine, own).offset
    for name, real in (REQUESTS | NUMBERS).items():
        lines.append(f'printf("{name} %llu\\n", (unsigned long long)(unsigned int){real});')
        expected[name] = getattr(abi, name)
    includes = ["<stddef.h>", "<stdio.h>", "<linux/videodev2.h>", "<linux/uvcvideo.h>", "<linux/usb/video.h>"]
    source = tmp_path / "abi.c"
    source.write_text("\n".join([*(f"#include {i}" for i in includes), "int main(void) {", *lines, "return 0; }"]))
    subprocess.run([compiler, "-std=gnu11", "-o", tmp_path / "abi", source], check=True)
    out = subprocess.run([tmp_path / "abi"], check=True, capture_output=True, text=True).stdout
    assert {a: int(b) for a, b in (line.split() for line in out.splitlines())} == expected
    assert len(expected) > 80


def test_four_characters_there_and_back() -> None:
    """A format's name becomes its number and comes back; a number that is no name shows as dots."""
    assert abi.fourcc("YUYV") == 0x56595559
    assert [abi.fourcc_text(abi.fourcc(n)) for n in ("GREY", "Y8I", "Z16", "UVCM")] == ["GREY", "Y8I", "Z16", "UVCM"]
    assert abi.fourcc_text(0x01020304) == "...."


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="poll, eventfd and these requests are Linux's")
def test_the_real_kernel_layer_waits_asks_and_maps(tmp_path: Path) -> None:
    """On real file descriptors, wait returns the one that is ready or none in time, ioctl fills its argument, and a mapping shares memory."""
    kernel = Kernel()
    quiet, loud = os.pipe(), os.pipe()
    try:
        assert kernel.wait([quiet[0], loud[0]], 0.01) == []
        os.write(loud[1], b"12345")
        assert kernel.wait([quiet[0], loud[0]], 5) == [loud[0]]
        count = ctypes.c_int()
        kernel.ioctl(loud[0], termios.FIONREAD, count)
        assert count.value == 5
        with pytest.raises(OSError, match="ioctl"):
            kernel.ioctl(loud[0], abi.QUERYCAP, abi.Capability())
        os.close(quiet[1])
        assert kernel.wait([quiet[0]], 5) == [quiet[0]], "a hang-up must wake the reader"
    finally:
        for fd in (quiet[0], *loud):
            os.close(fd)
    path = tmp_path / "memory"
    path.write_bytes(bytes(8192))
    fd = kernel.open(path)
    assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    mapped = kernel.map(fd, 4096, 4096)
    view = np.frombuffer(mapped, np.uint8)
    path.write_bytes(bytes(4096) + b"\x07" * 4096)
    assert view[0] == 7
    del view
    mapped.close()
    kernel.close(fd)
