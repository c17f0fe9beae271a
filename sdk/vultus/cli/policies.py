"""Make a policy from options; whatever weakens it was asked for by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vultus.cli.session import arguments

if TYPE_CHECKING:
    from vultus.policy import Policy


def policy_of(
    target_fmr: float | None,
    tier: str | None,
    *,
    allow_recordings: bool,
    allow_simulated: bool,
    allow_virtual: bool = False,
    allow_extrapolation: bool = False,
    allow_other_devices: bool = False,
    target_iapar: float | None = None,
    target_bpcer: float | None = None,
) -> Policy:
    """Return the policy; None keeps the policy's own default. Raises BadArgument."""
    from vultus.frames import Source
    from vultus.policy import Policy, Tier

    sources = {Source.LIVE}
    if allow_recordings:
        sources |= {Source.RECORDING, Source.IMAGES}
    if allow_simulated:
        sources.add(Source.SIMULATED)
    if allow_virtual:
        sources.add(Source.VIRTUAL)
    chosen: dict[str, Any] = {"sources": frozenset(sources), "allow_extrapolation": allow_extrapolation}
    chosen["bind_device"] = not allow_other_devices
    with arguments():
        if tier is not None:
            if tier not in list(Tier):
                raise ValueError(f"--tier must be {', '.join(Tier)}; got {tier!r}")
            chosen["tier"] = Tier(tier)
        if target_fmr is not None:
            chosen["target_fmr"] = target_fmr
        chosen |= {"target_iapar": target_iapar, "target_bpcer": target_bpcer}
        return Policy(**chosen)
