"""`vultus calibrate-camera`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vultus import settings
from vultus.cli import options
from vultus.cli.console import ExitCode, literal, paint
from vultus.cli.session import BadArgument, Session, arguments, session_of

if TYPE_CHECKING:
    from vultus.boards import Board
    from vultus.camera_views import Result, Views
    from vultus.frames import DeviceIdentity

HELP = """Find how a device's colour and NIR cameras see and stand to each other, from views of a printed board.

Print a board (--board), on a laser printer if NIR shall see it, measure a square and the line of 100 mm, and glue it to a flat plate. Show it to
the device from 20 places: near and far, at every edge of the picture, leaning by 20 to 40 degrees each way, still for a moment each time.
SOURCE is a device, a recording (replay:FILE), or a folder with pictures in rgb/ and nir/, one name for one moment.

The result says lens, distortion, the place of NIR, the reprojection error with its 95 % interval, and goes where a live device finds it by its
identity; any device takes it as calibration=FILE. Too few views, too little tilt or an error above a pixel is refused.

\b
Examples:
  vultus calibrate-camera --board board.png
  vultus calibrate-camera v4l2:/dev/v4l/by-id/... --square-mm 35.9
  vultus calibrate-camera replay:board.mcap --depth nir --json

\b
Exit code: 0 written, 2 error or refused.
"""


def calibrate_camera(
    ctx: typer.Context,
    source: Annotated[str | None, typer.Argument(metavar="SOURCE", help="Device URL or folder of pictures; default VULTUS_DEVICE.")] = None,
    board: Annotated[Path | None, typer.Option("--board", metavar="OUT", help="Write the board to print (.png, .pdf), and stop.")] = None,
    board_kind: Annotated[str, typer.Option("--board-kind", metavar="KIND", help="charuco or checkerboard.")] = "charuco",
    squares: Annotated[str, typer.Option("--squares", metavar="CxR", help="Columns and rows of squares.")] = "7x5",
    square_mm: Annotated[float, typer.Option("--square-mm", metavar="MM", help="Side of a square as measured on the print.")] = 36.0,
    views: Annotated[int, typer.Option("--views", min=10, max=200, metavar="COUNT", help="Stop after this many views.")] = 30,
    depth: Annotated[
        str, typer.Option("--depth", metavar="WHOSE", help="nir: depth comes in the NIR camera's picture; own: leave it.")
    ] = "own",
    timeout: Annotated[float, typer.Option("--timeout", min=1, max=3600, metavar="SECONDS", help="Stop looking after this.")] = 120.0,
    any_unit: Annotated[bool, typer.Option("--any-unit", help="Let the result serve every unit of the model: less exact.")] = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to write; default: where devices look.")] = None,
    json: options.Json = False,
) -> int:
    """Calibrate the cameras of a device."""
    session = session_of(ctx, json=json)
    sheet = _board(board_kind, squares, square_mm)
    if board is not None:
        return _print_board(session, sheet, board)
    if depth not in ("own", "nir"):
        raise BadArgument(f"--depth is own or nir; got {depth!r}")
    from datetime import UTC, datetime
    from importlib.metadata import version

    from vultus import camera_views

    gathered = camera_views.Views(sheet)
    where = source if source is not None and Path(source).is_dir() else session.device_url(source)
    identity = _gather(session, gathered, where, views, timeout)
    made = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "sdk": version("vultus"), "source": where}
    result = camera_views.fit(gathered, _unit(identity, any_unit=any_unit), made, depth_is_nir=depth == "nir")
    path = _write(result, out, identity)
    document = {"file": str(path), **{k: result.document[k] for k in ("device", "streams")}, "fit": _fit(result)}
    session.console.result(document, "\n".join(_lines(path, document, gathered)))
    return ExitCode.YES


def _board(kind: str, squares: str, square_mm: float) -> Board:
    from vultus.boards import Board

    count = re.fullmatch(r"(\d{1,3})x(\d{1,3})", squares)
    if count is None:
        raise BadArgument(f"--squares is written 7x5; got {squares!r}")
    with arguments():
        return Board(kind, int(count[1]), int(count[2]), square_mm)


def _print_board(session: Session, sheet: Board, out: Path) -> int:
    """Write the sheet; an existing file stays."""
    if out.exists():
        raise BadArgument(f"{out} exists: choose another name, or remove it first")
    with arguments():
        sheet.write(out)
    size = sheet.printed().square_mm
    document = {"file": str(out), "kind": sheet.kind, "squares": [sheet.columns, sheet.rows], "square_mm": size}
    text = f"{paint('green', 'wrote')} {literal(str(out))}: A4, squares of {size:.2f} mm; print at 100 %, measure, then give --square-mm"
    session.console.result(document, text)
    return ExitCode.YES


def _gather(session: Session, views: Views, where: str, wanted: int, timeout_s: float) -> DeviceIdentity:
    """Look for the board and return whose cameras were seen."""
    import time

    from vultus import camera_views
    from vultus.frames import DeviceIdentity, Source

    with session.console.guide("Views of the board", wanted) as guide:
        if Path(where).is_dir():
            with arguments():
                camera_views.from_folder(views, Path(where), guide.count)
            return DeviceIdentity("images", Path(where).resolve().name, "", Source.IMAGES)
        end = time.monotonic() + timeout_s
        with session.open_device(where, calibration="none") as camera:

            def until() -> Any:
                while (left := end - time.monotonic()) > 0:
                    try:
                        frame_set = camera.read(timeout_s=left)
                    except TimeoutError:
                        return
                    if frame_set is None:
                        return
                    yield frame_set

            camera_views.from_device(views, until(), wanted, guide.count)
            recorded: DeviceIdentity | None = getattr(camera, "recorded", None)
            return recorded if recorded is not None else camera.identity


def _unit(identity: DeviceIdentity, *, any_unit: bool) -> DeviceIdentity:
    from dataclasses import replace

    return replace(identity, serial="") if any_unit else identity


def _write(result: Result, out: Path | None, identity: DeviceIdentity) -> Path:
    """Put the file where it belongs, whole; an older one of the same device is replaced."""
    import json

    from vultus.private_files import draft

    if out is None:
        folder = settings.camera_calibration_folder()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = "-".join(x for x in (identity.kind, identity.model, identity.serial) if x)
        out = folder / f"{''.join(c if c.isalnum() or c == '-' else '_' for c in name)}.json"
    with draft(out) as path:
        path.write_text(json.dumps(result.document, indent=1), "utf-8")
        path.replace(out)
    return out


def _fit(result: Result) -> dict[str, Any]:
    from vultus.camera_views import summary

    return summary(result.lenses, result.motion)


def _lines(path: Path, document: dict[str, Any], views: Views) -> list[str]:
    lines = [f"{paint('green', 'wrote')} {literal(str(path))}"]
    for name, stream in document["streams"].items():
        fit = document["fit"].get(name)
        fx, fy, cx, cy = stream["lens"]
        lens = f"{name:<6}{stream['size'][0]} x {stream['size'][1]}, focal {fx:.1f} {fy:.1f}, centre {cx:.1f} {cy:.1f}"
        if fit is None:
            lines.append(f"{lens}, as nir")
            continue
        e, left = fit["error_px"], f", {fit['left_out']} left out" if fit["left_out"] else ""
        undone = f"bends by {fit['bend_px']:.1f} px" + (", undone in every picture" if fit["bend_px"] > 0.25 else ", left as it is")
        lines.append(f"{lens} (+- {fit['deviations_px'][0]:.1f}), {undone}")
        seen = f"{fit['views']} views{left}, {fit['coverage']:.0%} of the picture, leaning {fit['tilt_deg']:.0f} degrees"
        lines.append(f"      off by {e[0]:.2f} px ({e[1]:.2f} to {e[2]:.2f}); {seen}")
    if "nir_to_rgb" in document["fit"]:
        m = document["fit"]["nir_to_rgb"]
        e, (base, half) = m["error_px"], m["baseline_mm"]
        lines.append(
            f"nir stands {base:.2f} +- {half:.2f} mm from rgb, off by {e[0]:.2f} px ({e[1]:.2f} to {e[2]:.2f}) in {m['views']} views"
        )
    lines.append(
        f"looked at {views.tried} moments: {len(views.seen)} views, {views.moving} while the board moved, {views.alike} like an older one"
    )
    return lines
