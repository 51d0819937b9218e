"""Figures with words beside them: maps of attention, matrices, lines."""

from __future__ import annotations

import html
import io
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograder.kit.figure_words import describe_figure
from autograder.kit.style import (
    FAINT,
    MARKS,
    MEANS,
    SERIES,
    attention_colors,
    bare_map,
    draw_panels,
    house_style,
    label_ends,
    line_kind,
    signed_colors,
    write_on,
)

PAGE_DPI = 100  # pixels of a page in an inch of a figure; a picture has twice as many


def show_figure(figure: Any = None, alt: str = "") -> None:
    """Shows a figure as ``plt.show()`` does, crisp on any screen, with a text for those who cannot see it.

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
    picture, width = _crisp_png(figure)
    plt.close(figure)
    data = {"image/png": picture, "text/plain": words}
    display(data, metadata={"image/png": {"alt": words, "width": width}}, raw=True)
    # JupyterLab does not read alt, so the words stand below the figure, too
    told = html.escape(words).replace("\n", "<br>")
    display({"text/html": f"<details><summary>Figure in words</summary>{told}</details>"}, raw=True)


def _crisp_png(figure: Any) -> tuple[str, int]:
    """A figure as base64 of a PNG at twice a page's pixels, and its width on the page."""
    import base64

    from PIL import Image

    buffer = io.BytesIO()
    with house_style():
        figure.savefig(buffer, format="png", dpi=2 * PAGE_DPI, bbox_inches="tight", pad_inches=0.12)
    with Image.open(buffer) as picture:
        width = picture.width // 2
        small = io.BytesIO()  # 256 colors are enough for ink on paper, and a third of the bytes
        picture.convert("RGB").quantize(256).save(small, format="png", optimize=True)
    return base64.b64encode(small.getvalue()).decode(), width


def show_attention(
    weights: Any,
    queries: Sequence[str],
    keys: Sequence[str] | None = None,
    title: str | Sequence[str] = "",
    mask: Any = None,
    heading: str = "",
) -> None:
    """Draws one or several attention maps side by side, on one shared scale from 0 to 1.

    Args:
        weights: (query, key) probabilities, rows sum to 1; or a list of such maps.
        queries: a label for each row.
        keys: a label for each column; the queries' labels if left out.
        title: one title, or one for each map.
        mask: bool, same shape as a map, True where attention is not allowed, drawn hatched; or one for each.
        heading: above all maps: what they show together.
    """
    several = isinstance(weights, list | tuple)
    maps = [np.asarray(item, dtype=float) for item in (weights if several else [weights])]
    titles = [title] * len(maps) if isinstance(title, str) else list(title)
    masks = list(mask) if isinstance(mask, list | tuple) else [mask] * len(maps)
    keys = queries if keys is None else keys
    cell = 0.46 if maps[0].size <= 64 else 0.3
    height = max(1.5, cell * len(queries)) + 1.0
    with house_style():
        figure, axes = draw_panels(1, len(maps), max(1.9, cell * len(keys)) + 0.7, height)
        for number, (axis, values, name, hidden) in enumerate(zip(axes[0], maps, titles, masks, strict=True)):
            draw_attention(axis, values, queries, keys, hidden, named=number == 0)
            axis.set_title(name)
        if heading:
            figure.suptitle(heading, x=0.01, ha="left")
    show_figure(figure)


def draw_attention(
    axis: Any,
    values: np.ndarray,
    queries: Sequence[str],
    keys: Sequence[str],
    mask: Any = None,
    named: bool = True,
) -> None:
    """Draws one attention map into an axis; where a key may not be seen it is hatched."""
    from matplotlib.patches import Rectangle

    hidden = np.zeros(values.shape, bool) if mask is None else np.asarray(mask, dtype=bool)
    shown = np.where(hidden, np.nan, values)
    image = axis.imshow(shown, vmin=0.0, vmax=1.0, cmap=attention_colors())
    bare_map(axis, queries if named else [""] * len(queries), keys)
    for row, column in np.argwhere(hidden):
        axis.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, hatch="////", facecolor="#f4f5f6", lw=0))
    draw_cells(axis, values.shape)
    axis.set_xlabel("keys (looked at)", color=MEANS["key"])
    if named:
        axis.set_ylabel("queries (looking)", color=MEANS["query"])
    if values.size <= 64:
        write_on(axis, shown, image)


def draw_cells(axis: Any, shape: Sequence[int]) -> None:
    """Draws light lines between the cells of a map."""
    axis.set_yticks(np.arange(shape[0] + 1) - 0.5, minor=True)
    axis.set_xticks(np.arange(shape[1] + 1) - 0.5, minor=True)
    axis.grid(which="minor", color=FAINT, lw=0.6)
    axis.tick_params(which="minor", length=0)


def show_matrices(
    rows: Mapping[str, Mapping[str, Any]],
    title: str = "",
    names: Mapping[str, tuple[Sequence[str], Sequence[str]]] | None = None,
    attention: Sequence[str] = ("attention",),
) -> None:
    """Draws rows of matrices with their numbers in them: blue above zero, orange below, white at zero.

    Args:
        rows: row label → (panel title → 2-d array); the rows have the same panels.
        title: above the whole figure.
        names: panel title → the names of its rows and of its columns.
        attention: titles of panels that hold attention weights, drawn in their color from 0 to 1.
    """
    names = names or {}
    panels = [list(one.items()) for one in rows.values()]
    columns = max(map(len, panels))
    with house_style():
        figure, axes = draw_panels(
            len(rows) * -(-columns // 4) if columns > 4 else len(rows), min(columns, 4), 2.2, 2.1
        )
        wide = axes.shape[1]
        for axis in axes.flat:
            axis.set_visible(False)
        for block, (label, line) in enumerate(zip(rows, panels, strict=True)):
            for number, (name, values) in enumerate(line):
                axis = axes[block * -(-columns // wide) + number // wide, number % wide]
                axis.set_visible(True)
                matrix = np.atleast_2d(np.asarray(values, dtype=float))
                weights = name in attention
                bound = 1.0 if weights else float(np.abs(matrix).max()) or 1.0
                colors = attention_colors() if weights else signed_colors()
                low = 0.0 if weights else -bound
                image = axis.imshow(matrix, vmin=low, vmax=bound, cmap=colors, aspect="auto")
                bare_map(axis, *names.get(name, ((), ())))
                draw_cells(axis, matrix.shape)
                axis.set_title(f"{label} {name}" if len(rows) > 1 or label else name, fontsize=9)
                axis.set_xlabel(f"{matrix.shape[0]} × {matrix.shape[1]}", fontsize=8)
                if max(matrix.shape) <= 8:
                    long = bound >= 99.5 or matrix.shape[1] > 5
                    write_on(axis, matrix, image, "{:.0f}" if long else "{:.1f}", 7.5)
        figure.suptitle(title, x=0.01, ha="left")
    show_figure(figure)


def show_lines(*panels: Mapping[str, Any], heading: str = "") -> None:
    """Draws panels of curves side by side, each curve named at its end.

    Args:
        panels: each with ``title`` (what it shows), ``x`` and ``y`` (axis labels), ``lines`` (label →
            (x values, y values)), and where wanted ``points`` (labels drawn as markers), ``log``
            (``x``, ``y`` or
            ``xy``), ``level`` ((label, y) of a gray line), ``ylim``, ``ticks`` (of x), ``colors`` (label → a
            name of :data:`MEANS` or a color), ``same`` (both axes have one scale),
            ``band`` and ``span`` (edges of a gray stripe across and along), ``rings`` (points to mark).
        heading: above all panels.
    """
    with house_style():
        figure, axes = draw_panels(1, len(panels), 4.6, 3.2)
        for axis, panel in zip(axes[0], panels, strict=True):
            for number, (label, (xs, ys)) in enumerate(panel["lines"].items()):
                color = panel.get("colors", {}).get(label, SERIES[number % len(SERIES)])
                marked = label in panel.get("points", ())
                kind = {"ls": "none", "marker": MARKS[number % 6]} if marked else line_kind(number)
                axis.plot(xs, ys, color=MEANS.get(color, color), label=label or None, **kind)
            if "level" in panel:
                name, level = panel["level"]
                axis.axhline(level, ls=":", color=MEANS["other"], lw=1.4, label=name)
            axis.set(title=panel["title"], xlabel=panel["x"], ylabel=panel["y"])
            for name in panel.get("log", ""):
                getattr(axis, f"set_{name}scale")("log")
            if "ylim" in panel:
                axis.set_ylim(*panel["ylim"])
            for edges, across in ((panel.get("band"), axis.axhspan), (panel.get("span"), axis.axvspan)):
                if edges is not None:
                    across(*edges, color=MEANS["other"], alpha=0.14, lw=0)
            for ring in panel.get("rings", ()):
                axis.plot(*ring, "o", ms=12, mfc="none", mec=MEANS["prediction"])
            if "ticks" in panel:
                axis.set_xticks(panel["ticks"], [f"{tick:,}" for tick in panel["ticks"]])
                axis.minorticks_off()
            if panel.get("same"):
                axis.set_aspect("equal")
            if not axis.images:
                axis.grid(True)
            figure.canvas.draw()
            label_ends(axis)
        if heading:
            figure.suptitle(heading, x=0.01, ha="left")
    show_figure(figure)
