"""3.7: scores between tokens, and trained weights, judged by what they do on every sequence."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from autograder.declare import Answer, Array, Case, Challenge, Written, Wrong
from autograder.homeworks.hw3 import public
from autograder.homeworks.hw3.homework import hw

TRAINED_ERROR = 0.01  # typical final errors are 1e-3 and 1e-4; an untrained model has 0.2
TRAINED_SIGNS = 0.9  # training reached 0.97 to 1.0 under 300 seeds; all outputs of one sign reach 0.6


def query_key_pairs(rng: np.random.Generator) -> Iterator[Case]:
    """Weights (d, qk) of several sizes; not square, so that a wrong transpose shows."""
    for d, qk in ((3, 5), (6, 2), (3, 3)):
        yield Case([rng.normal(size=(d, qk)), rng.normal(size=(d, qk))], note=f"Q and K of shape ({d}, {qk})")


def scores(Q: np.ndarray, K: np.ndarray, mistake: str = "") -> np.ndarray:
    """The oracle: QKᵀ/√d_qk for tokens as one-hot rows, (d, d); ``mistake`` chooses what goes wrong."""
    d, qk = Q.shape
    unscaled = ("no scale", "neither scaled nor turned")
    scale = 1.0 if mistake in unscaled else {"no root": qk, "root of d": np.sqrt(d)}.get(mistake, np.sqrt(qk))
    found = (K @ Q.T if mistake in ("transposed", "neither scaled nor turned") else Q @ K.T) / scale
    if mistake == "softmax":
        found = np.exp(found - found.max(1, keepdims=True))
        found = found / found.sum(1, keepdims=True)
    return np.asarray(found)


trained = hw.question(
    "3.7",
    "What training finds",
    topic="trained against designed weights, identifiability",
    minutes=30,
    difficulty="medium",
    # grading does not train: the weights come from the student's log and are judged by what they do
    claimed=True,
    entries=[
        Challenge(
            "token_scores",
            cases=query_key_pairs,
            expected=scores,
            mistakes={
                "That is QKᵀ without the scale 1/√d_qk, which the model applies.": partial(
                    scores, mistake="no scale"
                ),
                "That is KQᵀ: row i must belong to query token i.": partial(scores, mistake="transposed"),
                "You divided by d_qk; the model divides by its square root.": partial(
                    scores, mistake="no root"
                ),
                "You divided by √d, the number of tokens; the model divides by √d_qk, the number of"
                " columns.": partial(scores, mistake="root of d"),
                "That is KQᵀ without the scale: row i must belong to query token i, and the model applies"
                " 1/√d_qk.": partial(scores, mistake="neither scaled nor turned"),
                "The softmax is applied: that is attention; scores come before it.": partial(
                    scores, mistake="softmax"
                ),
            },
        ),
        *(
            Array(f"torch_transformer_content_{name}", shape)
            for name, shape in (("Q", (3, "qk")), ("K", (3, "qk")), ("V", (3, 3)))
        ),
        *(
            Array(f"torch_transformer_position_{name}", shape)
            for name, shape in (
                ("pos", (4, "p")),
                ("Q", ("3+p", "qk1")),
                ("K", ("3+p", "qk1")),
                ("V", ("3+p", 3)),
            )
        ),
        *(
            Array(f"torch_transformer_both_{name}", shape)
            for name, shape in (
                ("pos", (5, "r")),
                ("Q", ("4+r", "qk2")),
                ("K", ("4+r", "qk2")),
                ("V", ("4+r", 1)),
            )
        ),
        Array("trained_content_gap"),
        Array("trained_first_place_weight"),
    ],
    written=Written(
        points=10,
        words=(60, 180),
        rubric={
            "Says that QKᵀ and the attention agree in pattern, with evidence (numbers or panels)": 3,
            "Explains why raw Q and K differ: only QKᵀ matters, any invertible change of basis leaves it"
            " unchanged": 4,
            "Names one difference between trained and designed weights (size of gaps, softer attention,"
            " spread-out values) and its cause": 3,
        },
        examples={
            "full": (
                "For copying, both score matrices have a large diagonal: mine has a gap of 26, the trained"
                " one of about 5, and both attention maps put nearly all weight on the same tokens. Raw Q and"
                " K look unrelated: the loss sees them only through QKᵀ, so Q → QM and K → KM⁻ᵀ for any"
                " invertible M give the same model and training ends wherever the random start led it. The"
                " trained gap is smaller because the gradient fades once the softmax saturates; nothing"
                " pushes the scores further."
            ),
            "half": (
                "The attention maps look the same, with one bright column for the first token, while the"
                " matrices Q and K look completely different because of the random initialisation. Training"
                " did not reach scores as large as mine."
            ),
            "none": (
                "The trained model works better because it learned the weights from data and has lower loss."
            ),
        },
    ),
)

CONTENT = [f"torch_transformer_content_{name}" for name in ("Q", "K", "V")]
POSITION = [f"torch_transformer_position_{name}" for name in ("pos", "Q", "K", "V")]  # pos first: it binds p
BOTH = [f"torch_transformer_both_{name}" for name in ("pos", "Q", "K", "V")]
GAP, WEIGHT = "trained_content_gap", "trained_first_place_weight"

trained.check_cases("token_scores", "scores between tokens", points=5)


@trained.check(points=2, needs=CONTENT)
def the_trained_model_copies(
    content_Q: np.ndarray, content_K: np.ndarray, content_V: np.ndarray, answer: Answer
) -> Wrong | None:
    error = public.content_error(content_Q, content_K, content_V)
    return _untrained(error, "the 1,092 sequences of 3.1") or _unmeasured(answer, GAP)


@trained.check(points=2, needs=POSITION)
def the_trained_model_copies_the_first_token(
    position_Q: np.ndarray,
    position_K: np.ndarray,
    position_V: np.ndarray,
    position_pos: np.ndarray,
    answer: Answer,
) -> Wrong | None:
    error = public.first_token_error(position_Q, position_K, position_V, position_pos)
    return _untrained(error, "the 120 sequences of 3.2") or _unmeasured(answer, WEIGHT)


@trained.check(points=2, needs=BOTH)
def the_trained_model_finds_unique_tokens(
    both_Q: np.ndarray,
    both_K: np.ndarray,
    both_V: np.ndarray,
    both_pos: np.ndarray,
    answer: Answer,
) -> Wrong | None:
    share = public.unique_accuracy(both_Q, both_K, both_V, both_pos)
    if share >= TRAINED_SIGNS:
        return _unmeasured(answer, GAP, WEIGHT)
    return Wrong(
        f"The recorded weights get {share:.0%} of the signs of 3.3 right; training reaches at least"
        f" {TRAINED_SIGNS:.0%}."
    )


def _untrained(error: float, where: str) -> Wrong | None:
    """What to say of weights whose error is too large, or None."""
    if error <= TRAINED_ERROR:
        return None
    return Wrong(
        f"The recorded weights have a mean squared error of {error:.3g} over {where}; training brings it"
        f" below {TRAINED_ERROR}. Did the training cell finish before you recorded, and was it this task's"
        " model?"
    )


def _unmeasured(answer: Answer, *names: str) -> Wrong | None:
    """The training cell is given; what it leaves counts once a student has looked into it."""
    if any(answer.get(name) is not None for name in names):
        return None
    asked = " or ".join(f"`{name}`" for name in names)
    return Wrong(
        f"The trained weights are right. Their points come with what you measure on them: {asked} is not"
        " answered yet."
    )


@trained.check(points=2, needs=[*CONTENT, GAP])
def the_score_gap_of_the_trained_model(
    content_Q: np.ndarray, content_K: np.ndarray, trained_content_gap: np.ndarray
) -> Wrong | None:
    found, unscaled = float(trained_content_gap), content_Q @ content_K.T
    gaps, unscaled_gaps = _row_gaps(unscaled / np.sqrt(content_Q.shape[1])), _row_gaps(unscaled)
    told = f"`trained_content_gap` is {found:.4g}, but the recorded weights give {gaps.min():.4g}"
    if np.isclose(found, gaps.min(), rtol=1e-3, atol=1e-3):
        return None
    if np.isclose(found, unscaled_gaps.min(), rtol=1e-3, atol=1e-3):
        return Wrong(f"{told}: you left out the scale 1/√d_qk.")
    if np.isclose(found, gaps.max(), rtol=1e-3, atol=1e-3):
        return Wrong(f"{told}: yours is the largest gap of the three rows, asked is the smallest.")
    if np.isclose(found, gaps.mean(), rtol=1e-3, atol=1e-3):
        return Wrong(f"{told}: yours is the mean of the three rows, asked is the smallest.")
    return Wrong(f"{told}: in each row, own score minus the best other; then the smallest.")


def _row_gaps(scores: np.ndarray) -> np.ndarray:
    """In each row of a (3, 3) score matrix, the diagonal minus the best other."""
    others = scores[~np.eye(3, dtype=bool)].reshape(3, 2)
    return scores.diagonal() - others.max(axis=1)


@trained.check(points=2, needs=[*POSITION, WEIGHT])
def the_attention_on_the_first_place(
    position_Q: np.ndarray,
    position_K: np.ndarray,
    position_pos: np.ndarray,
    trained_first_place_weight: np.ndarray,
) -> Wrong | None:
    found = float(trained_first_place_weight)
    weights = public.first_place_weights(position_Q, position_K, position_pos)
    if np.isclose(found, weights.min(), rtol=1e-3, atol=1e-3):
        return None
    told = f"`trained_first_place_weight` is {found:.4g}, but the recorded weights give {weights.min():.4g}"
    if np.isclose(found, weights.mean(), rtol=1e-3, atol=1e-3):
        return Wrong(
            f"{told}: yours is the mean over all queries of all 120 sequences, asked is the smallest."
        )
    if np.isclose(found, weights.max(), rtol=1e-3, atol=1e-3):
        return Wrong(f"{told}: yours is the largest weight, asked is the smallest.")
    return Wrong(f"{told}: the smallest weight on place 0 over all queries of all 120 sequences.")
