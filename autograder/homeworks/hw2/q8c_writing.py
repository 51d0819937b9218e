"""2.8c: continuing a text, greedily and by sampling."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np

from autograder import kit
from autograder.declare import Case, Challenge, Prediction, Wrong, not_run
from autograder.homeworks.hw2 import public
from autograder.homeworks.hw2.decoder import toy_logits
from autograder.homeworks.hw2.homework import hw, mistakes
from autograder.homeworks.hw2.oracles import Floats

NEAR = 0.02  # logits closer than this are no fair test of float32
SCORES = (2.4, 1.8, 1.2, 0.6, 0.0, -0.6, -1.2, -1.8)  # of the letters that sample_next draws from


def continued(
    tokens: Floats, count: int, *, sizes: Mapping[str, int], seed: int, variant: str = ""
) -> Floats:
    """Tokens with ``count`` more, each the likeliest after the last ``context`` ones, or one mistake's."""
    found, context, gaps = [int(token) for token in tokens], sizes["context"], []
    prompt = found[-context:]
    for _ in range(int(count) + {"one too many": 1, "one too few": -1}.get(variant, 0)):
        window = {
            "first window": found[:context],
            "last only": found[-1:],
            "one short": found[1 - context :],
            "prompt alone": prompt,
        }.get(variant, found[-context:])
        logits = toy_logits(window, sizes, seed)[0 if variant == "first place" else -1]
        ordered = np.sort(logits)
        gaps.append(ordered[-1] - ordered[-2])
        found.append(int(logits.argmax()))
    if variant == "smallest gap":
        return np.asarray(min(gaps))
    return np.array(found[len(tokens) :] if variant == "new ones only" else found)


def greedy_case(rng: np.random.Generator, n: int, count: int) -> Case:
    """A prompt whose greedy continuation meets no near tie and is no single letter repeated."""
    sizes = {"letters": 9, "d_model": 8, "n_heads": 2, "depth": 2, "context": 6}
    while True:
        tokens, seed = rng.integers(9, size=n), int(rng.integers(10**6))
        whole = continued(tokens, count, sizes=sizes, seed=seed)
        if len(set(whole[n:])) == 1:
            continue
        if continued(tokens, count, sizes=sizes, seed=seed, variant="smallest gap") <= NEAR:
            continue
        variants = ["last only", "first place", "prompt alone"]
        variants += ["first window", "one short"] if n + count > sizes["context"] else []
        others = (continued(tokens, count, sizes=sizes, seed=seed, variant=variant) for variant in variants)
        if all_differ(chain([whole], others)):
            break
    note = f"a prompt of {n} tokens, {count} more, a decoder with 6 places"
    return Case([tokens, count], {"sizes": sizes, "seed": seed}, note=note, probe="greedy", torch=True)


def all_differ(found: Iterable[Floats]) -> bool:
    """Whether no continuation is another's; looks at no more of them than it has to."""
    seen: set[tuple[int, ...]] = set()
    for one in found:
        if (letters := tuple(one)) in seen:
            return False
        seen.add(letters)
    return True


def greedy_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Within the context, growing out of it, and a prompt that is longer than it."""
    for n, count in ((3, 3), (4, 8), (9, 5)):
        yield greedy_case(rng, n, count)


def draw_case(rng: np.random.Generator, temperature: float, top_k: int | None) -> Case:
    """Logits of eight letters in some order; everything else is the same under every seed."""
    logits = rng.permutation(SCORES).astype(np.float32)
    kwargs: dict[str, Any] = {"temperature": temperature} | ({"top_k": top_k} if top_k else {})
    note = f"eight letters, temperature {temperature:g}" + (f", top_k = {top_k}" if top_k else "")
    return Case([logits], kwargs, note=note, probe="draws", torch=True, group="top_k" if top_k else "values")


def draw_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Temperatures alone, then with top-k."""
    for temperature, top_k in ((0.5, None), (2.5, None), (0.9, 3), (0.5, 5)):
        yield draw_case(rng, temperature, top_k)


writing = hw.question(
    "2.8c",
    "Writing, letter by letter",
    minutes=20,
    difficulty="medium",
    asks={
        "`write` adds `count` tokens, each chosen from the logits at the last place, and sees the last"
        " `context` tokens at most": "the greedy continuation",
        "`write` does not change the given list": "the greedy continuation",
        "`sample_next` draws from softmax(logits / temperature)": "drawn with the temperature",
        "with `top_k`, only the k likeliest letters can be drawn, in the same proportions": (
            "only the k likeliest"
        ),
    },
    entries=[
        Challenge(
            "write",
            cases=greedy_cases,
            expected=continued,
            mistakes=mistakes(
                continued,
                {
                    "Only the new tokens are returned; put the prompt in front of them.": "new ones only",
                    "There is one token too many.": "one too many",
                    "There is one token too few.": "one too few",
                    "The logits of the first place are used; the last place predicts the next token.": (
                        "first place"
                    ),
                    "The model sees the first tokens of a long text; it must see the last `context` ones.": (
                        "first window"
                    ),
                    "The model sees one token too few of a long text; it must see the last `context` ones.": (
                        "one short"
                    ),
                    "The model sees the last token alone; it must see up to `context` of them.": "last only",
                    "The model sees the prompt alone each time; it must see the appended tokens, too.": (
                        "prompt alone"
                    ),
                },
            ),
            examples=lambda rng: [greedy_case(rng, 3, 2), greedy_case(rng, 4, 5), greedy_case(rng, 8, 2)],
        ),
        Challenge(
            "sample_next",
            cases=draw_cases,
            examples=lambda rng: [draw_case(rng, *one) for one in ((0.5, None), (0.9, 3), (0.5, 4))],
        ),
        Prediction(
            "prediction_28",
            {
                "A": "0.3",
                "B": "0.8",
                "C": "1.5",
            },
        ),
    ],
)
writing.check_cases("write", "the greedy continuation", points=3)


def _drawn(trials: list[kit.Trial], group: str) -> Wrong | None:
    chosen = [trial for trial in trials if trial.group == group]
    for trial in chosen:
        if trouble := not_run("sample_next", trial):
            return trouble
    problem = public.sampling_problem(chosen, trials)
    return Wrong(problem) if problem else None


@writing.check("drawn with the temperature", points=2, needs=["sample_next"])
def drawn_with_the_temperature(sample_next: list[kit.Trial]) -> Wrong | None:
    return _drawn(sample_next, "values")


@writing.check("only the k likeliest", points=1, needs=["sample_next"])
def only_the_k_likeliest(sample_next: list[kit.Trial]) -> Wrong | None:
    return _drawn(sample_next, "top_k")
