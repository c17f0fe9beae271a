"""The tables of a report, as text; an unsupported rate is said to be one and never printed as a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vultus.evaluate.report.attacks import attack_tables
from vultus.evaluate.report.table import Document, Table, interval, percent, rate


def tables(document: Document) -> list[Table]:
    """Return every table of a document, the headline first."""
    kind = document["kind"]
    if kind in ("match", "lfw"):
        found = [
            _verification(document),
            _held_out(document),
            _targets(document),
            _groups(document),
            _robustness(document),
            _ranks(document),
            _acquisition(document),
        ]
    elif kind == "pad":
        found = [_pad(document), *attack_tables(document), _cues(document), _signs(document)]
    else:
        found = [_system(document), _reasons(document), _latency(document)]
    return [t for t in (*found, _problems(document)) if t is not None and t.rows]


def counts_line(document: Document) -> str:
    """Write the counts in one line."""
    c = document["counts"]
    names = {
        "genuine_failed": "genuine comparisons lost to failures",
        "failed_to_acquire": "samples failed to acquire",
        "bad_rows": "bad rows",
    }
    names |= {"failed_to_enrol": "people failed to enrol", "attacks_left_out": "attack samples left out", "attack": "attack transactions"}
    if document["kind"] == "pad":
        names |= {"genuine": "bona fide presentations", "impostor": "attack presentations", "failed_to_acquire": "without a face"}
    elif document["kind"] == "system":
        names |= {"genuine": "genuine transactions", "impostor": "impostor transactions", "failed_to_acquire": "unreadable samples"}
    else:
        names |= {"genuine": "genuine comparisons", "impostor": "impostor comparisons"}
    return ", ".join(
        f"{value:,} {names.get(key, key.replace('_', ' '))}" for key, value in c.items() if value or key in ("people", "samples")
    )


def _verification(d: Document) -> Table:
    """Return the headline of a verification protocol."""
    rows = []
    accuracy = d.get("accuracy_10fold")
    if accuracy is not None:
        spread = f"± {100 * accuracy['sd']:.2f} points between folds"
        rows.append(("Ten-fold accuracy", percent(accuracy["mean"]), interval(accuracy), f"{accuracy['pairs']:,} pairs, {spread}"))
    if d["eer"] is not None:
        rows.append(("Equal error rate", percent(d["eer"]["value"]), interval(d["eer"]), ""))
    impostor = d["counts"]["impostor"]
    for name, entry in d["tar_at_far"].items():
        if entry is None:
            rows.append((f"TAR at FAR {name}", f"not supported by {impostor:,} comparisons", "", ""))
        else:
            thin = ", thin" if entry["thin"] else ""
            stands = f"score {entry['threshold']:.3f}, {entry['false_matches']:,} false matches{thin}{_found(entry)}"
            rows.append((f"TAR at FAR {name}", percent(entry["value"]), interval(entry), stands))
    for key, name in (("cllr", "Cllr"), ("min_cllr", "min Cllr"), ("ece", "Expected calibration error")):
        unit = " bits" if "llr" in key else ""
        rows.append((name, "no calibration holds for this comparison" if d[key] is None else f"{d[key]:.4f}{unit}", "", ""))
    note = (
        "TAR is the share of genuine comparisons that match; a face that was not found counts as a non-match. Intervals are 95 %, by resampling "
        "people. A false-accept rate x is supported by at least 3/x impostor comparisons; it is thin when fewer than 3/x pairs of people stand behind them."
    )
    return Table("Headline", ("Figure", "Value", "95 % interval", "At"), tuple(rows), note)


def _found(entry: Mapping[str, Any]) -> str:
    """Say what the rate is without the samples in which no face was found, where that is another one."""
    found = entry["of_compared"]
    return "" if found is None or abs(found - entry["value"]) < 1e-9 else f", {percent(found)} of what was found"


def _held_out(d: Document) -> Table | None:
    """Return the figures over people whom the calibration never saw."""
    h = d.get("held_out")
    if h is None:
        return None
    rows = []
    for name, entry in h["tar_at_far"].items():
        if entry is not None:
            rows.append((f"TAR at FAR {name}", percent(entry["value"]), interval(entry), f"score {entry['threshold']:.3f}{_found(entry)}"))
    for name, entry in h["targets"].items():
        if entry is not None:
            fmr, tar = entry["fmr"], entry["tar"]
            spread = f"{rate(fmr['lowest'])} to {rate(fmr['highest'])}"
            rows.append(
                (f"Stated FMR {name}", f"{percent(tar['mean'])} accepted", "", f"measured FMR {rate(fmr['mean'])}, splits {spread}")
            )
    judged = {"joint": "by the joint score", "merge": "by merged false-match rates", "mean": "by mean likelihood ratios"}.get(
        h["fusion"], ""
    )
    how = (
        f"The people in {h['folds']} parts, every two of them with the device calibration that all the others made"
        if h["folds"]
        else f"{h['splits']} random halvings of the people, each half with the device calibration that the other half made"
    )
    note = (
        f"{how}{', in its whitened space' if h['whiten'] else ''}{', judged ' + judged if judged else ''}"
        f"{'' if h['folds'] else '; the headline is that of the first halving'}. {h['impostor_pairs']:,} distinct impostor pairs."
    )
    return Table("People held out", ("Figure", "Value", "95 % interval", "At"), tuple(rows), note)


def _targets(d: Document) -> Table | None:
    """Return what the calibration's own thresholds do here."""
    rows = []
    for name, entry in d["targets"].items():
        if entry is None:
            rows.append((name, "not supported by the calibration", "", "", ""))
            continue
        fmr = entry["fmr"]
        measured = rate(fmr["value"]) if entry["measurable"] else f"not supported by {d['counts']['impostor']:,} comparisons"
        low_high = interval(fmr, rate) if entry["measurable"] else ""
        extra = "" if entry["supported"] else ", extrapolated"
        rows.append((name, f"{entry['threshold']:.3f}{extra}", measured, low_high, percent(1 - entry["fnmr"])))
    note = "Ask the calibration for a target rate and get its threshold: this is the rate that the threshold really has on this data set."
    return (
        Table("Target and truth", ("Target FMR", "Threshold", "Measured FMR", "95 % interval", "TAR"), tuple(rows), note) if rows else None
    )


def _groups(d: Document) -> Table | None:
    """Return error rates by group."""
    g = d["groups"]
    if g is None:
        return None
    rows = []
    for name, r in g["rows"].items():
        fmr = (
            f"not supported by {r['impostor']:,} comparisons"
            if r["fmr"] is None
            else f"{rate(r['fmr']['value'])} ({interval(r['fmr'], rate)})"
        )
        fnmr = "no genuine comparison" if r["fnmr"] is None else f"{percent(r['fnmr']['value'])} ({interval(r['fnmr'])})"
        rows.append((name, f"{r['people']:,}", f"{r['samples']:,}", f"{r['impostor']:,}", fmr, f"{r['genuine']:,}", fnmr))
    worst = g["max_over_geomean"]
    summary = ", ".join(
        f"{name} {value:.2f}"
        for name, value in (("Max/GeoMean FMR", worst["fmr"]), ("Max/GeoMean FNMR", worst["fnmr"]), ("GARBE", g["garbe"]))
        if value is not None
    )
    note = f"All groups at one threshold, {g['threshold']:.3f}, which is FAR {g['target']} for everyone. Impostors are compared within their group. {summary}."
    return Table(f"Groups by {g['column']}", ("Group", "People", "Samples", "Impostor", "FMR", "Genuine", "FNMR"), tuple(rows), note)


def _robustness(d: Document) -> Table | None:
    """Return FNMR by corruption and strength."""
    r = d["robustness"]
    if r is None or r["clean"] is None:
        return None
    rows = [("none", "", *(percent(r["clean"]["value"]),), "", "", "", "")]
    for kind, entry in r["kinds"].items():
        cells = [f"{p['strength']:g}: {percent(p['fnmr']['value'])}" if p["fnmr"] is not None else "" for p in entry["points"]]
        rows.append((kind.replace("_", " "), entry["unit"], *cells))
    note = (
        f"Share of genuine comparisons lost at the threshold {r['threshold']:.3f} (FAR {r['target']} on clean pictures); "
        f"{r['probes']:,} spoilt probes against clean references."
    )
    return Table("Robustness: FNMR", ("Corruption", "Strength is", "1", "2", "3", "4", "5"), tuple(rows), note)


def _ranks(d: Document) -> Table | None:
    """Return the cumulative match characteristic at a few ranks."""
    found = d["identification"]
    if found is None or not found["cmc"]:
        return None
    cells = tuple((f"rank {k}", percent(found["cmc"][k - 1])) for k in (1, 2, 5, 10, 20) if k <= len(found["cmc"]))
    note = f"Share of {found['probes']:,} probes whose own person is among the first k of a gallery of {found['gallery']:,} people, one sample each."
    return Table("Identification", ("Rank", "Found"), cells, note)


def _pad(d: Document) -> Table:
    """Return the headline of attack detection: the worst species first."""
    rows = [
        (f"APCER {name}", *_judged(e, d["apnrr"][name]), f"{e['n']:,}", percent(d["apnrr"][name]["value"]))
        for name, e in d["apcer"].items()
    ]
    if d["bpcer"] is not None:
        rows.append(("BPCER", *_judged(d["bpcer"], d["bpnrr"]), f"{d['bpcer']['n']:,}", percent(d["bpnrr"]["value"])))
    note = (
        "APCER: attacks that the gates passed, by species, the worst first; species are never averaged. BPCER: bona fide presentations that they "
        "failed. Non-response: neither, because no face was found or the sensors needed were not there; it opens nothing and has to be tried again."
    )
    return Table("Headline", ("Figure", "Value", "95 % interval", "Presentations", "Non-response"), tuple(rows), note)


def _judged(error: Mapping[str, Any], silent: Mapping[str, Any]) -> tuple[str, str]:
    """Write an error rate, unless not one presentation got a verdict: then there is none to write."""
    if silent["value"] == 1.0:
        return f"not measured: no verdict on any of {error['n']:,}", ""
    return percent(error["value"]), interval(error)


def _cues(d: Document) -> Table:
    """Return each cue by itself."""
    rows = []
    for name, cue in d["cues"].items():
        for label, e in cue["labels"].items():
            rows.append((name, label, f"{e['measured']:,} of {e['n']:,}", f"{e['pass']:,}", f"{e['fail']:,}", f"{e['abstain']:,}"))
        at = {k: v for k, v in cue["apcer_at_bpcer"].items() if v is not None}
        if cue["eer"] is not None:
            text = (
                ", ".join(f"APCER {percent(v['value'])} at BPCER {k}" for k, v in at.items())
                or "too few bona fide values for APCER at BPCER"
            )
            rows.append((name, "value alone", f"EER {percent(cue['eer'])}", text, "", ""))
    return Table(
        "Cues",
        ("Cue", "Presentations", "Measured", "Pass", "Fail", "Abstain"),
        tuple(rows),
        "A cue that cannot be measured abstains; the tier says which cues must pass.",
    )


def _signs(d: Document) -> Table:
    """Return what the gates said, by label."""
    rows = [(label, what, f"{n:,}") for label, found in d["signs"].items() for what, n in found.items()]
    return Table("What the gates said", ("Presentations", "Verdict", "Number"), tuple(rows))


def _system(d: Document) -> Table:
    """Return the headline of whole transactions."""
    rows = []
    for key, name in (("far", "FAR, zero-effort"), ("frr", "FRR")):
        e = d[key]
        rows.append((name, *(("not measured", "", "") if e is None else (percent(e["value"]), interval(e), f"{e['n']:,}"))))
    rows += [(f"IAPAR {name}", percent(e["value"]), interval(e), f"{e['n']:,}") for name, e in d["iapar"].items()]
    p = d["protocol"]
    note = (
        f"Tier {p['tier']}, target FMR {rate(p['target_fmr'])}, up to {p['tries']} tries a transaction. FRR counts failures to enrol and to acquire. "
        "IAPAR: attack presentations that were let in under their victim's name, the worst species first."
    )
    return Table("Headline", ("Figure", "Value", "95 % interval", "Transactions"), tuple(rows), note)


def _reasons(d: Document) -> Table:
    """Return why transactions ended."""
    rows = [(kind, reason.replace("_", " "), f"{n:,}") for kind, found in d["reasons"].items() for reason, n in found.items()]
    rows += [("enrolment", reason.replace("_", " "), f"{n:,}") for reason, n in d["enrolment"].items()]
    return Table("How transactions ended", ("Transactions", "Reason of the last try", "Number"), tuple(rows))


def _latency(d: Document) -> Table:
    """Return the time to decision."""
    keys = ("p50", "p90", "p95", "p99")
    rows = [
        (kind, f"{e['n']:,}", *(f"not supported by {e['n']:,}" if e[k] is None else f"{e[k]:.1f} ms" for k in keys))
        for kind, e in d["latency_ms"].items()
    ]
    note = "From the decoded frame set to the decision, all tries of a transaction together, on the machine that made this page."
    return Table("Time to decision", ("Transactions", "Number", *keys), tuple(rows), note)


def _acquisition(d: Document) -> Table:
    """Return why samples gave nothing to compare."""
    rows = [(*name.split(": ", 1), f"{n:,}") for name, n in d["acquisition"].items()]
    note = "A sample without an embedding loses all its genuine comparisons, and takes part in no impostor comparison."
    return Table("Failures to acquire", ("Picture", "Why", "Samples"), tuple((a, b.replace("_", " "), c) for a, b, c in rows), note)


def _problems(d: Document, most: int = 50) -> Table | None:
    """Return the rows that could not be used."""
    problems: Sequence[Mapping[str, Any]] = d["problems"]
    rows = [(str(p["line"]) if p["line"] else "", p["message"]) for p in problems[:most]]
    note = f"The first {most} of {len(problems):,}; the JSON document has all of them." if len(problems) > most else ""
    return Table("Rows with problems", ("Line", "Problem"), tuple(rows), note) if rows else None
