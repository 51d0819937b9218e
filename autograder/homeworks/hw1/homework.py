"""hw1: attention in NumPy, what it can do, why it is scaled and what it cannot see.

Everything here is trusted and stays out of the kernel. The functions that students write are challenges;
their hidden
inputs, oracles and known mistakes stand in ``autograder/homeworks/hw1/oracle.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from autograder.declare.evidence import attention
from autograder.declare.homework import (
    Answer,
    Array,
    Challenge,
    Choice,
    Homework,
    Number,
    Question,
    Written,
    Wrong,
    judge_cases,
    not_run,
    wrong_on,
)
from autograder.homeworks.hw1 import oracle as oracles
from autograder.homeworks.hw1 import public
from autograder.kit import describe

hw = Homework("hw1", title="Attention basics", stem="hw1_attention_basics")

# Calls that would do the whole job of a question that asks for one's own attention.
LIBRARY = ("library_attention", "scaled_dot_product_attention", "MultiheadAttention")


def choices(
    names: Mapping[str, str], options: Mapping[str, str], why: Mapping[str, str], points: float
) -> list[Choice]:
    """Items to match with the same options: name → right letter."""
    return [
        Choice(
            name, options, right, {letter: text for letter, text in why.items() if letter != right}, points
        )
        for name, right in names.items()
    ]


# 1.1 --------------------------------------------------------------------------------------------------------


single = hw.question(
    "1.1",
    "One query",
    minutes=8,
    difficulty="easy",
    forbids=LIBRARY,
    entries=[oracles.SCALED_DOT_PRODUCT_ATTENTION],
)
single.check_cases("scaled_dot_product_attention", "output and weights", points=4)
single.check_cases("scaled_dot_product_attention", "large scores do not overflow", points=2, group="large")
single.check_cases("scaled_dot_product_attention", "a single key", points=1, group="one key")

# 1.2 --------------------------------------------------------------------------------------------------------

SENTENCE = np.array(
    [[0.0, 0.0, 1.0], [2.0, 1.0, 0.0], [1.5, 3.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0], [2.0, 0.0, 0.0]]
)
THREE_DECIMALS = (
    1.001e-3  # "right to three decimals", with room for cutting instead of rounding; 0.50 for 0.5013 is two
)

sentence = hw.question(
    "1.2",
    "Who looks at whom?",
    minutes=8,
    difficulty="easy",
    entries=[
        Choice(
            "cat_word",
            options={
                "A": "The (the first word)",
                "B": "cat",
                "C": "sat",
                "D": "on",
                "E": "the (the fifth word)",
                "F": "mat",
            },
            correct="C",
            why={
                "A": "“The” is orthogonal to “cat”: their score is 0.",
                "B": (
                    "the score of “cat” with itself is 2·2 + 1·1 = 5, but a longer vector that points partly"
                    " the same way scores higher."
                ),
                "D": "“on” shares only the action feature with “cat”: the score is 1.",
                "E": "“the” is orthogonal to “cat”: their score is 0.",
                "F": "“mat” shares the thing feature, and the score is 4; two words score higher.",
            },
            points=1,
        ),
        Array("cat_weight"),
    ],
    written=Written(
        points=3,
        words=(30, 120),
        rubric={
            "Says that the score of “sat” is the largest because a dot product grows with length as well as with direction": (
                1
            ),
            "Says that “The” is orthogonal to “cat” (score 0) and that the exponential makes the difference large": (
                1
            ),
            "Says that each row is normalised by its own sum, so the weights are not symmetric": 1,
        },
        examples={
            "full": (
                "cat·sat = 6 is larger than cat·cat = 5 because sat is a longer vector and shares both"
                " features. The is orthogonal to cat, score 0, and after e^s almost nothing is left for it."
                " The scores are symmetric but every row is divided by its own sum, so the weights are not."
            ),
            "half": (
                "Sat has the largest dot product with cat since its numbers are bigger, and The has zero in"
                " common with it."
            ),
            "none": "Cats sit, so the model has learned from data that cat and sat belong together.",
        },
    ),
)


@sentence.check("the weight", points=2)
def _(answer: Answer) -> Wrong | None:
    found = float(answer["cat_weight"])
    weights = public.library_attention(SENTENCE, SENTENCE, SENTENCE)[1]
    if abs(found - weights[1, 2]) <= THREE_DECIMALS:
        return None
    readings = {
        "the scale 1/√3 is missing.": oracles.variant(SENTENCE, SENTENCE, SENTENCE, scale=1.0)[1][1, 2],
        "you divided by d_k = 3; it is √3.": oracles.variant(SENTENCE, SENTENCE, SENTENCE, scale=1 / 3)[1][
            1, 2
        ],
        "that is how much “cat” looks at itself.": weights[1, 1],
        "that is how much “sat” looks at “cat”: the row belongs to the query.": weights[2, 1],
        "your softmax is over the wrong axis: the weights of the query “cat” must sum to 1 over the six keys.": oracles.variant(
            SENTENCE, SENTENCE, SENTENCE, axis=0
        )[1][1, 2],
        "that is the share of the score, without the exponential.": 6 / 16,
    }
    for told, value in readings.items():
        if abs(found - value) <= THREE_DECIMALS:
            return Wrong(f"`cat_weight` is {found:.3f}: {told}")
    if abs(found - weights[1, 2]) < 0.01:
        return Wrong(f"`cat_weight` is {found:.3f}, which is close; three right decimals are asked.")
    return Wrong(
        f"`cat_weight` is {found:.3f}, which is not the largest weight in the row of “cat”. Write down its"
        " six scores first."
    )


# 1.3 --------------------------------------------------------------------------------------------------------


matrix = hw.question(
    "1.3",
    "All queries at once",
    minutes=14,
    difficulty="medium",
    forbids=LIBRARY,
    entries=[
        oracles.CAUSAL_MASK,
        oracles.ATTENTION,
    ],
)
matrix.check_cases("attention", "self-attention of any size", points=4)
matrix.check_cases("attention", "the mask", points=3, group="masked")
matrix.check_cases("causal_mask", "the causal mask", points=1)


@matrix.check("no loop over tokens", points=2, needs=["attention"])
def _(answer: Answer) -> Wrong | None:
    trial = next(trial for trial in answer["attention"] if trial.group == "steps")
    if trouble := not_run("attention", trial):
        return trouble
    return wrong_on(trial, public.loop_problem(trial))


# 1.4 --------------------------------------------------------------------------------------------------------


why_scaled = hw.question(
    "1.4",
    "Why √d?",
    minutes=13,
    difficulty="medium",
    entries=[
        oracles.THEORY,
        oracles.SAMPLED_STATISTICS,
    ],
    written=Written(
        points=3,
        words=(40, 130),
        rubric={
            "Scores with variance d saturate the softmax (nearly one-hot)": 1,
            "A saturated softmax has almost no gradient, so queries and keys do not learn": 1,
            "√d is the standard deviation; dividing by d would make the scores vanish and the weights uniform": (
                1
            ),
        },
        examples={
            "full": (
                "The variance of q·k is d, so for large d scores lie tens apart and the softmax becomes"
                " one-hot from the start. There its derivative is nearly zero and the projections get no"
                " gradient. √d is the standard deviation, so scaled scores have variance 1 for all d; with d"
                " instead they would have variance 1/d and attention would be uniform."
            ),
            "half": (
                "Large scores make the softmax saturate, so gradients vanish and training is slow. Dividing"
                " keeps the scores small."
            ),
            "none": (
                "The scale makes the numbers smaller so that computers can handle them better and do not"
                " overflow."
            ),
        },
    ),
)


def check_part(
    question: Question,
    challenge: Challenge,
    index: int,
    name: str,
    *,
    points: float,
    mistakes: Mapping[str, Any],
) -> None:
    """Judges one of the numbers that a function returns, so that one wrong formula does not cost the others."""

    def expected(*args: Any) -> float:
        return float(challenge.expected(*args)[index]) if challenge.expected else math.nan

    part = replace(challenge, expected=expected, mistakes=mistakes)

    @question.check(name, points=points, needs=[challenge.name])
    def _(answer: Answer) -> Wrong | None:
        trials = []
        for trial in answer[challenge.name]:
            if trial.status == "ok":
                if not isinstance(trial.output, list) or len(trial.output) != 3:
                    return Wrong(
                        f"`{challenge.name}` should return three numbers, but it returned"
                        f" {describe(trial.output)}."
                    )
                trial = replace(trial, result={"result": trial.output[index]})
            trials.append(trial)
        verdict = judge_cases(part, trials)
        return replace(verdict, feedback=f"{name.capitalize()}: {verdict.feedback}") if verdict else None


check_part(
    why_scaled,
    oracles.THEORY,
    0,
    "the mean",
    points=1,
    mistakes={
        "The mean of a product of two independent numbers is μ².": lambda d, mu, sigma: d * mu,
        "You gave the mean of one product; there are d.": lambda d, mu, sigma: mu**2,
        "q and k are independent, so E[xy] = E[x]E[y]; σ² does not come in.": lambda d, mu, sigma: (
            d * (mu**2 + sigma**2)
        ),
        "That is the mean for μ = 0 only.": lambda d, mu, sigma: 0.0,
    },
)
check_part(
    why_scaled,
    oracles.THEORY,
    1,
    "the variance",
    points=3,
    mistakes={
        "The mean's part is missing: Var[xy] = σ⁴ only holds for μ = 0.": lambda d, mu, sigma: d * sigma**4,
        "The mean's part must stand twice: both vectors are random.": lambda d, mu, sigma: (
            d * (sigma**4 + sigma**2 * mu**2)
        ),
        "Each product has two random factors: σ⁴, not σ².": lambda d, mu, sigma: d * sigma**2,
        "That is the variance of one product; independent ones add up, and there are d.": (
            lambda d, mu, sigma: oracles.statistics(1, mu, sigma)[1]
        ),
        "That is the variance for μ = 0, σ = 1 only.": lambda d, mu, sigma: float(d),
        "That is E[(xy)²] summed up; the square of the mean must be taken off.": lambda d, mu, sigma: (
            d * (sigma**2 + mu**2) ** 2
        ),
        "Independent products add their variances: the factor is d, not d².": lambda d, mu, sigma: (
            d * oracles.statistics(d, mu, sigma)[1]
        ),
        "That is the standard deviation, not the variance.": lambda d, mu, sigma: (
            oracles.statistics(d, mu, sigma)[1] ** 0.5
        ),
    },
)
check_part(
    why_scaled,
    oracles.THEORY,
    2,
    "the scale",
    points=1,
    mistakes={
        "A factor s multiplies the variance by s², so s is 1/√Var, not 1/Var.": lambda d, mu, sigma: (
            1 / oracles.statistics(d, mu, sigma)[1]
        ),
        "1/√d is right for μ = 0, σ = 1 only.": lambda d, mu, sigma: d**-0.5,
        "That is √Var; s must undo it: 1/√Var.": lambda d, mu, sigma: (
            oracles.statistics(d, mu, sigma)[1] ** 0.5
        ),
        "That is the scale for one product; there are d.": lambda d, mu, sigma: oracles.statistics(
            1, mu, sigma
        )[2],
        "The mean's part is missing in the variance.": lambda d, mu, sigma: (d * sigma**4) ** -0.5,
    },
)
why_scaled.check_cases("sampled_statistics", "mean and variance of samples", points=2)

# 1.5 --------------------------------------------------------------------------------------------------------


hard = hw.question(
    "1.5",
    "Hard attention",
    minutes=8,
    difficulty="easy",
    entries=[
        Array("hard_output", (3,)),
        Choice(
            "hard_gradient",
            options={
                "A": "In proportion: its derivatives with respect to query and keys are the weights.",
                "B": "Not at all: its derivatives with respect to the query and the keys are zero.",
                "C": "Only the chosen key matters: the derivative with respect to that key is not zero.",
                "D": "Without bound: the derivatives are infinite nearly everywhere.",
            },
            correct="B",
            why={
                "A": (
                    "the weights of soft attention are derivatives with respect to the values; an argmax does"
                    " not pass on small changes of scores."
                ),
                "C": (
                    "a tiny change of the chosen key leaves it chosen, so the same value comes out; only its"
                    " *value* has a derivative."
                ),
                "D": "the output jumps only where two scores are equal; everywhere else it is constant.",
            },
            points=1,
        ),
        oracles.HARD_ATTENTION,
    ],
    written=Written(
        points=2,
        words=(20, 80),
        rubric={
            "The argmax is piecewise constant, so queries and keys (and their weight matrices) get zero gradient": (
                1
            ),
            "The values (value matrix) still get a gradient, or a remedy is named (soft attention, REINFORCE, straight-through)": (
                1
            ),
        },
        examples={
            "full": (
                "The output only jumps when another key wins, in between it is constant, so the derivative"
                " with respect to query and key weights is 0 and they never move. The chosen value still gets"
                " a gradient, so only the value matrix would learn."
            ),
            "half": (
                "Because the gradient of argmax is zero, gradient descent cannot improve the queries and"
                " keys."
            ),
            "none": (
                "Hard attention looks at one word only and so it has less information than soft attention."
            ),
        },
    ),
)
HARD_VALUES = {(2, 0, 1): 1, (1, 4, 3): 2, (0, -1, 4): 3, (1, 0, -1): 4}


@hard.check("by hand", points=1, needs=["hard_output"])
def _(answer: Answer) -> Wrong | None:
    found = np.asarray(answer["hard_output"], dtype=float)
    scores = np.array([[1, 2, 0], [0, 3, 4], [5, 0, 0], [0, 0, 1]]) @ [1, 1, 2]
    if np.array_equal(found, list(HARD_VALUES)[scores.argmax()]):
        return None
    told = f"`hard_output` is {found.tolist()}"
    if number := HARD_VALUES.get(tuple(found.tolist())):
        return Wrong(
            f"{told}, the value of key {number}, whose dot product with the query is {scores[number - 1]}."
            " Another key has a larger one."
        )
    return Wrong(
        f"{told}, which is none of the four values. Hard attention returns one value as it is: the one whose"
        " key fits best."
    )


hard.check_cases("hard_attention", "hard attention", points=2)

# 1.6 --------------------------------------------------------------------------------------------------------

LIMITS = {
    "A": "the value whose key has the largest score",
    "B": "the sum of all values",
    "C": "the mean of all values",
    "D": "the zero vector",
}
KINDS = {
    "A": "hard self-attention",
    "B": "soft self-attention",
    "C": "hard cross-attention",
    "D": "soft cross-attention",
}


def kind(name: str, correct: str) -> Choice:
    """One item to match with the four kinds; the explanation says which half is wrong."""
    is_hard, is_self = correct in "AC", correct in "AB"
    why = {}
    for letter in set(KINDS) - {correct}:
        wrong = []
        if (letter in "AC") != is_hard:
            wrong.append(
                "one single word is taken, so it is hard" if is_hard else "an average over words is soft"
            )
        if (letter in "AB") != is_self:
            wrong.append(
                "query and keys come from the same sentence: self"
                if is_self
                else "query and keys come from different sentences: cross"
            )
        why[letter] = "; ".join(wrong) + "."
    return Choice(name, KINDS, correct, why, 0.5)


mixing = hw.question(
    "1.6",
    "Preserve and diffuse",
    minutes=13,
    difficulty="medium",
    entries=[
        Array("preserve_query", (3,)),
        Array("preserve_beta"),
        Array("diffuse_query", (3,)),
        Array("diffuse_beta"),
        Choice(
            "limit_zero",
            LIMITS,
            "C",
            {
                "A": "that is the other end: at β → 0 all scores become 0, so all weights are equal.",
                "B": "the weights always sum to 1: n equal weights are 1/n each.",
                "D": "the scores become 0, not the weights: e^0 = 1 for each key.",
            },
            1,
        ),
        Choice(
            "limit_infinity",
            LIMITS,
            "A",
            {
                "B": "the weights always sum to 1, so the sum of all values never comes out.",
                "C": "that is the other end: a large β makes differences of scores count more.",
                "D": "the weights sum to 1 however large the scores are.",
            },
            1,
        ),
        *(kind(f"kind_{number}", letter) for number, letter in zip((1, 2, 3, 4), "BCDA", strict=True)),
    ],
    written=Written(
        points=2,
        words=(30, 120),
        rubric={
            "Names the weights: identity blocks to preserve, identity/n in every block to average": 1,
            "Says what attention can do in contrast: weights computed from content (same parameters do both), or any length n": (
                1
            ),
        },
        examples={
            "full": (
                "To preserve, the big matrix has identity blocks on its diagonal and zeros elsewhere; to"
                " average, every block is identity/n. They are fixed after training and for one n. Attention"
                " computes its mixing from the tokens, so the same parameters can do either, for any n."
            ),
            "half": "It would need the identity matrix for preserving and 1/n everywhere for the mean.",
            "none": (
                "A fully connected layer has more weights, so it can do everything that attention can and"
                " needs nothing special."
            ),
        },
    ),
)


def mixed(problem: str | None, query: np.ndarray, beta: float) -> Wrong | None:
    """A failed check with the weights that a query gives the four keys, or a passed one."""
    if not problem:
        return None
    keys = [f"key {number}" for number in range(len(public.KEYS_16))]
    return Wrong(
        problem,
        evidence=attention(
            "Weights of your query on the four keys",
            keys,
            {"": public.mixing(query, beta)[1][None]},
            ["query"],
        ),
    )


@mixing.check("preserve", points=2, needs=["preserve_query", "preserve_beta"])
def _(answer: Answer) -> Wrong | None:
    query, beta = answer["preserve_query"], float(answer["preserve_beta"])
    return mixed(public.preserve_problem(query, beta), query, beta)


@mixing.check("diffuse", points=2, needs=["diffuse_query", "diffuse_beta"])
def _(answer: Answer) -> Wrong | None:
    query, beta = answer["diffuse_query"], float(answer["diffuse_beta"])
    return mixed(public.diffuse_problem(query, beta), query, beta)


# 1.7 --------------------------------------------------------------------------------------------------------


copying = hw.question(
    "1.7",
    "Copying by orthogonality",
    minutes=10,
    difficulty="medium",
    entries=[
        Array("norms_17", (3,)),
        Array("weights_17", (3, 3)),
        oracles.COPY_OUTPUTS,
    ],
    written=Written(
        points=2,
        words=(15, 80),
        rubric={
            "Compares the scores: 2β² with itself against β² with the other (b shared) and 0": 1,
            "Says that the gap β² grows, so the softmax becomes one-hot and the value comes out unchanged": 1,
        },
        examples={
            "full": (
                "x1 has the score 2β² with itself and only β² with x3, since they share b alone. As β grows"
                " the rival's weight falls like e^(−β²), so each token attends to itself only and is copied."
            ),
            "half": (
                "Each vector is most similar to itself, so for large β the softmax picks itself and it is"
                " copied."
            ),
            "none": "The vectors are orthogonal, so they do not influence each other at any β.",
        },
    ),
)


@copying.check("the norms", points=1, needs=["norms_17"])
def _(answer: Answer) -> Wrong | None:
    found, beta = answer["norms_17"], 2.0
    right = np.linalg.norm(beta * np.array([[0, 1, 0, 1], [1, 0, 0, 0], [0, 1, 1, 0]]), axis=1)
    if np.allclose(found, right, atol=THREE_DECIMALS):
        return None
    told = f"`norms_17` is {np.round(found, 3).tolist()}."
    if np.allclose(found, right**2, atol=THREE_DECIMALS):
        return Wrong(f"{told} Those are the squares of the norms.")
    if np.allclose(found, right / beta, atol=THREE_DECIMALS):
        return Wrong(f"{told} Those are the norms for β = 1; asked are those for β = 2.")
    if np.allclose(found, [2 * beta, beta, 2 * beta], atol=THREE_DECIMALS):
        return Wrong(f"{told} Norms of orthogonal vectors don't add; their squares do (Pythagoras).")
    return Wrong(f"{told} Use Pythagoras: |d + b|² = |d|² + |b|² for orthogonal d and b.")


@copying.check("the weights for β = 1", points=2, needs=["weights_17"])
def _(answer: Answer) -> Wrong | None:
    found = np.asarray(answer["weights_17"], dtype=float)
    x = np.array([[0.0, 1, 0, 1], [1, 0, 0, 0], [0, 1, 1, 0]])
    right = public.library_attention(x, x, x, scale=1.0)[1]
    if np.allclose(found, right, atol=THREE_DECIMALS):
        return None
    shown = attention("The weights that you recorded", ["x1", "x2", "x3"], {"": found})
    readings = {
        oracles.WRONG_AXIS: oracles.variant(x, x, x, scale=1.0, axis=0)[1],
        "You scaled by 1/√4; here there is no scale.": oracles.variant(x, x, x, scale=0.5)[1],
        "You scaled by 1/√3; here there is no scale.": oracles.variant(x, x, x, scale=3**-0.5)[1],
        "Those are the weights for β = 2; the scores grow like β².": oracles.variant(
            2 * x, 2 * x, x, scale=1.0
        )[1],
        **{
            told: oracles.variant(x, x, x, scale=1.0, summed=summed)[1]
            for told, summed in oracles.HALF_SOFTMAXES.items()
        },
        "You took x1·x3 = 0, but they share b, so it is β².": oracles.variant(
            x, x, x, scale=1.0, before=lambda s: np.diag(np.diag(s))
        )[1],
        "Those are the scores; the softmax is missing.": x @ x.T,
    }
    for told, value in readings.items():
        if np.allclose(found, value, atol=THREE_DECIMALS):
            return Wrong(told, evidence=shown)
    row = int(np.argwhere(~np.isclose(found, right, atol=THREE_DECIMALS).all(1))[0, 0])
    return Wrong(
        f"Row {row + 1} of `weights_17` is {np.round(found[row], 3).tolist()}. Write the three dot products"
        f" of x{row + 1} down first.",
        evidence=shown,
    )


copying.check_cases("copy_outputs", "the outputs for any β", points=3)

# 1.8 --------------------------------------------------------------------------------------------------------


nudging = hw.question(
    "1.8",
    "Nudging a key",
    minutes=12,
    difficulty="hard",
    entries=[
        oracles.FIRST_ORDER_CHANGE,
        *(
            Choice(name, {"A": "it rises", "B": "it falls", "C": "it stays the same"}, right, why, 1)
            for name, right, why in (
                (
                    "scaled_positive",
                    "A",
                    {
                        "B": "the score q·k_j > 0 is multiplied by α > 1, so it grows.",
                        "C": "the score changes from q·k_j to α q·k_j, which is larger.",
                    },
                ),
                (
                    "scaled_negative",
                    "B",
                    {
                        "A": "a negative score times α > 1 is more negative.",
                        "C": "the score changes from q·k_j to α q·k_j, which is more negative.",
                    },
                ),
                (
                    "scaled_zero",
                    "C",
                    {"A": "α times 0 is 0: no score changes.", "B": "α times 0 is 0: no score changes."},
                ),
            )
        ),
    ],
)
nudging.check_cases("first_order_change", "the first-order change", points=4)

# 1.9 --------------------------------------------------------------------------------------------------------


HEADS_LIKE = {
    "A": "a 1×1 convolution over all channels",
    "B": "max pooling",
    "C": "a grouped convolution with h groups of channels",
    "D": "a dilated convolution with dilation h",
}

several = hw.question(
    "1.9",
    "Several heads",
    minutes=15,
    difficulty="hard",
    forbids=LIBRARY,
    entries=[
        oracles.MULTI_HEAD_ATTENTION,
        oracles.MULTI_HEAD_COLUMNS,
        Choice(
            "heads_like",
            HEADS_LIKE,
            "C",
            {
                "A": (
                    "a 1×1 convolution mixes all channels of one place; a head mixes places and sees its own"
                    " block of channels only."
                ),
                "B": "pooling takes maxima; heads take weighted averages.",
                "D": "dilation skips places; heads divide the channels.",
            },
            1,
        ),
        Choice(
            "projection_like",
            HEADS_LIKE,
            "A",
            {
                "B": "W_O is linear; it takes no maxima.",
                "C": "W_O is one full matrix: it mixes the channels of all heads.",
                "D": "W_O acts on one place at a time; it skips no places.",
            },
            1,
        ),
    ],
)
several.check_cases("multi_head_attention", "several heads, tokens as rows", points=4)
several.check_cases("multi_head_columns", "several heads, tokens as columns", points=3)

# 1.10 -------------------------------------------------------------------------------------------------------

ROLES = {
    "A": "queries from the encoder's states, keys and values from the decoder's, no mask",
    "B": "queries from the decoder's states, keys and values from the encoder's, no causal mask",
    "C": "queries, keys and values all from the encoder's states, no causal mask",
    "D": "queries, keys and values all from the decoder's states, with the causal mask",
}


crossing = hw.question(
    "1.10",
    "Self or cross?",
    minutes=7,
    difficulty="medium",
    forbids=LIBRARY,
    entries=[
        *choices(
            {"encoder_self": "C"},
            ROLES,
            {
                "A": "the encoder reads before any target word exists; it sees the source only.",
                "B": (
                    "that is how the decoder looks at the encoder; self-attention stays within one sequence."
                ),
                "D": "the encoder has the whole source before it and needs no causal mask.",
            },
            1,
        ),
        *choices(
            {"decoder_self": "D"},
            ROLES,
            {
                "A": "self-attention stays within one sequence: the decoder's.",
                "B": "that is cross-attention; self-attention stays within one sequence.",
                "C": (
                    "those are the source words; the decoder's self-attention is over the target words"
                    " written so far."
                ),
            },
            1,
        ),
        *choices(
            {"cross": "B"},
            ROLES,
            {
                "A": "turned round: the decoder asks (queries) and the source answers (keys and values).",
                "C": "then the decoder would not be involved at all.",
                "D": "then the source sentence would never reach the decoder.",
            },
            1,
        ),
        Choice(
            "cross_shape",
            {"A": "(s, t)", "B": "(t, s)", "C": "(t, t)", "D": "(s, s)"},
            "B",
            {
                "A": "rows are queries, and they come from the t target words.",
                "C": "(t, t) is the decoder's self-attention.",
                "D": "(s, s) is the encoder's self-attention.",
            },
            1,
        ),
        oracles.CROSS_ATTENTION,
    ],
)
crossing.check_cases("cross_attention", "cross-attention", points=3)

# 1.11 -------------------------------------------------------------------------------------------------------


order_blind = hw.question(
    "1.11",
    "Attention cannot see order",
    minutes=16,
    difficulty="medium",
    entries=[
        oracles.EQUIVARIANCE_ERROR,
        oracles.POSITIONAL_ENCODING,
        Choice(
            "needs_order",
            {
                "A": "the largest of a list of numbers",
                "B": "whether a sentence contains the word “not”",
                "C": "how many different words a sentence has",
                "D": "who bites whom in “dog bites man”",
            },
            "D",
            {
                "A": "the largest number is the same in every order.",
                "B": "whether a word occurs does not depend on where.",
                "C": "counting different words gives the same in every order.",
            },
            1,
        ),
        Choice(
            "not_equivariant",
            {
                "A": "self-attention with weight matrices and several heads, no mask",
                "B": "self-attention with the causal mask",
                "C": "the same small neural network applied to each token",
                "D": "self-attention, followed by layer norm over each token's features",
            },
            "B",
            {
                "A": (
                    "weight matrices act on each token alike, and the softmax sums over all keys: still"
                    " equivariant."
                ),
                "C": "what is done to each token alone moves with the token.",
                "D": "layer norm over features treats each token alone: still equivariant.",
            },
            1,
        ),
    ],
    written=Written(
        points=3,
        words=(40, 130),
        rubric={
            "Output is a sum over tokens with weights from pairs of contents, independent of place (equivariance)": (
                1
            ),
            "One task that needs order and one that does not": 1,
            "Adding a vector for the place makes equal tokens at different places different, so scores can depend on position or offset": (
                1
            ),
        },
        examples={
            "full": (
                "Weights depend on pairs of vectors and the output is a sum over all tokens, so nothing"
                " depends on the place: shuffle the input and the output is shuffled. Bad for translation"
                " (dog bites man), good for point clouds. Adding sinusoids gives equal words different"
                " vectors at different places, and dot products then depend on the offset."
            ),
            "half": (
                "Attention treats the sentence as a bag of words. For translation that is bad since word"
                " order matters, so we add positions."
            ),
            "none": (
                "Self-attention reads all words at the same time and needs a recurrent network to know which"
                " was first."
            ),
        },
    ),
)
order_blind.check_cases("equivariance_error", "the equivariance error", points=2)
order_blind.check_cases("positional_encoding", "the sinusoids", points=3)

# 1.12 -------------------------------------------------------------------------------------------------------

SOURCES = {
    "A": "all words of the sentence, “sat” included",
    "B": "“sat” alone",
    "C": "the words before “sat” alone",
    "D": "all words except “sat”",
}

intuition = hw.question(
    "1.12",
    "Query, key, value in one sentence",
    minutes=7,
    difficulty="easy",
    entries=[
        *choices(
            {"query_from": "B"},
            SOURCES,
            {
                "A": "one query asks for one word: the word whose new vector is computed.",
                "C": "the query asks on behalf of “sat”; earlier words may answer, with keys.",
                "D": "the query asks on behalf of “sat”; the other words answer, with keys.",
            },
            1,
        ),
        *choices(
            {"keys_from": "A", "values_from": "A"},
            SOURCES,
            {
                "B": "with one key and one value there would be nothing to choose from.",
                "C": "that would be causal attention; here there is no mask.",
                "D": "a word may attend to itself: its own key and value take part.",
            },
            1,
        ),
        Choice(
            "order_fix",
            {
                "A": "use more heads",
                "B": "divide by d instead of √d",
                "C": "add to each word's vector one that depends on its place",
                "D": "use a longer vector for each word",
            },
            "C",
            {
                "A": "each head is blind to order by itself, and so are all of them together.",
                "B": "a scale treats all places alike.",
                "D": "a longer vector of the same word is the same at every place.",
            },
            1,
        ),
    ],
    written=Written(
        points=2,
        words=(30, 100),
        rubric={
            "Query = what this word looks for, key = what each word can be found by, value = what it passes on, with the example": (
                1
            ),
            "Why three: looking for, being found by and telling are different things; one vector would only find what is similar to itself": (
                1
            ),
        },
        examples={
            "full": (
                "“sat” asks with its query: who did it? Every word holds up a key; that of “cat” fits, so"
                " much of the value of “cat” flows into the new vector of “sat”. Three vectors, because what"
                " I look for, how I am found and what I tell are different; with one, words would only find"
                " similar words."
            ),
            "half": (
                "The query of “sat” is compared with the keys of all words, and the values are averaged with"
                " the softmax of these scores."
            ),
            "none": (
                "The query is the question of the user, the key is the password, and the value is the result"
                " from the database."
            ),
        },
    ),
)

# 1.13 -------------------------------------------------------------------------------------------------------

RIVER = np.array([[0.0, 0, 0, 1], [4, 0, 1, 0], [1, 1, 1, 0], [0, 0, 0, 1], [3, 0, 0, 0]])
MONEY = np.array([[0.0, 0, 0, 1], [1, 1, 1, 0], [0, 3, 0, 1], [0, 4, 0, 0]])


def _cosine(u: np.ndarray, v: np.ndarray) -> float:
    return float(u @ v / (np.linalg.norm(u) * np.linalg.norm(v)))


banks = hw.question(
    "1.13a",
    "Two banks",
    minutes=9,
    difficulty="medium",
    entries=[Array("bank_static"), Array("bank_contextual")],
    written=Written(
        points=2,
        words=(40, 130),
        rubric={
            "Static: one vector per word whatever the context (cosine 1); contextual: depends on the sentence (cosine about 0.2)": (
                1
            ),
            "Says how: the weights draw “river”, “muddy” in one sentence and “money”, “lends” in the other into the vector": (
                1
            ),
        },
        examples={
            "full": (
                "A static vector is the same in both sentences (cosine 1). After attention “bank” is a"
                " mixture of its sentence: river and muddy pull it towards water in one, money and lends"
                " towards money in the other, and the cosine drops to about 0.2, so the meanings are told"
                " apart."
            ),
            "half": (
                "Static embeddings are the same everywhere and contextual ones change with the sentence: the"
                " cosine was 1 before and is lower after."
            ),
            "none": (
                "Contextual embeddings are larger and trained on more text, so they are better than static"
                " ones."
            ),
        },
    ),
)


@banks.check("before attention", points=1, needs=["bank_static"])
def _(answer: Answer) -> Wrong | None:
    found = float(answer["bank_static"])
    right = _cosine(RIVER[2], MONEY[1])
    if abs(found - right) <= THREE_DECIMALS:
        return None
    if abs(found - RIVER[2] @ MONEY[1]) <= THREE_DECIMALS:
        return Wrong(f"`bank_static` is {found:.3f}: that is the dot product; divide by both norms.")
    return Wrong(
        f"`bank_static` is {found:.3f}. Before attention both are the same row of the table: what is the"
        " cosine of a vector with itself?"
    )


@banks.check("after attention", points=1, needs=["bank_contextual"])
def _(answer: Answer) -> Wrong | None:
    found = float(answer["bank_contextual"])

    def after(river: int = 2, money: int = 1, measure: Callable[..., float] = _cosine, **wrong: Any) -> float:
        return float(
            measure(
                oracles.variant(RIVER, RIVER, RIVER, **wrong)[0][river],
                oracles.variant(MONEY, MONEY, MONEY, **wrong)[0][money],
            )
        )

    right = _cosine(
        public.library_attention(RIVER, RIVER, RIVER)[0][2],
        public.library_attention(MONEY, MONEY, MONEY)[0][1],
    )
    if abs(found - right) <= THREE_DECIMALS:
        return None
    readings = {
        "that is the dot product; divide by both norms.": after(measure=np.dot),
        "the scale 1/√4 is missing.": after(scale=1.0),
        "you divided by d_k = 4; it is √4.": after(scale=0.25),
        "your softmax is over the wrong axis.": after(axis=0),
        "“bank” stands at place 1 of the second sentence, counted from 0.": after(money=2),
        "“bank” stands at place 2 of the first sentence, counted from 0, and at place 1 of the second.": (
            after(river=1)
        ),
        "that is the cosine before attention.": 1.0,
        "you compared the means of the sentences, not the “bank” rows.": _cosine(
            RIVER.mean(0), MONEY.mean(0)
        ),
    }
    for told, value in readings.items():
        if abs(found - value) <= THREE_DECIMALS:
            return Wrong(f"`bank_contextual` is {found:.3f}: {told}")
    return Wrong(
        f"`bank_contextual` is {found:.3f}. Take the “bank” row of each sentence's attention output, then the"
        " cosine of the two."
    )


hw.question(
    "1.13b",
    "Windows, recurrences, heads",
    minutes=8,
    difficulty="medium",
    written=Written(
        points=3,
        words=(60, 180),
        rubric={
            "Fixed window: reach limited, about n/k layers for distant words; weights by offset, not by content": (
                1
            ),
            "Recurrent network: n steps through one state, vanishing gradient or lost information; attention: one step": (
                1
            ),
            "Several heads: several relations at once, each its own subspace and distribution; one head averages them": (
                1
            ),
        },
        examples={
            "full": (
                "A window of k sees k words, so words n apart meet after n/k layers, and it weighs them by"
                " offset. An RNN can reach any distance but through n steps of one fixed-size state, so"
                " information and gradients fade. Attention links any pair in one step, by content. One head"
                " has one distribution per word and must average; several heads follow subject, object and"
                " neighbour separately, each in its own subspace."
            ),
            "half": (
                "Windows only see near words and RNNs forget early words because of vanishing gradients."
                " Attention sees all words directly. More heads see more."
            ),
            "none": (
                "Attention is newer and has better results than windows and RNNs, and more heads make it"
                " faster."
            ),
        },
    ),
)

bill = hw.question(
    "1.13c",
    "The quadratic bill",
    minutes=9,
    difficulty="medium",
    entries=[Array("full_scores"), Array("window_scores"), Array("score_gigabytes")],
    numbers=[
        Number("tokens", 4096, range(2048, 8193, 512)),
        Number("window", 128, range(32, 257, 16)),
        Number("heads", 12, range(6, 25)),
        Number("long_tokens", 100_000, range(20_000, 200_001, 10_000)),
    ],
    written=Written(
        points=2,
        words=(40, 130),
        rubric={
            "n queries times n keys; doubling n makes four times the work or memory": 1,
            "Two remedies, each with what it gives up (window/sparse: distant pairs; linear/low rank: sharpness; FlashAttention: nothing, still n² operations)": (
                1
            ),
        },
        examples={
            "full": (
                "All n queries meet all n keys, so 2n tokens cost four times as much. A local window costs"
                " n·w but distant words meet only through several layers. Linear attention costs n but its"
                " weights are less sharp than a softmax."
            ),
            "half": (
                "Every token looks at every token, so it is n². One can use a window or linear attention."
            ),
            "none": "It is quadratic because there are two matrices, Q and K. Buying a larger GPU helps.",
        },
    ),
)


@bill.check("full attention", points=0.5, needs=["full_scores"])
def _(answer: Answer) -> Wrong | None:
    found, n = float(answer["full_scores"]), answer["numbers"]["tokens"]
    if found == n * n:
        return None
    if found == n * (n + 1) / 2:
        return Wrong(
            "`full_scores` counts only earlier tokens, as under a causal mask; here each query meets every"
            " key."
        )
    if found == n * (n - 1):
        return Wrong("`full_scores` leaves out the score of each token with itself.")
    return Wrong(f"`full_scores` is {found:,.0f}. Each of {n} queries has one score with each of {n} keys.")


@bill.check("the window", points=1, needs=["window_scores"])
def _(answer: Answer) -> Wrong | None:
    found, n, w = float(answer["window_scores"]), answer["numbers"]["tokens"], answer["numbers"]["window"]
    before = np.arange(n)  # tokens before each place
    seen, after = np.minimum(before, w).sum(), np.minimum(before[::-1], w).sum()
    counts = {
        "": seen + n,
        f"it leaves out each token itself: {w + 1} keys, not {w}.": seen,
        f"it is n·{w + 1}, but the first {w} tokens have fewer tokens before them.": n * (w + 1),
        f"it is n·{w}: each token also looks at itself, and the first tokens have fewer before them.": n * w,
        f"it counts {w} tokens in all, itself among them; the window is itself and {w} before it.": (
            np.minimum(before + 1, w).sum()
        ),
        f"it looks to both sides; the window is itself and the {w} tokens before it.": seen + n + after,
    }
    for told, count in counts.items():
        if found == count:
            return Wrong(f"`window_scores` is {found:,.0f}: {told}") if told else None
    return Wrong(
        f"`window_scores` is {found:,.0f}. Token 0 has 1 score, token 1 has 2, … and from which token on are"
        f" there {w + 1}?"
    )


@bill.check("the memory", points=0.5, needs=["score_gigabytes"])
def _(answer: Answer) -> Wrong | None:
    found = float(answer["score_gigabytes"])
    n, heads, size = answer["numbers"]["long_tokens"], answer["numbers"]["heads"], 4
    right = heads * n * n * size / 1e9
    if math.isclose(found, right, rel_tol=1e-3):
        return None
    readings = {
        f"that is one head; there are {heads}.": n * n * size / 1e9,
        "those are billions of numbers; each takes 4 bytes.": heads * n * n / 1e9,
        "those are gibibytes (2³⁰ bytes); asked are 10⁹.": heads * n * n * size / 2**30,
        "those are bytes; divide by 10⁹.": heads * n * n * size,
        "those are gigabits.": heads * n * n * size * 8 / 1e9,
    }
    for told, value in readings.items():
        if math.isclose(found, value, rel_tol=1e-3):
            return Wrong(f"`score_gigabytes` is {found:g}: {told}")
    return Wrong(
        f"`score_gigabytes` is {found:g}. Multiply heads, queries, keys and bytes a number, then divide by"
        " 10⁹."
    )


hw.question(
    "1.13d",
    "Why it scales",
    minutes=8,
    difficulty="medium",
    written=Written(
        points=3,
        words=(60, 180),
        rubric={
            "Parallelism: training computes all places at once, an RNN needs n steps; generation is sequential for both": (
                1
            ),
            "Memory: RNN keeps a fixed-size state, Transformer keeps keys and values (grows with n) or n² weights": (
                1
            ),
            "Why scaling works (hardware use, trainable depth, loss falls with size and data) and one cost (money, energy, data, serving)": (
                1
            ),
        },
        examples={
            "full": (
                "A Transformer trains on all places in parallel with large matrix products; an RNN takes n"
                " steps in turn. Generating is word by word for both, but the RNN keeps one state while the"
                " Transformer's key-value cache grows with the text and training stores n² weights. Growth"
                " worked because GPUs are used fully, residuals and norms keep depth trainable and loss falls"
                " predictably with size; it costs energy, money and data."
            ),
            "half": (
                "Transformers are parallel while RNNs are sequential, so they train faster on GPUs and could"
                " grow to billions of parameters. It costs much electricity."
            ),
            "none": (
                "Transformers scale because they have more parameters and companies have large computers."
            ),
        },
    ),
)
