"""`vultus calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from vultus import settings
from vultus.cli import options
from vultus.cli.console import ExitCode, literal, paint
from vultus.cli.session import BadArgument, arguments, session_of

if TYPE_CHECKING:
    from vultus.evaluate.samples import DataSet
    from vultus.evaluate.setting import Setting

_EACH: Final = 60
"""Simulated presentations of each species that the vote is fitted on."""

HELP = """Calibrate a sensor of your own, from pictures of at least 20 people taken with it.

INDEX.csv names the pictures: columns person,sample,rgb,nir,nir_ambient,depth,label. Take two or more samples a person, on different days if you can. The
result holds no picture and no template: two numbers a pair of modalities, quantiles of scores, and, unless --no-whiten, the mean embedding of
each modality over all people and how a person's embeddings spread, never those of one person. Without one, NIR does not count for matching.

Embeddings are then compared where one person varies least on this sensor. On halves of 62 people of one sensor that accepts 5 to 7 more of 100 genuine
comparisons with NIR at a false-accept rate of 1e-4; the check on held-out people says whether the rate holds on yours.

With --liveness, attacks are simulated from the same people's RGB, NIR and depth, and a vote over all liveness cues is fitted to tell them
apart. It can only deny. It has seen no real attack. For a camera that has colour alone the limits of the colour cues are taken from its live
faces, and what they mean from rows of the index that are labelled as attacks, 30 or more of them.

\b
Examples:
  vultus calibrate people/index.csv --kind v4l2 --model "Brio 4K"
  vultus calibrate people/index.csv --kind v4l2 --model "Brio 4K" --liveness
  vultus sign-in --device URL --allow-extrapolation    # finds it by the device's kind and model

\b
Exit code: 0 written, 2 error.
"""


def calibrate(
    ctx: typer.Context,
    index: Annotated[Path, typer.Argument(metavar="INDEX.csv", help="The pictures, by person.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to write; default: the user's folder for calibrations.")
    ] = None,
    kind: Annotated[
        str, typer.Option("--kind", metavar="KIND", help="The device's kind, as vultus devices --device URL shows it.")
    ] = "v4l2",
    model: Annotated[str, typer.Option("--model", metavar="MODEL", help="The device's model.")] = "",
    serial: Annotated[str, typer.Option("--serial", metavar="SERIAL", help="One unit; default: every unit of the model.")] = "",
    source: Annotated[str, typer.Option("--source", metavar="SOURCE", help="live, recording, images or simulated.")] = "live",
    liveness: Annotated[
        bool, typer.Option("--liveness", help="Fit the liveness vote too; takes 20 people in rgb, nir and depth, or in rgb alone.")
    ] = False,
    whiten: Annotated[
        bool,
        typer.Option(
            "--whiten/--no-whiten", help="Compare where one person varies least on this sensor; keeps the people's mean embedding."
        ),
    ] = True,
    workers: Annotated[int, typer.Option("--workers", min=1, max=256, help="Processes that run the pipeline.")] = 1,
    json: options.Json = False,
) -> int:
    """Calibrate a sensor."""
    session = session_of(ctx, json=json)
    if not model:
        raise BadArgument(
            "--model is missing: name the sensor as vultus devices --device URL shows it, so that no other one uses the result"
        )
    from datetime import UTC, datetime

    from vultus.calibration import load
    from vultus.evaluate.device_calibration import calibrate as fit
    from vultus.evaluate.device_calibration import write_whole
    from vultus.evaluate.extraction import ShippedPipeline
    from vultus.evaluate.progress import progress_bar
    from vultus.evaluate.samples import index_samples
    from vultus.evaluate.setting import Setting
    from vultus.types import DeviceIdentity, Source

    with arguments():
        identity = DeviceIdentity(kind, model, serial, Source(source))
    base = load(session.wiring.manifest().root / "calibration")
    with progress_bar() as progress:
        setting = Setting(ShippedPipeline(), base, None, ["vultus", "calibrate"], datetime.now(UTC), workers, progress)
        data = index_samples(index)
        fitted = fit(data, identity, base, setting, whiten=whiten)
        whole = _with_vote(fitted.document, data, setting) if liveness else fitted.document
    if out is None:
        folder = settings.calibration_folder()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        out = folder / f"{kind}-{''.join(c if c.isalnum() else '_' for c in model)}.json"
    write_whole(out, whole)
    document: dict[str, Any] = {"file": str(out), "pairs": _pairs(fitted.document), "check": fitted.check, "problems": fitted.problems}
    if "vote" in whole:
        document["vote"] = {k: whole["vote"][k] for k in ("people", "live_samples", "simulated_attacks", "pass_llr", "fail_llr")}
    if "colour" in whole:
        document["colour"] = {k: whole["colour"][k] for k in ("people", "live_samples", "attacks", "pass_llr", "fail_llr")}
    session.console.result(document, "\n".join(_lines(out, document)))
    return ExitCode.YES


def _with_vote(document: dict[str, Any], data: DataSet, setting: Setting) -> dict[str, Any]:
    from vultus.evaluate.colour_calibration import calibrate_colour, colour_alone
    from vultus.evaluate.liveness_calibration import calibrate_liveness
    from vultus.fitting import seal_document

    body = {k: v for k, v in document.items() if k not in ("format", "sha256")}
    if colour_alone(data):
        return seal_document({**body, "colour": calibrate_colour(data, setting)})
    return seal_document({**body, "vote": calibrate_liveness(data, setting, _EACH)})


def _pairs(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [{k: p[k] for k in ("pair", "people", "comparisons", "genuine", "shift", "scale", "margin")} for p in document["pairs"]]


def _lines(out: Path, document: dict[str, Any]) -> list[str]:
    lines = [f"{paint('green', 'wrote')} {literal(str(out))}"]
    lines.extend(
        f"  {'-'.join(p['pair']):8}  {p['people']} people, {p['comparisons']} impostor and {p['genuine']} genuine comparisons"
        for p in document["pairs"]
    )
    for c in document["check"]:
        rate = f"{c['fmr']:.1e} ({c['false_matches']} of {c['comparisons']})"
        lines.append(f"  check on held-out people, {'-'.join(c['pair'])}: target {c['target_fmr']:g}, measured {rate}")
    if "vote" in document:
        v = document["vote"]
        lines.append(
            f"  liveness vote: {v['live_samples']} live samples of {v['people']} people, {sum(v['simulated_attacks'].values())} simulated attacks "
            f"of {len(v['simulated_attacks'])} species; passes from {v['pass_llr']:.2f} nats, fails below {v['fail_llr']:.2f}"
        )
    if "colour" in document:
        v = document["colour"]
        lines.append(
            f"  colour alone: {v['live_samples']} live samples of {v['people']} people, {sum(v['attacks'].values())} attacks; passes from "
            f"{v['pass_llr']:.2f} nats, fails below {v['fail_llr']:.2f}"
        )
    if not document["check"]:
        lines.append("  no check: it takes 40 people, 20 to fit and 20 to hold out")
    lines.extend(f"  line {p['line']}: {literal(p['message'])}" for p in document["problems"])
    return lines
