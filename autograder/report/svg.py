"""Pictures for pages: inline SVG with a title and a description, text as text, no scripts.

Figures are drawn at the width of a phone (about 330 px), so that their letters stay legible there; pages set
them side by side where there is room.
"""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

WIDTH = 4.6  # inches: 331 pt
BLUE, ORANGE, GRAY, GREEN = (
    "#0072b2",
    "#d55e00",
    "#767676",
    "#009e73",
)  # Okabe and Ito's color-blind-safe set
GRID = "#e6e8ed"
COLORS = {  # of a drawing → the page's, which follow its scheme
    BLUE: "--chart-1",
    ORANGE: "--chart-2",
    GRAY: "--chart-3",
    GREEN: "--chart-4",
    GRID: "--grid",
    "#000000": "--ink",
    "#ffffff": "--paper",
}
STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.linewidth": 0.8,
    "axes.edgecolor": GRAY,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": GRAY,
    "ytick.color": GRAY,
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "text.parse_math": False,
    "mathtext.default": "regular",
}

_COLOR = re.compile("|".join(COLORS))


def svg(figure: Figure, title: str, description: str, name: str) -> Markup:
    """The figure as an accessible ``<svg>`` element.

    Args:
        figure: drawn, with a layout engine.
        title: its short name, for screen readers.
        description: what it shows, in a sentence.
        name: unique on its page; keeps ids apart.
    """
    buffer = io.BytesIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, facecolor="none")
    text = buffer.getvalue().decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, count=1, flags=re.S)
    text = re.sub(
        r'\bid="(?!m[0-9a-f]{10}|p[0-9a-f]{10}|h[0-9a-f]{10}|image)[^"]*"', "", text
    )  # layer names repeat from figure to figure
    text = re.sub(
        r"font: ([^;\"]*?)'DejaVu Sans'[^;\"]*", r"font: \1'DejaVu Sans', Verdana, Arial, sans-serif", text
    )
    text = _COLOR.sub(lambda color: f"var({COLORS[color[0]]}, {color[0]})", text)
    head, body = text.split(">", 1)
    head = re.sub(r'\s(?:width|height)="[^"]*"', "", head)
    head += str(Markup(' role="img" aria-labelledby="{0}-t {0}-d" class="ag-figure"').format(name))
    label = Markup('<title id="{0}-t">{1}</title><desc id="{0}-d">{2}</desc>').format(
        name, title, description
    )
    return Markup(f"{head}>{label}{body}")  # noqa: S704  # matplotlib escapes the text that it draws


def blank_figure(width: float, height: float) -> Figure:
    """A figure of this size in inches, whose parts find room for themselves."""
    return Figure(figsize=(width, height), layout="constrained")
