"""The house style of figures: colors with fixed meanings, light lines, labels beside what they name.

Figures lie on a light sheet of their own, so that they read the same on a light and on a dark page.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

PAPER, INK, QUIET, FAINT = "#ffffff", "#22252a", "#5b626b", "#d9dde2"
# a color means the same in every figure; people with any color vision tell them apart
MEANS = {
    "query": "#0072b2",
    "key": "#d55e00",
    "value": "#009e73",
    "attention": "#8e3a80",
    "target": "#e3a000",
    "prediction": "#22252a",
    "warning": "#c01a2c",
    "other": "#8a929c",
}
# of lines that are none of these: ink for what the figure is about, gray for what it is compared with
SERIES = (MEANS["prediction"], MEANS["other"], "#8c5a3c", "#3f7f8c", "#5b626b", "#b08968")
PAGE_INCHES = 5.1  # no figure is wider: on a phone, two thirds as wide, its letters have 9 pixels
PAGE_DPI = 100  # pixels of a page in an inch of a figure; a picture has twice as many
MARGIN_INCHES = 0.12  # around a figure
PHONE_PIXELS = 344  # how wide a notebook's output is on a phone of 390 pixels
DIGIT_PIXELS = 9.0  # the least height of letters that can be read on a phone
EMS = {"0": 0.636, ".": 0.318, "−": 0.838, "+": 0.838}  # widths of characters in matplotlib's font
DASHES = ("-", "--", ":", "-.")
NEGATIVE = re.compile(r"(?<![\w)])-(?=[\d.])")  # a minus sign, as numbers from Python have it
MARKS = ("o", "s", "D", "^", "v", "x")


def readable(color: str) -> str:
    """A color for letters: darkened until its contrast with the paper is 4.5 to 1, as WCAG asks."""
    from matplotlib.colors import to_hex, to_rgb

    parts = np.array(to_rgb(color))
    while _contrast(parts) < 4.5:
        parts = parts * 0.98
    red, green, blue = map(float, parts)
    return to_hex((red, green, blue))


def _contrast(parts: np.ndarray) -> float:
    """WCAG's contrast between a color, its parts from 0 to 1, and white paper."""
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return 1.05 / (float(linear @ (0.2126, 0.7152, 0.0722)) + 0.05)


def house_rules() -> dict[str, Any]:
    """The settings of matplotlib of the project's figures."""

    return {
        "figure.facecolor": PAPER,
        "savefig.facecolor": PAPER,
        "figure.constrained_layout.use": True,
        "font.size": 10.5,
        "figure.constrained_layout.h_pad": 0.07,
        "figure.titlesize": 12.0,
        "figure.titleweight": "bold",
        "axes.titlesize": 11.0,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlepad": 9.0,
        "axes.labelsize": 10.5,
        "axes.labelcolor": QUIET,
        "axes.edgecolor": FAINT,
        "axes.linewidth": 1.0,
        "axes.facecolor": PAPER,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.prop_cycle": f"cycler(color={list(SERIES)!r})",
        "text.color": INK,
        "xtick.color": FAINT,
        "ytick.color": FAINT,
        "xtick.labelcolor": QUIET,
        "ytick.labelcolor": QUIET,
        "xtick.labelsize": 10.0,
        "ytick.labelsize": 10.0,
        "grid.color": "#eceff2",
        "lines.linewidth": 1.8,
        "lines.markersize": 5.0,
        "legend.frameon": False,
        "legend.fontsize": 10.0,
        "hatch.linewidth": 0.6,
        "hatch.color": "#9aa2ab",
    }


@contextlib.contextmanager
def house_style() -> Iterator[None]:
    """Draws in the house style inside; outside everything stays as it was."""
    try:
        import matplotlib as mpl
    except ImportError:  # training goes on without figures
        yield
        return
    rules: Any = house_rules()  # matplotlib 3.11 types each key
    with mpl.rc_context(rules):
        yield


def attention_colors() -> Any:
    """The color map of attention weights: white for 0, violet for 1."""
    from matplotlib.colors import LinearSegmentedColormap

    steps = [PAPER, "#f3e3ef", "#d9a6cd", "#b566a6", MEANS["attention"], "#6f2662"]
    return LinearSegmentedColormap.from_list("attention", steps)


def signed_colors() -> Any:
    """The color map of numbers with a sign: orange below 0, white, blue above."""
    from matplotlib.colors import LinearSegmentedColormap

    steps = ["#b04a00", "#e08a4c", "#f6cfb2", PAPER, "#b5d6ec", "#4c9bcf", "#005a91"]
    return LinearSegmentedColormap.from_list("signed", steps)


def line_kind(number: int) -> dict[str, Any]:
    """How the curve of this number is drawn, so that curves differ in more than color."""
    marked = {"marker": MARKS[number // 4 - 1], "markevery": 0.2} if number >= 4 else {}
    return {"ls": DASHES[number % 4], **marked}


def plain_ticks(axis: Any, which: str) -> None:
    """Writes the ticks of a logarithmic axis as plain numbers, where it spans few powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = getattr(axis, f"get_{which}lim")()
    if low <= 0 or low < 1e-3 or high > 1e5:
        return
    one = getattr(axis, f"{which}axis")
    few = np.log10(high / low) < 1.8  # powers of ten alone would be one tick or two
    one.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    one.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    one.set_minor_formatter(NullFormatter())


def draw_panels(rows: int = 1, columns: int = 1, width: float = 4.2, height: float = 3.1) -> tuple[Any, Any]:
    """A figure in the house style, and its axes as an array (rows, columns).

    Args:
        rows: how many panels stand one below the other.
        columns: how many stand side by side.
        width: of a panel in inches; less where the panels would not fit on a page.
        height: of a panel in inches.
    """
    import matplotlib.pyplot as plt

    width = min(width, PAGE_INCHES / columns)
    with house_style():
        return plt.subplots(
            rows, columns, figsize=(width * columns, height * rows), squeeze=False, layout="constrained"
        )


def digit_size(inches: float) -> float:
    """The font size that digits of a figure of this width need in order to be read on a phone."""
    shrunk = min(1.0, PHONE_PIXELS / (PAGE_DPI * (inches + 2 * MARGIN_INCHES)))
    return max(8.5, DIGIT_PIXELS / shrunk * 72 / PAGE_DPI)


def digits_fit(written: Sequence[str], cell: float, inches: float) -> bool:
    """Whether these numbers fit into cells of this width (inches) of a figure of this width."""
    ems = max((sum(EMS.get(sign, EMS["0"]) for sign in word) for word in written), default=0.0)
    return ems * digit_size(inches) + 1 <= 72 * cell


def write_on(axis: Any, values: np.ndarray, image: Any, form: str = "{:.2f}") -> bool:
    """Writes the numbers of a map into its cells, dark on light and light on dark; a zero is a faint 0.

    Call it when the figure has its layout (``figure.draw_without_rendering()``): where the cells are too
    narrow for digits that can be read on a phone, nothing is written.

    Returns:
        Whether the numbers are written.
    """
    written = {
        place: re.sub(r"^[+-]?0(\.0*)?$", "0", form.format(value)).replace("-", "−")
        for place, value in np.ndenumerate(values)
        if np.isfinite(value)
    }
    inches = axis.figure.get_size_inches()[0]
    cell = axis.get_window_extent().width / axis.figure.dpi / values.shape[1]
    if not digits_fit(list(written.values()), cell, inches):
        return False
    for (row, column), word in written.items():
        red, green, blue, _ = image.cmap(image.norm(values[row, column]))
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
        ink = "white" if dark else INK if word != "0" else readable(MEANS["other"])
        centered: Any = {"ha": "center", "va": "center", "fontsize": digit_size(inches)}
        axis.text(column, row, word, color=ink, **centered)
    return True


def fit_titles(figure: Any) -> None:
    """Breaks titles that are wider than their place: a panel and what is free at its right."""
    figure.draw_without_rendering()
    whole = figure.bbox.width
    texts = [(figure._suptitle, 0.98 * whole)] if figure.get_suptitle() else []
    boxes = [axis.get_window_extent() for axis in figure.axes if axis.get_title("left")]
    for axis in figure.axes:
        own = axis.get_window_extent()
        beside = [box.x0 for box in boxes if box.x0 > own.x0 + 1 and box.y0 < own.y1 and own.y0 < box.y1]
        room = min(beside, default=whole + 8) - 8 - own.x0
        texts += [(title, room) for title in (axis.title, axis._left_title) if title.get_text()]
    for text, room in texts:
        wide = text.get_window_extent().width
        if wide > room and "$" not in text.get_text():
            text.set_text(_broken(text.get_text(), wide / room))


def _broken(words: str, lines: float) -> str:
    """Words in this many lines or a few more, of nearly the same length."""
    words = " ".join(words.split())
    longest = int(len(words) / lines)
    for width in range(len(words) // math.ceil(lines), longest + 1):
        if len(textwrap.wrap(words, max(width, 8))) <= math.ceil(lines):
            return textwrap.fill(words, max(width, 8))
    return textwrap.fill(words, max(longest, 8))


def thin_ticks(axis: Any) -> None:
    """Takes every second name from a row of ticks whose names would touch."""
    names = [name for name in axis.get_xticklabels() if name.get_text() and name.get_visible()]
    boxes = [name.get_window_extent() for name in names]
    if any(right.x0 < left.x1 + 3 for left, right in itertools.pairwise(boxes)):
        for name in names[1::2]:
            name.set_visible(False)


def bare_map(axis: Any, rows: Sequence[Any] | None = None, columns: Sequence[Any] | None = None) -> None:
    """Takes the frame from around a map and puts the names of its rows and columns beside it."""
    for side in axis.spines.values():
        side.set_visible(False)
    names = [str(name) for name in columns or ()]
    axis.set_xticks(range(len(names)), names)
    axis.set_yticks(range(len(rows or ())), [str(name) for name in rows or ()])
    axis.tick_params(length=0)
    if names and max(map(len, names)) * len(names) > 34:  # side by side they would touch
        axis.tick_params(axis="x", labelrotation=45)
        for label in axis.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")


def label_ends(axis: Any, labels: Mapping[Any, str] | None = None) -> None:
    """Names each line at its right end, in its own color darkened to be read, instead of in a legend.

    Labels that would lie on each other are moved apart. Call it last: it needs the axes' limits.

    Args:
        axis: with lines that have labels.
        labels: line → words, where they differ from its label.
    """
    found = labels or {
        line: NEGATIVE.sub("−", str(line.get_label()))
        for line in axis.lines
        if not str(line.get_label()).startswith("_")
    }
    ends = []
    for line, words in found.items():
        xs, ys = (np.ravel(np.asarray(one, dtype=float)) for one in line.get_data())
        seen = np.flatnonzero(np.isfinite(xs) & np.isfinite(ys))
        if not len(seen):
            continue
        last = seen[np.argmax(xs[seen])] if len(seen) > 1 else seen[0]
        place = axis.transAxes.inverted().transform(axis.transData.transform((xs[last], ys[last])))
        ends.append([float(np.clip(place[1], 0, 1)), words, line.get_color(), 1 + words.count("\n")])
    ends.sort(key=lambda end: end[0])
    height = axis.get_window_extent().height / axis.figure.dpi * 72  # points
    step = 13.5 / max(height, 1)
    for _ in range(40):
        for below, above in itertools.pairwise(ends):
            short = step * (below[3] + above[3]) / 2 - (above[0] - below[0])
            if short > 1e-6:
                below[0], above[0] = below[0] - short / 2, above[0] + short / 2
    for place, words, color, _ in ends:
        axis.annotate(
            words,
            (1.0, place),
            xycoords="axes fraction",
            xytext=(6, 0),
            textcoords="offset points",
            color=readable(color),
            va="center",
            ha="left",
            fontsize=10,
            annotation_clip=False,
        )
