"""A figure in words, for those who cannot see it."""

from __future__ import annotations

from typing import Any

import numpy as np


def describe_figure(figure: Any) -> str:
    """A figure in words, panel by panel: titles, axes, from where to where labeled lines and maps go."""
    title = " ".join(figure.get_suptitle().split()) if hasattr(figure, "get_suptitle") else ""
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
    title = " ".join((axis.get_title("left") or axis.get_title()).split())
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
