"""`vultus sign-in`."""

from __future__ import annotations

from typing import Annotated

import typer

from vultus.cli import options
from vultus.cli.decisions import show
from vultus.cli.policies import policy_of
from vultus.cli.session import arguments, session_of

HELP = """Sign a person in: keep looking, with hints, until the evidence decides or the time is over.

\b
Examples:
  vultus sign-in                                 # anyone enrolled; VULTUS_DEVICE names the device
  vultus sign-in --user ada --timeout 10
  vultus sign-in --device replay:morning.mcap --allow-recordings --json
  vultus sign-in && echo welcome                 # only an accept is 0

\b
Exit code: 0 yes, 1 no, 2 error, 3 undecided or time-out, 4 locked.
"""


def sign_in(
    ctx: typer.Context,
    user: Annotated[str | None, typer.Option("--user", metavar="USER", help="Sign in as this user only.")] = None,
    device: options.Device = None,
    store: options.Store = None,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, max=600, metavar="SECONDS", help="Give up after this.")] = 5.0,
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
    """Sign a person in."""
    session = session_of(ctx, json=json)
    from vultus.templates import check_user

    if user is not None:
        with arguments():
            user = check_user(user)
    policy = policy_of(
        target_fmr, tier, allow_recordings=allow_recordings, allow_simulated=allow_simulated, allow_virtual=allow_virtual,
        allow_extrapolation=allow_extrapolation, allow_other_devices=allow_other_devices, target_iapar=target_iapar,
        target_bpcer=target_bpcer,
    )  # fmt: skip
    url = session.device_url(device)
    with (
        session.wiring.open_store(session.store_path(store), create=False) as templates,
        session.open_device(url) as camera,
        session.wiring.authenticator(templates, policy) as authenticator,
        session.console.guide("Signing in") as guide,
    ):
        decision = authenticator.sign_in(camera, user=user, timeout_s=timeout, on_hint=guide.hint)
    return show(decision, session.console, figures=figures)
