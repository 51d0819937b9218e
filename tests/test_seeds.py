"""No verdict is a matter of luck: galleries under several seeds, and the command that does it."""

from __future__ import annotations

import contextlib
import re
import sys
from collections import defaultdict
from collections.abc import Mapping
from functools import cache

import numpy as np
import pytest
from click.testing import CliRunner

from autograder import kit
from autograder.author.gallery import Example, right, students, wrong
from autograder.cli.main import main
from autograder.declare import Case, Challenge, Question, Wrong, homeworks
from autograder.declare.entries import CaseTrial
from autograder.grade.report import CheckResult, QuestionResult
from autograder.grade.seeds import Verdicts, grade_seeds, is_named, is_right, outcome, sentence_kind, shares
from tests.conftest import PLACE, by_homework, reference
from tests.example_results import Here
from tests.gallery import ROOT, examples

SEEDS = ("a first seed", "a second seed", "a third seed")


FIRST = 2  # answers to each question that every run of the tests grades under all seeds; the sweep grades all


def first(name: str, count: int) -> list[Example]:
    """The first answers to each question of a gallery."""
    of_question: dict[str, list[Example]] = defaultdict(list)
    for example in examples(name):
        of_question[example.question].append(example)
    return [example for several in of_question.values() for example in several[:count]]


@cache
def changes(name: str, count: int = sys.maxsize) -> list[str]:
    _, log, files = reference(name)
    made = students(ROOT, homeworks()[name], first(name, count), log, files)
    # new processes would prepare sandboxes of their own
    judged = grade_seeds(made, SEEDS, PLACE, Here(), lambda: None)
    return [str(one) for one in judged if one.changes or not one.right]


@pytest.mark.parametrize("name", by_homework())
def test_no_first_answer_to_a_question_is_judged_by_the_luck_of_the_draw(name: str):
    assert not changes(name, FIRST), "\n".join(changes(name, FIRST))


@pytest.mark.sweep
@pytest.mark.parametrize("name", by_homework())
def test_no_answer_of_the_gallery_is_judged_by_the_luck_of_the_draw(name: str):
    assert not changes(name), "\n".join(changes(name))


def test_sentences_are_the_same_if_only_drawn_numbers_differ():
    one = "`f` on n = 4 differs in 3 of 8 numbers; at [0, 1] it is -1.5e-03, expected 0.25. No scale."
    other = (
        one.replace("4", "17").replace("[0, 1]", "[2]").replace("-1.5e-03", "nan").replace("0.25", "1,024")
    )
    assert sentence_kind(one) == sentence_kind(other)
    assert sentence_kind(one) != sentence_kind(one.replace("scale", "mask"))


def test_a_list_of_numbers_may_be_longer_under_another_seed():
    kinds = {
        sentence_kind(f"The classes occur {counts} times.") for counts in ("20, 13, 21", "4, 4, 5, 7, 6")
    }
    assert kinds == {"The classes occur #, … times."}
    assert sentence_kind("1 row is drawn twice.") == sentence_kind("23 rows are drawn twice.")
    assert sentence_kind("It has 3 rows, 4 are asked.") != sentence_kind("It has 3 rows.")


def result(state: str, points: float, feedback: str = "It is not used.") -> QuestionResult:
    checks = (
        CheckResult("the mask", state, points, 3.0, "" if points else feedback),
        CheckResult("the size", "passed", 1.0, 1.0),
    )
    return QuestionResult("1.3", "All queries at once", checks)


def test_a_change_is_told_with_the_checks_that_differ_and_a_seed_that_gives_it():
    lucky, unlucky = outcome(result("passed", 3.0)), outcome(result("failed", 0.0))
    outcomes = {unlucky: ["seed 1", "seed 3"], lucky: ["seed 2"]}
    change = Verdicts(right("1.3", "a mask of −20"), outcomes, right=False, named=True)
    assert change.changes
    assert str(change).split("\n") == [
        "1.3: a mask of −20",
        "  the mask, 2 × (seed 1): failed, 0 points. It is not used.",
        "  the mask, 1 × (seed 2): passed, 3 points.",
    ]


def test_an_answer_is_judged_rightly_if_its_checks_fail_with_its_phrase():
    unmasked = wrong("1.3", "no mask", loses=["the mask"], says="not used")
    assert is_right(unmasked, result("failed", 0.0))
    assert not is_right(unmasked, result("failed", 0.0, "It is 3; expected 4."))
    assert not is_right(unmasked, result("passed", 3.0))
    assert not is_right(unmasked, None)
    assert is_right(right("1.3", "loops"), result("passed", 3.0))
    assert not is_right(right("1.3", "loops"), result("failed", 0.0))


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ("`f` on n = 4 is 3.5; expected -0.25.", False),
        ("`f` on n = 4 differs in 3 of 8 numbers; at [0, 1] it is nan, expected 2e-05.", False),
        ("`f` on a text gives ['a', 'b']; expected ['a'].", False),
        (f"`f` on n = 4 is nan; expected 2. {kit.not_finite('`f` on n = 4 is nan; expected 2.')}", False),
        ("`f` on n = 4 is 3.5; expected -0.25. The scale is missing.", True),
        ("`f` has shape (3,); expected (4,).", True),
        ("It is not used.", True),
    ],
)
def test_a_mistake_is_named_if_more_is_said_than_which_numbers_differ(told: str, named: bool):
    assert is_named(result("failed", 0.0, told)) is named


def test_shares_count_answers_verdicts_and_names():
    bad = wrong("1.3", "no mask", loses=["the mask"], says="not used")
    judged = [
        Verdicts(right("1.3", "loops"), {}, right=True, named=False),
        Verdicts(bad, {}, right=True, named=True),
        Verdicts(bad, {}, right=False, named=False),
    ]
    assert shares(judged) == (
        "3 answers, 2 of them wrong; 66.7% judged as the gallery says; 50.0% of the wrong ones told more than"
        " numbers"
    )


def test_the_command_wants_homeworks_or_all_of_them():
    for arguments in (["gallery"], ["gallery", "hw1", "--all"]):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 2
        assert "or give --all" in result.output


def test_the_command_tells_where_no_gallery_is(tmp_path):
    result = CliRunner().invoke(main, ["gallery", "hw1", "--root", str(tmp_path)])
    assert result.exit_code == 2
    assert "is not a checkout of this project" in result.output


def test_the_command_grades_the_answers_to_one_question_under_seeds():
    result = CliRunner().invoke(
        main, ["gallery", "hw1", "--seeds", "2", "--question", "1.12", "--root", str(ROOT), "--workers", "2"]
    )
    assert result.exit_code == 0, result.output
    assert re.search(r"hw1, 2 seeds: \d+ answers, \d of them wrong; 100.0% judged", result.output)


def failing_checks(
    question: Question, challenge: Challenge, says: str, cases: Mapping[str, Case]
) -> frozenset[str]:
    """The checks that refuse what a mistake's formula gives, where they look at nothing else."""
    trials: list[kit.Trial] = []
    for identity, case in cases.items():
        with contextlib.suppress(Exception), np.errstate(all="ignore"):  # not every formula takes every input
            result = kit.decode(kit.encode(case.result_of(challenge.mistakes[says])))
            inputs = tuple(case.args), case.kwargs
            trials.append(CaseTrial(identity, case.note, case.group, *inputs, "ok", result, case=case))
    failing = set()
    for check in question.checks:
        with contextlib.suppress(Exception):  # it judges more than results, or a group without any
            if check.needs == (challenge.name,) and isinstance(check.judge({challenge.name: trials}), Wrong):
                failing.add(check.name)
    return frozenset(failing)


@pytest.mark.parametrize("draws", [2, pytest.param(12, marks=pytest.mark.sweep)])
@pytest.mark.parametrize("name", by_homework())
def test_no_known_mistake_is_right_by_the_luck_of_the_draw(name: str, draws: int):
    seen: dict[str, set[frozenset[str]]] = defaultdict(set)
    for number in range(draws):
        drawn = homeworks()[name].draw(f"luck {number}")
        for question in homeworks()[name].questions.values():
            for challenge in (entry for entry in question.entries if isinstance(entry, Challenge)):
                for says in challenge.mistakes if challenge.expected else ():
                    failing = failing_checks(question, challenge, says, drawn[challenge.name])
                    seen[f"{challenge.name}: {says}"].add(failing)
    lucky = [
        f"{mistake}: {sorted(map(sorted, checks))}" for mistake, checks in seen.items() if len(checks) > 1
    ]
    assert not lucky, "\n".join(lucky)
