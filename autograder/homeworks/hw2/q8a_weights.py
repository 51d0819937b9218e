"""2.8a: pretrained weights under the names of the student's own classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from autograder.declare import Case, Challenge
from autograder.homeworks.hw2 import public
from autograder.homeworks.hw2.decoder import decoder_logits, own_names, stored_weights
from autograder.homeworks.hw2.homework import hw, mistakes, normal
from autograder.homeworks.hw2.oracles import Floats

NAMES = ("Elizabeth", "Mr. Darcy", "Jane", "Mr. Bingley", "Lydia", "Mr. Collins", "Mrs. Bennet", "Charlotte")
VERBS = ("replied that", "was certain", "did not suppose", "wished to know why", "saw with pleasure that")
ENDS = ("the letter", "such a man", "her sister", "Netherfield", "it must be", "nobody could", "the ball")


def stored_case(rng: np.random.Generator, d: int, heads: int, depth: int, n: int, **more: Any) -> Case:
    """A small stored model with random weights, and tokens."""
    sizes = {"letters": d + 3, "d_model": d, "n_heads": heads, "depth": depth, "context": n + 2}
    stored = {"wte.weight": normal(rng, d + 3, d), "wpe.weight": normal(rng, n + 2, d)}
    for number in range(depth):
        shapes = {"ln_1": (d,), "attn.c_attn": (d, 3 * d), "attn.c_proj": (d, d), "ln_2": (d,)}
        shapes |= {"mlp.c_fc": (d, 4 * d), "mlp.c_proj": (4 * d, d)}
        for name, shape in shapes.items():
            stored[f"h.{number}.{name}.weight"] = normal(rng, *shape, scale=1 if len(shape) == 1 else 0.5)
            stored[f"h.{number}.{name}.bias"] = normal(rng, shape[-1])
    stored |= {"ln_f.weight": normal(rng, d), "ln_f.bias": normal(rng, d)}
    note = f"a stored model with d_model = {d}, depth {depth} (the logits it gives under your names)"
    tokens = rng.integers(d + 3, size=n)
    return Case([stored, tokens], {"sizes": sizes}, note=note, probe="renamed", torch=True, **more)


def stored_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Several widths and depths."""
    yield stored_case(rng, 6, 2, 2, 5)
    yield stored_case(rng, 4, 1, 3, 4)


def renamed_logits(
    stored: Mapping[str, Floats], tokens: Floats, *, sizes: Mapping[str, int], variant: str = ""
) -> Floats:
    """Logits (n, letters) of the model that the stored weights stand for."""
    return decoder_logits(tokens, own_names(stored, variant), sizes["n_heads"])


def prompts(rng: np.random.Generator, count: int) -> list[str]:
    """Beginnings of sentences that nobody wrote, drawn from words of the book."""
    parts = (NAMES, VERBS, ENDS)
    return [" ".join(str(rng.choice(words)) for words in parts) for _ in range(count)]


def prompt_case(text: str) -> Case:
    """One prompt for the trained model."""
    tokens = np.array(public.to_tokens(text))
    return Case([tokens], note=f"“{text}”", probe="loaded model", torch=True)


def prompt_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Four hidden prompts."""
    for text in prompts(rng, 4):
        yield prompt_case(text)


def trained_logits(tokens: Floats, variant: str = "") -> Floats:
    """Logits (n, letters) of the trained decoder."""
    of_model = ("not causal", "no places", "no last norm", *TINY_SUMS.values())
    inside = variant if variant in of_model else ""
    return decoder_logits(tokens, own_names(stored_weights(), variant), 4, inside)


TINY_SUMS = {
    f"Where all scores are far below 0, the sum of e^score is as small as {added}: in 2.4, subtract the"
    " largest score first and add nothing to the sum, or use softmax.": f"sum plus {added}"
    for added in ("1e-8", "1e-9")
}
SLIPS = {
    "queries and keys are exchanged: the columns of c_attn are queries, keys, values": "keys first",
    "queries and values are exchanged: the columns of c_attn are queries, keys, values": "values first",
    "keys and values are exchanged: the columns of c_attn are queries, keys, values": (
        "keys and values swapped"
    ),
    "square matrices are not transposed: their shape fits either way, so nothing complains": (
        "untransposed pieces"
    ),
    "matrices are reshaped; transpose them, so that rows become columns": "reshaped",
    "attn.c_proj is not transposed: it is square, so nothing complains": "untransposed output",
    "every third column of c_attn was taken: queries are its first third": "every third",
    "ln_1 and ln_2 are exchanged": "norms swapped",
}
MAPPED = {f"It looks as if {says}.": variant for says, variant in SLIPS.items()}

weights = hw.question(
    "2.8a",
    "Your Transformer writes: load the weights",
    topic="a language model: loading weights, cross-entropy, sampling, key–value cache",
    minutes=19,
    difficulty="medium",
    asks={
        "`renamed` gives every weight its name in the student's classes, split and transposed": (
            "every weight under its own name"
        ),
        "with these weights the student's classes give the model's logits": "logits on hidden prompts",
    },
    entries=[
        Challenge(
            "renamed",
            cases=stored_cases,
            expected=renamed_logits,
            mistakes=mistakes(renamed_logits, MAPPED),
            # not 2 features: layer norm leaves only their order, so exchanged maps give the same logits
            examples=lambda rng: [stored_case(rng, 3, 1, 2, 3)],
            atol=1e-4,
            rtol=1e-3,
        ),
        Challenge(
            "my_decoder",
            cases=prompt_cases,
            expected=trained_logits,
            mistakes=mistakes(
                trained_logits,
                {
                    **MAPPED,
                    "It looks as if later letters can be seen: check 2.4's causal mask.": "not causal",
                    **TINY_SUMS,
                },
            ),
            examples=lambda rng: [prompt_case("Jane")],
            atol=5e-3,  # float32 sums through four blocks; logits differ by 10 and more
            rtol=1e-3,
        ),
    ],
)
weights.check_cases("renamed", "every weight under its own name", points=4)
weights.check_cases("my_decoder", "logits on hidden prompts", points=2)
