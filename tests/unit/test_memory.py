"""What one verify allocates: nothing the size of a frame."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

from vultus.bench.workload import FRESH_NS, PERSON, opened, prepare
from vultus.manifest import load_manifest

_LARGEST = 400_000
"""Bytes. The fit of bent sheets takes 368 KB for 1500 points by 15 monomials and their kept copy; nothing else exceeds 10 KB."""


def test_a_verify_copies_no_frame(tmp_path: Path) -> None:
    """At no time does a warm verify hold more new memory than the sheet fit needs: less than half of one colour frame."""
    work = prepare("simulator:astronaut?seed=1", load_manifest(), tmp_path, 2)
    assert work.frame_sets[0].rgb is not None
    assert work.frame_sets[0].rgb.data.nbytes > 2 * _LARGEST
    with opened(load_manifest(), work.store, 1) as auth:
        taken = work.taken("rgb+nir+depth", FRESH_NS)
        frame_sets = [next(taken) for _ in range(6)]
        for frame_set in frame_sets[:4]:
            assert auth.verify(frame_set, user=PERSON).accepted
        tracemalloc.start()
        try:
            for frame_set in frame_sets[4:]:
                before = tracemalloc.get_traced_memory()[0]
                tracemalloc.reset_peak()
                assert auth.verify(frame_set, user=PERSON).accepted
                assert tracemalloc.get_traced_memory()[1] - before < _LARGEST
        finally:
            tracemalloc.stop()
