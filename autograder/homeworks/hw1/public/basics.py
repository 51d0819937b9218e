"""hw1 in public: the library's attention for figures, and probes for functions that loop or take a layer.

Visible checks say what can be said without the answer: rows that sum to 1, and properties where a
question is judged by property. No solution stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from autograder.homeworks.hw1.public.steps import loop_problem
from autograder.kit import after_grading, call_on, compare, decode, probe, visible_check

PRESERVED_KEY = 1  # 1.6: whose value the output must be
MIXING_ATOL = 1e-3  # stated in the notebook
KEYS_16 = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 1.0], [-1.0, 0.0, 1.0]])
VALUES_16 = np.array([[2.0, 0.0], [0.0, 2.0], [-1.0, -1.0], [3.0, 1.0]])

Lines = list[tuple[bool | None, str]]


def library_attention(
    queries: Any, keys: Any, values: Any, scale: float | None = None, mask: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """PyTorch's attention for NumPy arrays.

    Args:
        queries: (n, d_k).
        keys: (m, d_k).
        values: (m, d_v).
        scale: the factor before the softmax; 1/√d_k if left out.
        mask: bool (n, m), True where the query may look at the key.

    Returns:
        The output (n, d_v) and the weights (n, m), rows sum to 1; float64.
    """
    import torch
    from torch.nn.functional import scaled_dot_product_attention as attend

    q, k, v = (
        torch.as_tensor(np.asarray(item), dtype=torch.float64)[None] for item in (queries, keys, values)
    )
    allowed = None if mask is None else torch.as_tensor(np.asarray(mask, dtype=bool))[None]
    weights = attend(q, k, torch.eye(k.shape[1], dtype=torch.float64)[None], attn_mask=allowed, scale=scale)
    return attend(q, k, v, attn_mask=allowed, scale=scale)[0].numpy(), weights[0].numpy()


# Probes -----------------------------------------------------------------------------------------------------


def _running_sum(X: np.ndarray) -> np.ndarray:
    return np.cumsum(X, axis=0)


def _each_token(X: np.ndarray) -> np.ndarray:
    return np.tanh(X)


def _self_attention(X: np.ndarray) -> np.ndarray:
    return library_attention(X, X, X)[0]


def _causal_attention(X: np.ndarray) -> np.ndarray:
    return library_attention(X, X, X, mask=np.arange(len(X))[:, None] >= np.arange(len(X)))[0]


def _window(X: np.ndarray) -> np.ndarray:
    return X - np.roll(X, 1, axis=0)


LAYERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "self-attention": _self_attention,
    "causal self-attention": _causal_attention,
    "a running sum": _running_sum,
    "tanh of each number": _each_token,
    "the difference from the token before": _window,
}


@probe("layer")
def layer_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Calls the student's function on a layer of :data:`LAYERS`, named by the first arg, and the others."""
    name, *args = decode(case["args"])
    return call_on(function, args, given=[LAYERS[name]])


# Visible checks ---------------------------------------------------------------------------------------------


def number(value: Any) -> float:
    """A recorded number as float."""
    return float(np.asarray(value).reshape(-1)[0])


def too_few_decimals(name: str, value: Any) -> Lines:
    """A line if numbers have two decimals where the question asks for three; whole numbers may be exact."""
    numbers = np.asarray(value, dtype=float)
    if np.array_equal(numbers, numbers.round(2)) and not np.array_equal(numbers, numbers.round()):
        return [(False, f"`{name}` has no more than two decimals; the question asks for three.")]
    return []


@visible_check("1.2")
def cat_weight_is_possible(answers: Mapping[str, Any]) -> Lines:
    weight = number(answers["cat_weight"])
    inside = 1 / 6 <= weight < 1
    if inside and (few := too_few_decimals("cat_weight", weight)):
        return few
    told = f"`cat_weight` = {weight:.3f} can be the largest of six weights."
    wrong = (
        f"`cat_weight` = {weight:.3f} cannot be the largest of six weights that sum to 1: it must lie between"
        " 1/6 and 1."
    )
    return [(inside, told if inside else wrong)]


@visible_check("1.3")
def steps_do_not_grow(answers: Mapping[str, Any]) -> Lines:
    counted = [
        trial for trial in answers.get("attention", []) if trial.group == "steps" and trial.status == "ok"
    ]
    problems = [loop_problem(trial) for trial in counted]
    return [
        (problem is None, problem or "The number of Python steps does not grow with n.")
        for problem in problems
    ]


@visible_check("1.5")
def hard_output_is_a_value(answers: Mapping[str, Any]) -> Lines:
    values = [[2, 0, 1], [1, 4, 3], [0, -1, 4], [1, 0, -1]]
    one = np.asarray(answers["hard_output"]).tolist() in values
    told = (
        "`hard_output` is one of the four values."
        if one
        else "`hard_output` is none of the four values; hard attention returns exactly one of them."
    )
    return [(one, told)]


def mixing(query: np.ndarray, beta: float) -> tuple[np.ndarray, np.ndarray]:
    """1.6's output (2,) and weights (4,) for a query and an inverse temperature."""
    output, weights = library_attention(np.reshape(query, (1, 3)), KEYS_16, VALUES_16, scale=float(beta))
    return output[0], weights[0]


def preserve_problem(query: np.ndarray, beta: float) -> str | None:
    """Whether the output is the value of :data:`PRESERVED_KEY`; else words."""
    if beta < 0:
        return (
            "`preserve_beta` is negative; an inverse temperature is at least 0. Turn the query round instead."
        )
    output, weights = mixing(query, beta)
    if compare(VALUES_16[PRESERVED_KEY], output, rtol=0, atol=MIXING_ATOL) is None:
        return None
    told = (
        f"Preserve: the weights are {np.round(weights, 3).tolist()}, so the output is"
        f" {np.round(output, 3).tolist()}."
    )
    products = KEYS_16 @ np.asarray(query, dtype=float)
    best = products.max()
    winners = np.flatnonzero(np.isclose(products, best, rtol=1e-9, atol=1e-12))
    if beta == 0 or len(winners) == 4:
        return (
            f"{told} All scores are equal, which is diffusion. Key {PRESERVED_KEY} must have the largest"
            " score."
        )
    if len(winners) > 1 and PRESERVED_KEY in winners:
        return (
            f"{told} Keys {' and '.join(map(str, winners))} have the same dot product with your query: no β"
            " separates them."
        )
    if PRESERVED_KEY not in winners:
        return (
            f"{told} Key {winners[0]} has the largest dot product with your query; it must be key"
            f" {PRESERVED_KEY}."
        )
    return (
        f"{told} Key {PRESERVED_KEY} has the largest score, but not by enough: a larger β makes the softmax"
        " sharper."
    )


def diffuse_problem(query: np.ndarray, beta: float) -> str | None:
    """Whether the output is the mean of the values, for a query that is not zero and β > 0; else words."""
    if not np.linalg.norm(query) * beta >= 0.1:
        return (
            "Diffuse: the query times β is zero or nearly so, and then any keys diffuse. Find a query of"
            " sensible length that has the same dot product with all four keys, and a β > 0 (|q| β at least"
            " 0.1)."
        )
    output, weights = mixing(query, beta)
    if compare(VALUES_16.mean(axis=0), output, rtol=0, atol=MIXING_ATOL) is None:
        return None
    products = KEYS_16 @ np.asarray(query, dtype=float)
    return (
        f"Diffuse: the weights are {np.round(weights, 3).tolist()}; for the mean of the values all four must"
        f" be 1/4. The dot products are {np.round(products, 3).tolist()}: they must be equal, not small."
    )


@visible_check("1.6")
def queries_preserve_and_diffuse(answers: Mapping[str, Any]) -> Lines:
    preserve = preserve_problem(answers["preserve_query"], number(answers["preserve_beta"]))
    diffuse = diffuse_problem(answers["diffuse_query"], number(answers["diffuse_beta"]))
    return [
        (preserve is None, preserve or "Preserve: the output is the value of key 1."),
        (diffuse is None, diffuse or "Diffuse: the output is the mean of the values."),
    ]


@visible_check("1.7")
def rows_sum_to_one(answers: Mapping[str, Any]) -> Lines:
    norms, weights = answers["norms_17"], answers["weights_17"]
    lines: Lines = [
        (
            bool((norms > 0).all()),
            "Norms are positive." if (norms > 0).all() else "A norm of `norms_17` is not positive.",
        )
    ]
    sums = np.allclose(weights.sum(axis=1), 1, atol=2e-3)
    rows = bool(sums and (weights > 0).all())
    columns = np.allclose(weights.sum(axis=0), 1, atol=2e-3)
    told = "Rows of `weights_17` are positive and sum to 1."
    if sums and not rows:
        told = "Rows of `weights_17` sum to 1, but a softmax gives each key a weight above 0."
    elif not rows:
        told = (
            f"Rows of `weights_17` sum to {np.round(weights.sum(axis=1), 3).tolist()}; each must be positive"
            " and sum to 1."
        )
        told += " Your columns do: the softmax is over the wrong axis." if columns else ""
    lines += [*too_few_decimals("norms_17", norms), *too_few_decimals("weights_17", weights)]
    return [*lines, (rows, told)]


@visible_check("1.13a")
def cosines_are_possible(answers: Mapping[str, Any]) -> Lines:
    lines: Lines = []
    for name in ("bank_static", "bank_contextual"):
        inside = abs(number(answers[name])) <= 1 + 1e-6
        message = "is a possible cosine." if inside else "is outside [-1, 1]: divide by both norms."
        lines.append((inside, f"`{name}` {message}"))
    return lines


@visible_check("1.13b")
def layers_and_updates_are_counted(answers: Mapping[str, Any]) -> Lines:
    """Layers and updates come in whole numbers; which ones, a student reads after grading."""
    lines: Lines = []
    for name, counted in (("window_layers", "layers"), ("rnn_updates", "updates")):
        found = answers.get(name)
        if isinstance(found, np.ndarray) and found.size == 1 and not float(found).is_integer():
            lines.append((False, f"`{name}` is {float(found):g}; a number of {counted} is whole."))
    return lines or [after_grading("window_layers", "rnn_updates")]


@visible_check("1.13c")
def window_needs_fewer_scores(answers: Mapping[str, Any]) -> Lines:
    fewer = number(answers["window_scores"]) < number(answers["full_scores"])
    if not fewer:
        return [(False, "A window cannot need more scores than full attention.")]
    return [(True, "The window needs fewer scores than full attention.")]
