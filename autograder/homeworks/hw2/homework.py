"""hw2: a Transformer in NumPy, then in PyTorch.

Everything here is trusted and stays out of the kernel. Each ``qN_….py`` holds one question: its hidden
inputs, its oracle and its judges. Weights are injected by name; oracles are float64 NumPy (2.1–2.3) and
torch's own modules (2.4–2.5); known mistakes are their ``variant`` argument. ``oracles.py`` holds the parts
that several questions use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autograder import kit
from autograder.declare import Answer, Challenge, Homework, Question, Wrong, judge_cases, not_run
from autograder.homeworks.hw2 import public
from autograder.homeworks.hw2.decoder import data
from autograder.homeworks.hw2.oracles import Floats

hw = Homework(
    "hw2",
    title="A Transformer in NumPy, then in PyTorch",
    stem="hw2_numpy_to_pytorch",
    data=data,
    imports=("torch._dynamo",),  # an optimizer imports it: 800 modules, two thirds of a second
)

ATTENTION_CALLS = (
    "scaled_dot_product_attention",
    "MultiheadAttention",
    "multi_head_attention_forward",
    "TransformerEncoderLayer",
)
NORM_CALLS = ("LayerNorm", "layer_norm", "native_layer_norm")


def normal(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> Floats:
    """Random float32 numbers, as a torch model gets them."""
    return (scale * rng.normal(size=shape)).astype(np.float32)


def mistakes(model: Callable[..., Any], named: Mapping[str, str]) -> dict[str, Callable[..., Any]]:
    """The model with each named mistake.

    Results are rounded so that notebooks stay small; half a unit is below the tolerance of 1e-6.

    Args:
        model: with a ``variant`` argument.
        named: what to say → the variant.
    """

    def rounded(variant: str) -> Callable[..., Any]:
        def wrong(*args: Any, **kwargs: Any) -> Any:
            result = model(*args, **kwargs, variant=variant)
            return [np.round(part, 6) for part in result] if isinstance(result, list) else np.round(result, 6)

        return wrong

    return {says: rounded(variant) for says, variant in named.items()}


def check_gradients(question: Question, name: str, *, points: float, group: str = "gradients") -> None:
    """Adds the check that gradients reach every parameter."""

    @question.check(f"gradients reach every parameter of {name}", points=points, needs=[name])
    def gradients_reach_every_parameter(answer: Answer) -> Wrong | None:
        trials = [trial for trial in answer[name] if trial.group == group]
        for trial in trials:
            if trouble := not_run(name, trial):
                return trouble
        problem = public.gradient_problem(name, trials, public.HARMLESS.get(name, ()))
        return Wrong(problem) if problem else None


def check_cases_and(
    problem_in: Callable[[str, Sequence[kit.Trial]], str | None],
    question: Question,
    name: str,
    label: str,
    *,
    points: float,
    group: str,
) -> None:
    """Adds a comparison with the oracle after which a slip beside the values costs half the points.

    Args:
        problem_in: what is wrong beside the values, from the class's name and the trials of the group.
        question: the question.
        name: of the challenge.
        label: of the check.
        points: for values without the slip.
        group: of the cases.
    """
    challenge = question.entry(name)
    assert isinstance(challenge, Challenge)

    @question.check(label, points=points, needs=[name])
    def judged(answer: Answer) -> Wrong | None:
        if wrong := judge_cases(challenge, answer[name], group):
            return wrong
        problem = problem_in(name, [trial for trial in answer[name] if trial.group == group])
        return Wrong(problem, earned=0.5) if problem else None
