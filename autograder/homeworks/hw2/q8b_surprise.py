"""2.8b: how surprised the decoder is by a text: cross-entropy in nats a character."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

import numpy as np

from autograder.declare import Array, Case, Challenge, Wrong
from autograder.homeworks.hw2 import public
from autograder.homeworks.hw2.decoder import nats, toy_logits
from autograder.homeworks.hw2.homework import hw, mistakes
from autograder.homeworks.hw2.oracles import Floats
from autograder.homeworks.hw2.q8a_weights import trained_logits

SAID = {
    "Each logit is compared with its own letter: the logits at place i predict the letter at place i + 1.": (
        "the token itself"
    ),
    "Each logit is compared with the letter before: the logits at place i predict the letter at i + 1.": (
        "the token before"
    ),
    "That is the sum; take the mean.": "sum",
    "Those are bits (logarithm to base 2); nats come from the natural logarithm.": "bits",
    "Those are logarithms to base 10; nats come from the natural logarithm.": "base 10",
    "That is the entropy of what the model expects; take −log p of the letter that comes.": "entropy",
    "The softmax runs over the places; it must run over the letters, the last axis.": "over places",
    "That is the perplexity, e to the cross-entropy.": "perplexity",
    "The sign is missing: −log p.": "log",
    "Divide by n − 1: the first character has nothing before it and is not predicted.": "n instead of n - 1",
    "That is −log of the mean probability; take the mean of −log p.": "mean probability",
    "cross_entropy takes raw logits; a softmax before it flattens the loss.": "softmax twice",
    "Only the last character counts here; take the mean over all but the first.": "the last only",
}


def text_case(rng: np.random.Generator, n: int) -> Case:
    """A text of n tokens for a small decoder."""
    sizes = {"letters": 7, "d_model": 8, "n_heads": 2, "depth": 2, "context": 12}
    kwargs = {"sizes": sizes, "seed": int(rng.integers(10**6))}
    note = f"{n} tokens and a small decoder"
    return Case([rng.integers(7, size=n)], kwargs, note=note, probe="with a toy decoder", torch=True)


def text_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Texts of several lengths; the longest fills the context."""
    for n in (9, 12, 4):
        yield text_case(rng, n)


def text_nats(tokens: Floats, *, sizes: Mapping[str, int], seed: int, variant: str = "") -> Floats:
    """Nats a character of a text under the small decoder."""
    return nats(toy_logits(tokens, sizes, seed), tokens, variant)


@cache
def held_out(variant: str = "") -> float:
    """Nats a character of the held-out lines under the trained decoder."""
    tokens = np.array(public.to_tokens(public.HELD_OUT_TEXT))
    return float(nats(trained_logits(tokens), tokens, variant))


surprise = hw.question(
    "2.8b",
    "How surprised is the model by a text?",
    minutes=10,
    difficulty="medium",
    asks={
        "`nats_per_character` is the mean of −log p over characters 1 … n−1": "nats a character",
        "`held_out_nats` is that number for the held-out lines, to 0.001": "the held-out lines",
    },
    entries=[
        Challenge(
            "nats_per_character",
            cases=text_cases,
            expected=text_nats,
            mistakes=mistakes(text_nats, SAID),
            atol=1e-4,
        ),
        Array("held_out_nats"),
    ],
)
surprise.check_cases("nats_per_character", "nats a character", points=3)


@surprise.check("the held-out lines", points=1, needs=["held_out_nats"])
def the_held_out_lines(held_out_nats: np.ndarray) -> Wrong | None:
    found = float(held_out_nats)
    if abs(found - held_out()) <= 1e-3:
        return None
    said = next((says for says, kind in SAID.items() if abs(found - held_out(kind)) <= 1e-3), "")
    if abs(found - held_out()) <= 5.001e-3:
        return Wrong(f"`held_out_nats` is {found:.4g}, which is close; the question asks for 0.001.")
    told = f"`held_out_nats` is {found:.4g}; the trained decoder gives another number on `HELD_OUT_TEXT`."
    return Wrong(f"{told} {said or 'Does `austen` contain the trained weights?'}")
