"""What a check can show beside its words, as plain JSON: a failing case, attention maps, curves, a matrix.

A check puts one of these into :class:`autograder.homework.Wrong`; :mod:`autograder.figures` draws it. The kinds:

========== ===========================================================================================================
kind       other keys
========== ===========================================================================================================
case       ``note``, ``inputs`` (name, words, value as text), ``expected``, ``found`` (text, may be missing)
attention  ``caption``, ``maps``: list of ``title``, ``weights`` (rows of numbers), ``queries``, ``keys`` (labels)
curve      ``caption``, ``x``, ``y`` (axis labels), ``series``: label → numbers
matrix     ``caption``, ``values`` (rows of numbers), ``rows``, ``columns`` (labels), ``x``, ``y`` (axis labels)
========== ===========================================================================================================

The values of a case are a hidden input and its oracle's answer; a page shows them only as far as the instructor allows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograder import kit

MAX_TEXT = 1_500  # characters of one shown value


def case_evidence(trial: kit.Trial, *, expected: Any = None, found: Any = None) -> dict[str, Any]:
    """A failing case: what went in, what should have come out and what did, as text."""
    named = [*((f"input {number}", value) for number, value in enumerate(trial.args, 1)), *trial.kwargs.items()]
    shown = {"kind": "case", "note": trial.note, "inputs": [[name, kit.describe(value), as_text(value)] for name, value in named]}
    for name, value in (("expected", expected), ("found", found)):
        if value is not None:
            shown[name] = as_text(value)
    return shown


def as_text(value: Any) -> str:
    """A value as people read it; large arrays are cut in the middle."""
    if isinstance(value, kit.Other):
        return kit.describe(value)
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        text = np.array2string(value, precision=4, threshold=48, edgeitems=3, max_line_width=76, suppress_small=True)
        text = text if value.ndim == 0 else f"shape {value.shape}\n{text}"
    elif isinstance(value, list | tuple) and any(isinstance(item, np.ndarray) for item in value):
        text = "\n".join(as_text(item) for item in value)
    elif isinstance(value, Mapping):
        text = "\n".join(f"{key}: {as_text(item)}" for key, item in value.items())
    else:
        text = str(value)
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + " …"


def attention(caption: str, tokens: Sequence[str], maps: Mapping[str, Any]) -> dict[str, Any]:
    """Attention maps, title → weights (query, key), over the same tokens."""
    labels = list(tokens)
    drawn = [{"title": title, "weights": np.round(np.asarray(map_, float), 4), "queries": labels, "keys": labels} for title, map_ in maps.items()]
    return {"kind": "attention", "caption": caption, "maps": drawn}


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
