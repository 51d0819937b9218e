"""Many small pictures in one: patches in their places, images by class, similarities by place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograder.kit import MEANS, bare_map


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
        mark_own: whether the picture in row i, column j gets a ring at its own pixel (i, j).

    Returns:
        The image, for a color bar.
    """
    values = np.asarray(pictures, dtype=float)
    down, across, height, width = values.shape
    gap = max(1, height // 7)
    whole = np.full((down * (height + gap) - gap, across * (width + gap) - gap), np.nan)
    for (i, j), _ in np.ndenumerate(values[:, :, 0, 0]):
        y, x = i * (height + gap), j * (width + gap)
        whole[y : y + height, x : x + width] = values[i, j]
        if mark_own:
            axis.plot(x + j, y + i, "o", ms=3.6, mfc="none", mec=MEANS["prediction"], mew=1.1)
    image = axis.imshow(whole, cmap=cmap, vmin=vmin, vmax=1.0)
    bare_map(axis)
    axis.set_yticks([i * (height + gap) + (height - 1) / 2 for i in range(down)], [str(row) for row in rows])
    axis.set_xticks(
        [j * (width + gap) + (width - 1) / 2 for j in range(across)], [str(one) for one in columns]
    )
    return image
