"""hw2 in public: how the kit drives the student's classes, and what gradients and operations say of them.

The notebook's visible checks call these on public examples, the grader on hidden ones. No solution stands
here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograder.kit import Trial, decode, encode, probe, visible_check
from autograder.kit.shared.modules import MismatchError, module_probe

LENGTHS = (3, 17, 64)  # of 2.2
# operations that may come with a longer input, by a branch; a loop over 61 more queries adds at least 61
FREE_GROWTH = 8
SYMBOLS, PLACES = 10, 8  # of 2.6
PROBE_SEQUENCES = np.random.default_rng(26).integers(SYMBOLS, size=(200, PLACES))


@probe("ported")
def ported_probe(cls: Any, case: Mapping[str, Any]) -> Any:
    """The module probe, with a hint where a map's shape says that positions are added, not concatenated."""
    try:
        return module_probe(cls, case)
    except MismatchError as error:
        init = decode({"fields": case["kwargs"]})["init"]
        narrow = f"Qm.weight has shape ({init['qk_dim']}, {init['input_dim']});"
        if init.get("pos_dim") and narrow in str(error):
            told = (
                "Are the positions added? They are to be concatenated, so the maps see input_dim + pos_dim"
                " numbers."
            )
            raise MismatchError(f"{error}. {told}") from None
        raise


@probe("classifier")
def classifier_probe(cls: Any, case: Mapping[str, Any]) -> Any:
    """Builds the student's classifier around a given layer, so that 2.3's two classes are judged apart."""
    import torch

    class Layer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = torch.nn.Linear(options["init"]["d_model"], options["init"]["d_model"], bias=False)

        def forward(self, x: Any) -> Any:
            return torch.tanh(self.mix(x)) + x.cumsum(0)

    options = decode({"fields": case["kwargs"]})
    return module_probe(lambda **sizes: cls(Layer(), **sizes), case)


@probe("steps")
def steps_probe(train_step: Any, case: Mapping[str, Any]) -> Any:
    """Lets the student's ``train_step`` take one step for each given batch on a toy model with plain SGD.

    Returns:
        The losses (steps,), and the toy model's two tables afterwards.
    """
    import torch

    class Toy(torch.nn.Module):
        def __init__(self, table: Any, places: Any) -> None:
            super().__init__()
            self.table, self.places = torch.nn.Parameter(table), torch.nn.Parameter(places)

        def forward(self, tokens: Any) -> Any:
            n = tokens.shape[1]
            return self.table[tokens] + self.places[:n], torch.full((len(tokens), n, n), 1 / n)

    options = decode({"fields": case["kwargs"]})
    model = Toy(options["table"], options["places"])
    optimizer = torch.optim.SGD(model.parameters(), lr=options["lr"])
    losses = [float(train_step(model, optimizer, tokens)) for tokens in decode(case["args"])]
    return {"fields": {"result": encode([np.array(losses), model.table, model.places])}}


# --- properties of what a probe returned --------------------------------------------------------------------


def gradient_problem(name: str, trials: Sequence[Trial], harmless: Sequence[str] = ()) -> str | None:
    """Whether every parameter gets a finite, nonzero gradient wherever a trial looked; else words.

    Args:
        name: of the student's class.
        trials: of the module probe.
        harmless: parameters whose gradient is zero in a right answer too.
    """
    for trial in trials:
        if (
            trial.status != "ok"
            or not isinstance(trial.result, dict)
            or "without_gradient" not in trial.result
        ):
            continue
        without = [parameter for parameter in trial.result["without_gradient"] if parameter not in harmless]
        if without:
            return (
                f"`{name}` on {trial.note}: no usable gradient (none, zero or NaN) reaches"
                f" {', '.join(without)}. Is it used in forward, is something detached (.detach(), .data,"
                " torch.tensor(…), .numpy()), or does a NaN hide behind a mask?"
            )
    return None


def operations_problem(name: str, trials: Sequence[Trial]) -> tuple[str | None, str]:
    """Whether the number of dispatched operations stays the same as sequences get longer.

    Returns:
        What is wrong or None, and the counts in words.
    """
    counts = [
        (len(trial.args[0]), int(trial.result["operations"])) for trial in trials if trial.status == "ok"
    ]
    told = ", ".join(f"n = {n}: {count}" for n, count in counts)
    (first, least), (last, most) = min(counts), max(counts)
    if most - least <= FREE_GROWTH:
        return None, told
    slope = (most - least) / (last - first)
    return (
        (
            f"The forward of `{name}` dispatches more tensor operations the longer the sequence is ({told}):"
            f" about {slope:.1f} more for each place. Somewhere a Python loop (or a comprehension) runs over"
            " the places. One matrix product computes the scores of all queries and keys at once."
        ),
        told,
    )


def attend(x: np.ndarray, Q: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Single-head attention weights (..., n, n) of x (..., n, d) in float64."""
    scores = (x @ Q) @ np.swapaxes(x @ K, -1, -2) / np.sqrt(Q.shape[-1])
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return np.asarray(weights / weights.sum(-1, keepdims=True))


def reverse_outputs(arrays: Mapping[str, np.ndarray], tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The model of 2.6 in float64, for tokens (batch, n).

    Returns:
        Logits (batch, n, symbols) and attention weights (batch, n, n).
    """
    wide = {name: np.asarray(array, np.float64) for name, array in arrays.items()}
    x = wide["E"][tokens] + wide["pos"][: tokens.shape[1]]
    weights = attend(x, wide["Q"], wide["K"])
    return weights @ (x @ wide["V"]) @ wide["U"], weights


def reverse_accuracy(arrays: Mapping[str, np.ndarray], tokens: np.ndarray) -> float:
    """Share of places at which the model of 2.6 gives the token of the reversed sequence."""
    logits, _ = reverse_outputs(arrays, tokens)
    return float((logits.argmax(-1) == tokens[:, ::-1]).mean())


# --- visible checks beyond public examples ------------------------------------------------------------------


def _gradients(question: str, name: str, harmless: Sequence[str] = ()) -> None:
    @visible_check(question)
    def gradients_reach_every_parameter(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
        problem = gradient_problem(name, answers.get(name, []), harmless)
        return [(problem is None, problem or "Every parameter gets a gradient.")]


# one number added to all scores of a query changes no softmax
HARMLESS = {"MultiHeadAttention": ("k_proj.bias",)}
for _question, _name in (
    ("2.1", "PytorchTransformer"),
    ("2.3", "Attention"),
    ("2.4", "MultiHeadAttention"),
    ("2.5a", "LayerNorm"),
    ("2.5b", "FeedForward"),
    ("2.5c", "EncoderBlock"),
):
    _gradients(_question, _name, HARMLESS.get(_name, ()))


@visible_check("2.2")
def operations_do_not_grow(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    trials = answers.get("VectorisedTransformer", [])
    if not trials or any(trial.status != "ok" for trial in trials):
        return []
    problem, told = operations_problem("VectorisedTransformer", trials)
    return [(problem is None, problem or f"Operations do not grow with the length ({told}).")]


@visible_check("2.6")
def weights_reverse(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    names = ("E", "pos", "Q", "K", "V", "U")
    if not all(isinstance(answers.get(f"reverse_{name}"), np.ndarray) for name in names):
        return [(None, "The trained weights are not there yet: run the training cell.")]
    share = reverse_accuracy({name: answers[f"reverse_{name}"] for name in names}, PROBE_SEQUENCES)
    message = (
        f"The recorded weights reverse 200 sequences with {share:.1%} of the places right (wanted: 99%)."
    )
    return [(share >= 0.99, message)]
