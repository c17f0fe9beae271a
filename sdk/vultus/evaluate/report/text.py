"""Tables for a terminal or a pipe: plain text in columns."""

from __future__ import annotations

import textwrap

from vultus.evaluate.report.table import Document, Table
from vultus.evaluate.report.tables import counts_line, tables

_WIDTH = 110


def render_text(document: Document) -> str:
    """Return a document as text, the headline first."""
    parts = [f"{document['kind']}: {document['dataset']}", counts_line(document), *_gate(document), ""]
    for table in tables(document):
        parts += [table.title, *_lines(table)]
        parts += [*(textwrap.wrap(table.note, _WIDTH) if table.note else ()), ""]
    for warning in document["warnings"]:
        parts += textwrap.wrap(f"warning: {warning}", _WIDTH, subsequent_indent="  ")
    return "\n".join(parts).rstrip() + "\n"


def _gate(document: Document) -> tuple[str, ...]:
    """Say whether faces of poor quality were refused, where that was a choice."""
    gate = document["protocol"].get("quality_gate")
    return (
        ()
        if gate is None
        else ("quality gate on: poor faces are failures to acquire" if gate else "quality gate off: every face found is compared",)
    )


def _lines(table: Table) -> list[str]:
    """Return a table in columns as wide as their widest cell."""
    everything = [table.header, *table.rows]
    widths = [max(len(row[k]) for row in everything) for k in range(len(table.header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in everything]
    return [lines[0], "-" * max(len(line) for line in lines), *lines[1:]]
