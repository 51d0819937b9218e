"""5.4: a self-attention classifier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from autograder import kit
from autograder.declare import NOT_JUDGED, Case, Challenge, Wrong, not_run, wrong_on
from autograder.declare import attention as attention_map
from autograder.homeworks.hw5 import public
from autograder.homeworks.hw5.common import (
    COLUMN,
    DIVIDED,
    PROBABILITY,
    Weights,
    cases_check,
    classifier_cases,
    mean_over,
    sigmoid,
    variants,
)
from autograder.homeworks.hw5.homework import hw


def attention_weights(ids: np.ndarray, mask: np.ndarray, weights: Weights, variant: str = "") -> np.ndarray:
    """Attention (batch, query, key) of 5.4; padding keys get none."""
    x = weights["embed.weight"][ids]
    Q, K = x @ weights["Qm.weight"].T, x @ weights["Km.weight"].T
    Q, K = K if variant == "queries by Km" else Q, Q if variant == "keys by Qm" else K
    if variant == "cosines":
        Q, K = (part / np.linalg.norm(part, axis=-1, keepdims=True) for part in (Q, K))
    scores = Q @ (K.reshape(len(x), -1, x.shape[1]) if variant == "reshaped" else np.swapaxes(K, 1, 2))
    if variant == "keys by queries":
        scores = np.swapaxes(scores, 1, 2)
    if variant == "divided by 64":
        scores = scores / np.sqrt(weights["Qm.weight"].shape[0])
    if variant == "scaled up":
        scores = scores * weights["Qm.weight"].shape[0]
    if variant not in ("unscaled", "scaled after", "cosines"):
        scores = scores / np.sqrt(weights["Qm.weight"].shape[1 if variant == "scale of d" else 0])
    allowed = {"attended": np.ones_like(mask), "inverted": ~mask}.get(variant.split(",")[0], mask)
    allowed = allowed[:, None, :]
    axis = 1 if variant in ("axis", "queries, hidden") else -1
    if variant == "queries masked":
        allowed = np.broadcast_to(mask[:, :, None], scores.shape)
    if variant == "causal":
        allowed = allowed & np.tri(scores.shape[1], dtype=bool)
    if variant == "struck out":
        allowed = np.ones_like(mask)[:, None, :]
    scores = np.where(allowed, scores, {"zeros": 0.0, "minus ten": -10.0}.get(variant, -1e30))
    exponents = np.exp(scores - scores.max(axis, keepdims=True))
    found = exponents / exponents.sum(axis, keepdims=True)
    if variant == "struck out":
        found = found * mask[:, None, :]
    return np.asarray(found / np.sqrt(weights["Qm.weight"].shape[0]) if variant == "scaled after" else found)


def self_attention(
    ids: np.ndarray, mask: np.ndarray, weights: Weights, variant: str = "", **_: Any
) -> np.ndarray:
    """Self-attention → mean over real tokens → linear, and what known mistakes give."""
    w = {name: np.asarray(value, float) for name, value in weights.items()}
    x = w["embed.weight"][ids]
    values = x if variant == "no values" else x @ w["Vm.weight"].T
    mixed = attention_weights(ids, mask, w, "attended" if variant == "no mask at all" else variant) @ values
    if variant == "residual":
        mixed = x + mixed
    if variant == "no attention":
        mixed = values
    kept = np.ones_like(mask) if variant in ("padding averaged", "no mask at all") else mask
    mean = (mixed * mask[..., None]).mean(1) if variant == "padded length" else mean_over(mixed, kept)
    mean = {
        "sum": (mixed * mask[..., None]).sum(1),
        "batch length": (mixed * mask[..., None]).sum(1) / mask.sum(),
        "first token": mixed[:, 0],
        "largest": np.where(mask[..., None], mixed, -np.inf).max(1),
    }.get(variant, mean)
    mean = np.tanh(mean) if variant == "tanh" else mean
    logits = (mean @ w["output.weight"].T + w["output.bias"])[:, 0]
    if variant in ("rows hidden", "queries, hidden"):
        return np.where(mask.all(1), logits, np.nan)
    if variant == "inverted, hidden":
        return np.where(mask.all(1), np.nan, logits)
    return sigmoid(logits) if variant == "probability" else logits[:, None] if variant == "column" else logits


def three_maps(rng: np.random.Generator, d: int) -> Weights:
    """Query, key and value maps with d_qk = 64; small, so that the softmax is soft."""
    small = 0.6 / np.sqrt(d)
    return {name: small * rng.normal(size=(64, d)) for name in ("Qm.weight", "Km.weight")} | {
        "Vm.weight": rng.normal(size=(d, d))
    }


def low_scores(rng: np.random.Generator) -> Case:
    """A case whose scores are all lower by 40: a finite score such as −10 does not hide padding there.

    The last number of each word vector is 1, and what the maps make of it lowers each score alike.
    """
    case = next(classifier_cases(0, three_maps)(rng))
    weights = {name: value.copy() for name, value in case.kwargs["weights"].items()}
    weights["embed.weight"][:, -1] = 1.0
    weights["Qm.weight"][0], weights["Km.weight"][0] = 0.0, 0.0
    weights["Qm.weight"][:, -1], weights["Km.weight"][:, -1] = 0.0, 0.0
    weights["Qm.weight"][0, -1], weights["Km.weight"][0, -1] = 20.0, -16.0  # 20 · −16 / √64 = −40
    lowered = {**case.kwargs, "weights": weights, "want": []}
    return replace(case, kwargs=lowered, note=f"{case.note}, scores of about −40")


def sentences_for_weights(rng: np.random.Generator) -> Iterator[Case]:
    """The cases, and the same with return_weights=True."""
    for case in (*classifier_cases(0, three_maps)(rng), low_scores(rng)):
        yield case
        asked = {**case.kwargs, "call": {"return_weights": True}, "want": []}
        yield replace(case, kwargs=asked, note=f"{case.note}, with weights", group="weights")


def shown_sentences(rng: np.random.Generator) -> list[Case]:
    """Three batches, the attention of the one without padding, where every row must be right; low scores."""
    cases = list(classifier_cases(0, three_maps)(rng))[:3]
    full = next(case for case in cases if np.asarray(case.args[1]).all() and len(case.args[0]) > 1)
    asked = {**full.kwargs, "call": {"return_weights": True}}
    shown = replace(full, kwargs=asked, note=f"{full.note}, return_weights=True", group="weights")
    return [*cases, shown, low_scores(rng)]


def logits_and_weights(ids: np.ndarray, mask: np.ndarray, **kwargs: Any) -> Any:
    """The oracle for both ways to call the classifier."""
    logits = self_attention(ids, mask, **kwargs)
    if not kwargs.get("call"):
        return logits
    wide = {name: np.asarray(value, float) for name, value in kwargs["weights"].items()}
    variant = kwargs.get("variant", "")
    return [
        logits,
        attention_weights(ids, mask, wide, "attended" if variant == "no mask at all" else variant),
    ]


attention = hw.question(
    "5.4",
    "A self-attention classifier",
    minutes=20,
    difficulty="medium",
    asks={
        "raw logits, padding masked twice": "logits",
        "gradients reach every parameter": "logits",
        "weights (batch, query, key) on demand": "attention weights",
        "no library attention": NOT_JUDGED,
    },
    topic="self-attention classifier",
    forbids=("scaled_dot_product_attention", "MultiheadAttention", "multi_head_attention_forward"),
    entries=[
        Challenge(
            "SelfAttentionClassifier",
            cases=sentences_for_weights,
            examples=shown_sentences,
            expected=logits_and_weights,
            mistakes=variants(
                logits_and_weights,
                {
                    "no mask at all": (
                        "Padding is attended to and averaged: the mask must act twice, on the keys and on the"
                        " mean."
                    ),
                    "attended": "Padding is attended to: its scores must be −∞ before the softmax.",
                    "padding averaged": (
                        "Outputs at padding places are averaged, too: the mean must run over real tokens."
                    ),
                    "inverted": (
                        "The mask is inverted in the attention: real tokens are hidden and padding is"
                        " visible."
                    ),
                    "rows hidden": (
                        "All scores in some rows are −∞, and the softmax of these rows is NaN: hide the"
                        " columns of padding, not its rows."
                    ),
                    "inverted, hidden": (
                        "The mask is inverted in the attention: in a sentence without padding, all scores are"
                        " −∞, and their softmax is NaN."
                    ),
                    "queries, hidden": (
                        "The softmax runs over the queries (dim=1), where a column of padding is −∞ alone and"
                        " gives NaN; it must run over the keys, the last axis."
                    ),
                    "minus ten": (
                        "Scores of padding are finite (about −10 or −20), which is high among low scores."
                        " Set them to −∞ before the softmax."
                    ),
                    "zeros": (
                        "Scores of padding are finite, such as 0, which still gets the weight e⁰. Set them to"
                        " −∞ before the softmax."
                    ),
                    "struck out": (
                        "Padding is set to 0 after the softmax, so the rows no longer sum to 1. Set its"
                        " scores to −∞ before the softmax."
                    ),
                    "scaled after": "The scale 1/√64 comes after the softmax; divide the scores before it.",
                    "reshaped": "The keys are reshaped, which mixes them: transpose the last two axes.",
                    "no attention": "The attention is not used: the mean is over the values themselves.",
                    "scaled up": "You multiplied the scores by √64; divide by it.",
                    "keys by Qm": "Queries and keys come from one map (Qm, …); each has its own.",
                    "queries by Km": "Queries and keys come from one map (Km, …); each has its own.",
                    "cosines": "The scores are cosines; take the dot products, in which length counts.",
                    "batch length": (
                        "You divide by the number of real tokens in the whole batch; each sentence has"
                        " its own."
                    ),
                    "divided by 64": "You divided the scores by 64; divide by √64 = 8.",
                    "causal": "Later tokens are hidden; here, every token attends to all real tokens.",
                    "residual": (
                        "The input is added to the output of attention; the model in the question has no"
                        " residual."
                    ),
                    "tanh": "A tanh comes before the output; here, the output reads the mean itself.",
                    "sum": "The outputs are summed over the tokens; take their mean.",
                    "first token": "You classify the first token; take the mean over the real tokens.",
                    "largest": "You take the maximum over the tokens; take their mean.",
                    "unscaled": "The scores lack the scale 1/√64.",
                    "axis": (
                        "The softmax runs over the queries; it must run over the keys (the last axis)."
                        " Otherwise the mean over tokens undoes it."
                    ),
                    "keys by queries": "Queries and keys are swapped: row i must be the query of token i.",
                    "padded length": DIVIDED,
                    "scale of d": (
                        "You divided the scores by √d of the word vectors; the question asks for √64, the"
                        " square root of d_qk."
                    ),
                    "no values": "The values are the word vectors themselves: the map Vm is not used.",
                    "probability": PROBABILITY,
                    "column": COLUMN,
                },
            ),
            rtol=1e-3,
            atol=1e-4,
        )
    ],
)
cases_check(attention, "SelfAttentionClassifier", "logits", 5, public.gradient_problem)


@attention.check("attention weights", points=3)
def real_tokens_attend_as_they_should(SelfAttentionClassifier: Sequence[kit.Trial]) -> Wrong | None:
    """Compares the attention of real queries with the oracle."""
    for trial in (trial for trial in SelfAttentionClassifier if trial.group == "weights"):
        if trouble := not_run("SelfAttentionClassifier", trial):
            return trouble
        if words_ := weights_problem(trial):
            chance = f" {kit.BY_CHANCE}" if trial.result.get("random") else ""
            return wrong_on(trial, f"On {trial.note}: {words_}{chance}", sentence_map)
    return None


def sentence_map(trial: kit.Trial, expected: Any, found: Any) -> dict[str, Any]:
    """The attention map of the sentence with most padding, padding's places named."""
    mask = np.asarray(trial.args[1])
    row = int(mask.sum(1).argmin())
    places = [f"{place}" if real else f"{place} (padding)" for place, real in enumerate(mask[row])]
    return attention_map("Attention of your classifier over one padded sentence", places, {"": found[1][row]})


def weights_problem(trial: Any) -> str | None:
    """Compares returned attention with the oracle at real queries; what padding queries do is free."""
    ids, mask = (np.asarray(item) for item in trial.args)
    rows, n = mask.shape
    if not isinstance(trial.output, list) or len(trial.output) != 2:
        return (
            "with return_weights=True the classifier should return two values: logits and attention weights."
        )
    found = trial.output[1]
    if not isinstance(found, np.ndarray) or found.shape != (rows, n, n):
        return f"the attention weights should have shape {(rows, n, n)}, but they are {kit.describe(found)}."
    if not np.isfinite(found[mask]).all():
        return "the attention of a real token contains NaN or infinity."
    weights = {name: np.asarray(value, float) for name, value in trial.kwargs["weights"].items()}
    right = attention_weights(ids, mask, weights)
    slips = {
        "scaled after": "the scale comes after the softmax, so the rows do not sum to 1",
        "struck out": "padding is set to 0 after the softmax, so the rows do not sum to 1",
        "axis": "the softmax runs over the queries; it must run over the keys, the last axis",
        "queries masked": (
            "real tokens attend to padding as if there were no mask; hide it as keys, mask[:, None, :],"
            " not as queries"
        ),
        "zeros": "scores of padding are finite, such as 0, which still gets the weight e⁰; set them to −∞",
        "unscaled": "the scale 1/√64 is missing",
        "scale of d": "the scale is √d of the word vectors, not √64",
        "divided by 64": "the scores are divided by 64, not by √64",
        "scaled up": "the scores are multiplied by √64, not divided",
        "reshaped": "the keys are reshaped, which mixes them: transpose the last two axes",
        "keys by Qm": "queries and keys come from one map, Qm",
        "queries by Km": "queries and keys come from one map, Km",
        "cosines": "the scores are cosines, not dot products",
        "causal": "later tokens are hidden; here, every token attends to all real tokens",
        "keys by queries": "queries and keys are swapped",
    }
    if np.abs(found - right)[mask].max() > 1e-3:
        for variant, says in slips.items():
            if np.abs(found - attention_weights(ids, mask, weights, variant))[mask].max() < 1e-3:
                return f"the attention weights differ: {says}."
        if np.abs(found.swapaxes(1, 2) - right)[mask].max() < 1e-3:
            return (
                "the attention is transposed: row i must contain the weights that query i gives to all keys."
            )
    if found[mask].min() < -1e-6 or found[mask].max() > 1 + 1e-3:
        return "these are not weights between 0 and 1: return the result of the softmax."
    leaked = (found * ~mask[:, None, :])[mask].sum(-1)
    if leaked.max() > 1e-4:
        return (
            f"a real token has {leaked.max():.2g} of its attention on padding; set padding's scores to −∞"
            " before the softmax."
        )
    if np.abs(found[mask].sum(-1) - 1).max() > 1e-3:
        return (
            "the rows do not sum to 1: row i must contain the attention of query i, a softmax over the keys"
            " (the last axis)."
        )
    if np.abs(found - right)[mask].max() > 1e-3:
        return (
            "the attention weights differ from the expected ones by up to"
            f" {np.abs(found - right)[mask].max():.2g}."
        )
    return None
