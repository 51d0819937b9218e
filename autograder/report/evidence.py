"""Pictures of what a check saw: attention maps, matrices, curves. See :mod:`autograder.declare.evidence`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter, StrMethodFormatter

from autograder.report.heatmap import WRITTEN_COLUMNS, Grid, heatmap
from autograder.report.svg import BLUE, GRAY, GREEN, ORANGE, STYLE, WIDTH, blank_figure, svg

MAX_GRIDS = 6  # one below the other
MAX_TOLD = 12  # rows that are told in words, too
MAX_POINTS = 5_000


def evidence_svg(evidence: Mapping[str, Any], name: str) -> Markup | None:
    """The picture of some evidence, None where words say it better or it cannot be drawn."""
    draw = {"attention": _attention, "curve": _curve, "matrix": _matrix}.get(str(evidence.get("kind")))
    if draw is None:
        return None
    try:
        return draw(evidence, name)
    except (ValueError, TypeError, KeyError, IndexError):  # odd numbers out of a submission
        return None


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
        both = {"your result": both[""], "expected": np.array(evidence["expected"], dtype=float)}
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
    ):  # no room for numbers, so say what the colors mean
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
        figure = blank_figure(WIDTH, 2.8)
        axis = figure.subplots()
        told = []
        expected = {f"{label}, expected": numbers for label, numbers in evidence.get("expected", {}).items()}
        styles = zip((BLUE, ORANGE, GREEN, GRAY), ("-", "--", "-.", ":"), strict=True)
        for (label, numbers), (color, dash) in zip(
            (evidence["series"] | expected).items(), styles, strict=False
        ):
            series = np.array(numbers, dtype=float)[:MAX_POINTS]
            at = np.array(evidence.get("at") or range(len(series)), dtype=float)[:MAX_POINTS]
            axis.plot(
                at,
                series,
                dash,
                color=color,
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
        axis.grid(axis="y")
        axis.set(xlabel=str(evidence.get("x", "step")), ylabel=str(evidence.get("y", "")))
        figure.legend(loc="outside upper left", ncols=1)
        return svg(figure, str(evidence["caption"]), " ".join(told), name)
