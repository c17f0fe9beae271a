"""A kernel with video cameras that do not exist, described by JSON files: the driver's own code runs against it, ioctl by ioctl.

The descriptions in `cameras/` were written from public documents (data sheets, lsusb listings in bug reports, Microsoft's and the kernel's
documentation). None was recorded on hardware.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import struct
import time
import uuid
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vultus.devices.v4l2 import abi
from vultus.devices.v4l2.kernel import Kernel

HERE = Path(__file__).resolve().parent
LATENCY_NS = 4_000_000


def refuse(number: int) -> OSError:
    """Make the kernel's refusal."""
    return OSError(number, os.strerror(number))


class Memory(bytearray):
    """One mapped buffer; `unmap` is told when it is closed."""

    unmap = staticmethod(lambda memory: None)

    def close(self) -> None:
        """Unmap it."""
        self.unmap(self)


class FakeNode:
    """One node with its format, buffers and clock."""

    def __init__(self, camera: FakeCamera, about: dict, kernel: FakeKernel) -> None:
        self.camera, self.about, self.kernel = camera, about, kernel
        self.path = kernel.dev / f"video{about['number']}"
        self.kind = abi.META if about.get("kind") == "meta" else abi.VIDEO
        self.formats = {
            f: {tuple(map(int, s.split("x"))): rates for s, rates in sizes.items()} for f, sizes in about.get("formats", {}).items()
        }
        self.format, self.size, self.rate = next(((f, *next(iter(s.items()))) for f, s in self.formats.items()), ("", (0, 0), [0]))
        self.rate = self.rate[0]
        self.controls = {c["id"]: dict(c) for c in about.get("controls", [])}
        self.buffers: list[Memory] = []
        self.queued: deque[int] = deque()
        self.done: deque[tuple[int, int, int, int, int]] = deque()
        self.streaming, self.number, self.began = False, 0, 0
        self.busy = False
        self.damage: set[int] = set()
        self.meta: FakeNode | None = None
        self.statements = ""

    @property
    def bytes_a_frame(self) -> int:
        """Return the size of a buffer."""
        width, height = self.size
        return {"YUYV": 2.0, "NV12": 1.5, "MJPG": 2.0, "GREY": 1.0, "Y8I": 2.0, "Y16": 2.0, "Z16": 2.0}.get(
            self.format, 0
        ) * width * height or 1024

    @property
    def load(self) -> float:
        """Return the bytes a second that the node needs of the bus while it streams."""
        return self.bytes_a_frame * self.rate * (0.1 if self.format == "MJPG" else 1) if self.streaming and self.kind == abi.VIDEO else 0

    def due(self) -> int:
        """Return when the next frame arrives."""
        return self.began + round((self.number + 1) * 1e9 / self.rate) + LATENCY_NS

    def fill(self) -> None:
        """Put every frame that is due into a buffer, or drop it where there is none."""
        if not self.streaming or self.kind == abi.META:
            return
        while self.due() <= self.kernel.now:
            taken = self.due() - LATENCY_NS
            number, self.number = self.number, self.number + 1
            if self.camera.silent(self):
                continue
            if self.queued:
                index = self.queued.popleft()
                data = self.camera.picture(self, number)
                self.buffers[index][: len(data)] = data
                self.done.append((index, len(data), taken, number, abi.BUF_ERROR if number in self.damage else 0))
            if self.meta is not None and self.meta.streaming and self.meta.queued:
                index = self.meta.queued.popleft()
                data = self.camera.statement(self, number)
                self.meta.buffers[index][: len(data)] = data
                self.meta.done.append((index, len(data), taken, number, 0))

    def ready(self) -> bool:
        """Say whether a buffer can be taken."""
        self.fill()
        if self.kind == abi.META:
            for node in self.camera.nodes:
                node.fill()
        return bool(self.done)


class FakeCamera:
    """One camera: its description, what its light does, and the extension controls that it has."""

    def __init__(self, about: dict, kernel: FakeKernel) -> None:
        self.about, self.kernel = about, kernel
        self.plugged = True
        self.light = about.get("light", "steady")
        self.quiet: set[int] = set()
        self.units = {
            tuple(map(int, k.split(":"))): {n: v if isinstance(v, int) else bytes(v) for n, v in c.items()}
            for k, c in about.get("extension_controls", {}).items()
        }
        self.nodes = [FakeNode(self, n, kernel) for n in about["nodes"]]
        for node in self.nodes:
            if "metadata_of" in node.about:
                next(n for n in self.nodes if n.about["number"] == node.about["metadata_of"]).meta = node

    def silent(self, node: FakeNode) -> bool:
        """Say whether a node gives nothing at present."""
        return node.about["number"] in self.quiet

    def lit(self, number: int) -> bool:
        """Say whether the illuminator is on for a frame."""
        light = self.light
        if light == "face-authentication":
            mode = next((c["cur"][2] for (_, s), c in self.units.items() if s == 6), 1)
            light = "alternating" if mode in (2, 3) else "dark"
        if light == "torch":
            mode = next((c["cur"][0] for (_, s), c in self.units.items() if s == 10), 1)
            light = {2: "steady", 4: "alternating"}.get(mode, "dark")
        return light == "steady" or (light == "alternating" and number % 2 == 1)

    def picture(self, node: FakeNode, number: int) -> bytes:
        """Draw a frame: no two are equal."""
        width, height = node.size
        noise = self.kernel.noise(number, node)
        level = 120 if self.lit(number) else 40
        if node.format == "MJPG":
            return self.kernel.jpeg(width, height, 60 + number % 16)
        if node.format == "YUYV":
            picture = np.full((height, width, 2), 128, np.uint8)
            picture[..., 0] = 100 + noise
            return picture.tobytes()
        if node.format == "NV12":
            return (100 + noise).tobytes() + np.full((height // 2, width), 128, np.uint8).tobytes()
        if node.format == "GREY":
            return (level + noise).tobytes()
        if node.format == "Y8I":
            return np.stack([level + noise, np.full_like(noise, 7)], axis=-1).tobytes()
        if node.format == "Y16":
            return ((level + noise).astype("<u2") * 257).tobytes()
        return (600 + noise.astype("<u2")).tobytes()

    def statement(self, node: FakeNode, number: int) -> bytes:
        """Write a metadata buffer: two payload headers with time stamps, the illumination in pieces over both, as the firmware is free to do."""
        item = struct.pack("<IIII", 6, 16, int(self.lit(number)), 0) if node.meta.statements else b""
        parts = []
        for piece in (item[:9], item[9:]):
            length = 12 + len(piece)
            parts.append(struct.pack("<QHBB", number, number % 2048, length, 0x8C | number % 2) + bytes(10) + piece)
        return b"".join(parts)

    def folder(self) -> Path:
        """Return where its USB device, or its only device, lies in sysfs."""
        place = {"pci": "pci0000:00/0000:00:14.0/usb3", "dummy_hcd": "platform/dummy_hcd.0/usb3", "soc": "platform/soc/fe801000.csi"}
        base = self.kernel.sys / "devices" / place[self.about["host"]]
        return base / self.about["usb"]["port"] if "usb" in self.about else base


class FakeKernel(Kernel):
    """A machine with the cameras of some descriptions; `unplug` and `plug` play the cable.

    Its clock moves when somebody waits, from frame to frame, so that tests neither wait for frames nor depend on how busy this machine is.
    """

    def __init__(self, root: Path, *names: str) -> None:
        self.sys, self.dev, self.proc = root / "sys", root / "dev", root / "proc"
        self.proc.mkdir(parents=True)
        self.now = time.monotonic_ns()
        self._noise: dict = {}
        self._jpegs: dict = {}
        self.files: dict[int, FakeNode] = {}
        self.dead: set[int] = set()
        self.maps: list[Memory] = []
        self.requests: list[tuple[str, int, int, int]] = []
        self.sets: list[tuple[str, int]] = []
        self.cameras = [FakeCamera(json.loads((HERE / "cameras" / f"{n}.json").read_text("utf-8")), self) for n in names]
        for camera in self.cameras:
            self._write_sysfs(camera)

    # The calls of the driver.

    def now_ns(self) -> int:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += round(seconds * 1e9)

    def open(self, path: Path) -> int:
        node = next((n for c in self.cameras for n in c.nodes if n.path == Path(path).resolve()), None)
        if node is None or not node.camera.plugged:
            raise refuse(errno.ENOENT)
        fd = 1000 + len(self.files) + len(self.dead)
        while fd in self.files or fd in self.dead:
            fd += 1
        self.files[fd] = node
        return fd

    def close(self, fd: int) -> None:
        if fd in self.dead:
            self.dead.remove(fd)
            return
        node = self.files.pop(fd)
        if node not in self.files.values():
            node.streaming = False
            for control in node.camera.units.values():
                if control.get("resets"):
                    control["cur"] = control["def"]

    def map(self, fd: int, length: int, offset: int) -> Memory:
        memory = self.files[fd].buffers[offset // 4096]
        assert length == len(memory)
        self.maps.append(memory)
        memory.unmap = lambda m: self.maps.__delitem__(next(i for i, known in enumerate(self.maps) if known is m))
        return memory

    def wait(self, fds: Sequence[int], seconds: float) -> list[int]:
        def ready() -> list[int]:
            return [fd for fd in fds if fd in self.dead or self.files[fd].ready()]

        if found := ready():
            return found
        nodes = {self.files[fd] for fd in fds}
        coming = [n.due() for n in nodes if n.streaming and n.kind == abi.VIDEO and not n.camera.silent(n)]
        if coming and min(coming) <= self.now + seconds * 1e9:
            self.now = max(self.now, min(coming))
            return ready()
        # Nothing comes: this wait is a real one, so that the reader's deadlines pass.
        time.sleep(seconds)
        self.now += round(seconds * 1e9)
        return ready()

    def ioctl(self, fd: int, request: int, argument) -> None:
        if fd in self.dead or not self.files[fd].camera.plugged:
            raise refuse(errno.ENODEV)
        name = next(n for n in CALLS if getattr(abi, n) == request)
        getattr(self, f"_{name.lower()}")(self.files[fd], argument)

    # What the test does.

    def unplug(self, camera: FakeCamera | None = None) -> None:
        """Pull the cable."""
        camera = camera or self.cameras[0]
        camera.plugged = False
        for fd in [fd for fd, node in self.files.items() if node.camera is camera]:
            self.files.pop(fd).streaming = False
            self.dead.add(fd)

    def plug(self, camera: FakeCamera | None = None) -> None:
        """Put the cable back."""
        (camera or self.cameras[0]).plugged = True

    def node(self, number: int) -> FakeNode:
        """Return a node by its number."""
        return next(n for c in self.cameras for n in c.nodes if n.about["number"] == number)

    def clean(self) -> bool:
        """Say whether everything was let go of."""
        return not (self.files or self.dead or self.maps)

    def noise(self, number: int, node: FakeNode) -> np.ndarray:
        """Return one of sixteen small pictures of noise."""
        key = (number % 16, node.size)
        if key not in self._noise:
            self._noise[key] = np.random.default_rng(key[0]).integers(0, 6, (node.size[1], node.size[0]), np.uint8)
        return self._noise[key]

    def jpeg(self, width: int, height: int, level: int) -> bytes:
        """Return a compressed grey picture."""
        import cv2

        key = (width, height, level)
        if key not in self._jpegs:
            self._jpegs[key] = cv2.imencode(".jpg", np.full((height, width, 3), level, np.uint8))[1].tobytes()
        return self._jpegs[key]

    # The requests.

    def _querycap(self, node: FakeNode, out) -> None:
        camera = node.camera.about
        out.driver, out.card = camera["driver"].encode(), node.about["card"].encode()
        out.bus_info = camera["bus_info"].encode()
        out.device_caps = abi.CAP_STREAMING | (abi.CAP_META_CAPTURE if node.kind == abi.META else abi.CAP_VIDEO_CAPTURE)
        out.capabilities = abi.CAP_DEVICE_CAPS | abi.CAP_STREAMING | abi.CAP_META_CAPTURE | abi.CAP_VIDEO_CAPTURE

    def _enum_fmt(self, node: FakeNode, out) -> None:
        names = node.about.get("meta", []) if node.kind == abi.META else list(node.formats)
        if out.type != node.kind or out.index >= len(names):
            raise refuse(errno.EINVAL)
        out.pixelformat = abi.fourcc(names[out.index])

    def _enum_framesizes(self, node: FakeNode, out) -> None:
        sizes = list(node.formats.get(abi.fourcc_text(out.pixel_format), {}))
        if node.about.get("stepwise") and out.index == 0 and sizes:
            out.type, out.size[:] = 3, (16, 1920, 2, 16, 1080, 2)
        elif out.index < len(sizes) and not node.about.get("stepwise"):
            out.type, out.size[0], out.size[1] = abi.SIZE_DISCRETE, *sizes[out.index]
        else:
            raise refuse(errno.EINVAL)

    def _enum_frameintervals(self, node: FakeNode, out) -> None:
        if node.about.get("stepwise"):
            if out.index:
                raise refuse(errno.EINVAL)
            out.type, out.interval[:] = 2, (1, 60, 1, 1, 1, 1)
            return
        rates = node.formats[abi.fourcc_text(out.pixel_format)].get((out.width, out.height), [])
        if out.index >= len(rates):
            raise refuse(errno.EINVAL)
        out.type, out.interval[0], out.interval[1] = abi.SIZE_DISCRETE, 1, rates[out.index]

    def _s_fmt(self, node: FakeNode, out) -> None:
        if node.busy:
            raise refuse(errno.EBUSY)
        if node.kind == abi.META:
            wanted = abi.fourcc_text(out.fmt.meta.dataformat)
            node.statements = wanted if wanted == "UVCM" and not node.about.get("mute") else ""
            out.fmt.meta.dataformat = abi.fourcc(wanted if wanted in node.about["meta"] else node.about["meta"][0])
            out.fmt.meta.buffersize = 1024
            return
        pix, name = out.fmt.pix, abi.fourcc_text(out.fmt.pix.pixelformat)
        node.format = name if name in node.formats else next(iter(node.formats))
        sizes = node.formats[node.format]
        stepped = node.about.get("stepwise") or (pix.width, pix.height) in sizes
        node.size = (pix.width, pix.height) if stepped else min(sizes, key=lambda s: abs(s[0] - pix.width))
        pix.width, pix.height, pix.pixelformat = *node.size, abi.fourcc(node.format)
        pix.bytesperline, pix.sizeimage = 0, int(node.bytes_a_frame)

    def _s_parm(self, node: FakeNode, out) -> None:
        rates = node.formats[node.format].get(node.size, [30])
        node.rate = min(rates, key=lambda r: abs(r - out.denominator / max(1, out.numerator)))
        out.numerator, out.denominator = 1, node.rate

    def _reqbufs(self, node: FakeNode, out) -> None:
        if node.busy:
            raise refuse(errno.EBUSY)
        node.buffers = [Memory(int(node.bytes_a_frame)) for _ in range(out.count)]
        node.queued.clear()
        node.done.clear()

    def _querybuf(self, node: FakeNode, out) -> None:
        out.length, out.offset = len(node.buffers[out.index]), out.index * 4096

    def _qbuf(self, node: FakeNode, out) -> None:
        assert out.index not in node.queued
        node.fill()
        node.queued.append(out.index)

    def _dqbuf(self, node: FakeNode, out) -> None:
        if not node.ready():
            raise refuse(errno.EAGAIN)
        out.index, out.bytesused, taken, out.sequence, flags = node.done.popleft()
        out.seconds, out.microseconds = taken // 1_000_000_000, taken % 1_000_000_000 // 1000
        out.flags = flags | node.about.get("stamp", abi.BUF_TIME_MONOTONIC | abi.BUF_SOURCE_START_OF_EXPOSURE)

    def _streamon(self, node: FakeNode, out) -> None:
        node.streaming, node.number, node.began = True, 0, self.now_ns()
        if sum(n.load for n in node.camera.nodes) > node.camera.about.get("bandwidth", 1e12):
            node.streaming = False
            raise refuse(errno.ENOSPC)

    def _streamoff(self, node: FakeNode, out) -> None:
        node.streaming = False

    def _queryctrl(self, node: FakeNode, out) -> None:
        wanted = out.id & ~abi.CTRL_NEXT
        found = next((c for i, c in sorted(node.controls.items()) if i > wanted), None)
        if found is None:
            raise refuse(errno.EINVAL)
        out.id, out.type, out.name = found["id"], found.get("type", 1), found["name"].encode()
        out.minimum, out.maximum, out.step, out.default_value = found["min"], found["max"], found.get("step", 1), found["default"]
        out.flags = found.get("flags", 0)

    def _g_ctrl(self, node: FakeNode, out) -> None:
        out.value = node.controls[out.id].get("value", node.controls[out.id]["default"])

    def _s_ctrl(self, node: FakeNode, out) -> None:
        node.controls[out.id]["value"] = out.value
        self.sets.append((node.controls[out.id]["name"], out.value))

    def _ctrl_query(self, node: FakeNode, out) -> None:
        self.requests.append((node.path.name, out.unit, out.selector, out.query))
        control = node.camera.units.get((out.unit, out.selector))
        if control is None or control.get("refuses"):
            raise refuse(errno.ENOENT)
        size = len(control["cur"])
        if out.query == abi.SET_CUR:
            assert out.size == size
            control["cur"] = ctypes.string_at(out.data, size)
            return
        answers = {abi.GET_LEN: size.to_bytes(2, "little"), abi.GET_INFO: bytes([control.get("info", 3)])}
        answers |= {abi.GET_CUR: control["cur"], abi.GET_MAX: control["max"], abi.GET_DEF: control["def"]}
        ctypes.memmove(out.data, answers[out.query], out.size)

    def _write_sysfs(self, camera: FakeCamera) -> None:
        about, nodes = camera.about, camera.nodes
        (self.sys / "class" / "video4linux").mkdir(parents=True, exist_ok=True)
        for kind in ("by-id", "by-path"):
            (self.dev / "v4l" / kind).mkdir(parents=True, exist_ok=True)
        parents: dict[int, Path] = {}
        for node in nodes:
            interface = node.about.get("interface", 0)
            if about["host"] == "none":
                entry = self.sys / "devices" / "virtual" / "video4linux" / node.path.name
            else:
                base = camera.folder()
                parent = base / f"{base.name}:1.{interface}" if "usb" in about else base
                parents[interface] = parent
                entry = parent / "video4linux" / node.path.name
            entry.mkdir(parents=True)
            (entry / "name").write_text(node.about["card"] + "\n")
            (entry / "index").write_text(f"{node.about['index']}\n")
            if about["host"] != "none":
                (entry / "device").symlink_to(parents[interface])
                (parents[interface] / "bInterfaceNumber").write_text(f"{interface:02x}\n")
            (self.sys / "class" / "video4linux" / node.path.name).symlink_to(entry)
            node.path.write_bytes(b"")
            for kind, stem in about.get("links", {}).items():
                (self.dev / "v4l" / kind / f"{stem}-video-index{node.about['index']}-{interface}").symlink_to(node.path)
        if about["host"] == "pci":
            (self.sys / "bus" / "pci").mkdir(parents=True, exist_ok=True)
            subsystem = self.sys / "devices" / "pci0000:00" / "0000:00:14.0" / "subsystem"
            if not subsystem.is_symlink():
                subsystem.symlink_to(self.sys / "bus" / "pci")
        if about["host"] == "soc":
            (camera.folder() / "of_node").mkdir()
        if "usb" in about:
            usb = about["usb"]
            for name, key in (
                ("idVendor", "vendor"),
                ("idProduct", "product"),
                ("serial", "serial"),
                ("product", "title"),
                ("speed", "speed"),
            ):
                if usb.get(key):
                    (camera.folder() / name).write_text(f"{usb[key]}\n")
            (camera.folder() / "descriptors").write_bytes(descriptors(about))


CALLS = (
    "QUERYCAP", "ENUM_FMT", "S_FMT", "REQBUFS", "QUERYBUF", "QBUF", "DQBUF", "STREAMON", "STREAMOFF", "S_PARM", "G_CTRL", "S_CTRL", "QUERYCTRL",
    "ENUM_FRAMESIZES", "ENUM_FRAMEINTERVALS", "CTRL_QUERY",
)  # fmt: skip


def descriptors(about: dict) -> bytes:
    """Write a camera's USB descriptors: device, configuration, a video control interface and its extension units for each function."""
    usb = about["usb"]
    out = struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x0200, 0xEF, 2, 1, 64, int(usb["vendor"], 16), int(usb["product"], 16), 0x0100, 1, 2, 3, 1)
    out += bytes((9, 2, 0, 0, 2, 1, 0, 0x80, 250))
    for interface in sorted({n.get("interface", 0) for n in about["nodes"]}):
        out += bytes((9, 4, interface, 0, 1, 0x0E, 1, 1, 0))
        for unit in about.get("extension_units", []):
            if unit["interface"] == interface:
                bits = sum(1 << (s - 1) for s in unit["selectors"]).to_bytes(3, "little")
                body = (
                    bytes((0x24, 6, unit["unit"]))
                    + uuid.UUID(unit["guid"]).bytes_le
                    + bytes((len(unit["selectors"]), 1, 3, 3))
                    + bits
                    + b"\0"
                )
                out += bytes((len(body) + 1,)) + body
        out += bytes((9, 4, interface + 1, 0, 0, 0x0E, 2, 1, 0))
    return out
