"""State what a line gives: `python tests/serial/measure_rates.py` prints payload rates and frame-set latencies, in simulated time.

The firmware core and the host session are the real ones; the line between them carries so many bytes a second each way and changes each
byte with a stated probability. Time is simulated, so that the figures do not depend on the machine.
"""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
RATES = {"115200 baud": 11_520.0, "921600 baud": 92_160.0, "USB-CDC, 1 MB/s": 1e6}
"""Bytes a second: eight data bits, one start and one stop bit; full-speed USB moves about 1 MB/s in bulk."""
SET_BYTES = 320 * 240 * (3 + 1 + 1 + 2)
FRAMINGS = {"COBS, chunks of 900": (False, 900), "COBS, chunks of 34": (False, 34), "words, chunks of 900": (True, 900)}


def lines() -> ModuleType:
    """Load the lines that the tests use."""
    spec = importlib.util.spec_from_file_location("serial_lines", Path(__file__).with_name("conftest.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def latency_s(module: ModuleType, lib: ctypes.CDLL, byte_rate: float, framing: tuple[bool, int], errors: float) -> float | None:
    """Return the time from the exposure of a 320 x 240 set to its last byte; None when it does not come in four times what the line needs."""
    head = module.Head(lib, 320, 240)
    line = module.Line(head, byte_rate, module.changing(errors), module.changing(errors, 9), coded=framing[0], chunk=framing[1])
    try:
        line.stream(period_us=2**31)
        ended: list[int] = []

        def last() -> bool:
            while line.host.joiner.frames:
                frame = line.host.joiner.frames.popleft()
                if frame.last:
                    ended.append(frame.time_us)
            return bool(ended)

        # The first set: a later one waits in the head while this one is on the line.
        return line.now - ended[0] / 1e6 if line.until(last, 4 * SET_BYTES / byte_rate) else None
    except AssertionError:
        return None
    finally:
        head.close()


def share(module: ModuleType, lib: ctypes.CDLL, framing: tuple[bool, int], errors: float, seconds: float = 60) -> str:
    """Return pixels over what the line could carry in a minute, with wrong frames, of 320 x 240 sets at 921600 baud."""
    head = module.Head(lib, 320, 240)
    line = module.Line(head, 92_160.0, module.changing(errors), module.changing(errors, 9), coded=framing[0], chunk=framing[1])
    try:
        line.stream()
    except AssertionError:
        return "no session"
    began, carried = line.now, line.carried
    while line.now < began + seconds:
        line.step()
        # What has been acknowledged in order, frames in part too: a minute holds few whole sets.
        line.host.joiner.frames.clear()
    pixels = line.host.joiner._next * framing[1]
    wrong = line.host.joiner.wrong
    head.close()
    return f"{pixels / (seconds * 92_160):.3f} of the line, {wrong} wrong frames, {(line.carried - carried) / 1e6:.1f} MB carried"


def main() -> None:
    """Print both tables."""
    module = lines()
    compiler = shutil.which("cc") or "gcc"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "libsynthetic.so"
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", *module.sources(ROOT), "-o", str(path)], check=True)
        lib = module.load(path)
        for name, framing in FRAMINGS.items():
            for errors in (0.0, 0.001, 0.01, 0.02):
                print(f"payload   {name:22} {100 * errors:4.1f} % of bytes wrong: {share(module, lib, framing, errors)}", flush=True)
        for rate, byte_rate in RATES.items():
            for name, framing in FRAMINGS.items():
                for errors in (0.0, 0.01):
                    found = latency_s(module, lib, byte_rate, framing, errors)
                    text = "does not come" if found is None else f"{found:7.2f} s"
                    print(f"latency   {rate:16} {name:22} {100 * errors:4.1f} % of bytes wrong: {text}", flush=True)


if __name__ == "__main__":
    main()
