"""Command line of the evaluation: `vultus evaluate match | lfw | pad | attacks | system`, to be mounted on the main one."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from vultus.evaluate.setting import Outcome, Setting

HELP = "Measure the SDK on a data set of yours: error rates with intervals, as text, JSON and one HTML page."

_CORES: Final = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)

app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)

Index = Annotated[Path, typer.Argument(metavar="INDEX.csv", help="Columns person,sample,rgb,nir,nir_ambient,depth,label and your own.")]
Json = Annotated[Path | None, typer.Option("--json", metavar="OUT", help="Write the JSON document to a file; - is standard output.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="OUT", help="Write the report page.")]
Workers = Annotated[int, typer.Option("--workers", min=1, max=256, help="Processes that run the pipeline; default: one a core.")]
Cache = Annotated[Path | None, typer.Option("--cache", metavar="FILE", help="Feature cache; default: in the user's cache folder.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Keep no features: they are biometric data.")]
Gate = Annotated[bool, typer.Option("--gate/--no-gate", help="Refuse faces of too poor quality, as a sign-in does, or compare them all.")]
Models = Annotated[Path | None, typer.Option("--models", metavar="DIR", help="Graphs and calibration; default: the installed ones.")]
Device = Annotated[Path | None, typer.Option("--calibration", metavar="FILE", help="A sensor's own calibration.")]
Corrupt = Annotated[bool, typer.Option("--corrupt", help="Spoil the probes in eight ways at five strengths each.")]
CorruptProbes = Annotated[int, typer.Option("--corrupt-probes", min=1, metavar="N", help="How many probes to spoil.")]
Faces = Annotated[bool, typer.Option("--faces", help="Show the worst errors as pictures in the page. They are people's faces.")]
Side = Annotated[str, typer.Option(metavar="rgb|nir|fused", help="What this side of a comparison is made of.")]
Tries = Annotated[int, typer.Option("--tries", min=1, max=100, help="Frame sets of one transaction.")]
MaxTurn = Annotated[
    float | None, typer.Option("--max-turn", min=0, max=90, metavar="DEG", help="Leave out heads turned farther, by their landmarks.")
]
HeldOut = Annotated[
    int,
    typer.Option(
        "--held-out", min=0, max=100, metavar="N", help="Split the people in halves N times, each judged by the other's calibration."
    ),
]
Folds = Annotated[
    int,
    typer.Option(
        "--folds", min=0, max=100, metavar="K", help="Split the people in K parts, every two judged by the calibration of all the others."
    ),
]
Fusion = Annotated[
    str | None, typer.Option("--fusion", metavar="joint|merge|mean", help="How RGB and NIR are judged together; needs people held out.")
]
Whiten = Annotated[bool, typer.Option("--whiten", help="Compare in a space fitted on other people of the set; needs people held out.")]
Where = Annotated[str | None, typer.Option(metavar="COLUMN=VALUE", help="Take only these rows for this side.")]


@app.command("match", short_help="Compare samples of an index.")
def match(
    index: Index,
    reference: Side = "rgb",
    probe: Side = "rgb",
    pairs: Annotated[Path | None, typer.Option("--pairs", metavar="FILE", help="CSV of the pairs to compare; default: all.")] = None,
    group: Annotated[str | None, typer.Option("--group", metavar="COLUMN", help="Error rates by the values of a column.")] = None,
    reference_where: Where = None,
    probe_where: Where = None,
    gate: Gate = True,
    corrupt: Corrupt = False,
    corrupt_probes: CorruptProbes = 300,
    max_turn: MaxTurn = None,
    held_out: HeldOut = 0,
    folds: Folds = 0,
    fusion: Fusion = None,
    whiten: Whiten = False,
    json_out: Json = None,
    html: Html = None,
    faces: Faces = False,
    workers: Workers = _CORES,
    cache: Cache = None,
    no_cache: NoCache = False,
    models: Models = None,
    calibration: Device = None,
) -> None:
    """Compare every sample of an index with every other, or a list of pairs."""
    from vultus.evaluate.match import MatchOptions, run_match
    from vultus.evaluate.samples import index_samples

    options = MatchOptions(
        reference, probe, pairs, group, reference_where, probe_where, corrupt, corrupt_probes, max_turn, held_out, folds, fusion, whiten
    )
    with _setting(models, calibration, cache, no_cache, workers, gate) as setting:
        _write(lambda: run_match(index_samples(index), options, setting), json_out, html, faces)


@app.command("lfw", short_help="The LFW protocol and all its pairs.")
def lfw(
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="LFW's folder, with its pairs.txt.")],
    gate: Gate = False,
    corrupt: Corrupt = False,
    corrupt_probes: CorruptProbes = 300,
    json_out: Json = None,
    html: Html = None,
    faces: Faces = False,
    workers: Workers = _CORES,
    cache: Cache = None,
    no_cache: NoCache = False,
    models: Models = None,
    calibration: Device = None,
) -> None:
    """Run the 6000 pairs of LFW in ten folds, and all pairs of its pictures; the protocol compares every face, so the gate is off."""
    from vultus.evaluate.lfw import run_lfw
    from vultus.evaluate.samples import lfw_samples

    with _setting(models, calibration, cache, no_cache, workers, gate) as setting:
        _write(lambda: run_lfw(lfw_samples(root), setting, corrupt=corrupt, corrupt_probes=corrupt_probes), json_out, html, faces)


@app.command("pad", short_help="Attack detection, by species.")
def pad(
    index: Index,
    ablate: Annotated[bool, typer.Option("--ablate", help="Judge again without each cue in turn.")] = False,
    corrupt: Annotated[
        bool, typer.Option("--corrupt", help="Spoil bona fide triplets too: sun, a dim lamp, dark skin, glasses ...")
    ] = False,
    corrupt_probes: CorruptProbes = 300,
    group: Annotated[str | None, typer.Option("--group", metavar="COLUMN", help="BPCER by the values of a column.")] = None,
    json_out: Json = None,
    html: Html = None,
    workers: Workers = _CORES,
    cache: Cache = None,
    no_cache: NoCache = False,
    models: Models = None,
    calibration: Device = None,
) -> None:
    """Run the liveness gates on every sample; the label says bona_fide or names a species of attack."""
    from vultus.evaluate.presentation import PadOptions, run_pad
    from vultus.evaluate.samples import index_samples

    options = PadOptions(ablate, corrupt_probes if corrupt else 0, group)
    with _setting(models, calibration, cache, no_cache, workers) as setting:
        _write(lambda: run_pad(index_samples(index), setting, options), json_out, html)


@app.command("attacks", short_help="Simulated attacks, by species.")
def attacks(
    index: Index,
    each: Annotated[int, typer.Option("--each", min=1, help="Presentations of each species.")] = 500,
    seed: Annotated[int, typer.Option("--seed", min=0, help="What the attacks are drawn from.")] = 1,
    tier: Annotated[str, typer.Option("--tier", metavar="TIER", help="secure, standard or convenience.")] = "secure",
    fitted: Annotated[
        bool, typer.Option("--fitted", help="Add the vote of a liveness calibration, fitted on other people and species.")
    ] = False,
    ablate: Annotated[bool, typer.Option("--ablate", help="Judge again without each cue in turn; takes --fitted.")] = False,
    corrupt: Annotated[
        bool, typer.Option("--corrupt", help="Spoil bona fide triplets too: sun, a dim lamp, dark skin, glasses ...")
    ] = False,
    corrupt_probes: CorruptProbes = 300,
    group: Annotated[str | None, typer.Option("--group", metavar="COLUMN", help="BPCER by the values of a column.")] = None,
    json_out: Json = None,
    html: Html = None,
    workers: Workers = _CORES,
    models: Models = None,
    calibration: Device = None,
) -> None:
    """Simulate attacks from an index's registered RGB + NIR + depth and judge them by a tier's cues; no certificate."""
    from vultus.evaluate.samples import index_samples
    from vultus.evaluate.simulated import SimulationOptions, run_simulated
    from vultus.policy import Tier

    with _refusing():
        options = SimulationOptions(each, seed, Tier(tier), fitted, ablate, corrupt_probes if corrupt else 0, group)
    with _setting(models, calibration, None, True, workers) as setting:
        _write(lambda: run_simulated(index_samples(index), options, setting), json_out, html)


@app.command("system", short_help="Whole transactions.")
def system(
    index: Index,
    enrol_where: Annotated[
        str | None, typer.Option(metavar="COLUMN=VALUE", help="Rows to enrol with; default: each person's first.")
    ] = None,
    probe_where: Where = None,
    tries: Tries = 1,
    impostors: Annotated[
        int | None, typer.Option("--impostors", min=0, help="Wrong names that each transaction claims; default: all.")
    ] = None,
    target_fmr: Annotated[float, typer.Option("--target-fmr", metavar="RATE", help="False-match rate to stay below.")] = 1e-4,
    tier: Annotated[str, typer.Option("--tier", metavar="TIER", help="secure, standard or convenience.")] = "secure",
    json_out: Json = None,
    html: Html = None,
    models: Models = None,
    calibration: Device = None,
) -> None:
    """Enrol everybody, then let everybody and every attack try; one process, so that the times mean something."""
    from vultus.evaluate.samples import index_samples
    from vultus.evaluate.system import SystemOptions, run_system, shipped_authenticator

    with _refusing():
        options = SystemOptions(enrol_where, probe_where, tries, impostors, target_fmr, tier)
    with (
        _setting(models, calibration, None, True, 1) as setting,
        _refusing(),
        shipped_authenticator(options, models, (calibration,) if calibration is not None else ()) as authenticator,
    ):
        _write(lambda: run_system(index_samples(index), options, setting, authenticator), json_out, html)


@contextmanager
def _setting(
    models: Path | None, calibration: Path | None, cache: Path | None, no_cache: bool, workers: int, gate: bool = True
) -> Iterator[Setting]:
    """Put together what every protocol needs."""
    from contextlib import nullcontext
    from datetime import UTC, datetime

    from vultus.evaluate.cache import FeatureCache, default_path
    from vultus.evaluate.calibrated import load_calibration
    from vultus.evaluate.extraction import ShippedPipeline
    from vultus.evaluate.progress import progress_bar
    from vultus.evaluate.setting import Setting

    arguments = ["vultus", *sys.argv[1:]]
    with progress_bar() as progress, nullcontext() if no_cache else FeatureCache(cache or default_path()) as held:
        yield Setting(
            ShippedPipeline(models, gate), load_calibration(models, calibration), held, arguments, datetime.now(UTC), workers, progress
        )


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn what a layer below says about an argument into a message about the command line."""
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _write(run: Callable[[], Outcome], json_out: Path | None, html: Path | None, faces: bool = False) -> None:
    """Run a protocol, write what was asked for, and print the tables unless standard output is the document."""
    if faces and html is None:
        raise typer.BadParameter("--faces needs --html: pictures go into the page")
    with _refusing():
        outcome = run()
    from vultus.evaluate.report.text import render_text

    document: dict[str, Any] = outcome.document
    if html is not None:
        from vultus.evaluate.report.page import render_page

        html.write_text(render_page(document, outcome.worst if faces else None), encoding="utf-8")
    text = json.dumps(document, allow_nan=False, indent=1)
    if json_out == Path("-"):
        print(text)
        return
    if json_out is not None:
        json_out.write_text(text + "\n", encoding="utf-8")
    print(render_text(document), end="")
