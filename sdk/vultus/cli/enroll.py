"""`vultus enroll`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vultus.cli import options
from vultus.cli.console import ExitCode, paint
from vultus.cli.policies import policy_of
from vultus.cli.session import Cancelled, arguments, session_of
from vultus.cli.words import reason_words, remedy_words

if TYPE_CHECKING:
    from vultus.store import TemplateStore
    from vultus.templates import Enrollment

HELP = """Enrol a person from a device.

Takes several good looks (RGB and NIR), checks that they are live and of one person, and stores them encrypted: all or nothing.

\b
Examples:
  vultus enroll ada --device simulator:astronaut --allow-simulated
  vultus enroll ada --device replay:morning.mcap --allow-recordings
  vultus enroll ada --replace                    # VULTUS_DEVICE names the device

\b
Exit code: 0 enrolled, 1 refused (spoof, another person), 2 error, 3 time-out; after Ctrl-C 130 and nothing is stored.
"""


def enroll(
    ctx: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="Name to enrol under.")],
    device: options.Device = None,
    store: options.Store = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the template of this name.")] = False,
    samples: Annotated[int, typer.Option("--samples", min=1, max=30, help="Good looks to take.")] = 5,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, max=600, metavar="SECONDS", help="Give up after this.")] = 30.0,
    tier: options.TierName = None,
    allow_recordings: options.AllowRecordings = False,
    allow_simulated: options.AllowSimulated = False,
    allow_virtual: options.AllowVirtual = False,
    json: options.Json = False,
) -> int:
    """Enrol a person."""
    session = session_of(ctx, json=json)
    from vultus.errors import AlreadyEnrolled
    from vultus.templates import check_user

    with arguments():
        user = check_user(user)
    policy = policy_of(None, tier, allow_recordings=allow_recordings, allow_simulated=allow_simulated, allow_virtual=allow_virtual)
    url = session.device_url(device)
    with session.wiring.open_store(session.store_path(store), create=True) as templates:
        if not replace and templates.has(user):
            raise AlreadyEnrolled(f"{user} is enrolled already: give --replace, or run vultus remove {user} first")
        before = templates.revision
        try:
            with (
                session.open_device(url) as camera,
                session.wiring.authenticator(templates, policy) as authenticator,
                session.console.guide(f"Enrolling {user}", samples) as guide,
            ):
                done = authenticator.enroll(
                    user, camera, on_hint=guide.hint, on_progress=guide.step, replace=replace, samples=samples, timeout_s=timeout
                )
        except KeyboardInterrupt:
            raise Cancelled(_interrupted(user, templates, before)) from None
    text = _text(done)
    session.console.result({"user": done.user, "enrolled": done.enrolled, "reason": done.reason.value, "samples": dict(done.samples)}, text)
    return _exit_code(done)


def _interrupted(user: str, templates: TemplateStore, before: int) -> str:
    """Say what an interrupt left: it may have come just after the template was stored."""
    return "cancelled, nothing was stored" if templates.revision == before else f"cancelled, but {user} was stored already"


def _text(done: Enrollment) -> str:
    """Say how it ended."""
    if done.enrolled:
        taken = ", ".join(f"{count} {modality.upper()}" for modality, count in done.samples.items() if count)
        return f"{paint('green', 'enrolled')} {paint('bold', done.user)} ({taken})"
    remedy = remedy_words(done.reason)
    advice = remedy if remedy is not None else "nothing was stored"
    return f"{paint('red', 'not enrolled')} {paint('bold', done.user)}: {reason_words(done.reason)}; {advice}"


def _exit_code(done: Enrollment) -> ExitCode:
    """Tell a refusal from a lack of evidence."""
    if done.enrolled:
        return ExitCode.YES
    return ExitCode.NO if done.reason.value in ("spoof", "no_match", "source_not_allowed") else ExitCode.UNDECIDED
