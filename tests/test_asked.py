"""Each requirement has its check and each check its requirement, in the declarations and on the page."""

from __future__ import annotations

import pytest

from autograder.author.asked import asked
from autograder.declare import NOT_JUDGED, Array, Choice, Homework, homeworks
from tests.conftest import by_homework

LISTED = ["hw1", "hw2", "hw3", "hw4", "hw5", "hw6"]  # whose requirements are written down


def faults(homework: Homework) -> list[str]:
    found = []
    for question in homework.questions.values():
        listed = [check for _, checks in question.asked() for check in checks]
        names = [check.name for check in question.checks]
        found += [f"{question.id}: asks for {name!r}, which is no check" for name in set(listed) - set(names)]
        found += [
            f"{question.id}: {name!r} is checked, but nothing asked stands for it"
            for name in names
            if name not in listed
        ]
    return found


@pytest.mark.parametrize("name", by_homework(LISTED))
def test_every_check_is_asked_for_and_every_requirement_names_its_check(name: str):
    assert not faults(homeworks()[name]), "\n".join(faults(homeworks()[name]))


def made(**asks: str) -> Homework:
    homework = Homework("hw0", title="One", stem="hw0_one")
    letters = Choice("letter", {"A": "a", "B": "b"}, "A", {"B": "no"}, 1)
    question = homework.question(
        "0.1", "Sum", minutes=1, difficulty="easy", entries=[Array("total"), letters], asks=asks
    )
    question.check("the sum", points=1, needs=["total"])(lambda total: None)
    return homework


def test_a_check_that_nothing_asks_for_and_a_requirement_without_its_check_are_found():
    assert faults(made(rounded="the sum", style=NOT_JUDGED)) == []
    assert faults(made(rounded="the total")) == [
        "0.1: asks for 'the total', which is no check",
        "0.1: 'the sum' is checked, but nothing asked stands for it",
    ]


def test_the_page_shows_the_check_behind_each_requirement_or_that_it_is_not_judged():
    page = asked({"hw0": made(rounded="the sum", style=NOT_JUDGED)})
    assert "| 0.1 | rounded | the sum | 1 |" in page
    assert "| 0.1 | style | not judged |  |" in page
    assert "| 0.1 | `letter` is the right letter | letter | 1 |" in page
