"""A pipeline for tests whose recogniser reads colours: a picture's mean colour is its face, so that the truth of every score is known."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from multiprocessing import parent_process
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from vultus.frames import FrameSet, Stream
from vultus.types import Cue, Embedding, Liveness, Modality, Verdict

GRAPH = "ab" * 32
CALLS = "calls.txt"


@dataclass
class ColourPipeline:
    """Embeds the mean colour; black is no face, and blue above 200 fails liveness."""

    log: Path | None = None
    fail_after: int | None = None
    calls: int = 0
    mortal: bool = False

    def process(self, frame_set: FrameSet) -> Any:
        """Return a probe; `fail_after` calls it is interrupted as by Ctrl-C, or a worker process ended as by the system."""
        self.calls += 1
        if self.fail_after is not None and self.calls > self.fail_after:
            if self.mortal and parent_process() is not None:
                os._exit(9)
            raise KeyboardInterrupt
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(f"{frame_set.sequence}\n")
        return probe_of(frame_set)


def probe_of(frame_set: FrameSet) -> Any:
    """Return what the pipeline finds in a frame set."""
    embeddings, found, states = {}, {}, {}
    for stream, modality in ((Stream.RGB, Modality.RGB), (Stream.NIR, Modality.NIR)):
        frame = getattr(frame_set, stream.value)
        if frame is None or not frame.data.any():
            states[stream.value] = "missing" if frame is None else "rejected: no_face"
            continue
        data = frame.data if frame.data.ndim == 3 else np.repeat(frame.data[..., None], 3, axis=2)
        colour = np.concatenate([data.reshape(-1, 3).mean(0) - 100.0, data[::4, ::4].reshape(-1)[:29].astype(float) - 100.0]).astype(
            np.float32
        )
        embeddings[modality] = Embedding(modality, colour / np.float32(np.linalg.norm(colour)), GRAPH)
        height, width = data.shape[:2]
        marks = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32) * np.array([width, height], np.float32)
        found[stream] = SimpleNamespace(box=(2.0, 2.0, width - 4.0, height - 4.0), landmarks=marks, score=0.9)
        states[stream.value] = "used"
    liveness = None
    if found:
        blue = float(frame_set.rgb.data[..., 2].mean()) if frame_set.rgb is not None else 0.0
        verdict = Verdict.FAIL if blue > 200 else Verdict.PASS
        liveness = Liveness(verdict, (Cue("blueness", -blue, "levels", -200.0, verdict),))
    return SimpleNamespace(
        faces=int(bool(found)), quality=None, liveness=liveness, embeddings=embeddings, hints=(), modalities=states, found=found
    )


@dataclass(frozen=True)
class ColourMaker:
    """Makes the pipeline, here or in a worker process."""

    log: Path | None = None
    fail_after: int | None = None
    gate: bool = True
    graph: str = field(default=GRAPH)
    mortal: bool = False

    def __call__(self) -> ColourPipeline:
        """Return a new pipeline."""
        fails = self.fail_after if not self.mortal or parent_process() is not None else None
        return ColourPipeline(self.log, fails, mortal=self.mortal)

    def graphs(self) -> dict[str, str]:
        """Return the graph that the cache keys on."""
        return {"recogniser": self.graph}


def colour_of(person: str) -> np.ndarray:
    """Return a person's colour pattern, the same every time."""
    seed = int.from_bytes(hashlib.sha256(person.encode()).digest()[:4], "little")
    return np.random.default_rng(seed).integers(30, 170, (8, 8, 3))
