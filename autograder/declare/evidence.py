"""What a check can show beside its words, as plain JSON: a failing case, attention maps, curves, a matrix.

A check puts one of these into :class:`autograder.declare.Wrong`; :mod:`autograder.report.figures`
draws it. The kinds:

==========  ====================================================================================
kind        other keys
==========  ====================================================================================
case        ``note``, ``inputs`` (name, words, value as text), ``expected``, ``found`` (text),
            ``picture`` (one of the other kinds); all but ``note`` and ``inputs`` may be missing
attention   ``caption``, ``maps``: list of ``title``, ``weights`` (rows of numbers), ``queries``,
            ``keys`` (labels)
curve       ``caption``, ``x``, ``y`` (axis labels), ``series``: label → numbers; ``at`` (their
            places along x), ``log`` (both axes), ``marks``: label → place along x
matrix      ``caption``, ``values`` (rows of numbers), ``rows``, ``columns`` (labels), ``x``, ``y``
            (axis labels)
==========  ====================================================================================

The inputs of a case are hidden inputs; ``expected``, which a picture may have too (more of what it draws), is
the oracle's answer. A page shows both only as far as the instructor allows.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autograder import kit

MAX_TEXT = 1_500  # characters of one shown value


Picture = Callable[
    [kit.Trial, Any, Any], Mapping[str, Any]
]  # trial, expected, found → evidence that can be drawn


def case_evidence(
    trial: kit.Trial, *, expected: Any = None, found: Any = None, picture: Picture | None = None
) -> dict[str, Any]:
    """A failing case: what went in, what should have come out and what did.

    All as text, and the result as a picture too where ``picture`` can draw it.
    """
    named = [
        *((f"input {number}", value) for number, value in enumerate(trial.args, 1)),
        *trial.kwargs.items(),
    ]
    shown: dict[str, Any] = {
        "kind": "case",
        "note": trial.note,
        "inputs": [[name, kit.describe(value), as_text(value)] for name, value in named],
    }
    for name, value in (("expected", expected), ("found", found)):
        if value is not None:
            shown[name] = as_text(value)
    if picture is not None and found is not None:
        with contextlib.suppress(
            ValueError, TypeError, KeyError, IndexError
        ):  # the result may have any shape
            shown["picture"] = picture(trial, expected, found)
    return shown


def recorded_evidence(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """What a notebook recorded, for a check that says no more than words: name → value."""
    return {"kind": "case", "note": "", "inputs": [], "found": as_text(recorded)}


def as_text(value: Any) -> str:
    """A value as people read it; large arrays are cut in the middle."""
    if isinstance(value, kit.Other):
        return kit.describe(value)
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        text = np.array2string(
            value, precision=4, threshold=48, edgeitems=3, max_line_width=76, suppress_small=True
        )
        text = text if value.ndim == 0 else f"shape {value.shape}\n{text}"
    elif isinstance(value, list | tuple) and any(isinstance(item, np.ndarray) for item in value):
        text = "\n".join(as_text(item) for item in value)
    elif isinstance(value, Mapping):
        text = "\n".join(f"{key}: {as_text(item)}" for key, item in value.items())
    else:
        text = str(value)
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + " …"


def attention(
    caption: str, tokens: Sequence[str], maps: Mapping[str, Any], queries: Sequence[str] | None = None
) -> dict[str, Any]:
    """Attention maps over the same tokens.

    Args:
        caption: below the maps.
        tokens: the keys, and the queries too if those are left out.
        maps: title → weights (query, key).
        queries: where they differ from the keys.
    """
    sides: dict[str, Any] = {"queries": list(tokens if queries is None else queries), "keys": list(tokens)}
    drawn = [
        {"title": title, "weights": np.round(np.asarray(map_, float), 4), **sides}
        for title, map_ in maps.items()
    ]
    return {"kind": "attention", "caption": caption, "maps": drawn}


def matrix(
    caption: str,
    values: Any,
    *,
    x: str,
    y: str,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    expected: Any = None,
) -> dict[str, Any]:
    """A matrix (row, column), labeled by numbers from 0 where no labels are given.

    Raises:
        ValueError: it is none.
    """
    drawn = np.asarray(values, float)
    if drawn.ndim != 2:
        raise ValueError(f"{drawn.ndim} axes are no matrix")
    shown = {
        "kind": "matrix",
        "caption": caption,
        "values": drawn,
        "x": x,
        "y": y,
        "rows": list(rows),
        "columns": list(columns),
    }
    return shown if expected is None else {**shown, "expected": np.asarray(expected, float)}


def curve(caption: str, series: Mapping[str, Any], *, x: str, y: str, **more: Any) -> dict[str, Any]:
    """Curves, label → numbers; ``at``, ``log``, ``marks`` and ``expected`` as the table above says."""
    return {"kind": "curve", "caption": caption, "series": dict(series), "x": x, "y": y, **more}


def drawn_as_matrix(
    caption: str, *, x: str, y: str, pick: Callable[[Any], Any] = lambda value: value
) -> Picture:
    """Draws the result of a case, or what ``pick`` takes from it, as a matrix beside the expected one."""
    return lambda trial, expected, found: matrix(
        caption, pick(found), x=x, y=y, expected=pick(expected) if expected is not None else None
    )


def drawn_as_heads(caption: str, pick: Callable[[Any], Any]) -> Picture:
    """Draws the result of a case as attention maps (head, query, key), beside the expected ones."""

    def maps(value: Any) -> list[dict[str, Any]]:
        heads = np.asarray(pick(value), float)
        if heads.ndim != 3:
            raise ValueError(f"{heads.ndim} axes are no attention maps of several heads")
        titles = {f"head {number}": head for number, head in enumerate(heads[:4])}
        return list(attention(caption, [str(place) for place in range(heads.shape[-1])], titles)["maps"])

    return lambda trial, expected, found: {
        "kind": "attention",
        "caption": caption,
        "maps": maps(found),
        "expected": maps(expected),
    }


def picture_of(evidence: Mapping[str, Any] | None, reveal_answers: bool) -> dict[str, Any] | None:
    """The part of some evidence that can be drawn, without the oracle's answer unless that may be shown."""
    shown = (evidence or {}).get("picture") if (evidence or {}).get("kind") == "case" else evidence
    if not shown:
        return None
    return {key: value for key, value in shown.items() if key != "expected" or reveal_answers}


def plain(value: Any) -> Any:
    """Evidence as JSON: arrays as lists, numbers that are not finite as None."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
