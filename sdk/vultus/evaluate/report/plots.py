"""The drawings of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from vultus.evaluate.report.drawing import Drawing, new_figure, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Document = Mapping[str, Any]

_GENUINE, _IMPOSTOR, _GREY = "#1b6ca8", "#c4501b", "#666666"
"""Blue and orange differ for every common kind of colour blindness, and in grey print."""
_STYLE: Final[Any] = {
    "font.family": "sans-serif", "font.size": 9.5, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "grid.color": "#e3e3e3", "grid.linewidth": 0.6, "axes.axisbelow": True, "svg.fonttype": "none", "legend.frameon": False,
}  # fmt: skip


def drawings(document: Document) -> list[Drawing]:
    """Return the drawings of a document; those without data are left out."""
    from matplotlib import rc_context

    with rc_context(_STYLE):
        if document["kind"] in ("match", "lfw"):
            found = [_roc(document), _det(document), _scores(document), _targets(document), _reliability(document)]
            found += [_groups(document), _robustness(document)]
        elif document["kind"] == "pad":
            found = [_species(document), *(_cue(name, cue) for name, cue in document["cues"].items())]
        else:
            found = [_transactions(document)]
    return [d for d in found if d is not None]


def _curve(d: Document) -> dict[str, Any] | None:
    """Return the curve's points as arrays, with gaps where no interval was found."""
    points = [p for p in d["curve"] if p["target"] <= 0.5]
    if not points:
        return None
    return {k: np.array([np.nan if p[k] is None else p[k] for p in points], float) for k in ("target", "fnmr", "low", "high")}


def _roc(d: Document) -> Drawing | None:
    c = _curve(d)
    if c is None:
        return None
    figure, axes = new_figure()
    axes.fill_between(
        c["target"], 100 * (1 - c["high"]), 100 * (1 - c["low"]), color=_GENUINE, alpha=0.2, lw=0, label="95 % band, people resampled"
    )
    axes.plot(c["target"], 100 * (1 - c["fnmr"]), color=_GENUINE, lw=1.8, label="measured")
    named = [(float(k), e) for k, e in d["tar_at_far"].items() if e is not None]
    for far, e in named:
        axes.plot(far, 100 * e["value"], "o", ms=4, color=_GENUINE)
        axes.annotate(
            f"{100 * e['value']:.1f}", (far, 100 * e["value"]), xytext=(0, -13), textcoords="offset points", ha="center", fontsize=8.5
        )
    axes.set(xscale="log", xlabel="false-accept rate (one comparison)", ylabel="true-accept rate, %")
    axes.set_ylim(max(0.0, 100 * (1 - float(np.nanmax(c["high"]))) - 3), 100.6)
    axes.legend(loc="lower right")
    caption = "How many genuine comparisons match (up) when impostors match at most as often as the rate below (across). Further up and left is better."
    return Drawing("ROC", to_svg(figure, "roc"), caption)


def _det(d: Document) -> Drawing | None:
    c = _curve(d)
    if c is None:
        return None
    from scipy.stats import norm

    figure, axes = new_figure((6.2, 4.4))
    floor = 1e-7

    def bend(values: Any) -> Any:
        return norm.ppf(np.clip(values, floor, 1 - floor))

    x = bend(c["target"])
    axes.fill_between(x, bend(c["low"]), bend(c["high"]), color=_IMPOSTOR, alpha=0.2, lw=0, label="95 % band, people resampled")
    axes.plot(x, bend(c["fnmr"]), color=_IMPOSTOR, lw=1.8, label="measured")
    ticks = np.array([1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8])
    names = ["1e-6", "1e-5", "1e-4", "0.1 %", "1 %", "5 %", "10 %", "20 %", "40 %", "60 %", "80 %"]
    shown = np.array([v for k in ("fnmr", "low", "high") for v in c[k] if np.isfinite(v)])
    bottom, top = max(shown.min() * 0.6, 2e-5), min(max(shown.max() * 1.3, 0.02), 0.95)
    if d["eer"] is not None:
        e = bend(d["eer"]["value"])
        axes.plot([bend(bottom), bend(0.5)], [bend(bottom), bend(0.5)], ":", lw=1, color=_GREY)
        axes.plot(e, e, "o", ms=4, color=_IMPOSTOR)
        axes.annotate(f"EER {100 * d['eer']['value']:.2f} %", (e, e), xytext=(7, 5), textcoords="offset points", fontsize=8.5)
    for axis, low, high in (("x", c["target"].min(), 0.5), ("y", bottom, top)):
        keep = (ticks >= low * 0.99) & (ticks <= high)
        getattr(axes, f"set_{axis}ticks")(bend(ticks[keep]), [n for n, k in zip(names, keep, strict=True) if k])
        getattr(axes, f"set_{axis}lim")(bend(low), bend(high))
    axes.set(xlabel="false-match rate", ylabel="false-non-match rate")
    axes.legend(loc="upper right")
    caption = "Both errors on normal-deviate scales: two bell-shaped score distributions would give a straight line. Further down and left is better."
    return Drawing("DET", to_svg(figure, "det"), caption)


def _scores(d: Document) -> Drawing | None:
    h = d["histogram"]
    if not h["edges"]:
        return None
    figure, axes = new_figure()
    edges, width = np.array(h["edges"]), h["edges"][1] - h["edges"][0]
    for key, colour, name in (("impostor", _IMPOSTOR, "different people"), ("genuine", _GENUINE, "same person")):
        shares = np.array(h[key]) / width
        axes.stairs(np.where(shares > 0, shares, np.nan), edges, color=colour, fill=True, alpha=0.25)
        axes.stairs(shares, edges, color=colour, lw=1.4, label=f"{name} ({d['counts'][key]:,})")
    floor = 0.5 / max(d["counts"]["impostor"], 1) / width
    axes.set(yscale="log", xlabel=f"score ({d['protocol']['score']})", ylabel="density, logarithmic")
    axes.set_ylim(max(floor, 1e-8), None)
    top = axes.get_ylim()[1]
    axes.set_ylim(None, top * 30)
    for name, e in d["tar_at_far"].items():
        if e is not None:
            axes.axvline(e["threshold"], color=_GREY, lw=0.9, ls="--")
            axes.annotate(name, (e["threshold"], top * 26), rotation=90, ha="right", va="top", fontsize=8, color=_GREY)
    axes.legend(loc="upper left")
    caption = "Scores of both kinds of comparison, on a logarithmic scale so that the rare ones show; dashed: the threshold for each false-accept rate."
    return Drawing("Scores and thresholds", to_svg(figure, "scores"), caption)


def _targets(d: Document) -> Drawing | None:
    seen = [(float(k), e) for k, e in d["targets"].items() if e is not None and e["measurable"]]
    if not seen:
        return None
    figure, axes = new_figure()
    x = np.array([t for t, _ in seen])
    y = np.array([max(e["fmr"]["value"], 1e-9) for _, e in seen])
    low, high = (np.array([max(e["fmr"][k], 1e-9) for _, e in seen]) for k in ("low", "high"))
    ends = np.array([x.min() / 3, x.max() * 3])
    axes.fill_between(ends, ends / 2, ends * 2, color="#dddddd", lw=0, label="within a factor of 2")
    axes.plot(ends, ends, color=_GREY, lw=1, ls=":")
    axes.errorbar(x, y, [np.maximum(y - low, 0), np.maximum(high - y, 0)], fmt="o", color=_IMPOSTOR, capsize=3, label="measured here, 95 %")
    axes.set(xscale="log", yscale="log", xlabel="false-match rate asked for", ylabel="false-match rate measured", xlim=ends)
    axes.legend(loc="upper left")
    caption = (
        "The calibration is asked for a rate and gives a threshold; this is the rate that the threshold has on these people. "
        "It tests the calibration only where that was made with others: the shipped one was made with nine of LFW's ten folds."
    )
    return Drawing("Target and truth", to_svg(figure, "targets"), caption)


def _reliability(d: Document) -> Drawing | None:
    rows = d["likelihood_ratios"]
    if not rows:
        return None
    figure, axes = new_figure((5.2, 4.4))
    stated, observed = (np.array([r[k] for r in rows]) / np.log(10) for k in ("stated", "observed"))
    rare = np.array([min(r["genuine"], r["impostor"]) for r in rows], float)
    ends = np.array([min(stated.min(), observed.min()) - 0.3, max(stated.max(), observed.max()) + 0.3])
    axes.fill_between(ends, ends - np.log10(2), ends + np.log10(2), color="#dddddd", lw=0, label="within a factor of 2")
    axes.plot(ends, ends, ":", color=_GREY, lw=1, label="means what it says")
    axes.scatter(stated, observed, s=8 + 12 * np.log10(np.maximum(rare, 1)), color=_GENUINE, alpha=0.8, label="this calibration", zorder=3)
    axes.axhline(0, color=_GREY, lw=0.6)
    axes.axvline(0, color=_GREY, lw=0.6)
    axes.set(xlabel="likelihood ratio stated, power of ten", ylabel="likelihood ratio observed, power of ten", xlim=ends, ylim=ends)
    axes.legend(loc="upper left")
    caption = (
        "How many times likelier a score is for the same person than for different people: stated across, observed up; larger dots rest on more "
        f"comparisons. Above the line: too modest, below: too sure. At even odds the probability is off by {d['ece']:.3f} on average."
    )
    return Drawing("Reliability", to_svg(figure, "reliability"), caption)


def _groups(d: Document) -> Drawing | None:
    g = d["groups"]
    if g is None or not g["rows"]:
        return None
    from matplotlib.figure import Figure

    names = list(g["rows"])
    figure = Figure(figsize=(7.2, 1.3 + 0.32 * len(names)), layout="constrained")
    for k, (key, colour, title) in enumerate((("fmr", _IMPOSTOR, "FMR within the group"), ("fnmr", _GENUINE, "FNMR, %"))):
        axes = figure.add_subplot(1, 2, k + 1)
        scale = 1.0 if key == "fmr" else 100.0
        for y, name in enumerate(names):
            e = g["rows"][name][key]
            if e is None:
                axes.annotate("not supported", (0.03, y), xycoords=("axes fraction", "data"), va="center", fontsize=8, color=_GREY)
                continue
            axes.plot([scale * e["low"], scale * e["high"]], [y, y], color=colour, lw=2)
            axes.plot(scale * e["value"], y, "o", color=colour, ms=5)
        axes.set_yticks(range(len(names)), names if k == 0 else [""] * len(names))
        axes.set(ylim=(len(names) - 0.5, -0.5), title=title)
        if key == "fmr" and any(r["fmr"] is not None and r["fmr"]["low"] > 0 for r in g["rows"].values()):
            axes.set_xscale("log")
    caption = f"Each group at the one threshold that gives FAR {g['target']} overall, with 95 % intervals; bars that do not overlap differ by more than chance."
    return Drawing(f"Groups by {g['column']}", to_svg(figure, "groups"), caption)


def _robustness(d: Document) -> Drawing | None:
    r = d["robustness"]
    if r is None or r["clean"] is None:
        return None
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.6, 4.4), layout="constrained")
    base = 100 * r["clean"]["value"]
    first: Axes | None = None
    for k, (kind, entry) in enumerate(r["kinds"].items()):
        axes = figure.add_subplot(2, 4, k + 1, sharey=first)
        first = first or axes
        points = [p for p in entry["points"] if p["fnmr"] is not None]
        x = range(1, len(points) + 1)
        axes.fill_between(
            x, [100 * p["fnmr"]["low"] for p in points], [100 * p["fnmr"]["high"] for p in points], color=_GENUINE, alpha=0.2, lw=0
        )
        axes.plot(x, [100 * p["fnmr"]["value"] for p in points], "o-", color=_GENUINE, ms=3.5, lw=1.2)
        axes.axhline(base, color=_GREY, lw=1, ls=":")
        axes.set_xticks(list(x), [f"{p['strength']:g}" for p in points], fontsize=8)
        axes.set(title=kind.replace("_", " "), ylim=(-3, 103))
        if k % 4 == 0:
            axes.set_ylabel("FNMR, %")
    caption = (
        "Genuine comparisons lost at the fixed threshold as the probe gets worse; dotted: clean. Strengths are in the units of the table."
    )
    return Drawing("Robustness", to_svg(figure, "robustness"), caption)


def _bars(rows: Sequence[tuple[str, Mapping[str, Any], str]], title: str, name: str, caption: str) -> Drawing:
    """Draw rates with intervals as horizontal bars."""
    figure, axes = new_figure((6.2, 1.2 + 0.4 * len(rows)))
    for y, (_, e, colour) in enumerate(rows):
        axes.barh(y, 100 * e["value"], color=colour, alpha=0.35, height=0.55)
        axes.plot([100 * e["low"], 100 * e["high"]], [y, y], color=colour, lw=2)
        axes.plot(100 * e["value"], y, "o", color=colour, ms=5)
    axes.set_yticks(range(len(rows)), [label for label, _, _ in rows])
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel="%, with 95 % interval")
    axes.set_xlim(left=0)
    return Drawing(title, to_svg(figure, name), caption)


def _species(d: Document) -> Drawing | None:
    rows = [(f"APCER {k} ({e['n']:,})", e, _IMPOSTOR) for k, e in d["apcer"].items()]
    rows += [("BPCER", d["bpcer"], _GENUINE)] if d["bpcer"] is not None else []
    rows += [("BPNRR", d["bpnrr"], _GREY)] if d["bpnrr"] is not None else []
    if not rows:
        return None
    return _bars(
        rows,
        "Error rates",
        "species",
        "Attacks that passed, by species, the worst first; bona fide presentations that failed or got no verdict.",
    )


def _cue(name: str, cue: Mapping[str, Any]) -> Drawing | None:
    h = cue["histogram"]
    if not h["edges"]:
        return None
    figure, axes = new_figure((6.2, 3.2))
    colours = [_IMPOSTOR, "#7a3b8f", "#4d7c2a", "#a8841b", "#8a8a8a"]
    attacks = [label for label in h["labels"] if label != "bona_fide"]
    for label, shares in h["labels"].items():
        colour = _GENUINE if label == "bona_fide" else colours[attacks.index(label) % len(colours)]
        axes.stairs(100 * np.array(shares), h["edges"], color=colour, fill=True, alpha=0.2)
        axes.stairs(100 * np.array(shares), h["edges"], color=colour, lw=1.4, label=label.replace("_", " "))
    axes.axvline(cue["limit"], color=_GREY, lw=1, ls="--", label=f"passes from {cue['limit']:g}")
    axes.set(xlabel=f"{name.replace('_', ' ')}, {cue['unit']}", ylabel="share of presentations, %")
    axes.legend(loc="best", fontsize=8.5)
    return Drawing(
        f"Cue: {name.replace('_', ' ')}",
        to_svg(figure, f"cue-{name}"),
        "Measured values where the cue could be measured; dashed: its limit.",
    )


def _transactions(d: Document) -> Drawing | None:
    rows = [("FAR, zero-effort", d["far"], _IMPOSTOR)] if d["far"] is not None else []
    rows += [("FRR", d["frr"], _GENUINE)] if d["frr"] is not None else []
    rows += [(f"IAPAR {k} ({e['n']:,})", e, _IMPOSTOR) for k, e in d["iapar"].items()]
    if not rows:
        return None
    return _bars(rows, "Error rates", "transactions", "Whole transactions: impostors let in, genuine users kept out, attacks let in.")
