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
    MARGIN_INCHES,
    MARKS,
    MEANS,
    PAGE_DPI,
    PAGE_INCHES,
    SERIES,
    attention_colors,
    bare_map,
    digits_fit,
    draw_panels,
    fit_titles,
    house_style,
    label_ends,
    line_kind,
    plain_ticks,
    readable,
    signed_colors,
    thin_ticks,
    write_on,
)

MOST_DIGITS = 64  # cells of a map with a number in each
SMALL_CELL = 0.18  # inches; smaller cells are not told apart
MAP_INCHES = 7.5  # a stack of maps is not taller


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
        fit_titles(figure)
        figure.savefig(buffer, format="png", dpi=2 * PAGE_DPI, bbox_inches="tight", pad_inches=MARGIN_INCHES)
    with Image.open(buffer) as picture:
        width = picture.width // 2
        small = io.BytesIO()  # 256 colors are enough for ink on paper, and a third of the bytes
        few = picture.convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE)
        few.save(small, format="png", optimize=True)
    return base64.b64encode(small.getvalue()).decode(), width


def show_attention(
    weights: Any,
    queries: Sequence[str],
    keys: Sequence[str] | None = None,
    title: str | Sequence[str] = "",
    mask: Any = None,
    heading: str = "",
    columns: int = 0,
) -> None:
    """Draws one or several attention maps, on one shared scale from 0 to 1.

    Args:
        weights: (query, key) probabilities, rows sum to 1; or a list of such maps.
        queries: a label for each row.
        keys: a label for each column; the queries' labels if left out.
        title: one title, or one for each map.
        mask: bool, same shape as a map, True where attention is not allowed, drawn hatched; or one for each.
        heading: above all maps: what they show together.
        columns: how many maps stand side by side; as many as fit on a page if left out.
    """
    several = isinstance(weights, list | tuple)
    maps = [np.asarray(item, dtype=float) for item in (weights if several else [weights])]
    titles = [title] * len(maps) if isinstance(title, str) else list(title)
    masks = list(mask) if isinstance(mask, list | tuple) else [mask] * len(maps)
    keys = queries if keys is None else keys
    across, cell = _map_grid(len(maps), len(queries), len(keys), columns)
    down = -(-len(maps) // across)
    width, height = max(1.7, cell * len(keys)) + 0.35, max(1.5, cell * len(queries)) + 0.6
    with house_style():
        figure, axes = draw_panels(down, across)
        figure.set_size_inches(min(PAGE_INCHES, width * across + 0.6), height * down + 0.7)
        for axis in axes.flat[len(maps) :]:
            axis.set_visible(False)
        for number, (values, name, hidden) in enumerate(zip(maps, titles, masks, strict=True)):
            axis, last = axes.flat[number], number + across >= len(maps)
            draw_attention(axis, values, queries, keys, hidden, number % across == 0, last)
            axis.set_title(name)
        if heading:
            figure.suptitle(heading, x=0.01, ha="left")
        fit_titles(figure)
        if maps[0].size <= MOST_DIGITS:
            figure.draw_without_rendering()
            told = [_write_weights(axis) for axis in axes.flat[: len(maps)]]
            if not all(told):
                axes[-1, 0].set_xlabel(f"{axes[-1, 0].get_xlabel()}\nwhite: 0, darkest: 1")
    show_figure(figure)


def _write_weights(axis: Any) -> bool:
    """Writes the weights of a map that was drawn into an axis; whether there is room for them."""
    (image,) = axis.images
    return write_on(axis, np.ma.filled(np.ma.asarray(image.get_array(), dtype=float), np.nan), image)


def _map_grid(maps: int, queries: int, keys: int, columns: int = 0) -> tuple[int, float]:
    """How many maps stand side by side, and the inches of a cell.

    As many as leave room for digits that a phone shows; where that stack would be too tall, small cells
    without digits.
    """

    def cell(across: int) -> float:
        most = 0.4 if queries * keys <= MOST_DIGITS else 0.3
        return min(most, ((PAGE_INCHES - 0.5) / across - 0.14) / keys)

    if columns:
        return columns, cell(columns)
    if queries * keys <= MOST_DIGITS:
        for across in range(maps, 0, -1):
            tall = maps // across * (cell(across) * queries + 0.6) + 0.7
            wide = min(PAGE_INCHES, (max(1.7, cell(across) * keys) + 0.35) * across + 0.6)
            if maps % across == 0 and tall <= MAP_INCHES and digits_fit(["0.00"], cell(across), wide):
                return across, cell(across)
    across = next((n for n in range(maps, 0, -1) if cell(n) >= SMALL_CELL), 1)
    across = -(-maps // -(-maps // across))  # rows of the same length
    return across, cell(across)


def draw_attention(
    axis: Any,
    values: np.ndarray,
    queries: Sequence[str],
    keys: Sequence[str],
    mask: Any = None,
    named: bool = True,
    last: bool = True,
) -> None:
    """Draws one attention map into an axis; where a key may not be seen it is hatched.

    Args:
        axis: to draw into.
        values: (query, key) probabilities.
        queries: a label for each row.
        keys: a label for each column.
        mask: True where attention is not allowed.
        named: whether the rows have their labels and the axis of queries its name.
        last: whether the axis of keys has its name: nothing stands below.
    """
    from matplotlib.patches import Rectangle

    hidden = np.zeros(values.shape, bool) if mask is None else np.asarray(mask, dtype=bool)
    shown = np.where(hidden, np.nan, values)
    axis.imshow(shown, vmin=0.0, vmax=1.0, cmap=attention_colors())
    bare_map(axis, queries if named else [""] * len(queries), keys)
    for row, column in np.argwhere(hidden):
        axis.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, hatch="////", facecolor="#f4f5f6", lw=0))
    draw_cells(axis, values.shape)
    if last:
        axis.set_xlabel("keys (looked at)", color=readable(MEANS["key"]))
    if named:
        axis.set_ylabel("queries (looking)", color=readable(MEANS["query"]))


def draw_cells(axis: Any, shape: Sequence[int]) -> None:
    """Draws light lines between the cells of a map."""
    axis.set_yticks(np.arange(shape[0] + 1) - 0.5, minor=True)
    axis.set_xticks(np.arange(shape[1] + 1) - 0.5, minor=True)
    axis.grid(which="minor", color=FAINT, lw=0.6)
    axis.tick_params(which="minor", length=0)


def show_matrices(
    heads: Mapping[str, Mapping[str, Any]],
    title: str = "",
    names: Mapping[str, tuple[Sequence[str], Sequence[str]]] | None = None,
    attention: Sequence[str] = ("attention",),
) -> None:
    """Draws matrices with their numbers in them: blue above zero, orange below, white at zero.

    Args:
        heads: label → (panel title → 2-d array), with the same panels each. Several labels are columns that
            stand side by side, a panel in each row; the panels of a single one stand side by side.
        title: above the whole figure.
        names: panel title → the names of its rows and of its columns; of too many the first ones.
        attention: titles of panels that hold attention weights, drawn in their color from 0 to 1.
    """
    names = names or {}
    grid = [
        [(label, name, np.atleast_2d(np.asarray(values, dtype=float))) for name, values in one.items()]
        for label, one in heads.items()
    ]
    grid = grid if len(grid) == 1 else [list(line) for line in zip(*grid, strict=True)]
    heights = [0.29 * max(len(values) for *_, values in line) + 0.75 for line in grid]
    with house_style():
        figure, axes = draw_panels(len(grid), len(grid[0]))
        wide = PAGE_INCHES if len(heads) > 1 else min(PAGE_INCHES, 2.8 * len(grid[0]))
        figure.set_size_inches(wide, sum(heights) + 0.4)
        axes[0, 0].get_gridspec().set_height_ratios(heights)
        panels = list(zip(axes.flat, (one for line in grid for one in line), strict=True))
        for axis, (label, name, values) in panels:
            weights = name in attention
            bound = 1.0 if weights else float(np.abs(values).max()) or 1.0
            colors = attention_colors() if weights else signed_colors()
            axis.imshow(values, vmin=0.0 if weights else -bound, vmax=bound, cmap=colors, aspect="auto")
            rows, columns = names.get(name, ((), ()))
            bare_map(axis, rows[: values.shape[0]], columns[: values.shape[1]])
            draw_cells(axis, values.shape)
            size = f"{name} ({values.shape[0]} × {values.shape[1]})"
            above = f"{label}\n" if label and axis in axes[0] else ""
            axis.set_title(above + size, fontsize=10)
        figure.suptitle(title, x=0.01, ha="left")
        fit_titles(figure)
        figure.draw_without_rendering()
        for axis, (_, _, values) in panels:
            (image,) = axis.images
            bound = float(image.norm.vmax)
            form = "{:.0f}" if bound >= 99.5 else "{:.1f}"
            if max(values.shape) > 9 or not write_on(axis, values, image, form):
                axis.set_title(f"{axis.get_title('left')}, to ±{bound:.1f}", fontsize=10)
    show_figure(figure)


def show_lines(*panels: Mapping[str, Any], heading: str = "") -> None:
    """Draws panels of curves, one above the other, each curve named at its end.

    Args:
        panels: each with ``title`` (what it shows), ``x`` and ``y`` (axis labels), ``lines`` (label →
            (x values, y values)), and where wanted ``points`` (labels drawn as markers), ``log``
            (``x``, ``y`` or
            ``xy``), ``level`` ((label, y) of a gray line, or a list of them), ``ylim``,
            ``ticks`` (of x), ``colors`` (label → a
            name of :data:`MEANS` or a color), ``same`` (both axes have one scale),
            ``band`` and ``span`` (edges of a gray stripe across and along), ``rings`` (points to mark).
        heading: above all panels.
    """
    with house_style():
        figure, axes = draw_panels(len(panels), 1, PAGE_INCHES, 3.3 if len(panels) == 1 else 2.9)
        for axis, panel in zip(axes[:, 0], panels, strict=True):
            for number, (label, (xs, ys)) in enumerate(panel["lines"].items()):
                color = panel.get("colors", {}).get(label, SERIES[number % len(SERIES)])
                marked = label in panel.get("points", ())
                kind = {"ls": "none", "marker": MARKS[number % 6]} if marked else line_kind(number)
                axis.plot(xs, ys, color=MEANS.get(color, color), label=label or None, **kind)
            if "level" in panel:
                levels = panel["level"]
                for name, level in [levels] if isinstance(levels, tuple) else levels:
                    axis.axhline(level, ls=":", color=MEANS["other"], lw=1.4, label=name or "_level")
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
            for name in panel.get("log", ""):
                plain_ticks(axis, name)
            if "ticks" in panel:
                axis.set_xticks(panel["ticks"], [f"{tick:,}" for tick in panel["ticks"]])
                axis.minorticks_off()
            if panel.get("same"):
                axis.set_aspect("equal")
            if not axis.images:
                axis.grid(True)
        if heading:
            figure.suptitle(heading, x=0.01, ha="left")
        fit_titles(figure)
        figure.draw_without_rendering()
        for axis in axes[:, 0]:
            label_ends(axis)
        figure.draw_without_rendering()  # the labels made the axes narrower
        for axis in axes[:, 0]:
            thin_ticks(axis)
    show_figure(figure)
