"""`vultus verify` and `vultus identify`: one frame set, one decision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vultus.cli import options
from vultus.cli.decisions import show
from vultus.cli.policies import policy_of
from vultus.cli.session import Session, arguments, session_of

if TYPE_CHECKING:
    from vultus.policy import Policy
    from vultus.types import Decision

VERIFY_HELP = """Decide on one frame set: is this USER, or without USER, anyone enrolled?

For signing in, vultus sign-in is the better choice: it guides the person and takes several looks.

\b
Examples:
  vultus verify ada --device replay:morning.mcap --allow-recordings
  vultus verify --device "images:index.csv" --allow-recordings --json
  vultus verify ada --target-fmr 1e-5 --figures

\b
Exit code: 0 yes, 1 no, 2 error, 3 undecided, 4 locked.
"""
IDENTIFY_HELP = """Decide on one frame set: who of the enrolled is this?

The false-match rate is divided by the number of people enrolled, so that the whole list stays below the target.

\b
Examples:
  vultus identify --device replay:morning.mcap --allow-recordings
  vultus identify --json

\b
Exit code: 0 yes, 1 no, 2 error, 3 undecided, 4 locked.
"""
Timeout = Annotated[float, typer.Option("--timeout", min=0.1, max=600, metavar="SECONDS", help="Wait this long for a frame set.")]


def verify(
    ctx: typer.Context,
    user: Annotated[str | None, typer.Argument(metavar="USER", help="Name to verify; without it, anyone enrolled.")] = None,
    device: options.Device = None,
    store: options.Store = None,
    timeout: Timeout = 5.0,
    target_fmr: options.TargetFmr = None,
    target_iapar: options.TargetIapar = None,
    target_bpcer: options.TargetBpcer = None,
    tier: options.TierName = None,
    allow_recordings: options.AllowRecordings = False,
    allow_simulated: options.AllowSimulated = False,
    allow_virtual: options.AllowVirtual = False,
    allow_extrapolation: options.AllowExtrapolation = False,
    allow_other_devices: options.AllowOtherDevices = False,
    figures: options.Figures = False,
    json: options.Json = False,
) -> int:
    """Decide on one frame set."""
    session = session_of(ctx, json=json)
    policy = policy_of(
        target_fmr, tier, allow_recordings=allow_recordings, allow_simulated=allow_simulated, allow_virtual=allow_virtual,
        allow_extrapolation=allow_extrapolation, allow_other_devices=allow_other_devices, target_iapar=target_iapar,
        target_bpcer=target_bpcer,
    )  # fmt: skip
    decision = _decide(session, session.device_url(device), session.store_path(store), policy, timeout, user)
    return show(decision, session.console, figures=figures)


def identify(
    ctx: typer.Context,
    device: options.Device = None,
    store: options.Store = None,
    timeout: Timeout = 5.0,
    target_fmr: options.TargetFmr = None,
    target_iapar: options.TargetIapar = None,
    target_bpcer: options.TargetBpcer = None,
    tier: options.TierName = None,
    allow_recordings: options.AllowRecordings = False,
    allow_simulated: options.AllowSimulated = False,
    allow_virtual: options.AllowVirtual = False,
    allow_extrapolation: options.AllowExtrapolation = False,
    allow_other_devices: options.AllowOtherDevices = False,
    figures: options.Figures = False,
    json: options.Json = False,
) -> int:
    """Decide who is in one frame set."""
    session = session_of(ctx, json=json)
    policy = policy_of(
        target_fmr, tier, allow_recordings=allow_recordings, allow_simulated=allow_simulated, allow_virtual=allow_virtual,
        allow_extrapolation=allow_extrapolation, allow_other_devices=allow_other_devices, target_iapar=target_iapar,
        target_bpcer=target_bpcer,
    )  # fmt: skip
    decision = _decide(session, session.device_url(device), session.store_path(store), policy, timeout, None)
    return show(decision, session.console, figures=figures)


def _decide(session: Session, url: str, path: Path, policy: Policy, timeout_s: float, user: str | None) -> Decision:
    """Read one frame set and decide; a device that gives none in time is a time-out, not an error."""
    from vultus.policy import without_evidence
    from vultus.templates import check_user
    from vultus.types import Reason

    if user is not None:
        with arguments():
            user = check_user(user)
    with (
        session.wiring.open_store(path, create=False) as store,
        session.open_device(url) as camera,
        session.wiring.authenticator(store, policy) as authenticator,
    ):
        try:
            with session.console.guide("Looking"):
                frame_set = camera.read(timeout_s=timeout_s)
        except TimeoutError:
            frame_set = None
        if frame_set is None:
            return without_evidence(Reason.TIMEOUT)
        return authenticator.identify(frame_set) if user is None else authenticator.verify(frame_set, user)
