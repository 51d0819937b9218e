"""2.1: one attention head, ported from NumPy to PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from autograder.declare import Case, Challenge, Prediction, several
from autograder.homeworks.hw2.homework import ATTENTION_CALLS, check_gradients, hw, mistakes, normal
from autograder.homeworks.hw2.oracles import Floats, head


def transformer(
    x: Floats, *, init: Any, weights: Mapping[str, Floats], want: Any = (), variant: str = ""
) -> Floats:
    """The NumPy model of 2.1; positions are concatenated where there are any."""
    bare = x
    if "pos.weight" in weights:
        table = np.asarray(weights["pos.weight"])
        rows = {
            "one position for all": table[:1].repeat(len(x), 0),
            "positions from the end": table[: len(x)][::-1],
            "positions from 1": np.roll(table, -1, axis=0)[: len(x)],
        }.get(variant, table[: len(x)])
        x = np.concatenate([rows, x] if variant == "positions in front" else [x, rows], axis=1)
    output = head(x, weights["Qm.weight"], weights["Km.weight"], weights["Vm.weight"], variant)
    if variant == "residual":  # as an answer has it that asks for equal shapes first
        return output + next((added for added in (x, bare) if added.shape == output.shape), 0.0)
    return output


TRANSFORMER_MISTAKES = mistakes(
    transformer,
    {
        "The softmax is over the wrong axis: each query's weights must sum to 1, over the keys (the last"
        " axis).": "wrong axis",
        "The scores are not divided by √qk_dim.": "unscaled",
        "The softmax comes first and the scale 1/√qk_dim after it; divide the scores.": "scaled afterwards",
        "The scores are divided by qk_dim (or twice by its root); divide once by √qk_dim.": "divided by qk",
        "The scores are divided by √v_dim; divide by √qk_dim,"
        " from the size of the queries and keys.": "scaled by v",
        "The scores are divided by the root of the input's size; divide by √qk_dim.": "scaled by input",
        "The scores are divided by √n; divide by √qk_dim.": "scaled by n",
        "The output is transposed: rows must be places, (n, v_dim).": "transposed output",
        "The weights are transposed before they multiply the values: output i must be the average for query"
        " i.": "transposed weights",
        "Queries and keys are swapped: row i of the scores belongs to query i.": "queries and keys swapped",
        "The softmax is missing.": "no softmax",
        "That is a sigmoid of each score by itself; a softmax divides by the sum over the keys.": "sigmoid",
        "The weights are tanh(score); a softmax takes exponentials and divides by their sum.": "tanh",
        "The weights are relu(score); a softmax takes exponentials and divides by their sum.": "relu",
        "That is hard attention: the largest score takes all of the weight.": "hard",
        "The scores are clipped before the softmax; subtract each row's largest score instead.": "clipped",
        "The scores are cosines; take the dot products, which also depend on length.": "cosines",
        "Queries and keys come from one map (Qm, …); each must have its own.": "keys by Qm",
        "Queries and keys come from one map (Km, …); each must have its own.": "queries by Km",
        "The input is added to the output where the sizes agree;"
        " this model has no residual connection.": "residual",
        "A causal mask is applied; this model has none: every place sees every place.": "causal",
        "Every place got the position of place 0: look up arange(n).": "one position for all",
        "Positions count from the end; place 0 gets row 0 of the table.": "positions from the end",
        "Positions count from 1; place 0 gets row 0 of the table.": "positions from 1",
        "Positions are in front of the token; the NumPy model appends them after it.": "positions in front",
    },
)


def ported(
    rng: np.random.Generator,
    n: int,
    sizes: tuple[int, int, int],
    pos: int = 0,
    places: int = 10,
    scale: float = 1.0,
    **more: Any,
) -> Case:
    """A case of 2.1: sequence length, (input_dim, qk_dim, v_dim), pos_dim and max_seq_len.

    Scores stay below 50, unless the case is about large ones: who clips there loses nothing by luck here.
    """
    while True:
        case = _ported(rng, n, sizes, pos, places, scale, **more)
        if scale > 1 or _is_never_clipped(case):
            return case


def _is_never_clipped(case: Case) -> bool:
    right, clipped = (transformer(*case.args, **case.kwargs, variant=one) for one in ("", "clipped"))
    return np.array_equal(right, clipped)


def _ported(
    rng: np.random.Generator,
    n: int,
    sizes: tuple[int, int, int],
    pos: int,
    places: int,
    scale: float,
    **more: Any,
) -> Case:
    d, qk, v = sizes
    init: dict[str, Any] = {"input_dim": d, "qk_dim": qk, "v_dim": v}
    weights = {}
    if pos:
        init |= {"pos_dim": pos, "max_seq_len": places}
        weights["pos.weight"] = normal(rng, places, pos)
    weights |= {f"{name}.weight": normal(rng, qk, d + pos, scale=scale) for name in ("Qm", "Km")} | {
        "Vm.weight": normal(rng, v, d + pos)
    }
    kwargs = {"init": init, "weights": weights} | ({"want": more.pop("want")} if "want" in more else {})
    note = more.pop(
        "note",
        f"n = {several(n, 'place')}, " + (f"positions with pos_dim = {pos}" if pos else "no positions"),
    )
    return Case([normal(rng, n, d)], kwargs, note=note, probe="ported", torch=True, **more)


def large_scores(rng: np.random.Generator, n: int, sizes: tuple[int, int, int], **more: Any) -> Case:
    """Scores of about a thousand, several of them in a row, so that clipping them shows.

    A wrong scale does not show: the largest score of each row is far above the others.
    """
    note = "scores of about a thousand, where a naive exp overflows"
    while True:
        case = ported(rng, n, sizes, scale=30.0, note=note, **more)
        variants = ("", "clipped", "divided by qk")
        right, clipped, smaller = (transformer(*case.args, **case.kwargs, variant=one) for one in variants)
        if np.abs(clipped - right).max() > 0.1 and np.abs(smaller - right).max() < 1e-9:
            return case


def transformer_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Sizes that all differ, so that a swapped one shows."""
    for n, sizes in ((5, (3, 4, 2)), (3, (6, 2, 5)), (6, (4, 5, 3))):
        yield ported(rng, n, sizes, group="plain")
        yield ported(rng, n, sizes, pos=3, places=n + 2, group="positions")
    yield ported(
        rng, 4, (3, 5, 2), pos=3, places=10, note="positions and input of the same size", group="positions"
    )
    # outputs of the input's size, to which an input could be added
    yield ported(rng, 4, (3, 5, 3), note="n = 4 places, v_dim = input_dim", group="plain")
    for n, v in ((4, 3), (5, 7)):
        note = f"n = {several(n, 'place')}, input_dim = 3, pos_dim = 4, v_dim = {v}"
        yield ported(rng, n, (3, 5, v), pos=4, places=6, note=note, group="positions")
    for n in (3, 1, 2, 4, 5, 6):  # a single score above 0 would not tell a ReLU from no softmax at all
        # scores of usual size: with a softmax that is all but hard, a wrong scale would not show
        yield ported(rng, n, (10, 7, 8), scale=0.3, group="lengths")
        note = f"n = {n} of at most 6 places, with positions"
        yield ported(rng, n, (10, 7, 8), pos=3, places=6, scale=0.3, group="lengths", note=note)
    yield large_scores(rng, 5, (3, 4, 2), group="large")
    yield ported(
        rng, 6, (3, 4, 2), pos=2, places=6, want=["gradients"], group="gradients", note="one backward pass"
    )


def transformer_examples(rng: np.random.Generator) -> Iterator[Case]:
    """One of each kind of hidden case; sizes differ, so that no two mistakes look the same."""
    yield ported(rng, 4, (5, 3, 2))
    yield ported(rng, 3, (4, 5, 2), pos=2, places=4)
    yield ported(rng, 3, (4, 2, 4), note="n = 3 places, v_dim = input_dim")
    yield ported(rng, 1, (3, 4, 2), pos=2, places=4)
    yield large_scores(rng, 3, (2, 3, 2))
    yield ported(
        rng, 4, (3, 4, 2), pos=2, places=4, want=["gradients"], note="n = 4 places, with a backward pass"
    )


port = hw.question(
    "2.1",
    "From NumPy to PyTorch",
    topic="one head as a PyTorch module",
    minutes=15,
    difficulty="easy",
    asks={
        "the NumPy model in PyTorch, without positions": "equal to the NumPy model without positions",
        "with a table of positions, concatenated": "equal to the NumPy model with positions",
        "any number of places from 1 to `max_seq_len`": "for every length from 1 to the largest",
        "scores of about a thousand do not overflow": "large scores do not overflow",
        "one backward pass reaches every parameter": (
            "gradients reach every parameter of PytorchTransformer"
        ),
    },
    entries=[
        Prediction("prediction_21", {"A": "none", "B": "the two rows of the token A", "C": "all four"}),
        Challenge(
            "PytorchTransformer",
            cases=transformer_cases,
            expected=transformer,
            mistakes=TRANSFORMER_MISTAKES,
            examples=transformer_examples,
            atol=1e-5,  # float32 sums of a few products of size 1 to 10
        ),
    ],
    forbids=ATTENTION_CALLS,
)
port.check_cases("PytorchTransformer", "equal to the NumPy model without positions", points=3, group="plain")
port.check_cases("PytorchTransformer", "equal to the NumPy model with positions", points=4, group="positions")
port.check_cases("PytorchTransformer", "for every length from 1 to the largest", points=1, group="lengths")
port.check_cases("PytorchTransformer", "large scores do not overflow", points=1, group="large")
check_gradients(port, "PytorchTransformer", points=2)
