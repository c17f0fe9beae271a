"""Fuzz the parsers that take bytes from outside: `python tests/fuzz/run.py [TARGET ...] --count 100000 --seed 7`.

Each input is a valid one after a few changes; inputs that are still accepted become seeds in turn. A finding is anything that is raised
beyond what the parser says it raises, a run longer than a second of processor time, and memory beyond the limit. Its input is kept
in --keep. Exit code: 0 nothing found, 1 something.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import targets

LIMIT_S = 1.0
MEMORY = 1 << 30
"""Bytes beyond what the process has when a target is ready. The largest picture that is accepted takes 192 MiB, a chunk 257 MiB, and
each may exist twice for a moment."""
POOL = 64


def virtual_bytes() -> int:
    """Return the address space in use."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def fuzz(name: str, count: int, seconds: float, seed: int, keep: Path) -> dict[str, object]:
    """Run one target and return what came of it."""
    rng = random.Random(f"{name} {seed}")
    with tempfile.TemporaryDirectory(dir=_memory_folder()) as folder:
        target = targets.make(name, Path(folder))
        for data in target.seeds:
            target.run(data)
        warnings.simplefilter("error")  # an overflow that numpy only warns of is a finding too
        resource.setrlimit(resource.RLIMIT_AS, (virtual_bytes() + MEMORY, resource.RLIM_INFINITY))
        pool = list(target.seeds)
        findings: list[str] = []
        done = accepted = 0
        slowest, start = 0.0, time.monotonic()
        while done < count and time.monotonic() - start < seconds and len(findings) < 20:
            data = target.mutate(rng.choice(pool), rng)
            before = time.process_time()
            problem = ""
            try:
                target.run(data)
                accepted += 1
                if data and len(data) < 1 << 16 and rng.random() < 0.05:
                    pool[len(pool) % POOL :] = [data] if len(pool) < POOL else pool[len(pool) % POOL :]
                    if len(pool) >= POOL:
                        pool[rng.randrange(len(target.seeds), POOL)] = data
            except target.allowed:
                pass
            except Exception:  # noqa: BLE001 - whatever else is raised is what is looked for
                problem = traceback.format_exc()
            took = time.process_time() - before
            slowest = max(slowest, took)
            if not problem and took > LIMIT_S:
                problem = f"took {took:.2f} s of processor time"
            if problem:
                findings.append(problem)
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)
            done += 1
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return {
        "target": name,
        "iterations": done,
        "accepted": accepted,
        "findings": findings,
        "slowest_ms": round(1e3 * slowest, 1),
        "seconds": round(time.monotonic() - start, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }


def _memory_folder() -> str | None:
    """Return a folder in memory where there is one: a million small files need no disk."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a fresh folder is made in it


def main() -> int:
    """Run the targets that the command line names, all without one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("target", nargs="*", help=", ".join(targets.names()))
    parser.add_argument("--count", type=int, default=10_000, help="inputs a target; default 10000")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop a target after this time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="where inputs that found something go")
    options = parser.parse_args()
    unknown = set(options.target) - set(targets.names())
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(targets.names())}")
    found = 0
    for name in options.target or targets.names():
        result = fuzz(name, options.count, options.seconds, options.seed, options.keep)
        found += len(result["findings"])  # type: ignore[arg-type] - a list
        print(json.dumps(result), flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
