"""Pictures for pages: inline SVG with a title and a description, text as text, no scripts. Charts are matplotlib's.

Figures are drawn at the width of a phone (about 330 px), so that their letters stay legible there; pages set
them side
by side where there is room.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from jinja2 import Template
from markupsafe import Markup
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

WIDTH = 4.6  # inches: 331 pt
BLUE, ORANGE, GREY, GREEN = (
    "#0072b2",
    "#d55e00",
    "#767676",
    "#009e73",
)  # Okabe and Ito's colour-blind-safe set
STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "legend.frameon": False,
    "text.parse_math": False,
    "mathtext.default": "regular",
}
MAX_SIDE = 64  # rows or columns of a drawn matrix
MAX_GRIDS = 6  # one below the other
MAX_TOLD = 12  # rows that are told in words, too
MAX_POINTS = 5_000
WRITTEN_COLUMNS = 12  # more leave no room for numbers in the cells


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
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, facecolor="white")
    text = buffer.getvalue().decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, count=1, flags=re.S)
    text = re.sub(
        r'\bid="(?!m[0-9a-f]{10}|p[0-9a-f]{10}|h[0-9a-f]{10}|image)[^"]*"', "", text
    )  # layer names repeat from figure to figure
    text = re.sub(
        r"font: ([^;\"]*?)'DejaVu Sans'[^;\"]*", r"font: \1'DejaVu Sans', Verdana, Arial, sans-serif", text
    )
    head, body = text.split(">", 1)
    head = re.sub(r'\s(?:width|height)="[^"]*"', "", head)
    head += str(Markup(' role="img" aria-labelledby="{0}-t {0}-d" class="ag-figure"').format(name))
    label = Markup('<title id="{0}-t">{1}</title><desc id="{0}-d">{2}</desc>').format(
        name, title, description
    )
    return Markup(f"{head}>{label}{body}")  # noqa: S704  # matplotlib escapes the text that it draws


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")


def evidence_svg(evidence: Mapping[str, Any], name: str) -> Markup | None:
    """The picture of some evidence, None where words say it better or it cannot be drawn."""
    draw = {"attention": _attention, "curve": _curve, "matrix": _matrix}.get(str(evidence.get("kind")))
    if draw is None:
        return None
    try:
        return draw(evidence, name)
    except (ValueError, TypeError, KeyError, IndexError):  # odd numbers out of a submission
        return None


_HEATMAP = Template("""\
<svg class="ag-figure" overflow="visible" viewBox="0 0 {{ width }} {{ height }}" style="max-width: {{ width * 1.25 }}px" role="img" \
aria-labelledby="{{ name }}-t {{ name }}-d" font-family="DejaVu Sans, Verdana, Arial, sans-serif" font-size="11">
<title id="{{ name }}-t">{{ title }}</title><desc id="{{ name }}-d">{{ description }}</desc>
{% for map in maps %}<g transform="translate({{ map.left }} {{ map.top }})">
{% if map.title %}<text x="{{ map.width / 2 }}" y="-9" text-anchor="middle" font-weight="bold">{{ map.title }}</text>{% endif %}
<text x="{{ map.width / 2 }}" y="{{ map.height + map.foot - 6 }}" text-anchor="middle">{{ x }}</text>
<text transform="translate({{ 13 - margin }} {{ map.height / 2 }}) rotate(-90)" text-anchor="middle">{{ y }}</text>
{% for cell in map.cells %}
<rect x="{{ cell.x }}" y="{{ cell.y }}" width="{{ size }}" height="{{ size }}" fill="{{ cell.fill }}" stroke="#fff"/>
{% if cell.text %}
<text x="{{ cell.x + size / 2 }}" y="{{ cell.y + size / 2 + 4 }}" text-anchor="middle" fill="{{ cell.ink }}">{{ cell.text }}</text>
{% endif %}
{% endfor %}
{% for label in map.rows %}<text x="-5" y="{{ loop.index0 * size + size / 2 + 4 }}" text-anchor="end">{{ label }}</text>{% endfor %}
{% for label in map.columns %}{% set at = loop.index0 * size + size / 2 %}{% if turned %}
<text transform="translate({{ at + 4 }} {{ map.height + 6 }}) rotate(-90)" text-anchor="end">{{ label }}</text>{% else %}
<text x="{{ at }}" y="{{ map.height + 15 }}" text-anchor="middle">{{ label }}</text>{% endif %}{% endfor %}
</g>
{% endfor %}</svg>""", autoescape=True, trim_blocks=True)  # fmt: skip


@dataclass(frozen=True)
class Grid:
    """A matrix (rows, columns) with a title and a label for each row and column."""

    title: str
    values: np.ndarray
    rows: Sequence[str]
    columns: Sequence[str]


def heatmap(
    grids: Sequence[Grid],
    name: str,
    *,
    title: str,
    description: str,
    x: str,
    y: str,
    low: float = 0.0,
    top: float,
    digits: str,
) -> Markup:
    """Coloured grids with their numbers written in, one below the other, on one scale from ``low`` to ``top``."""
    if any(
        grid.values.ndim != 2 or not grid.values.size or max(grid.values.shape) > MAX_SIDE for grid in grids
    ):
        raise ValueError("not a matrix that can be drawn")
    colours = mpl.colormaps["cividis"]
    margin = 26 + 7 * max(len(label) for grid in grids for label in grid.rows)
    longest = max(len(label) for grid in grids for label in grid.columns)
    rows, columns = (max(grid.values.shape[axis] for grid in grids) for axis in (0, 1))
    size = max(34, min(60, 130 // rows)) if columns <= WRITTEN_COLUMNS else 14
    turned = longest * 7 >= size
    foot = (longest * 7 + 8 if turned else 18) + 20
    maps: list[dict[str, Any]] = []
    down = 0
    for grid in grids:
        cells = []
        for (row, column), value in np.ndenumerate(grid.values):
            share = float(np.clip((value - low) / (top - low), 0, 1)) if np.isfinite(value) else 0.0
            text = digits.format(value) if size > 30 and np.isfinite(value) else "" if size <= 30 else "–"
            fill = to_hex(colours(share)) if np.isfinite(value) else "#dddddd"
            cells.append(
                {
                    "x": column * size,
                    "y": row * size,
                    "fill": fill,
                    "ink": "#fff" if share < 0.48 else "#000",
                    "text": text,
                }
            )
        down += 38 if grid.title else 8
        height = grid.values.shape[0] * size
        maps.append(
            {
                "title": grid.title,
                "top": down,
                "left": margin,
                "width": grid.values.shape[1] * size,
                "height": height,
                "foot": foot,
            }
        )
        maps[-1] |= {"rows": list(grid.rows), "columns": list(grid.columns), "cells": cells}
        down += height + foot
    width = margin + max(columns * size, 7 * len(x)) + 10
    if min(map_["height"] for map_ in maps) < 7 * len(
        y
    ):  # a map of one row has no room for a long label beside it
        y = y.split(" (")[0]
    shown = {
        "title": title,
        "description": description,
        "x": x,
        "y": y,
        "margin": margin,
        "size": size,
        "turned": turned,
    }
    return Markup(_HEATMAP.render(name=name, maps=maps, width=width, height=down, **shown))  # noqa: S704  # escaped by the template


def _attention(evidence: Mapping[str, Any], name: str) -> Markup:
    grids = []
    for prefix, maps in (("", evidence["maps"]), ("expected", evidence.get("expected", []))):
        for drawn in maps[:MAX_GRIDS]:
            title = ": ".join(filter(None, (prefix, str(drawn["title"]))))
            grids.append(
                Grid(
                    title,
                    np.array(drawn["weights"], dtype=float),
                    list(map(str, drawn["queries"])),
                    list(map(str, drawn["keys"])),
                )
            )
    told = []
    for grid in grids:
        best = [(row.max(), grid.columns[int(row.argmax())]) for row in grid.values[:MAX_TOLD]]
        looks = [
            f"{query} looks most at {key} ({weight:.2f})"
            for query, (weight, key) in zip(grid.rows, best, strict=False)
        ]
        told.append((f"{grid.title}: " if grid.title else "") + "; ".join(looks) + ".")
    x, y = "keys (looked at)", "queries (looking)"
    return heatmap(
        grids,
        name,
        title=str(evidence["caption"]),
        description=" ".join(told),
        x=x,
        y=y,
        top=1.0,
        digits="{:.2f}",
    )


def _matrix(evidence: Mapping[str, Any], name: str) -> Markup:
    both = {"": np.array(evidence["values"], dtype=float)}
    if "expected" in evidence:
        both = {"what came out": both[""], "expected": np.array(evidence["expected"], dtype=float)}
    finite = np.concatenate([values[np.isfinite(values)] for values in both.values()])
    low, top = min(0.0, float(finite.min())), float(finite.max())
    top = top if top > low else low + 1.0
    digits = "{:.0f}" if (finite == np.round(finite)).all() else "{:.2f}" if max(-low, top) < 10 else "{:.3g}"
    grids = []
    for title, values in both.items():
        named = (evidence.get("rows"), evidence.get("columns"))
        rows, columns = (
            [*map(str, names or range(count))][:count]
            for names, count in zip(named, values.shape, strict=True)
        )
        grids.append(Grid(title, values, rows, columns))
    told = (
        f"{' by '.join(map(str, grids[0].values.shape))} numbers from {finite.min():.3g} to"
        f" {finite.max():.3g}."
    )
    if evidence.get("rows"):
        at = [int(np.nan_to_num(row, nan=-np.inf).argmax()) for row in grids[0].values[:MAX_TOLD]]
        largest = [
            f"{grids[0].rows[row]}: {grids[0].columns[column]}"
            f" ({digits.format(grids[0].values[row, column])})"
            for row, column in enumerate(at)
        ]
        told += f" Largest number of each row: {'; '.join(largest)}."
    across = str(evidence.get("x", ""))
    if (
        max(grid.values.shape[1] for grid in grids) > WRITTEN_COLUMNS
    ):  # no room for numbers, so say what the colours mean
        across += f" (dark {digits.format(low)}, bright {digits.format(top)})"
    return heatmap(
        grids,
        name,
        title=str(evidence["caption"]),
        description=told,
        low=low,
        top=top,
        digits=digits,
        x=across,
        y=str(evidence.get("y", "")),
    )


def _curve(evidence: Mapping[str, Any], name: str) -> Markup:
    with mpl.rc_context(STYLE):
        figure = _figure(WIDTH, 2.8)
        axis = figure.subplots()
        told = []
        expected = {f"{label}, expected": numbers for label, numbers in evidence.get("expected", {}).items()}
        styles = zip((BLUE, ORANGE, GREEN, GREY), ("-", "--", "-.", ":"), strict=True)
        for (label, numbers), (colour, dash) in zip(
            (evidence["series"] | expected).items(), styles, strict=False
        ):
            series = np.array(numbers, dtype=float)[:MAX_POINTS]
            at = np.array(evidence.get("at") or range(len(series)), dtype=float)[:MAX_POINTS]
            axis.plot(
                at,
                series,
                dash,
                color=colour,
                label=label,
                marker="o" if len(series) <= 30 else "",
                markersize=4,
            )
            told.append(f"{label} goes from {series[0]:.3g} to {series[-1]:.3g} over {len(series)} points.")
        for (label, place), dash in zip(evidence.get("marks", {}).items(), (":", "--"), strict=False):
            axis.axvline(float(place), color="black", linewidth=1, linestyle=dash, label=label)
            told.append(f"{label} is {float(place):g}.")
        if evidence.get("log") and axis.dataLim.minposy < np.inf:  # zeros alone have no logarithm
            axis.set(xscale="log", yscale="log")
            decades = math.log10(axis.get_ylim()[1] / axis.get_ylim()[0])
            axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 3 else (1.0,)))
            axis.set_xticks(at[:: 1 + len(at) // 5])
            axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,.12g}"))
            axis.yaxis.set_major_formatter(EngFormatter(sep=""))  # no powers of ten: pages show text as it is
            axis.xaxis.set_minor_formatter(NullFormatter())
            axis.yaxis.set_minor_formatter(NullFormatter())
        axis.set(xlabel=str(evidence.get("x", "step")), ylabel=str(evidence.get("y", "")))
        figure.legend(loc="outside upper left", ncols=1)
        return svg(figure, str(evidence["caption"]), " ".join(told), name)


# --- charts of a class --------------------------------------------------------------------------------------


def tenths(shares: Sequence[float]) -> list[int]:
    """How many shares lie in 0–10 %, above 10–20 % and so on: full marks count among 90–100 %, only extra credit beyond."""
    bins = [max(0, math.ceil(round(10 * share, 9)) - 1) for share in shares]
    return np.bincount(bins, minlength=10).tolist()


def histogram(shares: Sequence[float], name: str, title: str) -> Markup:
    """How many submissions reached which share of the points (0 to 1; extra credit may go beyond)."""
    with mpl.rc_context(STYLE):
        figure = _figure(WIDTH, 2.7)
        axis = figure.subplots()
        counts = tenths(shares)
        bars = axis.bar(np.arange(len(counts)) * 10 + 5, counts, width=9, color=BLUE)
        axis.bar_label(bars, [str(count) if count else "" for count in counts], fontsize=9)
        axis.set(xlabel="points, in % of the maximum", ylabel="submissions")
        axis.yaxis.set_major_locator(MaxNLocator(integer=True))
        axis.set_xticks(np.arange(0, len(counts) * 10 + 1, 20))
        told = (
            f"{len(shares)} submissions; median {np.median(shares):.0%}, lowest {min(shares):.0%}, highest"
            f" {max(shares):.0%}."
        )
        return svg(figure, title, told, name)


def bars(
    rows: Mapping[str, Sequence[float | None]],
    labels: Sequence[str],
    name: str,
    title: str,
    xlabel: str,
    description: str,
    digits: str = "{:.0f}",
) -> Markup:
    """Horizontal bars, one row for each question, one bar in each row for each label; None is left out."""
    with mpl.rc_context(STYLE):
        per_row = 0.30 if len(labels) == 1 else 0.46
        figure = _figure(WIDTH, per_row * len(rows) + (1.0 if len(labels) == 1 else 1.3))
        axis = figure.subplots()
        places = np.arange(len(rows))
        height = 0.75 / len(labels)
        for index, (label, colour, hatch) in enumerate(
            zip(labels, (BLUE, ORANGE), ("", "///"), strict=False)
        ):
            values = [row[index] for row in rows.values()]
            heights = [0.0 if value is None else value for value in values]
            where = places + (index - (len(labels) - 1) / 2) * height
            drawn = axis.barh(
                where, heights, height, color=colour, label=label, hatch=hatch, edgecolor="white"
            )
            axis.bar_label(
                drawn,
                ["n/a" if value is None else digits.format(value) for value in values],
                padding=3,
                fontsize=8,
            )
        axis.set_yticks(places, list(rows))
        axis.invert_yaxis()
        axis.set_xlabel(xlabel)
        axis.margins(x=0.16, y=0.01)
        if any(value is not None and value < 0 for row in rows.values() for value in row):
            axis.axvline(0, color="black", linewidth=0.8)
        if len(labels) > 1:
            figure.legend(loc="outside upper left", ncols=2)
        return svg(figure, title, description, name)
