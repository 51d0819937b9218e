"""Figures with words beside them, attention maps and matrices."""

from __future__ import annotations

import html
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def show_figure(figure: Any = None, alt: str = "") -> None:
    """Shows a figure as ``plt.show()`` does, with a text for those who cannot see it.

    Args:
        figure: a matplotlib figure; the current one if left out.
        alt: what it shows; :func:`describe_figure` says it if left out.
    """
    import matplotlib.pyplot as plt

    figure = plt.gcf() if figure is None else figure
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None or "inline" not in plt.get_backend():
        plt.show()
        return
    from IPython.display import display

    words = alt or describe_figure(figure)
    data, metadata = shell.display_formatter.format(figure)
    plt.close(figure)
    for kind in data:
        if kind.startswith("image/"):
            metadata[kind] = {**metadata.get(kind, {}), "alt": words}
    display({**data, "text/plain": words}, metadata=metadata, raw=True)
    told = html.escape(words).replace(
        "\n", "<br>"
    )  # JupyterLab does not read alt, so the words stand below the figure, too
    display({"text/html": f"<details><summary>Figure in words</summary>{told}</details>"}, raw=True)


def describe_figure(figure: Any) -> str:
    """A figure in words, panel by panel: titles, axes, from where to where labelled lines and maps go."""
    title = figure.get_suptitle() if hasattr(figure, "get_suptitle") else ""
    bars = {bar.ax for axis in figure.axes for image in axis.images if (bar := image.colorbar) is not None}
    panels = [words for axis in figure.axes if axis not in bars and (words := _describe_axis(axis))]
    told = panels[:12] + ([f"And {len(panels) - 12} panels more."] if len(panels) > 12 else [])
    return "\n".join(["Figure." if not title else f"Figure: {title}.", *told])


def _describe_axis(axis: Any) -> str:
    x, y = axis.get_xlabel(), axis.get_ylabel()
    parts = [f"{y} over {x}" if x and y else x or y] if x or y else []
    for line in axis.lines:
        xs, ys = (np.ravel(np.asarray(values, dtype=float)) for values in line.get_data())
        name = (
            line.get_label()
            if not line.get_label().startswith("_")
            else "the line"
            if len(axis.lines) == 1
            else ""
        )
        if name and len(ys):
            where = (
                f" for x from {_rough(xs[0])} to {_rough(xs[-1])}"
                if len(ys) > 1
                else f" at x = {_rough(xs[0])}"
            )
            path = (
                f"is at {_rough(ys[0])}"
                if np.ptp(ys) == 0
                else f"goes from {_rough(ys[0])} to {_rough(ys[-1])}"
            )
            parts.append(f"{name} ({_line_style(line)}) {path}{where}")
    parts += [
        f"{dots.get_label()} ({len(dots.get_offsets())} points)"
        for dots in axis.collections
        if not str(dots.get_label()).startswith("_")
    ]
    for bars in axis.containers:
        heights = [bar.get_height() for bar in getattr(bars, "patches", ())]
        name = "bars" if str(bars.get_label()).startswith("_") else f"bars, {bars.get_label()}"
        parts += [f"{name}: {', '.join(map(_rough, heights[:20]))}"] if heights else []
    for image in axis.images:
        values: np.ndarray = np.ma.filled(np.ma.asarray(image.get_array(), dtype=float), np.nan)
        if values.ndim == 2 and np.isfinite(values).any():
            rows, columns = values.shape
            parts.append(
                f"map of {rows} rows and {columns} columns, from {_rough(np.nanmin(values))} to"
                f" {_rough(np.nanmax(values))}"
            )
            parts += _brightest(axis, values) if max(values.shape) <= 12 else []
    title = axis.get_title()
    return (
        f"{title}: {'; '.join(parts)}."
        if title and parts
        else f"{title or '; '.join(parts)}."
        if title or parts
        else ""
    )


def _rough(number: Any) -> str:
    return f"{float(number):.4g}"


def _line_style(line: Any) -> str:
    markers = {
        "o": "circles",
        "s": "squares",
        "D": "diamonds",
        "^": "triangles up",
        "v": "triangles down",
        "x": "crosses",
        "|": "ticks",
    }
    lines = {"-": "solid", "--": "dashed", "-.": "dash-dotted", ":": "dotted"}
    found = [lines.get(line.get_linestyle(), ""), markers.get(str(line.get_marker()), "")]
    return " with ".join(word for word in found if word) or "a line"


def _brightest(axis: Any, values: np.ndarray) -> list[str]:
    rows, columns = (
        [label.get_text() for label in labels] for labels in (axis.get_yticklabels(), axis.get_xticklabels())
    )
    if len(rows) != values.shape[0] or len(columns) != values.shape[1] or not any(rows) or not any(columns):
        return []
    told = []
    for row, line in zip(rows, np.nan_to_num(values), strict=True):
        at = int(line.argmax())
        told.append(
            f"{row} is alike everywhere"
            if np.ptp(line) < 1e-9
            else f"{row} is largest at {columns[at]} ({_rough(line[at])})"
        )
    return told


def show_attention(
    weights: Any,
    queries: Sequence[str],
    keys: Sequence[str] | None = None,
    title: str | Sequence[str] = "",
    mask: Any = None,
) -> None:
    """Draws one or several attention maps side by side, on one shared scale from 0 to 1.

    Args:
        weights: (query, key) probabilities, rows sum to 1; or a list of such maps.
        queries: a label for each row.
        keys: a label for each column; the queries' labels if left out.
        title: one title, or one for each map.
        mask: bool, same shape as a map, True where attention is not allowed; drawn hatched.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    maps = [
        np.asarray(item, dtype=float)
        for item in (weights if isinstance(weights, list | tuple) else [weights])
    ]
    titles = [title] * len(maps) if isinstance(title, str) else list(title)
    keys = queries if keys is None else keys
    size = max(2.2, 0.42 * max(len(queries), len(keys)))
    figure, axes = plt.subplots(
        1,
        len(maps),
        figsize=((size + 0.9) * len(maps) + 0.9, size + 0.9),
        squeeze=False,
        layout="constrained",
    )
    for axis, values, name in zip(axes[0], maps, titles, strict=True):
        image = axis.imshow(values, vmin=0.0, vmax=1.0, cmap="cividis")
        axis.set(title=name, xlabel="keys (looked at)", ylabel="queries (looking)")
        axis.set_xticks(range(len(keys)), keys)
        axis.set_yticks(range(len(queries)), queries)
        if mask is not None:
            for row, column in np.argwhere(np.asarray(mask)):
                axis.add_patch(
                    Rectangle(
                        (column - 0.5, row - 0.5),
                        1,
                        1,
                        hatch="///",
                        facecolor="white",
                        edgecolor="grey",
                        lw=0,
                    )
                )
        if values.size <= 64:
            for (row, column), weight in np.ndenumerate(values):
                if mask is None or not np.asarray(mask)[row, column]:
                    axis.text(
                        column,
                        row,
                        f"{weight:.2f}",
                        ha="center",
                        va="center",
                        fontsize=8,
                        color="black" if weight > 0.55 else "white",
                    )
    figure.colorbar(image, ax=axes[0].tolist(), label="attention weight", shrink=0.8)
    show_figure(figure)


def show_matrices(rows: Mapping[str, Mapping[str, Any]], title: str = "") -> None:
    """Draws rows of matrices, each with its own true colour bar, zero in the middle.

    Args:
        rows: row label → (panel title → 2-d array); the rows have the same panels.
        title: above the whole figure.
    """
    import matplotlib.pyplot as plt

    columns = max(len(panels) for panels in rows.values())
    width = max(
        (1.75 if columns < 6 else 1.3) * columns, 4.4
    )  # eight panels in a notebook's width, with letters of a readable size
    figure, axes = plt.subplots(
        len(rows), columns, figsize=(width, 2.1 * len(rows) + 0.4), squeeze=False, layout="constrained"
    )
    for line, (label, panels) in zip(axes, rows.items(), strict=True):
        for axis, (name, values) in zip(line, panels.items(), strict=True):
            matrix = np.atleast_2d(np.asarray(values, dtype=float))
            bound = float(np.abs(matrix).max()) or 1.0
            image = axis.imshow(matrix, vmin=-bound, vmax=bound, cmap="PuOr", aspect="auto")
            axis.set_title(f"{name} {matrix.shape[0]}×{matrix.shape[1]}", fontsize=8)
            axis.set_xticks([])
            axis.set_yticks([])
            figure.colorbar(
                image, ax=axis, location="bottom", shrink=0.9, format="%.2g", ticks=[-bound, 0, bound]
            ).ax.tick_params(labelsize=7)
        line[0].set_ylabel(label, fontsize=9)
    figure.suptitle(title)
    show_figure(figure)
