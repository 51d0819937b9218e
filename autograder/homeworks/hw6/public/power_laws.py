"""Measured costs (6.8): slopes, their figure, and whether the numbers make sense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograder.kit import after_grading, show_lines, visible_check


def fitted_slope(x: Any, y: Any) -> float:
    """The slope of log y against log x by least squares: p where y grows like x to the power of p."""
    return float(np.polyfit(np.log(np.asarray(x, float)), np.log(np.asarray(y, float)), 1)[0])


def show_power_laws(
    panels: Mapping[str, Mapping[str, tuple[Any, Any]]],
    xlabel: str,
    ylabels: Sequence[str],
    last: int = 0,
    dots: Sequence[tuple[float, float]] = (),
    colors: Mapping[str, str] | None = None,
) -> None:
    """Draws curves on logarithmic axes, one panel above the other, each curve's slope beside it.

    Args:
        panels: panel title → curve label → (x, y).
        xlabel: of all panels.
        ylabels: of each panel.
        last: fit the slope to so many points at the end only; 0 fits all.
        dots: points to mark in every panel.
        colors: curve label → color, as :func:`show_lines` takes it.
    """
    made = []
    for (title, curves), ylabel in zip(panels.items(), ylabels, strict=True):
        lines = {
            f"{label}: slope {fitted_slope(x[-last:], y[-last:]):.2f}": (x, y)
            for label, (x, y) in curves.items()
        }
        ticks = sorted({int(place) for x, _ in curves.values() for place in x})
        made.append(
            {
                "title": title,
                "x": xlabel,
                "y": ylabel,
                "log": "xy",
                "lines": lines,
                "ticks": ticks[:: 1 + len(ticks) // 6],
                "rings": dots,
                "colors": {
                    line: color
                    for line in lines
                    for label, color in (colors or {}).items()
                    if line.startswith(f"{label}: ")
                },
            }
        )
    show_lines(*made)


@visible_check("6.8")
def measurements_make_sense(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    lines: list[tuple[bool | None, str]] = []
    for kind, unit in (("memory", "bytes"), ("time", "seconds")):
        if not {f"{kind}_slopes", f"softmax_{unit}", f"linear_{unit}"} <= set(answers):
            continue  # not answered yet
        softmax, linear = answers[f"{kind}_slopes"]
        lines.append(
            (None, f"By your slopes {kind} grows like N^{softmax:.2f} (softmax) and N^{linear:.2f} (linear).")
        )
        curves = [answers[f"{name}_{unit}"].astype(float) for name in ("softmax", "linear")]
        if min(curve.min() for curve in curves) <= 0:
            lines.append((False, f"The recorded {unit} must be positive."))
        elif kind == "time" and not (1.4 < softmax < 2.8 and 0.4 < linear < 1.6):
            told = (
                "Such slopes do not come from the algorithms: the machine was busy with something else. Run"
                " the measuring cell again."
            )
            lines.append((False, told))
        elif (
            kind == "time" and (lengthened := [curve[-1] / curve[-2] for curve in curves])[0] < lengthened[1]
        ):
            lines.append(
                (
                    None,
                    (
                        "Doubling the longest length cost linear attention more than softmax: was the machine"
                        " busy? Measure again."
                    ),
                )
            )
    if "predicted_gigabytes" in answers:
        found = float(answers["predicted_gigabytes"])
        lines.append((None, f"`predicted_gigabytes` = {found:.4g} means {found * 1e9:,.0f} bytes."))
        lines.append(after_grading("predicted_gigabytes"))
    return lines
