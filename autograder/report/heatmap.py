"""Matrices as colored grids with their numbers written in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import matplotlib as mpl
import numpy as np
from jinja2 import Template
from markupsafe import Markup
from matplotlib.colors import to_hex

from autograder.report import safehtml

MAX_SIDE = 64  # rows or columns of a drawn matrix
WRITTEN_COLUMNS = 12  # more leave no room for numbers in the cells


@dataclass(frozen=True)
class Grid:
    """A matrix (rows, columns) with a title and a label for each row and column."""

    title: str
    values: np.ndarray
    rows: Sequence[str]
    columns: Sequence[str]


@lru_cache(maxsize=1)
def _template() -> Template:
    return safehtml.environment().get_template("heatmap.svg.j2")


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
    """Colored grids with their numbers in them, one below the other, on one scale from ``low`` to ``top``."""
    if any(
        grid.values.ndim != 2 or not grid.values.size or max(grid.values.shape) > MAX_SIDE for grid in grids
    ):
        raise ValueError("not a matrix that can be drawn")
    colors = mpl.colormaps["cividis"]
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
            fill = to_hex(colors(share)) if np.isfinite(value) else "#dddddd"
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
    lowest = min(int(one["height"]) for one in maps)
    if lowest < 7 * len(y):  # a map of one row has no room for a long label beside it
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
    drawn = _template().render(name=name, maps=maps, width=width, height=down, **shown)
    return Markup(drawn)  # noqa: S704  # escaped by the template
