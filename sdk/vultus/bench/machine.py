"""Say what a time was measured on: processor, kernels, threads, graphs, memory."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from vultus import _native
from vultus.graphs import runtime_version
from vultus.manifest import Manifest

_CPUINFO: Final = Path("/proc/cpuinfo")
_STATUS: Final = Path("/proc/self/status")


def machine(manifest: Manifest, threads: int, core: int | None) -> dict[str, Any]:
    """Describe the machine, and what of vultus runs on it."""
    kernels = _native.isa()
    return {
        "cpu": _model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "pinned_to": core,
        "threads": threads,
        "load_before": round(os.getloadavg()[0], 2),
        "kernels": dict(kernels),
        "isa": sorted(set(kernels.values())),
        "python": platform.python_version(),
        "onnxruntime": runtime_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "graphs": {e.role: {"sha256": e.sha256, "bytes": e.path.stat().st_size} for e in manifest.entries},
    }


@contextlib.contextmanager
def pinned(core: int | None) -> Iterator[int | None]:
    """Keep this thread on one core; -1 is the last that it may use, None any. Raises ValueError for a core that it may not use."""
    if core is None or not hasattr(os, "sched_setaffinity"):
        yield None
        return
    allowed = os.sched_getaffinity(0)
    chosen = max(allowed) if core == -1 else core
    if chosen not in allowed:
        raise ValueError(f"core {chosen} is not one of {sorted(allowed)}; choose one of them, or leave the choice out")
    os.sched_setaffinity(0, {chosen})
    try:
        yield chosen
    finally:
        os.sched_setaffinity(0, allowed)


def peak_mib() -> float:
    """Return the most memory that this process has held, in MiB; Linux's `ru_maxrss` would count the parent's before the program was loaded."""
    with contextlib.suppress(OSError):
        status = _STATUS.read_text(encoding="ascii")
        return next((int(line.split()[1]) / 1024.0 for line in status.splitlines() if line.startswith("VmHWM:")), 0.0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024.0 * 1024.0) if platform.system() == "Darwin" else peak / 1024.0


def _model() -> str:
    try:
        lines = _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
