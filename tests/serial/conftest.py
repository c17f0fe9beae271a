"""The firmware core, built for this machine, and lines between it and the host that lose, change, double and delay bytes."""

from __future__ import annotations

import ctypes
import os
import pty
import random
import shutil
import subprocess
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vultus.devices.heads.frames import NIR, RGB, HeadFrame
from vultus.devices.heads.handshake import Handshake
from vultus.devices.heads.session import HostSession, Phase

HEAD_STEP_S = 0.001


def sources(repository: Path) -> list[str]:
    """Return the compiler's arguments for the core and the synthetic head."""
    folder = repository / "native" / "serial"
    files = [*sorted((folder / "src").glob("*.c")), *(folder / "host" / name for name in ("synthetic.c", "texts.c", "no_button.c"))]
    return ["-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{folder / 'include'}", f"-I{folder / 'src'}", *map(str, files)]


def pairing_sources(repository: Path) -> list[str]:
    """Return the further arguments for a synthetic head that can be paired."""
    return [*(str(repository / "native" / "serial" / "host" / name) for name in ("paired.c", "libcrypto.c", "hosts.c")), "-lcrypto"]


@pytest.fixture(scope="session")
def compiler() -> str:
    """Return the C compiler; skip without one."""
    found = shutil.which("cc") or shutil.which("gcc")
    if found is None:
        pytest.skip("no C compiler")
    return found


@pytest.fixture(scope="session")
def library(repository: Path, compiler: str, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """Return the synthetic head as a library."""
    path = tmp_path_factory.mktemp("head") / "libsynthetic.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", *sources(repository), "-o", str(path)], check=True)
    return load(path)


@pytest.fixture(scope="session")
def libcrypto(compiler: str) -> None:
    """Skip without OpenSSL's libcrypto, on which the synthetic head does its cryptography."""
    ask = [compiler, "-E", "-include", "openssl/evp.h", "-xc", "/dev/null"]
    if subprocess.run(ask, capture_output=True, check=False).returncode != 0:
        pytest.skip("no headers of OpenSSL's libcrypto (Debian: libssl-dev)")


@pytest.fixture(scope="session")
def paired_library(repository: Path, compiler: str, libcrypto: None, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """Return the synthetic head that can be paired as a library."""
    path = tmp_path_factory.mktemp("head") / "libpaired.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", *sources(repository), *pairing_sources(repository), "-o", str(path)], check=True)
    lib = load(path)
    lib.paired_attach.restype = ctypes.c_void_p
    lib.paired_attach.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    lib.paired_free.argtypes = lib.paired_hosts.argtypes = [ctypes.c_void_p]
    lib.paired_make_ready.argtypes = [ctypes.c_void_p, ctypes.c_int]
    lib.paired_hosts.restype = ctypes.c_uint
    lib.paired_count_from.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64]
    return lib


def load(path: Path) -> ctypes.CDLL:
    """Return the library at `path` with its functions typed."""
    lib = ctypes.CDLL(str(path))
    lib.synthetic_new.restype = ctypes.c_void_p
    lib.synthetic_new.argtypes = [ctypes.c_uint, ctypes.c_uint, ctypes.c_uint, ctypes.c_int]
    lib.synthetic_free.argtypes = lib.synthetic_bad.argtypes = [ctypes.c_void_p]
    lib.synthetic_bad.restype = ctypes.c_uint32
    lib.synthetic_feed.restype = lib.synthetic_step.restype = ctypes.c_size_t
    lib.synthetic_feed.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    lib.synthetic_step.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_char_p, ctypes.c_size_t]
    return lib


@pytest.fixture(scope="session")
def program(repository: Path, compiler: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the synthetic head as a program on standard input and output."""
    path = tmp_path_factory.mktemp("head") / "synthetic_head"
    main = repository / "native" / "serial" / "host" / "main.c"
    subprocess.run([compiler, "-O2", *sources(repository), str(main), "-o", str(path)], check=True)
    return path


@pytest.fixture(scope="session")
def paired_program(repository: Path, compiler: str, libcrypto: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the synthetic head as a program that can be paired."""
    path = tmp_path_factory.mktemp("head") / "paired_head"
    host = repository / "native" / "serial" / "host"
    parts = [part for part in sources(repository) if not part.endswith("no_button.c")]
    command = [compiler, "-O2", *parts, str(host / "main.c"), str(host / "button.c"), *pairing_sources(repository)]
    subprocess.run([*command, "-o", str(path)], check=True)
    return path


@pytest.fixture(autouse=True)
def own_heads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the paired heads of each test in a folder of its own, and return it."""
    monkeypatch.setenv("VULTUS_HEADS", str(tmp_path / "heads"))
    return tmp_path / "heads"


class Head:
    """The C core with computed pictures, at a time that the caller says."""

    def __init__(self, lib: ctypes.CDLL, width: int, height: int) -> None:
        self.lib, self.made = lib, lib.synthetic_new(width, height, 5, 1)
        self.buffer = ctypes.create_string_buffer(1 << 16)

    def feed(self, data: bytes) -> None:
        """Hand it bytes."""
        self.lib.synthetic_feed(self.made, data, len(data))

    def step(self, now: float, room: int) -> bytes:
        """Let it work and take what it sends."""
        size = self.lib.synthetic_step(self.made, int(now * 1e6), self.buffer, min(room, 1 << 16))
        return self.buffer[:size]

    def close(self) -> None:
        """Give its memory back."""
        self.lib.synthetic_free(self.made)


class PairedHead(Head):
    """A head that can be paired, under a key of its own; `press` is its button."""

    def __init__(self, lib: ctypes.CDLL, width: int, height: int, secret: bytes, *, insecure: bool) -> None:
        super().__init__(lib, width, height)
        self.port = lib.paired_attach(self.made, secret, int(insecure))
        assert self.port

    def press(self, ready: bool = True) -> None:
        """Make it ready to be paired, or let the time for that run out."""
        self.lib.paired_make_ready(self.port, int(ready))

    @property
    def hosts(self) -> int:
        """Return how many hosts it knows."""
        return self.lib.paired_hosts(self.port)

    def count_from(self, sent: int, highest: int) -> None:
        """Go on as if so many packets had been sent and taken."""
        self.lib.paired_count_from(self.made, sent, highest)

    def close(self) -> None:
        """Give its memory back."""
        super().close()
        self.lib.paired_free(self.port)


class DirectLine:
    """A line without a port between this program and a head, in real time; `down` and `up` change what goes over it."""

    def __init__(self, head: Head, down: Fault = bytes, up: Fault = bytes) -> None:
        self.head, self.down, self.up = head, down, up

    def read(self) -> bytes:
        """Return what the head says."""
        data = self.down(self.head.step(time.monotonic(), 1 << 16))
        if not data:
            time.sleep(0.001)
        return data

    def write(self, data: bytes) -> int:
        """Say something to the head."""
        self.head.feed(self.up(data))
        return len(data)


class PtyHead:
    """The synthetic head as a process on a pseudo-terminal, under a name that stays when it is plugged out and in again."""

    def __init__(
        self, program: Path, name: Path, width: int = 64, height: int = 48, rate: int = 60, strobe: int = 1, secret: str = ""
    ) -> None:
        self.name, self._command = name, [str(program), *map(str, (width, height, rate, strobe)), *filter(None, [secret])]
        self.process: subprocess.Popen[bytes] | None = None
        self.plug()

    def plug(self) -> None:
        """Start the process; its port appears."""
        master, slave = pty.openpty()
        tty.setraw(slave)
        self.name.unlink(missing_ok=True)
        self.name.symlink_to(os.ttyname(slave))
        self.process = subprocess.Popen(self._command, stdin=master, stdout=master)
        os.close(slave)
        os.close(master)

    def unplug(self) -> None:
        """Kill the process; its port goes away."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


Fault = Callable[[bytes], bytes]


def changing(rate: float, seed: int = 1) -> Fault:
    """Return a line that changes each byte with this probability, to any other value."""
    rng = np.random.default_rng(seed)

    def spoil(data: bytes) -> bytes:
        values = np.frombuffer(data, np.uint8).copy()
        hit = rng.random(len(values)) < rate
        values[hit] ^= rng.integers(1, 256, int(hit.sum()), dtype=np.uint8)
        return values.tobytes()

    return spoil


def losing(rate: float, seed: int = 2) -> Fault:
    """Return a line that loses each byte with this probability."""
    rng = np.random.default_rng(seed)

    def spoil(data: bytes) -> bytes:
        values = np.frombuffer(data, np.uint8)
        return values[rng.random(len(values)) >= rate].tobytes()

    return spoil


class Shuffler:
    """A line that doubles whole packets and puts them out of order."""

    def __init__(self, double: float, swap: float, seed: int = 3) -> None:
        self.rng, self.double, self.swap, self.rest, self.kept = random.Random(seed), double, swap, b"", b""

    def __call__(self, data: bytes) -> bytes:
        """Pass on what is whole."""
        *packets, self.rest = (self.rest + data).split(b"\0")
        out = b""
        for packet in packets:
            whole = packet + b"\0"
            if self.kept:
                out, self.kept = out + whole + self.kept, b""
            elif self.rng.random() < self.swap:
                self.kept = whole
            else:
                out += whole * (2 if self.rng.random() < self.double else 1)
        return out


class Line:
    """Host session and head joined by two one-way lines of a rate, in a time of their own."""

    def __init__(
        self,
        head: Head,
        byte_rate: float,
        down: Fault = bytes,
        up: Fault = bytes,
        *,
        chunk: int = 900,
        number: int = 7,
        secure: Handshake | None = None,
        coded: bool = False,
    ) -> None:
        self.head, self.byte_rate, self.down, self.up = head, byte_rate, down, up
        self.host, self.now, self.carried, self.credit = HostSession(number, secure=secure, chunk=chunk, coded=coded), 0.0, 0, 0.0
        self.waiting = b""

    def step(self) -> None:
        """Let a millisecond pass."""
        self.now += HEAD_STEP_S
        self.waiting += self.up(self.host.step(self.now))
        room = int(self.byte_rate * HEAD_STEP_S) + 1
        self.head.feed(self.waiting[:room])
        self.waiting = self.waiting[room:]
        self.credit += self.byte_rate * HEAD_STEP_S
        sent = self.head.step(self.now, int(self.credit))
        self.credit = min(self.credit - len(sent), 64.0)
        self.carried += len(sent)
        self.host.receive(self.down(sent), self.now)

    def until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Let time pass until something holds; False when it did not come in time."""
        end = self.now + seconds
        while self.now < end and self.host.phase is not Phase.FAILED:
            if done():
                return True
            self.step()
        return done()

    def stream(self, streams: int = 15, period_us: int = 0) -> None:
        """Bring the session to streaming."""
        assert self.until(lambda: self.host.phase is Phase.READY, 20), self.host.failure
        self.host.start(streams, period_us)
        assert self.until(lambda: self.host.phase is Phase.STREAMING, 5), self.host.failure


def expected(frame: HeadFrame, lit: bool = False) -> np.ndarray:
    """Compute what the synthetic head drew."""
    height, width = frame.data.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    if frame.stream == RGB:
        return (x[..., None] * 3 + y[..., None] * 5 + np.arange(3) * 85 + frame.set * 7).astype(np.uint8)
    if frame.stream == NIR:
        return ((120 if lit else 20) + (x * 7 + y * 3 + frame.set * 11) % 64).astype(np.uint8)
    return np.where((x + y + frame.set) % 16 == 0, 0, 600 + (x * 2 + y + frame.set) % 400).astype(np.uint16)


@pytest.fixture
def plugged(program: Path, tmp_path: Path):
    """Return a maker of heads on pseudo-terminals that are unplugged afterwards."""
    made: list[PtyHead] = []

    def plug(*arguments: int) -> PtyHead:
        made.append(PtyHead(program, tmp_path / f"head{len(made)}", *arguments))
        return made[-1]

    yield plug
    for one in made:
        one.unplug()


@pytest.fixture
def head(library: ctypes.CDLL):
    """Return a maker of heads that are freed afterwards."""
    made: list[Head] = []

    def make(width: int = 32, height: int = 24) -> Head:
        made.append(Head(library, width, height))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def paired_head(paired_library: ctypes.CDLL):
    """Return a maker of heads that can be paired; each has the identity of its number."""
    made: list[PairedHead] = []

    def make(number: int = 1, *, insecure: bool = False) -> PairedHead:
        made.append(PairedHead(paired_library, 32, 24, bytes([number]) * 32, insecure=insecure))
        return made[-1]

    yield make
    for one in made:
        one.close()


class Relay:
    """A line between a head on a pseudo-terminal and another one: each direction has its fault, and a rate in bytes a second."""

    def __init__(self, head: PtyHead, name: Path, down: Fault = bytes, up: Fault = bytes, byte_rate: float = 1e6) -> None:
        self.name, self.carried = name, 0
        self._faults, self._rate = (down, up), byte_rate
        self._head = os.open(head.name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._host, slave = pty.openpty()
        tty.setraw(slave)
        os.set_blocking(self._host, False)
        name.unlink(missing_ok=True)
        name.symlink_to(os.ttyname(slave))
        os.close(slave)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Cut the line."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        waiting, before, credit = [b"", b""], time.monotonic(), 0.0
        try:
            while not self._ending.is_set():
                now = time.monotonic()
                # Little is saved up: a line carries no more in a burst than it does evenly.
                credit = min(credit + (now - before) * self._rate, self._rate * 0.05)
                before = now
                down, up = self._read(self._head, hangs_up=True), self._read(self._host)
                waiting = [waiting[0] + down, waiting[1] + self._faults[1](up)]
                ready, waiting[0] = waiting[0][: int(credit)], waiting[0][int(credit) :]
                credit -= len(ready)
                self.carried += len(ready)
                self._write(self._host, self._faults[0](ready))
                waiting[1] = waiting[1][self._write(self._head, waiting[1]) :]
                time.sleep(0.002)
        except EOFError:
            pass
        finally:
            os.close(self._host)
            os.close(self._head)

    def _read(self, port: int, *, hangs_up: bool = False) -> bytes:
        """Read at most what the line carries in a few milliseconds, so that the head is held back and not buffered."""
        try:
            data = os.read(port, max(64, int(self._rate * 0.005)))
        except BlockingIOError:
            return b""
        except OSError:
            # On the host's side: nobody has the port open.
            data = b""
        if hangs_up and not data:
            raise EOFError
        return data

    def _write(self, port: int, data: bytes) -> int:
        try:
            return os.write(port, data) if data else 0
        except OSError:
            return 0


@pytest.fixture
def relay(tmp_path: Path):
    """Return a maker of lines that are cut afterwards."""
    made: list[Relay] = []

    def make(head: PtyHead, *faults: Fault, byte_rate: float = 1e6) -> Relay:
        made.append(Relay(head, tmp_path / f"line{len(made)}", *faults, byte_rate=byte_rate))
        return made[-1]

    yield make
    for one in made:
        one.close()
