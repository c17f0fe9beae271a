"""Which kernel each operation runs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from vultus._native.arrays import ffi, lib


def isa() -> Mapping[str, str]:
    """Return which instruction set each operation runs at present."""
    found: dict[str, str] = {}
    while (name := lib.vultus_op_name(len(found))) != ffi.NULL:
        found[ffi.string(name).decode()] = ffi.string(lib.vultus_op_isa(len(found))).decode()
    return MappingProxyType(found)


def force_isa(name: str) -> None:
    """Run no kernel above the named instruction set ("ref", "avx2", "avxvnni", "avx512", "neon"); "best" undoes it. For tests and benches.

    Raises ValueError, and changes nothing, for a name that is unknown or that this machine cannot run.
    """
    if lib.vultus_force_isa(name.encode()) != lib.VULTUS_OK:
        raise ValueError(f"no instruction set {name!r} on this machine; use best, ref or what the processor has")
