"""2.6: training a model that reverses sequences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from autograder.declare import Answer, Array, Case, Challenge, Prediction, Wrong, attention, several
from autograder.homeworks.hw2 import public
from autograder.homeworks.hw2.homework import hw, mistakes, normal
from autograder.homeworks.hw2.oracles import Floats, softmax

# What leaves the parameters as they are: whether backward and step ran, and gradients were there at the step.
NO_CHANGE = {
    "no backward": (0, 1, 0),
    "no step": (1, 0, 0),
    "zeroed before the step": (1, 1, 0),
    "step first": (1, 2, 0),
    "neither": (0, 0, 0),
}


def steps(*batches: Floats, table: Floats, places: Floats, lr: float, variant: str = "") -> list[Floats]:
    """Losses of SGD steps on the probe's toy model and its tables afterwards, by autograd in float64.

    The last output is the probe's: which of backward, step and gradients at the step were seen.
    """
    import torch

    parameters = [torch.from_numpy(np.asarray(part, np.float64)).requires_grad_() for part in (table, places)]
    kept = [torch.zeros_like(parameter) for parameter in parameters]
    losses = []
    for batch in batches:
        tokens = torch.from_numpy(np.asarray(batch))
        others = {"not reversed": tokens, "batch reversed": tokens.flip(0), "both": tokens.flip(0, 1)}
        target = others.get(variant, tokens.flip(1))
        loss = _loss(parameters, tokens, target, variant)
        losses.append(float(loss.detach()) * (tokens.numel() if variant == "sum told" else 1))
        gradients = torch.autograd.grad(loss, parameters)
        kept = [
            old + new if variant == "accumulated" else new for old, new in zip(kept, gradients, strict=True)
        ]
        if variant not in NO_CHANGE:
            rate = 2 * lr if variant == "two steps" else lr
            parameters = [
                (part - rate * change).detach().requires_grad_()
                for part, change in zip(parameters, kept, strict=True)
            ]
        if variant == "loss afterwards":
            losses[-1] = float(_loss(parameters, tokens, target, "").detach())
    seen = np.array(NO_CHANGE.get(variant, (1, 1, 1)))
    return [np.array(losses), *(parameter.detach().numpy() for parameter in parameters), seen]


def _loss(parameters: list[Any], tokens: Any, target: Any, variant: str) -> Any:
    """Cross-entropy of the toy model, or what a mistake takes for it."""
    import torch

    logits = parameters[0][tokens] + parameters[1][: tokens.shape[1]]
    if variant == "softmax twice":
        logits = logits.softmax(-1)
    if variant == "wrong axis":
        return torch.nn.functional.cross_entropy(logits.reshape(len(tokens), logits.shape[2], -1), target)
    if variant == "next token":
        logits, target = logits[:, :-1], tokens[:, 1:]
    if variant == "last place":
        logits, target = logits[:, -1:], target[:, -1:]
    flat = logits.flatten(0, 1), target.flatten()
    if variant == "sum over places":
        return torch.nn.functional.cross_entropy(*flat) * tokens.shape[1]
    if variant == "nll":
        return torch.nn.functional.nll_loss(*flat)
    return torch.nn.functional.cross_entropy(*flat, reduction="sum" if variant == "sum" else "mean")


def antidiagonal(weights: Floats) -> Floats:
    """Mean weight of maps (batch, n, n) on the anti-diagonal: query i, key n − 1 − i."""
    maps = np.asarray(weights, np.float64)
    return np.asarray(np.mean([[one[i, len(one) - 1 - i] for i in range(len(one))] for one in maps]))


def _main_diagonal(weights: Floats) -> Floats:
    return np.asarray(np.mean(np.diagonal(weights, axis1=1, axis2=2)))


def _next_key(weights: Floats) -> Floats:
    return np.asarray(np.mean([[one[i, -i] for i in range(len(one))] for one in np.asarray(weights)]))


def _smallest(weights: Floats) -> Floats:
    return np.asarray(np.diagonal(weights[:, :, ::-1], axis1=1, axis2=2).min())


def step_case(rng: np.random.Generator, count: int, batch: int, n: int, symbols: int) -> Case:
    """A case of ``train_step``: so many steps, each on a batch of its own."""
    batches = [rng.integers(symbols, size=(batch, n)) for _ in range(count)]
    kwargs = {"table": normal(rng, symbols, symbols), "places": normal(rng, n + 1, symbols), "lr": 0.5}
    note = (
        f"{count} steps of SGD on a toy model (output 1: the losses; 2 and 3: its parameters afterwards;"
        " 4: whether backward and step ran, and gradients were there)"
    )
    return Case(batches, kwargs, note=note, probe="toy steps", torch=True)


def step_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Two or three steps each, so that gradients left over from the step before show."""
    for count, batch, n in ((2, 3, 4), (3, 4, 5), (2, 1, 3)):
        yield step_case(rng, count, batch, n, symbols=6)


def attention_maps(rng: np.random.Generator) -> Iterator[Case]:
    """Batches of attention maps; rows sum to 1."""
    for batch, n in ((2, 3), (1, 4), (3, 2)):
        yield Case(
            [softmax(rng.normal(size=(batch, n, n))).astype(np.float32)],
            note=f"{several(batch, 'map')} of {n} × {n}",
            torch=True,
        )


REVERSE: dict[str, tuple[int | str, ...]] = {
    "E": (public.SYMBOLS, "d"),
    "pos": (public.PLACES, "d"),
    "Q": ("d", "qk"),
    "K": ("d", "qk"),
    "V": ("d", "v"),
    "U": ("v", public.SYMBOLS),
}
RECORDED = [f"reverse_{name}" for name in REVERSE]

reverse = hw.question(
    "2.6",
    "Train a model that reverses sequences",
    topic="training a small Transformer",
    minutes=15,
    difficulty="medium",
    asks={
        "`train_step`: forward, mean cross-entropy with the reversed tokens, backward, one step": (
            "one training step"
        ),
        "`antidiagonal_weight`: the mean over queries and batch": "the weight on the anti-diagonal",
        "the recorded weights give the correct token at 99% of the places of other sequences": (
            "the trained model reverses"
        ),
        "`trained_antidiagonal` is its value on `probe_sequences`, to three decimals": (
            "the claim about the figure"
        ),
    },
    # grading does not train: the weights come from the student's log and are judged by what they do
    claimed=True,
    entries=[
        Prediction(
            "prediction_26",
            {
                "A": "output i at place i",
                "B": "output i at the place that holds the same digit again",
                "C": "output i at place 7 − i",
            },
        ),
        Challenge(
            "train_step",
            cases=step_cases,
            expected=steps,
            mistakes=mistakes(
                steps,
                {
                    "Gradients of the previous step are still there: call optimizer.zero_grad() before"
                    " loss.backward().": "accumulated",
                    "The parameters do not change: optimizer.step() is missing.": "no step",
                    "The parameters do not change: loss.backward() is missing, so the step finds no"
                    " gradients.": "no backward",
                    "The parameters do not change: loss.backward() and optimizer.step()"
                    " are missing.": "neither",
                    "The parameters do not change: the gradients are set to zero between loss.backward() and"
                    " optimizer.step().": "zeroed before the step",
                    "The parameters do not change: optimizer.step() runs before loss.backward(), when there"
                    " are no gradients yet.": "step first",
                    "The target is the sequence itself;"
                    " it must be reversed along the places.": "not reversed",
                    "The batch is reversed instead of the places: flip axis 1.": "batch reversed",
                    "The batch is reversed, too; flip axis 1 alone.": "both",
                    "The target is the next token; the task is to reverse the sequence.": "next token",
                    "Only the last place counts in the loss; all places do.": "last place",
                    "nll_loss takes log-probabilities; cross_entropy takes raw logits.": "nll",
                    "optimizer.step() runs twice.": "two steps",
                    "The loss is computed again after the step; return the one that was used for it.": (
                        "loss afterwards"
                    ),
                    "The returned loss is the sum over the places; return the mean.": "sum told",
                    "cross_entropy takes raw logits; a softmax before it flattens the loss.": "softmax twice",
                    "The loss is summed; take the mean over all places of the batch.": "sum",
                    "The loss is summed over the places; take the mean over them, too.": "sum over places",
                    "The logits are reshaped, not transposed: classes and places are mixed up. Flatten"
                    " (batch, n) together instead.": "wrong axis",
                },
            ),
            examples=lambda rng: [step_case(rng, 2, 2, 3, symbols=4), step_case(rng, 2, 1, 2, symbols=3)],
            atol=1e-5,
        ),
        Challenge(
            "antidiagonal_weight",
            cases=attention_maps,
            expected=antidiagonal,
            mistakes={
                "That is the main diagonal;"
                " the anti-diagonal runs from the top right to the bottom left.": _main_diagonal,
                "That is a sum; take the mean over queries and over the batch.": (
                    lambda weights: antidiagonal(weights) * weights[..., 0].size
                ),
                "Queries are added up; take the mean over them, too.": (
                    lambda weights: antidiagonal(weights) * weights.shape[1]
                ),
                "Batches are added up; take the mean over them, too.": (
                    lambda weights: antidiagonal(weights) * len(weights)
                ),
                "Only the first map of the batch counts here; take the mean over all.": (
                    lambda weights: antidiagonal(weights[:1])
                ),
                "The key is one too far: query i goes with key n − 1 − i.": _next_key,
                "That is 1/n, the mean over whole rows; only the anti-diagonal counts. Does diagonal() run"
                " through dim1=1 and dim2=2?": (lambda weights: np.asarray(np.mean(weights))),
                "That is the smallest weight; take the mean.": _smallest,
            },
            atol=1e-5,
        ),
        *(Array(f"reverse_{name}", shape) for name, shape in REVERSE.items()),
        Array("trained_antidiagonal"),
    ],
)
reverse.check_cases("train_step", "one training step", points=4)
reverse.check_cases("antidiagonal_weight", "the weight on the anti-diagonal", points=1)


@reverse.check(points=3, needs=RECORDED)
def the_trained_model_reverses(answer: Answer) -> Wrong | None:
    # other sequences than the notebook's
    tokens = np.random.default_rng(260).integers(public.SYMBOLS, size=(1000, public.PLACES))
    weights = {name: answer[f"reverse_{name}"] for name in REVERSE}
    share, shown = public.reverse_accuracy(weights, tokens), reverse_map(weights, tokens[0])
    if share >= 0.99:  # training reaches 100% after some 200 of its 400 steps; guessing reaches 10%
        return None
    message = (
        f"The recorded weights give the correct token at {share:.1%} of the places of 1,000 sequences;"
        " training reaches 100%."
    )
    if share < 0.3:
        message += (
            " Did the training cell finish before you recorded, and does train_step reverse the target?"
        )
        return Wrong(message, evidence=shown)
    return Wrong(f"{message} Did the training stop too early?", evidence=shown)


def reverse_map(weights: dict[str, np.ndarray], tokens: np.ndarray) -> dict[str, Any]:
    """The attention map of 2.6's recorded model on one sequence (n,)."""
    labels = [f"{place}: {token}" for place, token in enumerate(tokens)]
    weights_of_one = public.reverse_outputs(weights, tokens[None])[1][0]
    return attention("Attention of your recorded model on one sequence", labels, {"": weights_of_one})


@reverse.check(points=2, needs=[*RECORDED, "trained_antidiagonal"])
def the_claim_about_the_figure(answer: Answer, trained_antidiagonal: np.ndarray) -> Wrong | None:
    model = {name: answer[f"reverse_{name}"] for name in REVERSE}
    _, weights = public.reverse_outputs(model, public.PROBE_SEQUENCES)
    found, expected = float(trained_antidiagonal), float(antidiagonal(weights))
    if np.isclose(found, expected, rtol=1e-3, atol=1e-3):
        return None
    shown = reverse_map(model, public.PROBE_SEQUENCES[0])
    message = f"`trained_antidiagonal` is {found:.4g},"
    if np.isclose(found, float(_main_diagonal(weights)), rtol=1e-3, atol=1e-3):
        return Wrong(f"{message} the mean weight on the main diagonal.", evidence=shown)
    return Wrong(
        f"{message} but the recorded weights give {expected:.4g} on `probe_sequences`: the mean over all 200"
        " sequences and 8 queries. Was the model trained again after you computed it?",
        evidence=shown,
    )
