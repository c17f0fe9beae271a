"""Show a decision and give its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vultus.cli.console import Console, ExitCode, literal, paint
from vultus.cli.words import hint_words, reason_words, remedy_words

if TYPE_CHECKING:
    from vultus.types import Decision


def show(decision: Decision, console: Console, *, figures: bool) -> ExitCode:
    """Write a decision, with scores only when they were asked for, and return the exit code."""
    document: dict[str, Any] = decision.to_dict() if figures else {**decision.public(), "retry_after_s": decision.retry_after_s}
    console.result(document, "\n".join([headline(decision), *(figure_lines(decision) if figures else [])]))
    return exit_code(decision)


def exit_code(decision: Decision) -> ExitCode:
    """Return 0 for an accept, 4 for a lock-out, 3 when there was too little evidence, else 1."""
    if decision.accepted:
        return ExitCode.YES
    if decision.reason.value == "locked":
        return ExitCode.LOCKED
    return ExitCode.UNDECIDED if decision.outcome.value == "undecided" else ExitCode.NO


def headline(decision: Decision) -> str:
    """Say the outcome in one line: what, who, why, what to do."""
    colour, word = {"accept": ("green", "yes"), "reject": ("red", "no")}.get(decision.outcome.value, ("yellow", "undecided"))
    parts = [paint(colour, word)]
    if decision.user is not None:
        parts.append(paint("bold", decision.user))
    line = "  ".join(parts)
    if decision.accepted:
        return line
    wait = f", try again in {decision.retry_after_s:.0f} s" if decision.retry_after_s is not None else ""
    advice = [hint_words(h) for h in decision.hints] or [w for w in [remedy_words(decision.reason)] if w is not None]
    return f"{line}  {reason_words(decision.reason)}{wait}" + (f"  ({'; '.join(advice)})" if advice else "")


def figure_lines(decision: Decision) -> list[str]:
    """Return the measurements behind a decision, one line a subject."""
    lines = []
    if decision.match is not None:
        m = decision.match
        rate = f"false-match rate {m.fmr:.2g} (at most {m.fmr_upper:.2g}), target {m.target_fmr:.2g}"
        lines.append(f"  match     {rate}, score {m.score:.3f}")
    if decision.liveness is not None:
        cues = [f"{c.name} {'-' if c.value is None else f'{c.value:.3g}'} {c.unit} {c.verdict.value}" for c in decision.liveness.cues]
        lines.append(f"  liveness  {decision.liveness.verdict.value}: {', '.join(literal(c) for c in cues) or 'no cue measured'}")
    if decision.quality is not None:
        known = [f"{name} {value}" for name, value in decision.quality.components.items() if value is not None]
        lines.append(f"  quality   {literal(', '.join(known)) or 'not measured'}")
    if decision.modalities:
        lines.append(f"  streams   {literal(', '.join(f'{k} {v}' for k, v in decision.modalities.items()))}")
    if decision.latency_ms:
        lines.append(f"  time      {literal(', '.join(f'{k} {v:.1f} ms' for k, v in decision.latency_ms.items()))}")
    return lines
