"""4.5: the whole model, from images to logits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograder.declare import Challenge, Wrong, not_run, wrong_on
from autograder.homeworks.hw4 import public
from autograder.homeworks.hw4.cases import model_example, model_inputs
from autograder.homeworks.hw4.common import (
    ALWAYS_BOTH,
    BLOCK_CALLS,
    CLASS_LAST,
    CLASS_WITHOUT_PLACE,
    COLUMNS_FIRST,
    FLOAT32_ATOL,
    NO_POSITIONS,
    PIXELS_TRANSPOSED,
    named_mistakes,
)
from autograder.homeworks.hw4.homework import hw
from autograder.homeworks.hw4.transformer import cut, encoder, layer_norm, softmax, token_sequence
from autograder.kit import Trial


def vision_transformer(
    images: np.ndarray, init: Any = None, weights: Any = None, call: Any = None, mistake: str = "", **_: Any
) -> Any:
    """Logits (b, classes) in float64, and where asked for attention maps (b, depth, heads, 1+n, 1+n)."""
    w = {name: np.asarray(value, dtype=np.float64) for name, value in weights.items()}
    order = "columns" if mistake == "columns first" else "rows"
    pixels = "columns" if mistake == "pixels" else "rows"
    patches = cut(images.astype(np.float64), init["patch_size"], order, pixels)
    if mistake == "unfold reshaped":
        patches = patches.swapaxes(1, 2).reshape(patches.shape)
    x = patches @ w["patch_embedding.weight"].T + w["patch_embedding.bias"]
    if mistake == "reshaped":
        x = x.swapaxes(1, 2).reshape(x.shape)
    x = token_sequence(x, weights=w, mistake=mistake)
    if mistake == "norm first":
        x = layer_norm(x, w["norm.weight"], w["norm.bias"])
    maps = []
    runs = {"one block": 1, "last block left out": init["depth"] - 1}.get(mistake, init["depth"])
    for number in range(runs):
        own = f"blocks.{number}."
        names = {"self_attn": "attention", "linear1": "mlp.0", "linear2": "mlp.2"}
        mine = {name.removeprefix(own): value for name, value in w.items() if name.startswith(own)}
        mine = {
            ".".join([names.get(name.split(".")[0], name.split(".")[0]), *name.split(".")[1:]]): value
            for name, value in mine.items()
        }
        x, attended = encoder(x, mine, init["heads"])
        maps.append(attended)
    if mistake == "mean before norm":
        x = np.broadcast_to(x.mean(1, keepdims=True), x.shape)
    if mistake == "mean of patches before norm":
        x = np.broadcast_to(x[:, 1:].mean(1, keepdims=True), x.shape)
    if mistake not in ("no last norm", "norm first"):
        x = layer_norm(x, w["norm.weight"], w["norm.bias"])
    answering = {
        "last token": x[:, -1],
        "last": x[:, -1],
        "mean": x.mean(1),
        "mean of patches": x[:, 1:].mean(1),
        "first patch": x[:, 1],
    }
    logits = answering.get(mistake, x[:, 0]) @ w["head.weight"].T + w["head.bias"]
    if mistake == "softmax":
        logits = softmax(logits)
    if mistake == "log softmax":
        logits = np.log(softmax(logits))
    both = mistake == "always both" or (call and call.get("return_weights"))
    return [logits, np.stack(maps, axis=1)] if both else logits


model = hw.question(
    "4.5",
    "The whole model",
    topic="the Vision Transformer",
    minutes=20,
    difficulty="hard",
    asks={
        "logits (batch, 10)": "logits with injected weights",
        "maps of all blocks on demand": "attention maps of all blocks",
        "the stated configuration": "configuration and parameter count",
        "every parameter learns": "gradients reach every parameter",
    },
    forbids=BLOCK_CALLS,
    entries=[
        Challenge(
            "VisionTransformer",
            cases=model_inputs,
            examples=model_example,
            expected=vision_transformer,
            mistakes=named_mistakes(
                vision_transformer,
                {
                    "columns first": COLUMNS_FIRST,
                    "pixels": PIXELS_TRANSPOSED,
                    "last": CLASS_LAST,
                    "no positions": NO_POSITIONS,
                    "before": CLASS_WITHOUT_PLACE,
                    "before, shifted": f"{CLASS_WITHOUT_PLACE} Then positions[0] belongs to the class token.",
                    "positions twice": "The positions are added twice.",
                    "reshaped": (
                        "A reshape mixes the channels of the embedding and its places: flatten the"
                        " places, then transpose, (b, dim, n) to (b, n, dim)."
                    ),
                    "unfold reshaped": (
                        "A reshape mixes pixels and patches: F.unfold gives (b, p·p, n), so transpose the"
                        " last two axes."
                    ),
                    "norm first": (
                        "The last norm comes before the blocks; it belongs after them, before the head."
                    ),
                    "always both": ALWAYS_BOTH,
                    "last block left out": "The last block is left out.",
                    "one block": "Only one block is applied; the tokens must go through all of them.",
                    "no last norm": "The last layer norm is missing: the head reads norm(x) at place 0.",
                    "mean": "You classify the mean of all tokens; the question asks for the class"
                    " token, at place 0.",
                    "mean before norm": (
                        "You classify the norm of the mean of all tokens; the question asks for the class"
                        " token, at place 0."
                    ),
                    "mean of patches before norm": (
                        "You classify the norm of the mean of the patches; the question asks for the class"
                        " token, at place 0."
                    ),
                    "mean of patches": (
                        "You classify the mean of the patches; the question asks for the class token, at"
                        " place 0."
                    ),
                    "last token": "You classify the last token; the question asks for the class token,"
                    " at place 0.",
                    "first patch": (
                        "You classify the token at place 1, a patch; the class token is at place 0."
                    ),
                    "log softmax": (
                        "These are logarithms of probabilities. Return the logits: the loss applies the"
                        " softmax itself."
                    ),
                    "softmax": (
                        "These are probabilities. Return the logits: the loss applies the softmax itself."
                    ),
                },
            ),
            atol=FLOAT32_ATOL,
        )
    ],
)
model.check_cases("VisionTransformer", "logits with injected weights", points=6)
model.check_cases("VisionTransformer", "attention maps of all blocks", points=1, group="weights")

DEFAULT_PARTS = {
    "patch_embedding": 1088,
    "class_token": 64,
    "positions": 3200,
    "blocks": 6 * 33472,
    "norm": 128,
    "head": 650,
}  # 205,962 in all


def only(trials: Sequence[Trial], group: str) -> Trial:
    """The one trial of a group."""
    return next(trial for trial in trials if trial.group == group)


@model.check(points=2)
def configuration_and_parameter_count(VisionTransformer: list[Trial]) -> Wrong | None:
    trial = only(VisionTransformer, "defaults")
    if trouble := not_run("VisionTransformer", trial):
        return trouble
    shape = getattr(trial.result.get("result"), "shape", None)
    if shape != (3, 10):
        return Wrong(f"3 images give logits of shape {shape}; expected (3, 10).")
    found: dict[str, int] = {}
    for name, sizes in trial.result["parameters"].items():
        part = name.split(".")[0]
        found[part] = found.get(part, 0) + math.prod(sizes)
    if sum(found.values()) == sum(DEFAULT_PARTS.values()):
        return None
    wanted = sum(DEFAULT_PARTS.values())
    parts = [part for part in DEFAULT_PARTS if found.get(part, 0) != DEFAULT_PARTS[part]]
    differing = [
        f"`{part}` has {found.get(part, 0):,} parameters, expected {DEFAULT_PARTS[part]:,}" for part in parts
    ]
    differing += [
        f"`{part}` ({count:,}) is not in the table of the question"
        for part, count in found.items()
        if part not in DEFAULT_PARTS
    ]
    return Wrong(
        f"With its defaults the model has {sum(found.values()):,} parameters, expected {wanted:,}:"
        f" {'; '.join(differing)}."
    )


@model.check(points=2)
def gradients_reach_every_parameter(VisionTransformer: list[Trial]) -> Wrong | None:
    trial = only(VisionTransformer, "gradients")
    if trouble := not_run("VisionTransformer", trial):
        return trouble
    return wrong_on(trial, public.gradient_problem(trial.result))
