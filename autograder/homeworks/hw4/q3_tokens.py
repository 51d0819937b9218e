"""4.3: the class token and positions, and how many parameters a configuration has."""

from __future__ import annotations

from functools import cache, partial

import numpy as np

from autograder.declare import Array, Challenge, Number, Numbers, Wrong
from autograder.homeworks.hw4.cases import token_inputs
from autograder.homeworks.hw4.common import CLASS_LAST, CLASS_WITHOUT_PLACE, NO_POSITIONS, named_mistakes
from autograder.homeworks.hw4.homework import hw
from autograder.homeworks.hw4.transformer import token_sequence

tokens = hw.question(
    "4.3",
    "Class token and positions",
    topic="class token, learned positions, parameter counts",
    minutes=15,
    difficulty="medium",
    asks={
        "class token first, then patches, positions added": "class token first, positions after",
        "parameters of the parts": "parameters of the parts",
        "parameters in total": "parameters in total",
    },
    entries=[
        Challenge(
            "TokenSequence",
            cases=token_inputs,
            examples=partial(token_inputs, sizes=((2, 4, 3), (1, 1, 2))),
            expected=token_sequence,
            mistakes=named_mistakes(
                token_sequence,
                {
                    "last": CLASS_LAST,
                    "no positions": NO_POSITIONS,
                    "before": CLASS_WITHOUT_PLACE,
                    "before, shifted": f"{CLASS_WITHOUT_PLACE} Then positions[0] belongs to the class token.",
                    "positions twice": "The positions are added twice.",
                    "multiplied": "The tokens are multiplied by the positions; add the positions.",
                    "added to all": (
                        "The class token is added to every token; put it in front as a separate token"
                        " (torch.cat along axis 1)."
                    ),
                    "no token": "The class token is zero: put your parameter in front, not zeros.",
                },
            ),
        ),
        *(Array(f"count_{name}") for name in ("patch_embedding", "tokens", "block", "total")),
    ],
    numbers=[
        # not 4 and 7: 16 pixels with 49 patches and 49 pixels with 16 patches have the same total
        Number("patch", 14, (2, 14)),
        Number("dim", 48, (32, 40, 48, 56, 64, 72)),
        Number("depth", 3, (2, 3, 4, 5)),
        Number("mlp_dim", 96, (80, 96, 112, 128, 144, 160)),
    ],
)
tokens.check_cases("TokenSequence", "class token first, positions after", points=3)


@cache
def counts(patch: int, dim: int, depth: int, mlp_dim: int) -> dict[str, int]:
    """Parameters of a configuration of 4.3, counted in torch's own layers."""
    import torch

    def count(*parts: torch.nn.Module) -> int:
        return sum(parameter.numel() for part in parts for parameter in part.parameters())

    places = (28 // patch) ** 2 + 1
    embedded, table = count(torch.nn.Linear(patch**2, dim)), count(torch.nn.Embedding(places, dim)) + dim
    block = count(torch.nn.TransformerEncoderLayer(dim, 4, mlp_dim))
    head = count(torch.nn.LayerNorm(dim), torch.nn.Linear(dim, 10))
    return {
        "patch_embedding": embedded,
        "tokens": table,
        "block": block,
        "total": embedded + table + depth * block + head,
    }


def miscounts(patch: int, dim: int, depth: int, mlp_dim: int) -> dict[str, dict[int, str]]:
    """Part → a count that comes of a known mistake → what the mistake is."""
    right, pixels, patches = counts(patch, dim, depth, mlp_dim), patch**2, (28 // patch) ** 2
    one_map, norm, head = dim * dim + dim, 2 * dim, dim * 10 + 10
    return {
        "patch_embedding": {
            pixels * dim: f"you left out the {dim} biases",
            28 * 28 * dim
            + dim: f"you took the whole image; one patch of {patch}×{patch} is mapped at a time",
            patches * dim + dim: f"a patch of {patch}×{patch} has {pixels} pixels; you took {patches}",
        },
        "tokens": {
            (patches + 1) * dim: (
                f"one of the two is missing: the class token itself has {dim} numbers, in addition to its"
                f" position"
            ),
            patches * dim: (
                f"that is {patches} positions; the class token has a position too, and {dim} numbers of"
                " its own"
            ),
        },
        "block": {
            right["block"]
            - 2 * norm: f"the two layer norms are missing: each has a weight and a bias of {dim}",
            right["block"] - norm: "that is one layer norm; a block has two",
            right["block"] - 5 * dim - mlp_dim: "the biases are missing",
            right["block"]
            - (mlp_dim * dim + dim): f"the MLP has two maps: {dim} → {mlp_dim} and {mlp_dim} → {dim}",
            right["block"] - one_map: "attention has four maps: query, key, value and output",
            right["block"] + 12 * one_map: (
                f"heads share the maps: each of the h heads uses {dim}/h of their features, so more heads"
                " add no parameters"
            ),
        },
        "total": {
            counts(4, dim, depth, mlp_dim)[
                "total"
            ]: f"that is with 4×4 patches; here they are {patch}×{patch}",
            right["total"] - norm: "the last layer norm is missing",
            right["total"] - head: f"the head is missing: {dim}×10 weights and 10 biases",
            right["total"] - norm - head: "the last layer norm and the head are missing",
            right["total"] - (depth - 1) * right["block"]: f"there are {depth} blocks",
        },
    }


def miscount(name: str, found: float, numbers: Numbers) -> str | None:
    """What is wrong with one count, or None."""
    sizes = {size: numbers[size] for size in ("patch", "dim", "depth", "mlp_dim")}
    expected = counts(**sizes)[name]
    if found == expected:
        return None
    told = f"`count_{name}` is {found:g}, which is not right"
    known = miscounts(**sizes)[name].get(int(found)) if found == int(found) else "it must be a whole number"
    return (
        f"{told}: {known}." if known else f"{told}. Write it as a sum over the layers, weights plus biases."
    )


@tokens.check(points=2, needs=["count_patch_embedding", "count_tokens", "count_block"])
def parameters_of_the_parts(
    count_patch_embedding: np.ndarray, count_tokens: np.ndarray, count_block: np.ndarray, numbers: Numbers
) -> Wrong | None:
    found = {"patch_embedding": count_patch_embedding, "tokens": count_tokens, "block": count_block}
    problems = [
        problem for name, count in found.items() if (problem := miscount(name, float(count), numbers))
    ]
    return Wrong(" ".join(problems), earned=1 - len(problems) / 3) if problems else None


@tokens.check(points=1, needs=["count_total"])
def parameters_in_total(count_total: np.ndarray, numbers: Numbers) -> Wrong | None:
    problem = miscount("total", float(count_total), numbers)
    return Wrong(problem) if problem else None
