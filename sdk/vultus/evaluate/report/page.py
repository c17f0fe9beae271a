"""Write the page: one HTML file with everything in it, for a browser and a printer."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from vultus import pictures
from vultus.evaluate.report.caveats import caveats
from vultus.evaluate.report.drawing import Drawing
from vultus.evaluate.report.plots import drawings
from vultus.evaluate.report.table import Document, Table, percent
from vultus.evaluate.report.tables import counts_line, tables
from vultus.evaluate.samples import Sample
from vultus.frames import Stream

Worst = Mapping[str, Sequence[tuple[Sample, Sample, float]]]

_TITLES = {"match": "Verification", "lfw": "Verification on LFW", "pad": "Attack detection", "system": "Whole transactions"}
_THUMB = 120


def render_page(document: Document, worst: Worst | None = None) -> str:
    """Return the page of a document; `worst` adds the pictures of the worst errors, and with them people's faces."""
    title = f"{_TITLES[document['kind']]}: {document['dataset']}"
    found = tables(document)
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="sub">{escape(_protocol(document))}<br>{escape(counts_line(document))}</p>',
        _big(document),
        *(f'<p class="warn">{escape(w)}</p>' for w in document["warnings"]),
        _table(found[0]),
        _drawings(drawings(document)),
        *(_table(t) for t in found[1:]),
        _faces(worst) if worst is not None else "",
        "<section><h2>What these figures do not show</h2>" + "".join(f"<p>{escape(p)}</p>" for p in caveats(document)) + "</section>",
        _provenance(document["provenance"]),
    ]
    style = files("vultus.evaluate.report").joinpath("style.css").read_text("utf-8")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
    return f'<!doctype html>\n<html lang="en"><head>{head}<style>{style}</style></head>\n<body>\n' + "\n".join(parts) + "\n</body></html>\n"


def _protocol(d: Document) -> str:
    """Say in one sentence what was done."""
    p = d["protocol"]
    if d["kind"] == "pad":
        return f"Every sample went through the liveness gates; species of attack: {', '.join(p['species']) or 'none'}."
    if d["kind"] == "system":
        names = "all" if p["impostors"] is None else str(p["impostors"])
        return f"Everybody enrolled, then everybody claimed his own and {names} other names, up to {p['tries']} tries each."
    what = "the pairs of a list" if p["pairs"] else "every sample against every other"
    limits = "".join(f", {side}s where {p[f'{side}_where']}" for side in ("reference", "probe") if p[f"{side}_where"])
    if p.get("middle", 1.0) != 1.0:
        limits += f", the middle {100 * p['middle']:.0f} % of each picture's sides"
    return f"References {p['reference']}, probes {p['probe']}, {what}{limits}; score: {p['score']}; quality gate {'on' if p['quality_gate'] else 'off'}."


def _big(d: Document) -> str:
    """Return the few figures that a hurried reader takes away."""
    headline = tables(d)[0]
    wanted = {
        "match": ("TAR at FAR 1e-4", "TAR at FAR 1e-3", "Equal error rate"),
        "lfw": ("Ten-fold accuracy", "TAR at FAR 1e-4", "TAR at FAR 1e-6"),
    }
    rows = {row[0]: row for row in headline.rows}
    names = wanted.get(d["kind"]) or tuple(row[0] for row in headline.rows if row[0].startswith(("FAR", "FRR", "BPCER")))
    first = tuple(row[0] for row in headline.rows if row[0].startswith(("APCER", "IAPAR")))[:1]
    shown = [n for n in (*first, *names) if n in rows and rows[n][2]]
    boxes = [(n + (" (worst species)" if n in first else ""), rows[n][1], rows[n][2]) for n in shown]
    lost, due = d["counts"]["failed_to_acquire"], d["counts"]["samples"]
    if lost and d["kind"] in ("match", "lfw"):
        boxes.append(("Failed to acquire", percent(lost / due), f"{lost:,} of {due:,} samples"))
    found = "".join(f"<div><span>{escape(n)}</span><b>{escape(v)}</b><span>{escape(i)}</span></div>" for n, v, i in boxes)
    return f'<div class="big">{found}</div>'


def _table(t: Table) -> str:
    """Return a table; a cell that says that a figure is missing looks different from a figure."""
    head = "".join(f"<th>{escape(h)}</th>" for h in t.header)
    body = "".join("<tr>" + "".join(_cell(c) for c in row) + "</tr>" for row in t.rows)
    note = f'<p class="note">{escape(t.note)}</p>' if t.note else ""
    return f"<section><h2>{escape(t.title)}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}</section>"


def _cell(text: str) -> str:
    missing = text.startswith(("not supported", "no calibration", "not measured", "no genuine"))
    return f'<td class="no">{escape(text)}</td>' if missing else f"<td>{escape(text)}</td>"


def _drawings(found: Sequence[Drawing]) -> str:
    """Return the drawings side by side; the broad ones get a row of their own."""
    wide = ("Robustness", "Groups by")
    figures = "".join(
        f"<figure{' class=wide' if d.title.startswith(wide) else ''}><h3>{escape(d.title)}</h3>{d.svg}<figcaption>{escape(d.caption)}</figcaption></figure>"
        for d in found
    )
    return f'<section><h2>Drawings</h2><div class="drawings">{figures}</div></section>' if figures else ""


def _faces(worst: Worst) -> str:
    """Return the worst errors as pairs of pictures."""
    names = {
        "false_matches": "Worst false matches: different people, highest scores",
        "false_non_matches": "Worst false non-matches: same person, lowest scores",
    }
    parts = ['<p class="warn">This page holds pictures of people. Keep it where the data set may be kept.</p>']
    for key, title in names.items():
        pairs = "".join(_pair(a, b, score) for a, b, score in worst.get(key, ()))
        parts.append(f'<h2>{title}</h2><div class="faces">{pairs or "<p>none at this threshold</p>"}</div>')
    return "<section>" + "".join(parts) + "</section>"


def _pair(a: Sample, b: Sample, score: float) -> str:
    names = f"{a.person}/{a.name} and {b.person}/{b.name}"
    return f"<figure>{_picture(a)}{_picture(b)}<figcaption>{escape(names)}: {score:.3f}</figcaption></figure>"


def _picture(sample: Sample) -> str:
    """Return a sample's colour picture, or its infrared one, small and inside the page."""
    for stream in (Stream.RGB, Stream.NIR):
        if stream in sample.files:
            try:
                image = pictures.read(sample.files[stream], stream)
            except (OSError, ValueError):
                continue
            if image.dtype != "uint8":
                image = (image.astype("float32") * (255.0 / max(int(image.max()), 1))).astype("uint8")
            scale = _THUMB / min(image.shape[:2])
            small = pictures.resize(image, max(16, round(image.shape[1] * scale)), max(16, round(image.shape[0] * scale)))
            return f'<img alt="" src="data:image/png;base64,{base64.b64encode(pictures.encode_png(small)).decode()}">'
    return "<span>unreadable</span>"


def _provenance(p: Mapping[str, Any]) -> str:
    """Return what the figures were made with."""
    rows = [("SDK", p["sdk"]), *((f"graph {role}", sha) for role, sha in p["graphs"].items())]
    rows += [
        ("calibration", p["calibration"] or "none"),
        ("data set sha256", p["dataset_sha256"]),
        ("command", p["command"]),
        ("date", p["date"]),
    ]
    body = "".join(f"<dt>{escape(k)}</dt><dd><code>{escape(v)}</code></dd>" for k, v in rows)
    return f"<section><h2>Provenance</h2><dl>{body}</dl></section>"
