"""hw3: attention whose weights are designed by hand. The pattern that other homeworks follow.

Everything here is trusted and stays out of the kernel. Values are judged by property, over all sequences
where that is
possible; hidden inputs come from the instructor's seed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from autograder.declare.evidence import attention
from autograder.declare.homework import (
    Answer,
    Array,
    Case,
    Challenge,
    Choice,
    Homework,
    Written,
    Wrong,
    not_run,
)
from autograder.homeworks.hw3 import public

hw = Homework("hw3", title="Hand-designed attention", stem="hw3_hand_designed")

ALL_UP_TO_6 = public.sequences(3, range(1, 7))  # 1,092 sequences
ALL_UP_TO_4 = public.sequences(3, range(1, 5))  # 120 sequences
CLS_AND_TOKENS = ["CLS", "A", "B", "C"]
UP_TO_2 = public.sequences(3, range(1, 3))


Maps = Callable[[np.ndarray], dict[str, np.ndarray]]  # tokens (n,) → title → attention map (n, n)


def pictured(problem: str | None, alphabet: Sequence[str], maps: Maps) -> Wrong | None:
    """A failed check with these words and the attention maps of the sequence that they name, or a passed one."""
    if not problem:
        return None
    named = re.search(r"`((?:CLS )?[A-D](?: [A-D])*)`", problem)
    if named is None:
        return Wrong(problem)
    tokens = named[1].split()
    drawn = maps(np.array([alphabet.index(token) for token in tokens]))
    return Wrong(
        problem,
        evidence=attention(
            f"Attention of your weights on {named[1]}",
            [f"{place}: {token}" for place, token in enumerate(tokens)],
            drawn,
        ),
    )


def placed_maps(Q: np.ndarray, K: np.ndarray, pos: np.ndarray, tokens: int, causal: bool = False) -> Maps:
    """The map of one head that sees tokens and places."""
    V = np.zeros((tokens + pos.shape[1], 1))
    return lambda sequence: {
        "": public.attend(public.with_places(np.eye(tokens)[sequence], pos), Q, K, V, causal=causal)[1]
    }


def arrays(answer: Answer, stem: str, names: str) -> Any:
    """The tuple of arrays ``stem_Q``, ``stem_K`` and so on, for names separated by spaces."""
    return tuple(answer[f"{stem}_{name}"] for name in names.split())


def weights(answer: Answer, stem: str, names: str) -> dict[str, Any]:
    """The same arrays by name."""
    return dict(zip(names.split(), arrays(answer, stem, names), strict=True))


# 3.1 --------------------------------------------------------------------------------------------------------

by_content = hw.question(
    "3.1",
    "Attention by content",
    minutes=15,
    difficulty="easy",
    entries=[
        Array("attention_by_content_Q", (3, "qk")),
        Array("attention_by_content_K", (3, "qk")),
        Array("attention_by_content_V", (3, 3)),
    ],
)


@by_content.check("each token looks at its own kind", points=4)
def _(answer: Answer) -> Wrong | None:
    Q, K, _ = arrays(answer, "attention_by_content", "Q K V")
    return pictured(
        public.content_attention_problem(Q, K, ALL_UP_TO_6), "ABC", placed_maps(Q, K, np.zeros((6, 0)), 3)
    )


@by_content.check("the output equals the input", points=6)
def _(answer: Answer) -> Wrong | None:
    Q, K, V = arrays(answer, "attention_by_content", "Q K V")
    return pictured(
        public.content_copy_problem(Q, K, V, ALL_UP_TO_6), "ABC", placed_maps(Q, K, np.zeros((6, 0)), 3)
    )


# 3.2 --------------------------------------------------------------------------------------------------------

by_position = hw.question(
    "3.2",
    "Attention by position: copy the first token",
    minutes=15,
    difficulty="medium",
    entries=[
        Array("attention_by_position_pos", (4, "p")),
        Array("attention_by_position_Q", ("3+p", "qk")),
        Array("attention_by_position_K", ("3+p", "qk")),
        Array("attention_by_position_V", ("3+p", 3)),
    ],
)


@by_position.check("every place looks at the first place", points=4)
def _(answer: Answer) -> Wrong | None:
    Q, K, pos = arrays(answer, "attention_by_position", "Q K pos")
    return pictured(public.first_place_problem(Q, K, pos, ALL_UP_TO_4), "ABC", placed_maps(Q, K, pos, 3))


@by_position.check("copies the first token", points=6)
def _(answer: Answer) -> Wrong | None:
    Q, K, V, pos = arrays(answer, "attention_by_position", "Q K V pos")
    return pictured(public.first_copy_problem(Q, K, V, pos, ALL_UP_TO_4), "ABC", placed_maps(Q, K, pos, 3))


# 3.3 --------------------------------------------------------------------------------------------------------

by_both = hw.question(
    "3.3",
    "Attention by content and position: which tokens are unique?",
    minutes=25,
    difficulty="hard",
    entries=[
        Array("attention_by_content_and_position_pos", (5, "p")),
        Array("attention_by_content_and_position_Q", ("4+p", "qk")),
        Array("attention_by_content_and_position_K", ("4+p", "qk")),
        Array("attention_by_content_and_position_V", ("4+p", 1)),
    ],
)


@by_both.check("signs are right for one and two tokens", points=6)
def _(answer: Answer) -> Wrong | None:
    Q, K, V, pos = arrays(answer, "attention_by_content_and_position", "Q K V pos")
    return pictured(public.unique_problem(Q, K, V, pos, UP_TO_2), CLS_AND_TOKENS, placed_maps(Q, K, pos, 4))


@by_both.check("signs are right for all sequences", points=9)
def _(answer: Answer) -> Wrong | None:
    Q, K, V, pos = arrays(answer, "attention_by_content_and_position", "Q K V pos")
    return pictured(
        public.unique_problem(Q, K, V, pos, ALL_UP_TO_4), CLS_AND_TOKENS, placed_maps(Q, K, pos, 4)
    )


# 3.4 --------------------------------------------------------------------------------------------------------

moves = hw.question(
    "3.4",
    "Identity and permutation",
    minutes=15,
    difficulty="medium",
    entries=[
        Array(f"{stem}_{name}", shape)
        for stem in ("identity", "permutation")
        for name, shape in (("Q", (8, "qk")), ("K", (8, "qk")), ("V", (8, 3)))
    ],
)

# Any real input counts, so a few random ones of different size stand for all; fixed, because nothing is
# secret here.
PLACE_NAMES = [f"place {place}" for place in range(5)]
REAL_INPUTS = [scale * np.random.default_rng(34).normal(size=(20, 5, 3)) for scale in (1.0, 10.0)]


def moved(answer: Answer, stem: str, source: list[int], linear: np.ndarray) -> Wrong | None:
    """Judges one set of weights on every real input."""
    Q, K, V = arrays(answer, stem, "Q K V")
    for x in (x for inputs in REAL_INPUTS for x in inputs):
        if problem := public.move_problem(Q, K, V, x, source, linear):
            _, map_ = public.attend(public.with_places(x, np.eye(5)), Q, K, V)
            return Wrong(
                problem,
                evidence=attention("Attention of your weights on that input", PLACE_NAMES, {"": map_}),
            )
    return None


@moves.check("identity for any real input", points=5, needs=["identity_Q", "identity_K", "identity_V"])
def _(answer: Answer) -> Wrong | None:
    return moved(answer, "identity", list(range(5)), np.eye(3))


@moves.check("the given permutation", points=7, needs=["permutation_Q", "permutation_K", "permutation_V"])
def _(answer: Answer) -> Wrong | None:
    return moved(answer, "permutation", list(public.PERMUTATION), np.eye(3))


# 3.5 --------------------------------------------------------------------------------------------------------

running = hw.question(
    "3.5",
    "A running linear layer",
    minutes=10,
    difficulty="easy",
    entries=[
        Array("running_linear_Q", (8, "qk")),
        Array("running_linear_K", (8, "qk")),
        Array("running_linear_V", (8, 3)),
        Choice(
            "running_linear_name",
            options={
                "A": "a fully connected layer over the whole sequence",
                "B": "a 1×1 convolution",
                "C": "a convolution with kernel size 3",
                "D": "a recurrent layer",
            },
            correct="B",
            why={
                "A": (
                    "a fully connected layer over the sequence has its own weights for each pair of places;"
                    " here places never mix."
                ),
                "C": "with kernel size 3 each output would also depend on the two neighbours.",
                "D": (
                    "a recurrent layer carries a state from place to place; here each place is computed"
                    " alone."
                ),
            },
            points=3,
        ),
    ],
)


@running.check("the same linear map at each place", points=7)
def _(answer: Answer) -> Wrong | None:
    return moved(answer, "running_linear", list(range(5)), public.RUNNING_MAP)


# 3.6 --------------------------------------------------------------------------------------------------------


def kernels(rng: np.random.Generator) -> Iterator[Case]:
    """Kernels (3, d, out) of several sizes: a construction that only fits the example fails."""
    for d, out in ((1, 1), (2, 3), (4, 2), (3, 3)):
        yield Case([rng.normal(size=(3, d, out))], note=f"a kernel of shape (3, {d}, {out})")


def example_kernel(rng: np.random.Generator) -> Iterator[Case]:
    """One kernel for the notebook, small enough to follow by hand."""
    yield Case(
        [np.array([[[1.0, 0.0], [0.0, 2.0]], [[0.0, 1.0], [1.0, 0.0]], [[-1.0, 0.0], [3.0, 1.0]]])],
        note="the example kernel (3, 2, 2)",
    )


convolution = hw.question(
    "3.6",
    "Three heads make a convolution",
    minutes=20,
    difficulty="hard",
    entries=[Challenge("conv_heads", cases=kernels, examples=example_kernel)],
)


def padded_inputs(identity: str, d: int) -> Iterator[np.ndarray]:
    """Sequences (n, d) for each n from 3 to 8 places, a zero token at each end."""
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big"))
    for n in range(3, public.PLACES + 1):
        x = 3 * rng.normal(size=(n, d))
        x[[0, -1]] = 0
        yield x


@convolution.check("heads look left, here and right", points=8)
def _(answer: Answer) -> Wrong | None:
    for trial in answer["conv_heads"]:
        if trouble := not_run("conv_heads", trial):
            return trouble
        made, problem = public.conv_arrays(trial)
        for x in padded_inputs(trial.id, trial.args[0].shape[1]) if not problem else ():
            if problem := public.conv_places_problem(made, x):
                heads = {
                    f"head {number}": head for number, head in enumerate(public.conv_heads_output(x, made)[1])
                }
                maps = attention(
                    f"Attention of your three heads over {len(x)} places",
                    [str(place) for place in range(len(x))],
                    heads,
                )
                return Wrong(f"On {trial.note}: {problem}", evidence=maps)
        if problem:
            return Wrong(f"On {trial.note}: {problem}")
    return None


@convolution.check("equals the convolution with the hidden kernel", points=10)
def _(answer: Answer) -> Wrong | None:
    for trial in answer["conv_heads"]:
        if trouble := not_run("conv_heads", trial):
            return trouble
        made, problem = public.conv_arrays(trial)
        for x in padded_inputs(trial.id, trial.args[0].shape[1]) if not problem else ():
            problem = problem or _convolution_problem(trial.args[0], made, x)
        if problem:
            return Wrong(f"On {trial.note}: {problem}")
    return None


def _convolution_problem(kernel: np.ndarray, made: dict[str, np.ndarray], x: np.ndarray) -> str | None:
    found = public.conv_heads_output(x, made)[0][1:-1]
    if np.allclose(
        found, conv1d(x, kernel), rtol=1e-3, atol=1e-3
    ):  # soft attention with gaps of 20 leaks 1e-8
        return None
    told = (
        f"with {len(x)} places the sum of the heads differs from the convolution by up to"
        f" {np.abs(found - conv1d(x, kernel)).max():.3g}."
    )
    if np.allclose(found, conv1d(x, kernel[::-1]), atol=1e-3):
        return (
            f"{told} Your kernel is flipped: kernel[0] belongs to the left neighbour (deep learning's"
            " convolution does not flip)."
        )
    if kernel.shape[1] == kernel.shape[2] and np.allclose(
        found, conv1d(x, kernel.transpose(0, 2, 1)), atol=1e-3
    ):
        return f"{told} Input and output channels are swapped: kernel[k] has shape (d, out)."
    return told


def conv1d(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Torch's own convolution as the oracle: x (n, d), kernel (3, d, out) → (n - 2, out), ends not padded again."""
    import torch

    signal = torch.from_numpy(np.ascontiguousarray(x.T))[None]
    weight = torch.from_numpy(np.ascontiguousarray(kernel.transpose(2, 1, 0)))
    return np.asarray(torch.nn.functional.conv1d(signal, weight)[0].numpy().T)


# 3.7 --------------------------------------------------------------------------------------------------------


def query_key_pairs(rng: np.random.Generator) -> Iterator[Case]:
    """Weights (d, qk) of several sizes; not square, so that a wrong transpose shows."""
    for d, qk in ((3, 5), (4, 2), (3, 3)):
        yield Case([rng.normal(size=(d, qk)), rng.normal(size=(d, qk))], note=f"Q and K of shape ({d}, {qk})")


trained = hw.question(
    "3.7",
    "What training finds",
    minutes=30,
    difficulty="medium",
    # grading does not train: the weights come from the student's log and are judged by what they do
    claimed=True,
    entries=[
        Challenge(
            "token_scores",
            cases=query_key_pairs,
            expected=lambda Q, K: Q @ K.T / np.sqrt(Q.shape[1]),
            mistakes={
                "That is QKᵀ without the scale 1/√d_qk, which the model applies.": lambda Q, K: Q @ K.T,
                "That is KQᵀ: row i must belong to query token i.": lambda Q, K: (
                    K @ Q.T / np.sqrt(Q.shape[1])
                ),
                "You divided by d_qk; the model divides by its square root.": lambda Q, K: (
                    Q @ K.T / Q.shape[1]
                ),
                "You divided by √d, the number of tokens; the model divides by √d_qk, the number of columns.": lambda Q, K: (
                    Q @ K.T / np.sqrt(Q.shape[0])
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
            "Explains why raw Q and K differ: only QKᵀ matters, any invertible change of basis leaves it unchanged": (
                4
            ),
            "Names one difference between trained and designed weights (size of gaps, softer attention, spread-out values) and its cause": (
                3
            ),
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
GAP, WEIGHT = "trained_content_gap", "trained_first_place_weight"
CONTENT, POSITION, BOTH = "torch_transformer_content", "torch_transformer_position", "torch_transformer_both"
NAMES = {CONTENT: "Q K V", POSITION: "Q K V pos", BOTH: "Q K V pos"}
TRAINED_ERROR = 0.01  # typical final errors are 1e-3 and 1e-4; an untrained model has 0.2
TRAINED_SIGNS = 0.9  # training reaches 0.95 to 1.0; all outputs of one sign reach 0.6


def entries_of(stem: str) -> list[str]:
    """The entry names of one trained model."""
    return [f"{stem}_{name}" for name in NAMES[stem].split()[::-1]]  # pos first: it binds p


trained.check_cases("token_scores", "scores between tokens", points=5)


@trained.check(
    "the trained model copies",
    points=2,
    needs=["torch_transformer_content_Q", "torch_transformer_content_K", "torch_transformer_content_V"],
)
def _(answer: Answer) -> Wrong | None:
    return _trained(
        public.content_error(*arrays(answer, CONTENT, NAMES[CONTENT])), "the 1,092 sequences of 3.1"
    ) or _measured(answer, GAP)


@trained.check("the trained model copies the first token", points=2, needs=entries_of(POSITION))
def _(answer: Answer) -> Wrong | None:
    return _trained(
        public.first_token_error(*arrays(answer, POSITION, NAMES[POSITION])), "the 120 sequences of 3.2"
    ) or _measured(answer, WEIGHT)


def _trained(error: float, where: str) -> Wrong | None:
    if error <= TRAINED_ERROR:
        return None
    return Wrong(
        f"The recorded weights have a mean squared error of {error:.3g} over {where}; training brings it"
        f" below {TRAINED_ERROR}. Did the training cell finish before you recorded, and was it this task's"
        " model?"
    )


def _measured(answer: Answer, *names: str) -> Wrong | None:
    """The training cell is given; what it leaves counts once a student has looked into it."""
    if any(answer.get(name) is not None for name in names):
        return None
    asked = " or ".join(f"`{name}`" for name in names)
    return Wrong(
        f"The trained weights are right. Their points come with what you measure on them: {asked} is not"
        " answered yet."
    )


@trained.check("the trained model finds unique tokens", points=2, needs=entries_of(BOTH))
def _(answer: Answer) -> Wrong | None:
    share = public.unique_accuracy(*arrays(answer, BOTH, NAMES[BOTH]))
    if share >= TRAINED_SIGNS:
        return _measured(answer, GAP, WEIGHT)
    return Wrong(
        f"The recorded weights get {share:.0%} of the signs of 3.3 right; training reaches at least"
        f" {TRAINED_SIGNS:.0%}."
    )


@trained.check("the score gap of the trained model", points=2, needs=[*entries_of(CONTENT), GAP])
def _(answer: Answer) -> Wrong | None:
    Q, K, _ = arrays(answer, CONTENT, NAMES[CONTENT])
    found = float(answer["trained_content_gap"])
    expected, unscaled = (_row_gaps(scores) for scores in (Q @ K.T / np.sqrt(Q.shape[1]), Q @ K.T))
    told = f"`trained_content_gap` is {found:.4g}, but the recorded weights give {expected.min():.4g}"
    if np.isclose(found, expected.min(), rtol=1e-3, atol=1e-3):
        return None
    if np.isclose(found, unscaled.min(), rtol=1e-3, atol=1e-3):
        return Wrong(f"{told}: you left out the scale 1/√d_qk.")
    if np.isclose(found, expected.max(), rtol=1e-3, atol=1e-3):
        return Wrong(f"{told}: yours is the largest gap of the three rows, asked is the smallest.")
    return Wrong(f"{told}: in each row, own score minus the best other; then the smallest.")


def _row_gaps(scores: np.ndarray) -> np.ndarray:
    """In each row of a (3, 3) score matrix, the diagonal minus the best other."""
    others = scores[~np.eye(3, dtype=bool)].reshape(3, 2)
    return scores.diagonal() - others.max(axis=1)


@trained.check("the attention on the first place", points=2, needs=[*entries_of(POSITION), WEIGHT])
def _(answer: Answer) -> Wrong | None:
    Q, K, _, pos = arrays(answer, POSITION, NAMES[POSITION])
    found, expected = float(answer["trained_first_place_weight"]), public.first_place_weight(Q, K, pos)
    if np.isclose(found, expected, rtol=1e-3, atol=1e-3):
        return None
    return Wrong(
        f"`trained_first_place_weight` is {found:.4g}, but the recorded weights give {expected:.4g}: the"
        " smallest weight on place 0 over all queries of all 120 sequences."
    )


# 3.8 --------------------------------------------------------------------------------------------------------

previous = hw.question(
    "3.8a",
    "A previous-token head",
    minutes=15,
    difficulty="challenge",
    extra=True,
    entries=[
        Array("previous_token_pos", (8, "p")),
        Array("previous_token_Q", ("4+p", "qk")),
        Array("previous_token_K", ("4+p", "qk")),
        Array("previous_token_V", ("4+p", 4)),
    ],
)


@previous.check("each place gives the token before it", points=4)
def _(answer: Answer) -> Wrong | None:
    groups = [*public.sequences(4, range(2, 6)), np.random.default_rng(38).integers(4, size=(200, 8))]
    Q, K, V, pos = arrays(answer, "previous_token", "Q K V pos")
    return pictured(
        public.previous_problem(Q, K, V, pos, groups), "ABCD", placed_maps(Q, K, pos, 4, causal=True)
    )


induction = hw.question(
    "3.8b",
    "Two layers that continue a pattern (induction)",
    minutes=30,
    difficulty="challenge",
    extra=True,
    entries=[
        Array("induction_pos", (8, "p")),
        Array("induction_Q1", ("4+p", "qk1")),
        Array("induction_K1", ("4+p", "qk1")),
        Array("induction_V1", ("4+p", 4)),
        Array("induction_Q2", ("8+p", "qk2")),
        Array("induction_K2", ("8+p", "qk2")),
        Array("induction_V2", ("8+p", 4)),
    ],
)


@induction.check("the second saying predicts each next token", points=6)
def _(answer: Answer) -> Wrong | None:
    made = weights(answer, "induction", "pos Q1 K1 V1 Q2 K2 V2")

    def layers(sequence: np.ndarray) -> dict[str, np.ndarray]:
        x = public.with_places(np.eye(4)[sequence], made["pos"])
        first, layer1 = public.attend(x, made["Q1"], made["K1"], made["V1"], causal=True)
        _, layer2 = public.attend(
            np.concatenate([x, first], -1), made["Q2"], made["K2"], made["V2"], causal=True
        )
        return {"layer 1": layer1, "layer 2": layer2}

    return pictured(public.induction_problem(made, public.repeated_patterns()), "ABCD", layers)
