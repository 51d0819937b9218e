"""3.7: scores between tokens, what identifies a head, and trained weights, judged by what they do."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from autograder.declare import NOT_JUDGED, Answer, Array, Case, Challenge, Choice, Written, Wrong
from autograder.homeworks.hw3 import public
from autograder.homeworks.hw3.homework import hw

SCORE_SLIPS = {  # what to say of known mistakes of the scores → their names for the oracle
    "That is QKᵀ without the scale 1/√d_qk, which the model applies.": "no scale",
    "That is KQᵀ: row i must belong to query token i.": "transposed",
    "You divided by d_qk; the model divides by its square root.": "no root",
    "You divided by √d, the number of tokens; the model divides by √d_qk, the number of"
    " columns.": "root of d",
    "You divided by √8, which fits the trained heads alone; d_qk is the number of columns of any Q"
    " and K.": "root of 8",
    "You divided by √3, whatever Q and K are; d_qk is their number of columns.": "root of 3",
    "Q is used on both sides: the keys come from K.": "Q twice",
    "K is used on both sides: the queries come from Q.": "K twice",
    "The keys are divided by their lengths; the model takes plain dot products.": "keys of length 1",
    "A softmax is applied down the columns: scores come before any softmax.": "softmax of columns",
    "Those are cosines; the model takes plain dot products, which also depend on length.": "cosine",
    "The sign is reversed.": "sign",
    "You multiplied by √d_qk; the model divides by it.": "times root",
    "That is KQᵀ without the scale: row i must belong to query token i, and the model applies"
    " 1/√d_qk.": "neither scaled nor turned",
    "The softmax is applied: that is attention; scores come before it.": "softmax",
}
BASIS_SLIPS = {  # what to say of known mistakes of the change of basis → their names for the oracle
    "K is multiplied by M as Q is; then the scores become QMMᵀKᵀ. What must come after K?": "same",
    "K is multiplied by Mᵀ; then the scores become QMMKᵀ. What cancels M?": "transposed",
    "K is multiplied by M⁻¹, and (KM⁻¹)ᵀ is M⁻ᵀKᵀ: a transpose is missing.": "not transposed",
    "K is unchanged; then the scores become QMKᵀ.": "unchanged",
    "Q and K are unchanged; the question asks for QM and the K that goes with it.": "nothing",
    "Q is unchanged; the question asks for QM first.": "Q as it was",
    "The two are swapped: return QM first, then the K that goes with it.": "swapped",
    "Q is multiplied by Mᵀ. No score changes with that either, but the question asks for"
    " QM.": "transposed for Q",
    "Q is multiplied by M⁻ᵀ and K by M. No score changes with that either, but the question asks for"
    " QM.": "both exchanged",
    "1/M inverts each number by itself; the inverse of a matrix is np.linalg.inv(M).": "1 by 1",
    "Q is multiplied by M⁻¹. No score changes with that either, but the question asks for"
    " QM.": "inverse for Q",
}


def query_key_pairs(rng: np.random.Generator) -> Iterator[Case]:
    """Weights (d, qk) of several sizes; not square, so that a wrong transpose shows."""
    for d, qk in ((6, 2), (3, 5), (3, 3)):
        yield Case([rng.normal(size=(d, qk)), rng.normal(size=(d, qk))], note=f"Q and K of shape ({d}, {qk})")


def scores(Q: np.ndarray, K: np.ndarray, mistake: str = "") -> np.ndarray:
    """The oracle: QKᵀ/√d_qk for tokens as one-hot rows, (d, d); ``mistake`` chooses what goes wrong."""
    d, qk = Q.shape
    unscaled = ("no scale", "neither scaled nor turned")
    scales = {"no root": qk, "root of d": np.sqrt(d), "root of 8": np.sqrt(8), "times root": qk**-0.5}
    scales["root of 3"] = np.sqrt(3)
    scale = 1.0 if mistake in unscaled else scales.get(mistake, np.sqrt(qk))
    found = (K @ Q.T if mistake in ("transposed", "neither scaled nor turned") else Q @ K.T) / scale
    if mistake == "Q twice":
        found = Q @ Q.T / scale
    if mistake == "K twice":
        found = K @ K.T / scale
    if mistake == "keys of length 1":
        found = found / np.linalg.norm(K, axis=1)
    if mistake == "softmax of columns":
        found = np.exp(found - found.max(0)) / np.exp(found - found.max(0)).sum(0)
    if mistake == "cosine":
        found = Q @ K.T / np.outer(np.linalg.norm(Q, axis=1), np.linalg.norm(K, axis=1))
    if mistake == "sign":
        found = -found
    if mistake == "softmax":
        found = np.exp(found - found.max(1, keepdims=True))
        found = found / found.sum(1, keepdims=True)
    return np.asarray(found)


def bases(rng: np.random.Generator) -> Iterator[Case]:
    """Weights (d, qk) and an invertible M (qk, qk) that no simple slip inverts."""
    for d, qk in ((5, 4), (4, 2), (6, 3)):  # d ≥ qk: then QM fixes K
        while True:
            M = rng.normal(size=(qk, qk))
            if np.linalg.cond(M) < 20 and np.abs(np.linalg.det(M)) > 0.3:
                break
        Q, K = rng.normal(size=(2, d, qk))
        yield Case([Q, K, M], note=f"Q and K of shape ({d}, {qk})")


def rebased(Q: np.ndarray, K: np.ndarray, M: np.ndarray, mistake: str = "") -> list[np.ndarray]:
    """The oracle: QM and KM⁻ᵀ; ``mistake`` chooses what K becomes instead."""
    back = {
        "same": M,
        "transposed": M.T,
        "not transposed": np.linalg.inv(M),
        "unchanged": np.eye(len(M)),
    }
    if mistake in back:
        return [Q @ M, K @ back[mistake]]
    its_K = K @ np.linalg.inv(M).T
    others = {
        "nothing": [Q, K],
        "Q as it was": [Q, its_K],
        "swapped": [its_K, Q @ M],
        "inverse for Q": [Q @ np.linalg.inv(M), K @ M.T],
        "both exchanged": [Q @ np.linalg.inv(M).T, K @ M],
        "transposed for Q": [Q @ M.T, K @ np.linalg.inv(M)],
        "1 by 1": [Q @ M, K @ (1 / M).T],
    }
    return others.get(mistake, [Q @ M, its_K])


trained = hw.question(
    "3.7",
    "What training finds, and what it cannot",
    topic="trained against designed weights, identifiability",
    minutes=35,
    difficulty="medium",
    # grading does not train: the weights come from the student's log and are judged by what they do
    claimed=True,
    asks={
        "`token_scores`, as the model computes them, rows for queries": "scores between tokens",
        "`other_basis`: Q becomes QM, and no score changes": "another basis with the same scores",
        "trained weights within the stated errors, and one number measured on them": [
            "the trained model copies",
            "the trained model copies the first token",
            "the trained model finds unique tokens",
        ],
        "`trained_content_gap`, three decimals": "the score gap of the trained model",
        "`trained_first_place_weight`, three decimals": "the attention on the first place",
        "predict before training": NOT_JUDGED,
    },
    entries=[
        Challenge(
            "token_scores",
            cases=query_key_pairs,
            expected=scores,
            mistakes={says: partial(scores, mistake=slip) for says, slip in SCORE_SLIPS.items()},
        ),
        Challenge(
            "other_basis",
            cases=bases,
            expected=rebased,
            mistakes={says: partial(rebased, mistake=slip) for says, slip in BASIS_SLIPS.items()},
            rtol=1e-4,
            atol=1e-4,  # float32 through an inverse with condition up to 20
        ),
        Choice(
            "identifiable",
            options={
                "A": "Q and K themselves, up to the order of their columns",
                "B": "Q and K themselves, up to one common rotation",
                "C": "QKᵀ, up to a number added to each of its rows",
                "D": "QKᵀ exactly, because the scores fix the attention",
            },
            correct="C",
            why={
                "A": "Q → QM, K → KM⁻ᵀ changes no output for any invertible M, not for permutations alone.",
                "B": "a rotation is one invertible M among many: stretch a column of Q and shrink that of K.",
                "D": (
                    "the softmax of a row does not change when one number is added to the whole row, so such"
                    " QKᵀ give the same outputs."
                ),
            },
            points=2,
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
        words=(60, 150),
        rubric={
            "Says where design and trained model agree (QKᵀ, attention), with a number": 3,
            "Explains why raw Q and K differ and must not be compared: any invertible change of basis": 4,
            "Compares the prediction with what training found and gives the cause (a saturated softmax has"
            " hardly any gradient)": 3,
        },
        examples={
            "full": (
                "For copying, both score matrices have a large diagonal: mine has a gap of 21, the trained"
                " one of about 5, and both attention maps put nearly all weight on the same tokens. Raw Q and"
                " K look unrelated: the loss sees them only through QKᵀ, so Q → QM and K → KM⁻ᵀ for any"
                " invertible M give the same model and training ends wherever the random start led it. I had"
                " predicted a larger gap; it is smaller, as the gradient fades once the softmax saturates."
            ),
            "half": (
                "The attention maps look the same, with one bright column for the first token, while the"
                " matrices Q and K look completely different because of the random initialization. Training"
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

trained.check_cases("token_scores", "scores between tokens", points=3)
trained.check_cases("other_basis", "another basis with the same scores", points=4)


@trained.check(points=1, needs=CONTENT)
def the_trained_model_copies(
    content_Q: np.ndarray, content_K: np.ndarray, content_V: np.ndarray, answer: Answer
) -> Wrong | None:
    error = public.content_error(content_Q, content_K, content_V)
    return _untrained(error, "the 1,092 sequences of 3.1") or _unmeasured(answer, GAP)


@trained.check(points=1, needs=POSITION)
def the_trained_model_copies_the_first_token(
    position_Q: np.ndarray,
    position_K: np.ndarray,
    position_V: np.ndarray,
    position_pos: np.ndarray,
    answer: Answer,
) -> Wrong | None:
    error = public.first_token_error(position_Q, position_K, position_V, position_pos)
    return _untrained(error, "the 120 sequences of 3.2") or _unmeasured(answer, WEIGHT)


@trained.check(points=1, needs=BOTH)
def the_trained_model_finds_unique_tokens(
    both_Q: np.ndarray,
    both_K: np.ndarray,
    both_V: np.ndarray,
    both_pos: np.ndarray,
    answer: Answer,
) -> Wrong | None:
    share = public.unique_accuracy(both_Q, both_K, both_V, both_pos)
    if share >= public.TRAINED_SIGNS:
        return _unmeasured(answer, GAP, WEIGHT)
    return Wrong(
        f"The recorded weights get {share:.0%} of the signs of 3.3 right; training reaches at least"
        f" {public.TRAINED_SIGNS:.0%}."
    )


def _untrained(error: float, where: str) -> Wrong | None:
    """What to say of weights whose error is too large, or None."""
    if error <= public.TRAINED_ERROR:
        return None
    return Wrong(
        f"The recorded weights have a mean squared error of {error:.3g} over {where}; training brings it"
        f" below {public.TRAINED_ERROR}. Did the training cell finish before you recorded, and was it this"
        " task's model?"
    )


def _unmeasured(answer: Answer, *names: str) -> Wrong | None:
    """The training cell is given; what it leaves counts once a student has looked into it."""
    if any(answer.get(name) is not None for name in names):
        return None
    asked = " or ".join(f"`{name}`" for name in names)
    return Wrong(
        f"The trained weights are correct. Their points require what you measure on them: {asked} is not"
        " answered yet."
    )


@trained.check(points=1.5, needs=[*CONTENT, GAP])
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
        return Wrong(
            f"{told}: yours is the largest gap of the three rows; the question asks for the smallest."
        )
    if np.isclose(found, gaps.mean(), rtol=1e-3, atol=1e-3):
        return Wrong(f"{told}: yours is the mean of the three rows; the question asks for the smallest.")
    return Wrong(f"{told}: in each row, take the own score minus the best other; then take the smallest.")


def _row_gaps(scores: np.ndarray) -> np.ndarray:
    """In each row of a (3, 3) score matrix, the diagonal minus the best other."""
    others = scores[~np.eye(3, dtype=bool)].reshape(3, 2)
    return scores.diagonal() - others.max(axis=1)


@trained.check(points=1.5, needs=[*POSITION, WEIGHT])
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
            f"{told}: yours is the mean over all queries of all 120 sequences; the question asks for the"
            " smallest."
        )
    if np.isclose(found, weights.max(), rtol=1e-3, atol=1e-3):
        return Wrong(f"{told}: yours is the largest weight; the question asks for the smallest.")
    return Wrong(f"{told}: the smallest weight on place 0 over all queries of all 120 sequences.")
