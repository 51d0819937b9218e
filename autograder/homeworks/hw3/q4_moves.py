"""3.4: a function that builds heads which move and transform places: identity, permutation, linear layer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from autograder.declare import NOT_JUDGED, Case, Challenge, Wrong, attention, not_run
from autograder.homeworks.hw3 import public
from autograder.homeworks.hw3.homework import hw
from autograder.kit import Trial


def drawn_order(rng: np.random.Generator, n: int) -> np.ndarray:
    """A permutation that is not its own inverse, so that the inverse shows."""
    while True:
        order = rng.permutation(n)
        if (order[order] != np.arange(n)).any():
            return order


def moves(rng: np.random.Generator) -> Iterator[Case]:
    """Orders of 3 to 6 places and maps (d, out), identity, permutation and linear layer each by itself."""
    for n, d in ((5, 3), (3, 2)):
        yield Case([np.arange(n), np.eye(d)], note=f"the identity on {n} places", group="identity")
    for n, d in ((5, 3), (4, 2), (6, 1)):
        order = drawn_order(rng, n)
        yield Case([order, np.eye(d)], note=f"the order {order.tolist()}", group="permutation")
    for n, d, out in ((5, 3, 3), (4, 2, 3), (3, 4, 2)):
        yield Case(
            [np.arange(n), rng.normal(size=(d, out))],
            note=f"a linear map ({d}, {out}) at each of {n} places",
            group="linear",
        )


def shown_moves(rng: np.random.Generator) -> Iterator[Case]:
    """What the notebook tries: one of each kind, of sizes that all differ, and a map that is square."""
    yield Case([np.arange(3), np.eye(2)], note="the identity on 3 places", group="identity")
    order = np.array([2, 0, 4, 1, 3])
    yield Case([order, np.eye(3)], note="the order [2, 0, 4, 1, 3]", group="permutation")
    linear = np.array([[2.0, -1.0, 0.0], [0.0, 1.0, 3.0]])
    yield Case([np.arange(4), linear], note="a linear map (2, 3) at each of 4 places", group="linear")
    square = np.array([[1.0, 2.0], [0.0, -1.0]])
    yield Case([np.arange(3), square], note="a linear map (2, 2) at each of 3 places", group="linear")


heads = hw.question(
    "3.4",
    "One construction: identity, permutation, linear layer",
    topic="identity and permutation",
    minutes=20,
    difficulty="medium",
    asks={
        "the output equals the input": "identity for any real input",
        "the output at place i is the input at place order[i]": "any permutation",
        "the same linear map at each place": "the same linear map at each place",
        "large real inputs": [
            "identity for any real input",
            "any permutation",
            "the same linear map at each place",
        ],
        "you choose qk": NOT_JUDGED,
    },
    entries=[Challenge("moving_head", cases=moves, examples=shown_moves)],
)


def real_inputs(identity: str, n: int, d: int) -> Iterator[np.ndarray]:
    """Sequences (n, d) of real numbers, small and large."""
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big"))
    for scale in (1.0, 10.0):
        for _ in range(10):
            yield scale * rng.normal(size=(n, d))


def moved(trials: list[Trial], group: str) -> Wrong | None:
    """The first thing that is wrong with the heads of one group, on real inputs of two sizes."""
    for trial in trials:
        if trial.group != group:
            continue
        if trouble := not_run("moving_head", trial):
            return trouble
        arrays, problem = public.move_arrays(trial)
        if problem:
            return Wrong(f"On {trial.note}: {problem}")
        order, linear = np.asarray(trial.args[0]), np.asarray(trial.args[1])
        for x in real_inputs(trial.id, len(order), len(linear)):
            if problem := public.move_problem(*arrays, x, order.tolist(), linear):
                _, map_ = public.attend(public.with_places(x, np.eye(len(x))), *arrays)
                places = [f"place {place}" for place in range(len(x))]
                drawn = attention("Attention of your weights on that input", places, {"": map_})
                return Wrong(f"On {trial.note}: {problem}", evidence=drawn)
    return None


@heads.check(points=3)
def identity_for_any_real_input(moving_head: list[Trial]) -> Wrong | None:
    return moved(moving_head, "identity")


@heads.check(points=5)
def any_permutation(moving_head: list[Trial]) -> Wrong | None:
    return moved(moving_head, "permutation")


@heads.check(points=3)
def the_same_linear_map_at_each_place(moving_head: list[Trial]) -> Wrong | None:
    return moved(moving_head, "linear")
