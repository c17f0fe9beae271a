"""`vultus export`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vultus.cli import options
from vultus.cli.console import ExitCode, Guide, literal, paint
from vultus.cli.session import BadArgument, Cancelled, Session, session_of

if TYPE_CHECKING:
    from vultus.anonymising import Counts
    from vultus.devices.recordings.recording import Recording
    from vultus.frames import FrameSet

HELP = """Write a copy of a recording that can be given away: without faces, or without pictures.

--anonymise covers every head in every stream by the colour of its surroundings, and flattens its depth. A frame set in which no face is found,
or one is still found afterwards, is left out: the copy may have fewer. Hair, clothes, the room and the way somebody moves stay; so
may small faces beside a found one. The consent note, the device's serial and any encryption are not carried over.

--embeddings-only writes .json or .npz with embeddings and quality, and no picture. Embeddings are biometric data: they tell people apart.

\b
Examples:
  vultus export morning.mcap public.mcap --anonymise
  vultus export morning.mcap morning.npz --embeddings-only

\b
Exit code: 0 written, 1 nothing could be kept and nothing was written, 2 error.
"""


def export(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Recording to copy from.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File to write.")],
    anonymise: Annotated[bool, typer.Option("--anonymise", help="Cover faces: OUT is a recording.")] = False,
    embeddings_only: Annotated[bool, typer.Option("--embeddings-only", help="Keep no picture: OUT is .json or .npz.")] = False,
    partial: Annotated[bool, typer.Option("--partial", help="Take a recording that was cut off up to its last whole frame set.")] = False,
    key: options.RecordingKey = None,
    json: options.Json = False,
) -> int:
    """Write a copy without faces or without pictures."""
    from contextlib import closing

    from vultus.devices.recordings.recording import Recording

    session = session_of(ctx, json=json)
    if anonymise == embeddings_only:
        raise BadArgument("say what may leave: --anonymise or --embeddings-only")
    if out.exists():
        raise BadArgument(f"{out} exists: choose another name, or remove it first")
    if embeddings_only and out.suffix not in (".json", ".npz"):
        raise BadArgument(f"embeddings are written as .json or .npz; got {out.name}")
    run = _anonymise if anonymise else _embeddings
    try:
        with (
            closing(Recording(file, partial=partial, key=session.key_of(file, key))) as recording,
            session.console.guide(f"Exporting {file.name}") as guide,
        ):
            return run(session, recording, out, guide)
    except KeyboardInterrupt:
        raise Cancelled(f"cancelled, {out} was not written") from None


def _anonymise(session: Session, recording: Recording, out: Path, guide: Guide) -> int:
    from dataclasses import replace

    from vultus.anonymising import Anonymiser
    from vultus.devices.recordings.trimming import write_whole

    anonymiser = Anonymiser(session.wiring.manifest())
    device = replace(recording.recorded, serial="")
    kept = anonymiser.anonymise(recording, device)
    first = next(kept, None)
    counts = anonymiser.counts
    if first is None:
        session.console.error("export.nothing", f"no frame set of {recording.path} can be given away: {_why(counts)}")
        return ExitCode.NO
    write_whole(out, device, _counted(itertools.chain([first], kept), guide), about={"anonymised": "1"})
    document = {
        "file": str(out), "frame_sets": counts.kept, "left_out": counts.left_out, "without_face": counts.without_face,
        "not_carried": counts.not_carried, "still_seen": counts.still_seen,
    }  # fmt: skip
    left = f"; left out {counts.left_out}: {_why(counts)}" if counts.left_out else ""
    session.console.result(document, f"{paint('green', 'written')} {counts.kept} frame sets without faces to {literal(str(out))}{left}")
    return ExitCode.YES


def _counted(frame_sets: Iterable[FrameSet], guide: Guide) -> Iterator[FrameSet]:
    for number, frame_set in enumerate(frame_sets, 1):
        guide.count(number)
        yield frame_set


def _why(counts: Counts) -> str:
    """Say why frame sets were left out."""
    why = {"show no face": counts.without_face, "cannot be related": counts.not_carried, "still show one": counts.still_seen}
    return ", ".join(f"{count} {words}" for words, count in why.items() if count) or "there is none"


def _embeddings(session: Session, recording: Recording, out: Path, guide: Guide) -> int:
    from vultus.calibration import load
    from vultus.embedding_export import WARNING, export_embeddings
    from vultus.pipeline import Pipeline

    del guide
    manifest = session.wiring.manifest()
    pipeline = Pipeline(manifest, load(manifest.root / "calibration").limits)
    done = export_embeddings(recording, recording.recorded, pipeline, out)
    session.console.warn(WARNING)
    document = {
        "file": str(out),
        "frame_sets": done.frame_sets,
        "with_face": done.with_face,
        "embeddings": done.embeddings,
        "warning": WARNING,
    }
    text = f"{paint('green', 'written')} {done.embeddings} embeddings of {done.with_face} from {done.frame_sets} frame sets to {literal(str(out))}"
    session.console.result(document, text)
    return ExitCode.YES
