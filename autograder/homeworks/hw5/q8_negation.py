"""5.8: what the attention of a given model looks at, and what negation does to its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from autograder.declare import Answer, Array, Case, Challenge, Choice, Written, Wrong, matrix, several
from autograder.homeworks.hw5 import public
from autograder.homeworks.hw5.common import sigmoid, variants
from autograder.homeworks.hw5.homework import hw


def large_scores(rng: np.random.Generator, n: int, forbidden: Sequence[int], scale: float) -> np.ndarray:
    """Large scores (n, n), in the last row low ones alone, where a forbidden −100 would be the largest.

    No row's largest allowed score is near 0, so that a forbidden score of 0 and one of −100 do the same.
    """
    while True:
        scores = scale * rng.normal(size=(n, n))
        scores[-1] = scores[-1] / 4 - 3000
        if np.abs(np.delete(scores, forbidden, axis=1).max(axis=1)).min() > 200:
            return scores


def score_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Scores and votes of several sizes, with places that may not be looked at; large scores."""
    for n, forbidden, scale in (
        (3, [], 1.0),
        (4, [1], 1.0),
        (6, [0, 5], 2.0),
        (1, [], 1.0),
        (5, [2], 2000.0),
    ):
        places = "place " + " and ".join(map(str, forbidden)) if forbidden else "nothing"
        told = f"{several(n, 'token')}, {places} forbidden"
        scores = scale * rng.normal(size=(n, n)) if scale < 100 else large_scores(rng, n, forbidden, scale)
        yield Case(
            [scores, rng.normal(size=n), float(rng.normal()), forbidden],
            note=told + (", large scores" if scale > 100 else ""),
        )


def score_examples(rng: np.random.Generator) -> Iterator[Case]:
    """Of each kind one, large scores among them."""
    first, second, third, _, large = score_cases(rng)
    yield from (first, second, third, large)


def logit_of(
    scores: np.ndarray, votes: np.ndarray, bias: float, forbidden: Sequence[int] = (), variant: str = ""
) -> np.ndarray:
    """The bias plus the mean over queries of the attention-weighted votes."""
    allowed = ~np.isin(np.arange(len(votes)), list(forbidden))
    if variant == "scaled":
        scores = scores / 8
    if variant == "clipped":
        scores = np.clip(scores, -50, 50)
    shown = np.where(allowed[:, None] if variant == "queries" else allowed, scores, -1e300)
    if variant in ("not renormalized", "scores zeroed"):
        shown = scores if variant == "not renormalized" else np.where(allowed, scores, 0)
    axis = 0 if variant == "axis" else 1
    if variant == "naive" and np.abs(scores).max() > 700:
        return np.array(np.nan)
    a = np.exp(shown - shown.max(axis, keepdims=True))
    a = a / a.sum(axis, keepdims=True)
    if variant == "not renormalized":
        a = a * allowed
    mixed = a @ votes
    if variant == "divided by 6":
        mixed = mixed * len(votes) / 6
    if variant == "last query":
        mixed = mixed[-1:]
    if variant == "queries too":
        mixed = mixed[allowed]
    if variant == "rows hidden" and forbidden:
        return np.array(np.nan)
    if variant == "probability":
        return sigmoid(np.array(mixed.mean() + bias))
    return np.array(
        (mixed.sum() if variant == "sum" else mixed.mean()) + (0 if variant == "no bias" else bias)
    )


looking = hw.question(
    "5.8",
    "Attention and negation",
    minutes=32,
    difficulty="hard",
    asks={
        "`sentence_logit`, with places that no token may attend to": "logit from scores and votes",
        "`order_logits`": "the pair's logits",
        "`interaction`": "the interaction of not and the adjective",
        "`received`": "attention received",
        "`without_not`": "the logit without not",
    },
    topic="what attention shows, negation",
    entries=[
        Challenge(
            "sentence_logit",
            cases=score_cases,
            examples=score_examples,
            expected=logit_of,
            mistakes=variants(
                logit_of,
                {
                    "axis": (
                        "The softmax runs over the queries, or the weights meet the votes transposed; it must"
                        " run over the keys, row by row."
                    ),
                    "sum": "The outputs of the queries are summed; the classifier takes their mean.",
                    "no bias": "The bias is missing.",
                    "not renormalized": (
                        "The forbidden weights (or votes) are set to 0 after the softmax, so rows no longer"
                        " sum to 1. Set the scores to −∞ before it."
                    ),
                    "scores zeroed": (
                        "Forbidden scores are finite (0 gets the weight e⁰, and −100 is high among low"
                        " scores): set them to −∞."
                    ),
                    "last query": "That is the output of the last query; take the mean over all.",
                    "divided by 6": "You divide by 6; the mean runs over all n queries.",
                    "naive": (
                        "e^score over- or underflows: subtract each row's own largest score before the"
                        " exponential."
                    ),
                    "clipped": "The scores are clipped; subtract each row's largest score instead.",
                    "scaled": "You divide the scores by 8; the given scores are already scaled.",
                    "queries too": (
                        "The forbidden places are left out of the mean as well; as queries, they still"
                        " attend, so the mean runs over all queries."
                    ),
                    "probability": "That is a probability; return the logit, without a sigmoid.",
                    "rows hidden": (
                        "All scores in some rows are −∞, and the softmax of these rows is NaN: forbid keys"
                        " (columns)."
                    ),
                    "queries": (
                        "You forbid queries (rows); forbid keys (columns): no token may attend to these"
                        " places."
                    ),
                },
            ),
        ),
        Array("order_logits", (2,)),
        Array("interaction", (10, 10)),
        Array("received", (20, 2)),
        Array("without_not", (10,)),
        Choice(
            "heatmap_claim",
            options={
                "A": 'The model has found the negation: attention goes to "not".',
                "B": 'The adjective receives most; "not" has an even share, but moves the logit by over 1.',
                "C": '"not" is unimportant to the model: it receives no more attention than other words.',
                "D": 'Attention turns "not good" into the opposite of "good", so the model handles negation.',
            },
            correct="B",
            why={
                "A": 'in `received`, "not" has about 1, an even share; the adjective has about 3.2.',
                "C": (
                    '`without_not` shows that the logit rises by 1 to 2 when no token may attend to "not": a'
                    " small weight can carry a large vote."
                ),
                "D": (
                    'the interaction is below zero in most pairs, but "not good" itself is still called'
                    " positive, and shuffled words give the same logit."
                ),
            },
            points=2,
        ),
    ],
    written=Written(
        points=4,
        words=(50, 120),
        rubric={
            "States what the heatmap shows with a number from `received`": 1,
            "Says that attention weight is not importance, with the evidence of `without_not`": 2,
            "Names the limit: without positions the pair has equal logits; most negations are not flipped": 1,
        },
        examples={
            "full": (
                'The bright column is the adjective: it receives 3.2 times an even share on average, "not"'
                " only 1.0. From the picture alone one would say that the model ignores the negation. But"
                ' forbidding everyone to look at "not" raises the logit in all ten sentences, by 1.2 to 2.3:'
                " its vote is large, so little attention suffices. The interaction is negative in most pairs,"
                " which averaging could never do. Still it is no understanding: both orders of the same words"
                ' get one logit, and "not enjoyable" stays positive.'
            ),
            "half": (
                'The heatmap shows that the adjective gets most attention and "not" does not. But "not"'
                " matters, because the logit changes without it."
            ),
            "none": (
                "The attention shows that the model understands negation, because it looks at the important"
                " words."
            ),
        },
    ),
)
looking.check_cases("sentence_logit", "logit from scores and votes", points=2)


Slips = Mapping[str, Callable[[Mapping[str, np.ndarray]], np.ndarray]]


def given_logit(sentence: str, forbidden: str = "") -> float:
    """The given model's logit; every place of the forbidden word may not be looked at."""
    tokens = sentence.split()
    places = [place for place, token in enumerate(tokens) if token == forbidden]
    return float(logit_of(public.given_scores(tokens), public.given_votes(tokens), public.GIVEN_BIAS, places))


def given_received(sentence: str, word: str) -> float:
    """Attention that a word receives: mean over the queries times the tokens (1 is an even share)."""
    tokens = sentence.split()
    scores = public.given_scores(tokens)
    a = np.exp(scores - scores.max(1, keepdims=True))
    return float((a / a.sum(1, keepdims=True)).mean(0)[tokens.index(word)] * len(tokens))


FRAME = "the film is {} {} ."


def _shifts(words: Sequence[str], frame: str = FRAME) -> np.ndarray:
    """By how much "not" in place of "very" moves the logit of a sentence with each word."""
    return np.array(
        [given_logit(frame.format("not", word)) - given_logit(frame.format("very", word)) for word in words]
    )


def _interaction(frame: str = FRAME, sign: float = -1.0) -> np.ndarray:
    """The shift of each good word (rows) with that of each bad word, by default their difference."""
    good, bad = (_shifts(words, frame) for words in (public.GOOD, public.BAD))
    return np.asarray(good[:, None] + sign * bad)


@cache
def negation_facts() -> dict[str, np.ndarray]:
    """What 5.8 asks for, from the given model's tables."""
    everyone = [FRAME.format("not", word) for word in (*public.GOOD, *public.BAD)]
    adjectives = [*public.GOOD, *public.BAD]
    return {
        "order_logits": np.array([given_logit("not good , bad"), given_logit("not bad , good")]),
        "interaction": _interaction(),
        "received": np.array(
            [
                [given_received(text, "not"), given_received(text, word)]
                for text, word in zip(everyone, adjectives, strict=True)
            ]
        ),
        "without_not": np.array([given_logit(text, "not") - given_logit(text) for text in everyone[:10]]),
    }


def fact_check(
    name: str, label: str, points: float, slips: Slips, advice: str, labels: Mapping[str, Any] | None = None
) -> None:
    """Registers a comparison with what the given tables say; with ``labels``, shown as a matrix."""

    @looking.check(label, points=points, needs=[name])
    def the_given_model_says_so(answer: Answer) -> Wrong | None:
        found, right = np.asarray(answer[name], float), negation_facts()[name]
        if np.allclose(found, right, rtol=1e-3, atol=1e-3):
            return None
        shown = matrix(f"`{name}` as you recorded it", found, expected=right, **labels) if labels else None
        for says, slip in slips.items():
            if np.allclose(found, slip(negation_facts()), rtol=1e-3, atol=1e-3):
                return Wrong(f"`{name}`: {says}", evidence=shown)
        place = tuple(int(index) for index in np.argwhere(~np.isclose(found, right, rtol=1e-3, atol=1e-3))[0])
        told = (
            f"`{name}` at {list(place)} is {found[place]:.3f}, but the given model has {right[place]:.3f}"
            f" there. {advice}"
        )
        return Wrong(told, evidence=shown)


fact_check(
    "order_logits",
    "the pair's logits",
    1,
    {
        "these are probabilities; return logits.": lambda facts: sigmoid(facts["order_logits"]),
        "the comma is a token, too.": lambda facts: np.array(
            [given_logit("not good bad"), given_logit("not bad good")]
        ),
    },
    'The sentences are "not good , bad" and "not bad , good", with tokens separated by spaces.',
)
fact_check(
    "interaction",
    "the interaction of not and the adjective",
    2,
    {
        "rows must be good words and columns bad words; yours are swapped.": lambda facts: (
            facts["interaction"].T
        ),
        "the sign is wrong: it is the shift of the good word minus the shift of the bad word.": (
            lambda facts: -facts["interaction"]
        ),
        "you add the two shifts; the interaction is their difference.": lambda facts: _interaction(sign=1.0),
        "the period is a token, too.": lambda facts: _interaction(FRAME.removesuffix(" .")),
        'that is "very" minus "not" and bad minus good; see the definition.': (
            lambda facts: -facts["interaction"].T
        ),
    },
    '[f(not good) − f(very good)] − [f(not bad) − f(very bad)] in "the film is … … .".',
    {"x": "bad word", "y": "good word", "rows": public.GOOD, "columns": public.BAD},
)
fact_check(
    "received",
    "attention received",
    1,
    {
        "multiply by the number of tokens, so that 1 is an even share.": lambda facts: facts["received"] / 6,
        "that is the sum over the queries; take the mean.": lambda facts: facts["received"] * 6,
        "all are 1, as in a softmax over the queries or in sums of rows; take what words receive.": (
            lambda facts: np.ones_like(facts["received"])
        ),
        "good words come first, then bad words.": lambda facts: np.roll(facts["received"], 10, axis=0),
        'column 0 is for "not", column 1 for the adjective.': lambda facts: facts["received"][:, ::-1],
    },
    'Mean over the queries (rows) times 6, of "not" (column 0) and of the adjective (column 1), good words'
    " first.",
    {
        "x": "attention received by",
        "y": "adjective",
        "rows": (*public.GOOD, *public.BAD),
        "columns": ("not", "adjective"),
    },
)
fact_check(
    "without_not",
    "the logit without not",
    1,
    {
        'the sign is wrong: it is the logit without "not" minus the logit with it.': lambda facts: (
            -facts["without_not"]
        ),
        'that is the logit when no token attends to "not"; subtract f.': lambda facts: np.array(
            [given_logit(FRAME.format("not", word), "not") for word in public.GOOD]
        ),
        "you left the word out of the sentence; keep it, and forbid its place.": lambda facts: np.array(
            [
                given_logit(f"the film is {word} .") - given_logit(FRAME.format("not", word))
                for word in public.GOOD
            ]
        ),
        'place 4 is that of the adjective; "not" is at place 3, counted from 0.': lambda facts: np.array(
            [
                given_logit(FRAME.format("not", word), word) - given_logit(FRAME.format("not", word))
                for word in public.GOOD
            ]
        ),
    },
    'f with place 3 forbidden minus f, for "the film is not GOOD .".',
)
