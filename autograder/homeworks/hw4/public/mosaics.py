"""Many small pictures in one: patches in their places, images by class, similarities by place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograder.kit import FAINT, MEANS, bare_map, draw_cells, readable
from autograder.kit.shared.slider import frames_slider, heat


def draw_mosaic(
    axis: Any,
    pictures: Any,
    rows: Sequence[Any],
    columns: Sequence[Any],
    cmap: Any = "gray",
    vmin: float = 0.0,
    mark_own: bool = False,
) -> Any:
    """Draws small pictures side by side, with a gap between them.

    Args:
        axis: where.
        pictures: (rows, columns, height, width), up to 1.
        rows: a name for each row of pictures.
        columns: a name for each column.
        cmap: the color map.
        vmin: what gets its first color; 1 gets the last one.
        mark_own: whether the picture in row i, column j is left blank at its own pixel (i, j) and has a dot
            there; the other pixels set the scale, which is the same above and below zero.

    Returns:
        The image, for a color bar.
    """
    from matplotlib.patches import Rectangle

    values = np.asarray(pictures, dtype=float)
    down, across, height, width = values.shape
    gap = max(1, height // 7)
    whole = np.full((down * (height + gap) - gap, across * (width + gap) - gap), np.nan)
    for (i, j), _ in np.ndenumerate(values[:, :, 0, 0]):
        y, x = i * (height + gap), j * (width + gap)
        whole[y : y + height, x : x + width] = values[i, j]
        if mark_own:
            whole[y + i, x + j] = np.nan
            axis.plot(x + j, y + i, "o", ms=3.4, color=MEANS["prediction"], mew=0)
        else:  # a white picture on white paper is a picture, too
            frame = Rectangle((x - 0.5, y - 0.5), width, height, fill=False, ec=FAINT, lw=0.7)
            axis.add_patch(frame)
    vmax = 1.0
    if mark_own and np.isfinite(whole).any():
        vmax = float(np.nanmax(np.abs(whole))) or 1.0
        vmin = -vmax
    image = axis.imshow(whole, cmap=cmap, vmin=vmin, vmax=vmax)
    bare_map(axis)
    axis.set_yticks([i * (height + gap) + (height - 1) / 2 for i in range(down)], [str(row) for row in rows])
    axis.set_xticks(
        [j * (width + gap) + (width - 1) / 2 for j in range(across)], [str(one) for one in columns]
    )
    return image


def draw_confusion(axis: Any, confusion: Any, names: Sequence[str]) -> None:
    """Draws a confusion matrix whose colors show the mistakes; right guesses are gray.

    Args:
        axis: to draw into.
        confusion: how often each class (row) was taken for each class (column).
        names: of the classes.
    """
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    counts = np.asarray(confusion, dtype=float)
    diagonal = np.eye(len(counts), dtype=bool)
    wrong = np.where(diagonal, 0, counts)
    colors = LinearSegmentedColormap.from_list("mistakes", ["#ffffff", MEANS["warning"]])
    axis.imshow(wrong, cmap=colors, vmin=0, vmax=max(1.6 * wrong.max(), 1))
    bare_map(axis, names, names)
    draw_cells(axis, counts.shape)
    for place in range(len(counts)):
        axis.add_patch(Rectangle((place - 0.5, place - 0.5), 1, 1, color="#e3e6ea", lw=0))
    for (row, column), count in np.ndenumerate(counts):
        ink = MEANS["prediction"] if count else readable(MEANS["other"])
        axis.text(column, row, f"{count:.0f}", ha="center", va="center", fontsize=9, color=ink)
    true, guess = map(int, np.unravel_index(wrong.argmax(), wrong.shape))
    told = f"{np.trace(counts) / max(counts.sum(), 1):.1%} right"
    if wrong.any():
        told += f"; most often {names[true]} is taken for {names[guess]}"
    axis.set(title=told, xlabel="guess (gray: right)", ylabel="true class")


def show_places(similarities: Any, epochs: Sequence[int]) -> None:
    """Shows how the learned positions become alike, as a slider over the epochs of a training.

    Args:
        similarities: (frames, n, n), the cosine between the positions of all pairs of places of a square.
        epochs: after which epochs; 0 is before training.
    """
    values = np.array(similarities, dtype=float)
    side = math.isqrt(values.shape[-1])
    row, column = np.divmod(np.arange(side**2), side)
    steps = np.maximum(abs(row[:, None] - row), abs(column[:, None] - column))
    beside = values[:, steps == 1].mean(axis=1)
    far = values[:, steps > side // 2].mean(axis=1)
    own = np.arange(side**2)
    values[:, own, own] = 0.0  # it is 1 and would set the scale
    named = [*range(side)]
    panels = [
        heat(
            values[:, place].reshape(-1, side, side),
            f"to row {row[place]}, column {column[place]} (left blank)",
            named,
            named,
        )
        for place in (side**2 // 2, side + 1)
    ]
    change = f"{beside[0]:.2f} to {beside[-1]:.2f}".replace("-", "−")
    frames_slider(
        panels,
        ["before training" if not epoch else f"after epoch {epoch}" for epoch in epochs],
        f"Learned positions: similarity of neighbors from {change}",
        [
            f"mean of neighbors {near:.2f}, of places that are further apart than {side // 2}: {away:.2f}"
            for near, away in zip(beside, far, strict=True)
        ],
    ).show()
