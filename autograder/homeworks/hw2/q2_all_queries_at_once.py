"""2.2: the same head without a loop over queries."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from autograder import kit
from autograder.declare import Case, Challenge, Prediction, Wrong, curve, not_run, several, wrong_on
from autograder.homeworks.hw2 import public
from autograder.homeworks.hw2.homework import ATTENTION_CALLS, hw
from autograder.homeworks.hw2.q1_numpy_to_pytorch import TRANSFORMER_MISTAKES, ported, transformer


def long_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Three lengths, the same model."""
    for n in public.LENGTHS:
        yield ported(
            rng,
            n,
            (2, 3, 2),
            pos=1,
            places=max(public.LENGTHS),
            want=["operations"],
            note=f"n = {several(n, 'place')}",
        )


vectorized = hw.question(
    "2.2",
    "All queries at once",
    topic="vectorization",
    minutes=5,
    difficulty="medium",
    asks={
        "neither torch's operations nor Python's steps (NumPy included) grow with the number of places": (
            "the number of operations does not grow with the length"
        ),
    },
    entries=[
        Prediction(
            "prediction_22",
            {"A": "as many as before", "B": "about twice as many", "C": "about four times as many"},
        ),
        Challenge("VectorisedTransformer", cases=long_cases),
    ],
    forbids=ATTENTION_CALLS,
)


@vectorized.check(points=6)
def the_number_of_operations_does_not_grow_with_the_length(
    VectorisedTransformer: list[kit.Trial],
) -> Wrong | None:
    trials = VectorisedTransformer
    for trial in trials:
        if trouble := not_run("VectorisedTransformer", trial):
            return trouble
        if trouble := wrong_on(trial, _no_attention(trial)):
            return trouble
    problem, _ = public.operations_problem("VectorisedTransformer", trials)
    if not problem:
        return None
    counts = {"tensor operations": [int(trial.result["operations"]) for trial in trials]}
    if public.growth(counts["tensor operations"]) <= public.FREE_GROWTH:
        counts = {"steps of Python": [int(trial.result["steps"]) for trial in trials]}
    shown = curve(
        "What your forward starts, by number of places",
        counts,
        x="places",
        y="how many",
        at=list(public.LENGTHS),
    )
    return Wrong(f"{problem} (A correct answer that loops keeps its points in 2.1.)", evidence=shown)


def _no_attention(trial: kit.Trial) -> str | None:
    """Why operations are not counted: the result is neither right nor wrong in a way that 2.1 names."""
    readings = [transformer, *TRANSFORMER_MISTAKES.values()]
    if any(kit.same(reading(*trial.args, **trial.kwargs), trial.output, atol=1e-5) for reading in readings):
        return None
    problem = kit.compare(
        transformer(*trial.args, **trial.kwargs), trial.output, atol=1e-5, what="the output"
    )
    return (
        f"On {trial.note}, {problem} Operations are counted for a working head only. Read the feedback of 2.1"
        " first."
    )
