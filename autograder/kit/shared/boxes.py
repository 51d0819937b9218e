"""The picture of shapes: a box with named axes for each array that a student's own function makes."""

from __future__ import annotations

import html
import itertools
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

from autograder.kit.shared.moving import Moving, sheet, visible

INKS = {
    "query": "#0072b2",
    "key": "#d55e00",
    "value": "#009e73",
    "attention": "#8e3a80",
    "input": "#5b626b",
    "output": "#22252a",
    "other": "#8a929c",
}
WARNING = "#c01a2c"
SPELLINGS = {  # what students call these arrays, in small letters
    "Q": "q qs query queries",
    "K": "k ks key keys",
    "V": "v vs value values",
    "scores": "s score scores logits sim similarity dots",
    "weights": "w a p weight weights attn attention attention_weights probs alpha probabilities",
}
MAX_OTHERS = 6
MOST_IN_ROW = 3
WIDE, LARGEST = 114, 48  # of a box with its words, and of a box
WIDTH = 344  # an output on a phone: letters keep their size there

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Box:
    """One array of the picture.

    Attributes:
        name: what the formula calls it.
        axes: the names of its axes, as they should be.
        role: a key of :data:`INKS`, which gives the color.
        step: when it is made, from 0; boxes of one step stand side by side.
    """

    name: str
    axes: tuple[str, ...]
    role: str
    step: int


@dataclass
class Made:
    """What one call of a function made.

    Attributes:
        shapes: of its arguments and local arrays, by the names that the student gave them.
        output: the shape that it returned; None if that is no array.
        error: what it raised, in words; empty if nothing.
    """

    shapes: dict[str, Shape]
    output: Shape | None = None
    error: str = ""


def traced_shapes(code: Any, call: Callable[[], Any]) -> Made:
    """Calls, and notes the shapes of the arrays that the function with this code had when it ended.

    Args:
        code: the ``__code__`` of the student's function.
        call: calls it.
    """
    made = Made({})

    def watch(frame: FrameType, event: str, value: Any) -> None:
        if event == "return" and frame.f_code is code:
            for name, local in list(frame.f_locals.items()):
                shape = shape_of(local)
                if shape is not None and name.isidentifier():
                    made.shapes[name] = shape

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        returned = call()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the student's code may raise anything
        made.error = f"{type(error).__name__}: {visible(error, 90)}"
    else:
        made.output = shape_of(returned)
    finally:
        sys.setprofile(before)
    return made


def shape_of(value: Any) -> Shape | None:
    """The shape of an array or tensor with one axis or more; None for all else."""
    shape = getattr(value, "shape", None)
    try:
        found = tuple(int(size) for size in shape) if shape is not None else ()
    except (TypeError, ValueError):
        return None
    return found or None


def shape_picture(
    boxes: Sequence[Box], made: Made, sizes: Mapping[str, int], title: str, failed: bool = True
) -> Moving | None:
    """Draws the boxes with the shapes that were made; one that does not fit is red and hatched.

    Args:
        boxes: what the formula makes; the last one is what the function returns.
        made: what the student's function made.
        sizes: how large each axis is in this call, all different where it matters.
        title: what the picture shows.
        failed: whether the check failed; where it passed, other names and other ways are all fine.

    Returns:
        The picture; None where the function is not written yet.
    """
    if made.error.startswith("NotImplementedError"):
        return None
    found = {box.name: _found_of(box, made) for box in boxes[:-1]}
    found[boxes[-1].name] = made.output
    wrong = {
        box.name: shape
        for box in boxes
        if failed and (shape := found[box.name]) is not None and not _fits_box(shape, box, sizes)
    }
    if failed and made.output is None and not made.error:
        wrong[boxes[-1].name] = ()
    used = {name for box in boxes for name in _spellings_of(box)}
    others = [(name, shape) for name, shape in made.shapes.items() if name.lower() not in used]
    words = [f"{title}."]
    for box in boxes:
        shape = found[box.name]
        right = _spelled_shape(box.axes, sizes)
        if box.name in wrong:
            words.append(f"{box.name} has the wrong shape: {_plain_shape(shape)}, but it should be {right}.")
        else:
            words.append(f"{box.name}: {right}{'' if shape else ', as the formula says'}.")
    words += [f"Your {name}: {_guessed_shape(shape, sizes)}." for name, shape in others[:MAX_OTHERS]]
    words += [f"It raised {made.error}."] if made.error else []
    return Moving(
        title, "\n".join(words), "", _drawn_boxes(boxes, found, wrong, others, sizes, title, made.error)
    )


def _spellings_of(box: Box) -> set[str]:
    return {box.name.lower(), *SPELLINGS.get(box.name, "").split()}


def _found_of(box: Box, made: Made) -> Shape | None:
    return next((shape for name, shape in made.shapes.items() if name.lower() in _spellings_of(box)), None)


def _fits_box(shape: Shape, box: Box, sizes: Mapping[str, int]) -> bool:
    """Whether it has the wanted shape, perhaps transposed or as a batch of one."""
    wanted = tuple(sizes[axis] for axis in box.axes)
    found = tuple(size for size in shape if size != 1) if len(shape) > len(wanted) else shape
    return found in (wanted, wanted[::-1])


def _spelled_shape(axes: Sequence[str], sizes: Mapping[str, int]) -> str:
    return f"({', '.join(axes)}) = {_plain_shape(tuple(sizes[axis] for axis in axes))}"


def _plain_shape(shape: Shape | None) -> str:
    return "no array" if not shape else f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _guessed_shape(shape: Shape, sizes: Mapping[str, int]) -> str:
    """A shape in the letters of the formula, as far as its sizes are among them."""
    letters = {size: letter for letter, size in reversed(list(sizes.items()))}
    return f"({', '.join(letters.get(size, str(size)) for size in shape)}) = {_plain_shape(shape)}"


def _drawn_boxes(
    boxes: Sequence[Box],
    found: Mapping[str, Shape | None],
    wrong: Mapping[str, Shape],
    others: Sequence[tuple[str, Shape]],
    sizes: Mapping[str, int],
    title: str,
    error: str,
) -> str:
    parts = [
        '<defs><pattern id="h" width="7" height="7" patternUnits="userSpaceOnUse"'
        ' patternTransform="rotate(45)">'
        f'<path d="M0 0v7" stroke="{WARNING}" stroke-width="1.6" stroke-opacity=".55"/></pattern></defs>'
    ]
    y = 22.0

    def write(text: str, letters: int, style: str) -> None:
        nonlocal y
        for line in textwrap.wrap(visible(text, 300), letters):
            parts.append(f'<text x="10" y="{y:.0f}" {style}>{html.escape(line)}</text>')
            y += 18

    write(title, 38, 'font-size="14" font-weight="600"')
    for number, (row, chained) in enumerate(_rows_of(boxes)):
        if number:
            parts.append(_arrow(f"M{WIDTH / 2:.0f} {y - 4:.0f}v14m-4 -5l4 5l4 -5"))
            y += 14
        y += 18
        left = (WIDTH - WIDE * len(row)) / 2
        for place, box in enumerate(row):
            if place and chained:
                parts.append(_arrow(f"M{left + place * WIDE - 12:.0f} {y + 12:.0f}h14m-5 -4l5 4l-5 4"))
            parts.append(_drawn_box(box, found[box.name], wrong, sizes, left + place * WIDE + 46, y))
        y += LARGEST + 24 + 30 * any(box.name in wrong for box in row)
    y += 12
    if any(found[box.name] is None for box in boxes[:-1]):
        write(
            "Dashed: the shape that the formula gives; your function has no array of that name.",
            52,
            'fill="#5b626b"',
        )
    if others:
        told = [f"{visible(name, 20)} {_guessed_shape(shape, sizes)}" for name, shape in others]
        write(f"Also yours: {'; '.join(told[:MAX_OTHERS])}", 52, 'fill="#5b626b"')
    if error:
        write(f"It raised {error}", 52, f'fill="{WARNING}"')
    return sheet("".join(parts), WIDTH, y)


def _rows_of(boxes: Sequence[Box]) -> list[tuple[list[Box], bool]]:
    """The rows of the picture: boxes of one step, or a chain of single ones; whether it is a chain."""
    rows: list[tuple[list[Box], bool]] = []
    for _, group in itertools.groupby(boxes, key=lambda box: box.step):
        made = list(group)
        if len(made) == 1 and rows and rows[-1][1] and len(rows[-1][0]) < MOST_IN_ROW:
            rows[-1][0].extend(made)
        else:
            rows.append((made, len(made) == 1))
    return rows


def _arrow(path: str) -> str:
    return f'<path d="{path}" fill="none" stroke="#8a929c" stroke-width="1.6"/>'


def _drawn_box(
    box: Box, shape: Shape | None, wrong: Mapping[str, Shape], sizes: Mapping[str, int], x: float, y: float
) -> str:
    bad = box.name in wrong
    ink = WARNING if bad else INKS[box.role]
    drawn = shape if bad and shape else tuple(sizes[axis] for axis in box.axes)
    rows, columns = (drawn[-2] if len(drawn) > 1 else 1), drawn[-1]
    height, width = (min(LARGEST, max(14, 8 * count)) for count in (rows, columns))
    fill = "url(#h)" if bad else ink
    dash = ' stroke-dasharray="4 3"' if shape is None else ""
    axes = [f"{axis} = {sizes[axis]}" for axis in box.axes]
    across, down = axes[-1], axes[-2] if len(axes) > 1 else ""
    parts = [
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{width}" height="{height}" rx="3" fill="{fill}"'
        f' fill-opacity="{1 if bad else 0.16}" stroke="{ink}" stroke-width="{2.4 if bad else 1.6}"{dash}/>',
        f'<text x="{x + width / 2:.0f}" y="{y + height + 16:.0f}" text-anchor="middle" font-weight="600"'
        f' fill="{ink}">{"✗ " if bad else ""}{html.escape(box.name)}</text>',
    ]
    if bad:
        told = f"is {_plain_shape(shape)}", f"not ({', '.join(box.axes)})"
        parts += [
            f'<text x="{x + width / 2:.0f}" y="{y + height + 31 + 14 * line:.0f}" text-anchor="middle"'
            f' fill="{ink}">{html.escape(words)}</text>'
            for line, words in enumerate(told)
        ]
        return "".join(parts)
    return "".join(
        [
            *parts,
            f'<text x="{x + width / 2:.0f}" y="{y - 5:.0f}" text-anchor="middle" font-size="11"'
            f' fill="#5b626b">{html.escape(across)}</text>',
            f'<text x="{x - 5:.0f}" y="{y + height / 2 + 4:.0f}" text-anchor="end" font-size="11"'
            f' fill="#5b626b">{html.escape(down)}</text>',
        ]
    )
