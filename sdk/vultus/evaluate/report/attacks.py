"""The tables of attack detection beyond its headline: cues left out, spoilt presentations, groups, and whether the ratios are true."""

from __future__ import annotations

from vultus.evaluate.report.table import Document, Table, interval, percent


def attack_tables(d: Document) -> list[Table]:
    """Return the tables that the document has."""
    found = (_ablation(d), _spoilt(d), _groups(d), _reliability(d))
    return [table for table in found if table is not None]


def _ablation(d: Document) -> Table | None:
    """Return the rates without each cue, the most missed first."""
    if d.get("ablation") is None:
        return None
    whole = d["ablation"]["none"]
    rows = []
    for name, r in sorted(d["ablation"].items(), key=lambda item: (item[0] != "none", -item[1]["apcer_mean"])):
        worst = r["apcer_worst"]
        rows.append((
            name, percent(r["apcer_mean"]), f"{percent(worst['value'])} {worst['species']}" if worst else "",
            percent(r["bpcer"]["value"]) if r["bpcer"] else "", percent(r["bpnrr"]["value"]) if r["bpnrr"] else "",
        ))  # fmt: skip
    note = (
        f"Each cue left out of the gates and of the vote, which is fitted again; mean APCER over the species with all cues {percent(whole['apcer_mean'])}. "
        "A cue that a tier asks for counts as passed when it is left out. Each cue alone stands under Cues."
    )
    return Table("Without one cue", ("Left out", "Mean APCER", "Worst species", "BPCER", "BPNRR"), tuple(rows), note)


def _spoilt(d: Document) -> Table | None:
    """Return BPCER by cause and strength."""
    if d.get("spoilt") is None:
        return None
    rows = []
    for cause, entry in d["spoilt"].items():
        for point in entry["points"]:
            failed, silent = point["bpcer"], point["bpnrr"]
            if failed is not None:
                strength = "" if cause == "clean" else f"{point['strength']:g}"
                rows.append(
                    (
                        cause,
                        strength,
                        percent(failed["value"]),
                        interval(failed),
                        percent(silent["value"]),
                        f"{failed['n']:,}",
                        entry["unit"],
                    )
                )
    note = "Bona fide triplets spoilt in simulation, all streams together. BPCER: called a spoof. Non-response: sent back for another frame set."
    return Table(
        "Spoilt presentations", ("Cause", "Strength", "BPCER", "95 % interval", "Non-response", "Number", "Strength is"), tuple(rows), note
    )


def _groups(d: Document) -> Table | None:
    """Return BPCER by group."""
    if d.get("groups") is None:
        return None
    rows = [
        (name, f"{r['bpcer']['n']:,}", percent(r["bpcer"]["value"]), interval(r["bpcer"]), percent(r["bpnrr"]["value"]))
        for name, r in d["groups"]["rows"].items() if r["bpcer"] is not None
    ]  # fmt: skip
    return Table(f"BPCER by {d['groups']['column']}", ("Group", "Number", "BPCER", "95 % interval", "Non-response"), tuple(rows))


def _reliability(d: Document) -> Table | None:
    """Return stated against observed probability of a live face."""
    if d.get("reliability") is None:
        return None
    r = d["reliability"]
    rows = tuple((percent(b["stated"]), percent(b["observed"]), percent(b["weight"])) for b in r["bins"])
    note = (
        f"At even odds, every species counting alike. Cllr {r['cllr']:.3f} bits (0 perfect, 1 knows nothing), expected calibration error "
        f"{percent(r['ece'])}. Attacks are simulated: the probability is one among these species."
    )
    return Table("Stated probability of a live face", ("Stated", "Observed", "Share"), rows, note)
