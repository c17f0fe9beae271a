"""One drawing of a report: an SVG element that needs nothing from outside the page."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE: Final = (6.2, 4.0)


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawing with its title and what it shows, in a sentence or two."""

    title: str
    svg: str
    caption: str


def new_figure(size: tuple[float, float] = SIZE) -> tuple[Figure, Axes]:
    """Return an empty figure and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.add_subplot()


def to_svg(figure: Figure, name: str) -> str:
    """Return the SVG element alone; ids carry the drawing's name, since several drawings share one page."""
    from matplotlib import rc_context

    out = io.StringIO()
    with rc_context({"svg.hashsalt": name}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'(xlink:href="#|url\(#)', rf"\1{name}-", text)
    # The page scales it: the drawing keeps its proportions and loses its size in points.
    return re.sub(r'<svg ([^>]*?)height="[^"]+"([^>]*?)width="[^"]+"', r"<svg \1\2", text, count=1)
