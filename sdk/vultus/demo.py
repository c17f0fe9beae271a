"""Demonstrate the main job on two public-domain portraits: enrol one person, then let everybody and every attack try.

The sensors and the attacks are simulated, and every line of output says so.
"""

from __future__ import annotations

import json as json_
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from vultus import pictures
from vultus.authenticator import Authenticator
from vultus.devices import open_device
from vultus.errors import VultusError
from vultus.policy import Policy
from vultus.store import TemplateStore
from vultus.types import U8, Decision, FrameSet, Outcome, Source

PERSON: Final = "eileen"
NOTE: Final = "Sensors and attacks are simulated from two public-domain portraits; real figures are in the README."
_TILE: Final = (240, 180)
_SHOWN_MM: Final = 250.0
"""Depth range of a tile, from the nearest point on: a head and its shoulders."""
_GREEN, _RED, _AMBER = (40, 150, 60), (190, 50, 40), (190, 130, 20)


@dataclass(frozen=True, slots=True)
class Case:
    """One attempt: `url` options of the simulator, and whether it should be accepted."""

    name: str
    url: str
    genuine: bool = False


CASES: Final = (
    Case("same person", "simulator:astronaut?seed=11", genuine=True),
    Case("same person, head turned", "simulator:astronaut?seed=12&yaw=14&pitch=5", genuine=True),
    Case("same person, dim warm light", "simulator:astronaut?seed=13&light=0.15&distance_mm=600", genuine=True),
    Case("same person, dark room (NIR)", "simulator:astronaut?seed=14&light=0", genuine=True),
    Case("another person", "simulator:grace_hopper?seed=15"),
    Case("another person, dark room", "simulator:grace_hopper?seed=16&light=0"),
    Case("flat print", "simulator:astronaut?seed=17&scene=flat_print"),
    Case("tilted print", "simulator:astronaut?seed=18&scene=tilted_print"),
    Case("bent print", "simulator:astronaut?seed=19&scene=bent_print"),
    Case("screen replay", "simulator:astronaut?seed=20&scene=screen_replay"),
    Case("nobody", "simulator:astronaut?seed=21&scene=no_face"),
    Case("two faces", "simulator:astronaut?seed=22&scene=two_faces"),
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one case ended; `right` says whether it ended as it should."""

    case: Case
    decision: Decision
    frame_set: FrameSet

    @property
    def right(self) -> bool:
        """A genuine case is accepted, and nothing else is."""
        return self.decision.accepted == self.case.genuine


def attempts(auth: Authenticator) -> Iterator[Attempt]:
    """Enrol the person and yield every case as it is decided; raises VultusError when the enrolment fails."""
    with open_device("simulator:astronaut?seed=1") as camera:
        result = auth.enroll(PERSON, camera)
    if not result.enrolled:
        raise VultusError(f"the simulated enrolment ended with {result.reason}; run 'vultus doctor'")
    for case in CASES:
        with open_device(case.url) as camera:
            frame_set = camera.read()
        if frame_set is None:
            raise VultusError(f"the simulator gave nothing for {case.name}; run 'vultus doctor'")
        yield Attempt(case, auth.verify(frame_set, user=PERSON), frame_set)


def run(sheet: Path | None, *, json: bool) -> int:
    """Run every case, print a table or one JSON document, write the contact sheet; return 0 when every case ended as it should."""
    policy = Policy(sources=frozenset({Source.SIMULATED}), max_failures=len(CASES) + 1, max_spoofs=len(CASES) + 1)
    with (
        tempfile.TemporaryDirectory(prefix="vultus-demo-") as folder,
        TemplateStore.open(Path(folder) / "templates.db") as store,
        Authenticator(store=store, policy=policy) as auth,
    ):
        if not json:
            print(NOTE, file=sys.stderr)
        done = []
        for attempt in attempts(auth):
            done.append(attempt)
            if sys.stderr.isatty() and not json:
                print(f"\r{len(done)} of {len(CASES)}", end="\r", file=sys.stderr, flush=True)
    if sheet is not None:
        sheet.write_bytes(pictures.encode_png(contact_sheet(done)))
    if json:
        print(json_.dumps(_document(done, policy), allow_nan=False))
    else:
        _print_table(done, policy)
        if sheet is not None:
            print(f"Contact sheet: {sheet}")
    return 0 if all(a.right for a in done) else 1


def _document(done: list[Attempt], policy: Policy) -> dict[str, Any]:
    cases = [{"case": a.case.name, "genuine": a.case.genuine, "right": a.right, "decision": a.decision.to_dict()} for a in done]
    return {"simulated": True, "note": NOTE, "target_fmr": policy.target_fmr, "right": all(a.right for a in done), "cases": cases}


def _figures(decision: Decision) -> tuple[str, str]:
    """Return the false-match rate and the cue that decided, or the relief where none failed."""
    rate = f"{decision.match.fmr:.0e}" if decision.match is not None else "-"
    cues = decision.liveness.cues if decision.liveness is not None else ()
    shown = next((c for c in cues if c.verdict.value == "fail"), next((c for c in cues if c.name == "depth_relief"), None))
    if shown is None or shown.value is None:
        return rate, "-" if shown is None else f"{shown.name} -"
    sign = ">=" if shown.verdict.value == "pass" else "<"
    return rate, f"{shown.name} {shown.value:.2f} {sign} {shown.limit:g}" + (f" {shown.unit}" if len(shown.unit) < 4 else "")


def _print_table(done: list[Attempt], policy: Policy) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"vultus demo (simulated), target false-match rate {policy.target_fmr:g}", title_justify="left")
    for heading in ("attempt", "outcome", "reason", "FMR", "liveness", "ms", ""):
        table.add_column(heading, justify="right" if heading in ("FMR", "ms") else "left", no_wrap=heading != "liveness")
    colours = {Outcome.ACCEPT: "green", Outcome.REJECT: "red", Outcome.UNDECIDED: "yellow"}
    for a in done:
        rate, cue = _figures(a.decision)
        outcome = f"[{colours[a.decision.outcome]}]{a.decision.outcome.value}[/]"
        total = f"{a.decision.latency_ms.get('total', 0.0):.0f}"
        table.add_row(a.case.name, outcome, a.decision.reason.value, rate, cue, total, "as it should" if a.right else "[bold red]WRONG[/]")
    Console(width=None if sys.stdout.isatty() else 130).print(table)
    right = sum(a.right for a in done)
    print(f"{right} of {len(done)} attempts ended as they should. {NOTE}")


def contact_sheet(done: list[Attempt]) -> U8:
    """Draw one row an attempt: RGB, lit NIR, depth, and how it ended."""
    width, height = _TILE
    head = 46
    sheet: U8 = np.full((head + len(done) * (height + 8), 3 * (width + 8) + 420, 3), 250, np.uint8)
    for i, title in enumerate(("RGB", "NIR, lit", "depth")):
        pictures.draw_text(sheet, title, 8 + i * (width + 8), 32, (60, 60, 60), 0.6)
    pictures.draw_text(sheet, "outcome (simulated sensors)", 16 + 3 * (width + 8), 32, (60, 60, 60), 0.6)
    for row, attempt in enumerate(done):
        top = head + row * (height + 8)
        for column, tile in enumerate(_tiles(attempt.frame_set)):
            left = 8 + column * (width + 8)
            sheet[top : top + height, left : left + width] = tile
        _caption(sheet, attempt, 16 + 3 * (width + 8), top)
    return sheet


def _caption(sheet: U8, attempt: Attempt, left: int, top: int) -> None:
    decision = attempt.decision
    colour = {Outcome.ACCEPT: _GREEN, Outcome.REJECT: _RED, Outcome.UNDECIDED: _AMBER}[decision.outcome]
    rate, cue = _figures(decision)
    pictures.draw_text(sheet, attempt.case.name, left, top + 30, (20, 20, 20), 0.65)
    pictures.draw_text(sheet, decision.outcome.value.upper(), left, top + 66, colour, 0.8)
    for i, line in enumerate((f"reason: {decision.reason}", f"false-match rate: {rate}", cue, "" if attempt.right else "WRONG")):
        pictures.draw_text(sheet, line, left, top + 98 + 24 * i, (90, 90, 90), 0.5)


def _tiles(frame_set: FrameSet) -> Iterator[U8]:
    """Yield RGB, NIR and depth as tiles; near is bright in depth, no return is dark blue."""
    width, height = _TILE
    blank = np.full((height, width, 3), 225, np.uint8)
    yield pictures.resize(frame_set.rgb.data, width, height) if frame_set.rgb is not None else blank
    nir = frame_set.nir.data if frame_set.nir is not None else None
    yield np.repeat(pictures.resize(nir, width, height)[..., None], 3, axis=2) if nir is not None else blank
    if frame_set.depth is None:
        yield blank
        return
    z = pictures.resize(frame_set.depth.data, width, height).astype(np.float32)
    nearest = float(np.percentile(z[z > 0], 2)) if (z > 0).any() else 0.0
    near = np.clip(255.0 - (z - nearest) / _SHOWN_MM * 255.0, 20, 255).astype(np.uint8)
    tile = np.repeat(near[..., None], 3, axis=2)
    tile[z == 0] = (20, 20, 60)
    yield tile
