"""Sign in at a board without a display server: a terminal screen with live hints, a lock, and an event stream for other programs.

    python examples/embedded_sign_in.py --device replay:evening.mcap --store door.db --allow recording --rounds 3
    python examples/embedded_sign_in.py --simulate --rounds 2 --events -

Each event is one JSON object a line: {"event": "hint" | "enrolled" | "decision" | "locked" | "end", ...}. Without an enrolled user the loop
enrols the one named by --user first. Exit status: 0 when the last decision was an accept, 1 when not, 2 for an error.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import vultus

SAYS = {
    vultus.Hint.NO_FACE: "Please stand in front of the camera",
    vultus.Hint.MULTIPLE_FACES: "One person at a time, please",
    vultus.Hint.TOO_DARK: "Too dark",
    vultus.Hint.TOO_BRIGHT: "Too bright",
    vultus.Hint.NIR_TOO_DIM: "Please come closer",
    vultus.Hint.NIR_SATURATED: "Please step back a little",
    vultus.Hint.TOO_CLOSE: "Please step back",
    vultus.Hint.TOO_FAR: "Please come closer",
    vultus.Hint.MOVE_LEFT: "Please move to your left",
    vultus.Hint.MOVE_RIGHT: "Please move to your right",
    vultus.Hint.MOVE_UP: "Please move up",
    vultus.Hint.MOVE_DOWN: "Please move down",
    vultus.Hint.NOT_FRONTAL: "Please look at the camera",
    vultus.Hint.HOLD_STILL: "Please hold still",
    vultus.Hint.BLURRED: "Please hold still",
    vultus.Hint.DEPTH_MISSING: "Please come closer",
    vultus.Hint.SENSOR_MISSING: "A sensor is missing",
}


class Screen:
    """One status line on a terminal, and events on a stream; both are optional."""

    def __init__(self, terminal: TextIO | None, events: TextIO | None) -> None:
        self._terminal = terminal
        self._events = events

    def show(self, text: str) -> None:
        """Replace the status line."""
        if self._terminal is not None:
            self._terminal.write(f"\r\x1b[2K{text}")
            self._terminal.flush()

    def tell(self, event: str, **fields: object) -> None:
        """Write one event."""
        if self._events is not None:
            self._events.write(json.dumps({"event": event, "time": time.time(), **fields}) + "\n")
            self._events.flush()

    def hint(self, hint: vultus.Hint) -> None:
        """Show and tell a hint."""
        self.show(SAYS.get(hint, hint.value))
        self.tell("hint", hint=hint.value)


def enrol(auth: vultus.Authenticator, url: str, user: str, screen: Screen) -> bool:
    """Enrol one user, guided; say whether a template was stored."""
    screen.show(f"Enrolling {user}: look at the camera and turn your head a little")
    with vultus.open_device(url) as camera:
        result = auth.enroll(
            user,
            camera,
            on_hint=screen.hint,
            on_progress=lambda done, of: screen.show(f"Enrolling {user}: {'#' * done}{'.' * (of - done)}"),
        )
    screen.tell("enrolled" if result.enrolled else "enrolment_failed", user=user, reason=result.reason.value, samples=dict(result.samples))
    screen.show(f"{user} is enrolled" if result.enrolled else f"Not enrolled: {result.reason}")
    return result.enrolled


def attempt(auth: vultus.Authenticator, url: str, screen: Screen) -> vultus.Decision:
    """Make one sign-in attempt and show how it ended."""
    with vultus.open_device(url) as camera:
        decision = auth.sign_in(camera, on_hint=screen.hint)
    if decision.reason is vultus.Reason.LOCKED:
        screen.show(f"Locked for {decision.retry_after_s:.0f} s")
        screen.tell("locked", retry_after_s=decision.retry_after_s)
        return decision
    rate = f" (false-match rate {decision.match.fmr:.1e})" if decision.match is not None else ""
    total = decision.latency_ms.get("total")
    took = f", {total:.0f} ms" if total is not None else ""
    screen.show(f"{'Welcome, ' + str(decision.user) if decision.accepted else 'Not recognised: ' + decision.reason.value}{rate}{took}")
    screen.tell("decision", **decision.public())
    return decision


def run(urls: list[str], user: str, store: vultus.TemplateStore, policy: vultus.Policy, screen: Screen) -> int:
    """Enrol if nobody is enrolled, then make one attempt a URL; return the exit status."""
    decision: vultus.Decision | None = None
    with vultus.Authenticator(store=store, policy=policy) as auth:
        if not store.users() and not enrol(auth, urls[0], user, screen):
            return 1
        for url in urls:
            decision = attempt(auth, url, screen)
    screen.tell("end")
    screen.show("")
    return 0 if decision is not None and decision.accepted else 1


@contextmanager
def event_stream(target: str | None) -> Iterator[TextIO | None]:
    """Open the event stream: None for none, "-" for standard output, else a file to append to."""
    if target is None or target == "-":
        yield sys.stdout if target else None
        return
    with Path(target).open("a", encoding="utf-8") as stream:
        yield stream


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and run the loop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--device", help="device URL, for example replay:evening.mcap")
    where.add_argument("--simulate", action="store_true", help="run on the simulator (needs the extra 'demo')")
    parser.add_argument("--user", default="owner", help="name to enrol when nobody is enrolled (default: owner)")
    parser.add_argument("--store", type=Path, default=Path("sign-in.db"), help="template store (default: sign-in.db)")
    parser.add_argument(
        "--allow", action="append", default=[], choices=[s.value for s in vultus.Source], help="believe this source besides live ones"
    )
    parser.add_argument("--rounds", type=int, default=1, help="sign-in attempts before the loop ends (default: 1)")
    parser.add_argument("--events", help="write JSON events to this file, or - for standard output")
    options = parser.parse_args(arguments)
    sources = {vultus.Source.LIVE, *(vultus.Source(s) for s in options.allow)}
    urls = [options.device] * options.rounds
    if options.simulate:
        sources.add(vultus.Source.SIMULATED)
        urls = [f"simulator:astronaut?seed={i + 1}" for i in range(options.rounds)]
    screen = Screen(sys.stderr if sys.stderr.isatty() else None, None)
    try:
        with event_stream(options.events) as events, vultus.TemplateStore.open(options.store) as store:
            screen = Screen(sys.stderr if sys.stderr.isatty() else None, events)
            return run(urls, options.user, store, vultus.Policy(sources=frozenset(sources)), screen)
    except (vultus.VultusError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        screen.show("")
        return 1


if __name__ == "__main__":
    sys.exit(main())
