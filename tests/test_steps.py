"""The count of Python's instructions: the same for the same work, whatever else happens meanwhile."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from autograder.kit.shared.steps import python_steps


def product() -> np.ndarray:
    made = [[] for _ in range(500)]  # enough new objects for a collection at the threshold below
    return np.ones((4, 3)) @ np.ones((3, len(made) // 500))


class Leftover:
    """A cycle that costs Python some steps when it is collected."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        sum(number for number in range(50))


def test_a_garbage_collection_does_not_count():
    _, alone = python_steps(product)
    before = gc.get_threshold()
    gc.collect()
    gc.disable()
    Leftover()
    gc.set_threshold(100)
    gc.enable()
    try:
        _, among_garbage = python_steps(product)
        assert gc.isenabled()
    finally:
        gc.set_threshold(*before)
    assert among_garbage == alone


def test_what_happens_once_does_not_count():
    seen: list[int] = []

    def loads_first() -> int:
        if not seen:
            seen.extend(number for number in range(100))
        return len(seen)

    assert python_steps(loads_first)[1] == python_steps(loads_first)[1]


@pytest.mark.parametrize("collects", [True, False])
def test_collection_is_as_it_was(collects: bool):
    (gc.enable if collects else gc.disable)()
    try:
        python_steps(product)
        assert gc.isenabled() is collects
    finally:
        gc.enable()


def test_a_loop_counts():
    def loop(n: int) -> float:
        return sum(float(number) for number in range(n))

    assert python_steps(lambda: loop(30))[1] > python_steps(lambda: loop(3))[1] + 27


def test_a_function_costs_the_same_when_it_is_counted_for_the_first_time():
    """Python 3.12 and later report no instructions of a function in the first call that is traced."""

    def rows(array: np.ndarray) -> list[float]:
        return [float(row @ row) for row in array]

    counts = [python_steps(lambda: rows(np.ones((4, 2))))[1] for _ in range(3)]
    assert counts[0] == counts[1] == counts[2] > 20
