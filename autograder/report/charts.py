"""Charts of a class for its report: scores, and a bar for each question."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from markupsafe import Markup

from autograder.report.svg import BLUE, GRAY, STYLE, WIDTH, blank_figure, svg


def tenths(shares: Sequence[float]) -> list[int]:
    """How many shares lie in 0–10 %, above 10–20 % and so on.

    Full marks count among 90–100 %; only extra credit lies beyond.
    """
    bins = [max(0, math.ceil(round(10 * share, 9)) - 1) for share in shares]
    return np.bincount(bins, minlength=10).tolist()


def histogram(shares: Sequence[float], name: str, title: str) -> Markup:
    """How many submissions reached which share of the points (0 to 1; extra credit may go beyond)."""
    with mpl.rc_context(STYLE):
        figure = blank_figure(WIDTH, 2.1)
        axis = figure.subplots()
        counts = tenths(shares)
        middle = float(np.median(shares))
        drawn = axis.bar(np.arange(len(counts)) * 10 + 5, counts, width=9, color=BLUE)
        axis.bar_label(drawn, [str(count) if count else "" for count in counts], fontsize=9, padding=2)
        axis.axvline(100 * middle, color="black", linewidth=1, linestyle=(0, (4, 3)), zorder=3)
        axis.set(xlabel="points, in % of the maximum", yticks=[])
        axis.spines["left"].set_visible(False)
        axis.margins(y=0.14)
        axis.set_xticks(np.arange(0, len(counts) * 10 + 1, 20))
        told = (
            f"{len(shares)} submissions; median {middle:.0%} (dashed), lowest {min(shares):.0%}, highest"
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
        figure = blank_figure(WIDTH, per_row * len(rows) + (1.0 if len(labels) == 1 else 1.3))
        axis = figure.subplots()
        places = np.arange(len(rows))
        height = 0.75 / len(labels)
        for index, (label, color) in enumerate(zip(labels, (BLUE, GRAY), strict=False)):
            values = [row[index] for row in rows.values()]
            heights = [0.0 if value is None else value for value in values]
            where = places + (index - (len(labels) - 1) / 2) * height
            drawn = axis.barh(where, heights, 0.9 * height, color=color, label=label)
            axis.bar_label(
                drawn,
                ["n/a" if value is None else digits.format(value) for value in values],
                padding=3,
                fontsize=8,
            )
        axis.set_yticks(places, list(rows))
        axis.spines["left"].set_visible(False)
        axis.grid(axis="x")
        axis.invert_yaxis()
        axis.set_xlabel(xlabel)
        axis.margins(x=0.16, y=0.01)
        if any(value is not None and value < 0 for row in rows.values() for value in row):
            axis.axvline(0, color="black", linewidth=0.8)
        if len(labels) > 1:
            figure.legend(loc="outside upper left", ncols=2)
        return svg(figure, title, description, name)
