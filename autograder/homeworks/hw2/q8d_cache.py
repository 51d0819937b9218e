"""2.8d: a cache of keys and values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from autograder import kit
from autograder.declare import Case, Challenge, Wrong, curve, not_run, several
from autograder.homeworks.hw2 import public
from autograder.homeworks.hw2.decoder import toy_logits
from autograder.homeworks.hw2.homework import hw, mistakes
from autograder.homeworks.hw2.oracles import Floats, softmax


def step_case(rng: np.random.Generator, n: int, heads: int, group: str = "values", d: int = 8) -> Case:
    """A text of n tokens, one at a time, for a small decoder."""
    sizes = {"letters": 7, "d_model": d, "n_heads": heads, "depth": 2, "context": n + 2}
    kwargs = {"sizes": sizes, "seed": int(rng.integers(10**6))}
    note = f"{several(n, 'token')} one after the other, {several(heads, 'head')}"
    return Case([rng.integers(7, size=n)], kwargs, note=note, probe="token by token", torch=True, group=group)


def step_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Short texts for the values, a long one for the work."""
    for n, heads in ((6, 2), (4, 4), (1, 1)):
        yield step_case(rng, n, heads)
    yield step_case(rng, public.LONG, 4, "work", d=32)


def step_logits(tokens: Floats, *, sizes: Mapping[str, int], seed: int, variant: str = "") -> Floats:
    """Logits (n, letters) of the whole text at once, which one token at a time must give too."""
    if variant == "no cache":
        return np.stack([toy_logits([token], sizes, seed)[0] for token in tokens])
    if variant == "softmax":
        return softmax(toy_logits(tokens, sizes, seed))
    if variant == "one head":
        return toy_logits(tokens, {**sizes, "n_heads": 1}, seed)
    return toy_logits(tokens, sizes, seed, variant)


cached = hw.question(
    "2.8d",
    "A cache of keys and values",
    minutes=25,
    difficulty="hard",
    asks={
        "`next_logits`, fed token by token with one cache, gives the logits of the whole model": (
            "the same logits as the whole model"
        ),
        "the work of a step does not grow with the text before it (except for the scores)": (
            "the work of a step does not grow"
        ),
    },
    entries=[
        Challenge(
            "next_logits",
            cases=step_cases,
            expected=step_logits,
            mistakes=mistakes(
                step_logits,
                {
                    "The model does not see the earlier tokens: keep their keys and values in the cache.": (
                        "no cache"
                    ),
                    "The places are not added: the place of the new token comes after the cached ones.": (
                        "no places"
                    ),
                    "The last norm is missing.": "no last norm",
                    "norm1 is missing: queries, keys and values come from norm1(x).": "no norm 1",
                    "Places count from 1; the place of a token is the number of tokens before it.": (
                        "places from 1"
                    ),
                    "The scores are not divided by √d_head.": "unscaled",
                    "The scores are divided by √d_model; each head has only d_head = d_model / n_heads"
                    " channels.": "scaled by d_model",
                    "The softmax runs over the heads; each head's weights must sum to 1 over the tokens.": (
                        "over heads"
                    ),
                    "Heads are interleaved: head 0 owns the first d_head channels.": "heads interleaved",
                    "There is one head: split the channels into n_heads parts.": "one head",
                    "out_proj is missing: it mixes the heads.": "no output projection",
                    "The ReLU between linear1 and linear2 is missing.": "linear",
                    "The residual connection around the attention is missing.": "no residual 1",
                    "The residual connection around the network is missing.": "no residual 2",
                    "These are probabilities; return the logits.": "softmax",
                },
            ),
            examples=lambda rng: [step_case(rng, 3, 2), step_case(rng, public.LONG, 4, "work", d=32)],
            atol=1e-3,
            rtol=1e-3,
        )
    ],
)
cached.check_cases("next_logits", "the same logits as the whole model", points=3)


@cached.check("the work of a step does not grow", points=2)
def the_work_of_a_step_does_not_grow(next_logits: list[kit.Trial]) -> Wrong | None:
    trials = [trial for trial in next_logits if trial.group == "work"]
    for trial in trials:
        if trouble := not_run("next_logits", trial):
            return trouble
        expected = step_logits(*trial.args, **trial.kwargs)
        if problem := kit.compare(expected, trial.output, atol=1e-2, rtol=1e-2, what="the output"):
            return Wrong(f"On {trial.note}, {problem} Work is counted for right logits only.")
    problem = public.cache_problem(trials)
    if not problem:
        return None
    work = [int(one) for one in trials[0].result["products"]]
    shown = curve(
        "What each step of your next_logits multiplies",
        {"products": work},
        x="step",
        y="how many",
        at=list(public.COUNTED),
    )
    return Wrong(problem, evidence=shown)
