"""Bytes that a camera sends are read whatever they are; `python tests/v4l2/test_fuzz_bytes.py 1000000` tries as many of each kind."""

from __future__ import annotations

import random
import struct
import sys
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from fake_kernel import descriptors

from vultus.devices.v4l2.metadata import illuminated
from vultus.devices.v4l2.uvc_units import MICROSOFT, extension_units

UNITS = [
    {"interface": 0, "unit": 3, "guid": str(uuid.UUID(int=7)), "selectors": [1, 20]},
    {"interface": 2, "unit": 14, "guid": str(MICROSOFT), "selectors": [6, 9]},
]
NODES = [{"interface": 0}, {"interface": 2}]
SEED_DESCRIPTORS = descriptors({"usb": {"vendor": "1", "product": "2"}, "nodes": NODES, "extension_units": UNITS})
ITEM = struct.pack("<IIII", 6, 16, 1, 0)
SEED_METADATA = b"".join(struct.pack("<QHBB", 1, 2, 12 + len(p), 0x8C) + bytes(10) + p for p in (ITEM[:7], ITEM[7:], b""))


def mangled(seed: bytes, rng: random.Random) -> bytes:
    """Change, cut, double or drop some bytes, or make them up."""
    data = bytearray(seed if rng.random() < 0.9 else rng.randbytes(rng.randrange(200)))
    for _ in range(rng.randrange(4)):
        if not data:
            break
        at = rng.randrange(len(data))
        kind = rng.randrange(4)
        if kind == 0:
            data[at] = rng.choice((0, 1, 255, rng.randrange(256)))
        elif kind == 1:
            del data[at:]
        elif kind == 2:
            data[at:at] = data[at : at + rng.randrange(40)]
        else:
            del data[at : at + rng.randrange(40)]
    return bytes(data)


def fuzz(count: int) -> tuple[int, int]:
    """Read as many mangled buffers of each kind; return how many gave units and how many stated the illumination."""
    rng = random.Random(11)
    units = stated = 0
    for _ in range(count):
        found = extension_units(mangled(SEED_DESCRIPTORS, rng))
        assert all(0 <= u.unit < 256 and all(s > 0 for s in u.selectors) for u in found)
        units += bool(found)
        answer = illuminated(mangled(SEED_METADATA, rng))
        assert answer in (True, False, None)
        stated += answer is not None
    return units, stated


def test_mangled_bytes_are_read_without_an_error() -> None:
    """Mangled descriptors and metadata give units, a statement or nothing, never an error."""
    units, stated = fuzz(3000)
    assert units > 300
    assert stated > 300


if __name__ == "__main__":
    print(fuzz(int(sys.argv[1])))
