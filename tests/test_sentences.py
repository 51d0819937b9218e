"""What feedback says: a name only for what explains everything, no nonsense, nothing twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from autograder import kit
from autograder.declare import Case, Challenge, homeworks, judge_cases
from autograder.grade.repeats import without_repeats
from autograder.grade.report import CheckResult
from autograder.homeworks.hw1.public.basics import rows_sum_to_one
from tests.conftest import GradedClass, by_homework

SEEDS = ("a first seed", "a second seed", "a third seed")
NONSENSE = re.compile(
    r"1 of 1 numbers|the only number|at \[\]|expected \(\)(?!: a single number)"
    r"|numeric array of shape \(\)|raised (?:Mismatch|Checkpoint|Instrument)Error"
)


def groups(cases: dict[str, Case]) -> Iterator[list[Case]]:
    for group in dict.fromkeys(case.group for case in cases.values()):
        yield [case for case in cases.values() if case.group == group]


def result(challenge: Challenge, says: str, case: Case) -> object:
    """What a mistake gives on a case as a judge sees it; None where it cannot run."""
    oracle = challenge.mistakes[says] if says else challenge.expected
    try:
        with np.errstate(all="ignore"):
            return kit.decode(kit.encode(case.result_of(oracle)))
    except (ValueError, IndexError, ZeroDivisionError, AttributeError):
        return None


def agreements(challenge: Challenge, cases: list[Case]) -> set[tuple[str, str]]:
    """Pairs of mistakes that no first case tells apart.

    The first case of a mistake is the first of its group on which it is not right.
    """

    def agree(one: object, other: object) -> bool:
        alike = one is not None and other is not None
        return alike and kit.same(one, other, rtol=challenge.rtol, atol=challenge.atol)

    if result(challenge, "", cases[0]) is None:  # judged by properties
        return set()
    first = {}
    for says in challenge.mistakes:
        differing = (
            (case.note, place)
            for place, case in enumerate(cases)
            if not agree(result(challenge, "", case), result(challenge, says, case))
        )
        first[says] = next((place for _, place in differing), None)
    return {
        (one, other)
        for one in first
        for other in first
        if one < other and first[one] == first[other] is not None
        if agree(result(challenge, one, cases[first[one]]), result(challenge, other, cases[first[one]]))
    }


def gist(says: str) -> str:
    """A sentence without the examples in its brackets: two sentences that differ in those say the same."""
    return re.sub(r"\([^)]*, …\)|\(yours has [^)]*\)", "", says)


@pytest.mark.parametrize("name", by_homework())
def test_notes_of_inputs_have_the_singular_for_one(name: str):
    """Such as "1 head", never "1 heads"."""
    homework = homeworks()[name]
    notes = {case.note for cases in homework.draw(SEEDS[0]).values() for case in cases.values()}
    notes |= {one["note"] for challenge in homework.challenges() for one in challenge.public(name)}
    assert [note for note in notes if re.search(r"(?<![\d.,×])\b1 (?:[a-z]+ )?[a-z]+s\b(?! *=)", note)] == []


@pytest.mark.parametrize("name", by_homework())
def test_no_two_mistakes_agree_on_a_first_case(name: str):
    found = set()
    for seed in SEEDS:
        drawn = homeworks()[name].draw(seed)
        for challenge in homeworks()[name].challenges():
            if challenge.expected and challenge.mistakes:
                for cases in groups(dict(drawn[challenge.name])):
                    pairs = {pair for pair in agreements(challenge, cases) if len(set(map(gist, pair))) > 1}
                    found |= {f"{challenge.name}, {cases[0].group}: {one} / {other}" for one, other in pairs}
    assert not found, "\n".join(sorted(found))


@pytest.mark.parametrize("graded", by_homework(), indirect=True)
def test_no_sentence_speaks_of_the_only_number_or_of_a_class_of_the_kit(graded: GradedClass):
    told = [
        f"{question.id}: {check.feedback}"
        for _, report in graded.students.values()
        for question in report.questions
        for check in question.checks
    ]
    assert [sentence for sentence in told if NONSENSE.search(sentence)] == []


@pytest.mark.parametrize("graded", by_homework(), indirect=True)
def test_no_sentence_is_repeated_under_the_checks_of_one_question(graded: GradedClass):
    repeated = []
    for _, report in graded.students.values():
        for question in report.questions:
            told = [check.feedback for check in question.checks if check.cause == "wrong"]
            told = [feedback for feedback in told if not feedback.startswith("As above")]
            repeated += [f"{question.id}: {one}" for one in set(told) if told.count(one) > 1]
    assert repeated == []


def doubled(challenge_mistakes: dict[str, object]) -> Challenge:
    return Challenge(
        "double",
        cases=lambda rng: [Case([1.0]), Case([2.0]), Case([3.0])],
        expected=lambda x: 2 * x,
        mistakes=challenge_mistakes,
    )


def trials(challenge: Challenge, answer) -> list[kit.Trial]:
    cases = challenge.drawn(np.random.default_rng(0))
    return [
        kit.Trial(
            str(place), case.note, case.group, tuple(case.args), {}, "ok", {"result": answer(*case.args)}
        )
        for place, case in enumerate(cases)
    ]


def test_a_mistake_is_named_only_if_it_explains_every_failing_case():
    challenge = doubled({"You squared it.": lambda x: x * x, "You took half.": lambda x: x / 2})
    squared = judge_cases(challenge, trials(challenge, lambda x: x * x))
    assert squared.feedback.endswith("You squared it.")
    other = judge_cases(challenge, trials(challenge, lambda x: 1.0 if x == 1 else 7.0))
    assert "You squared it." not in other.feedback
    assert "is 1; expected 2" in other.feedback
    once = judge_cases(challenge, trials(challenge, lambda x: 1.0 if x == 1 else 2 * x))
    assert once.feedback.endswith("You squared it.")  # it explains all that is wrong


def test_an_oracle_is_asked_once_for_a_drawn_case_and_mistakes_only_where_an_answer_differs():
    asked = []
    challenge = Challenge(
        "double",
        cases=lambda rng: [Case([1.0]), Case([2.0])],
        expected=lambda x: asked.append("expected") or 2 * x,
        mistakes={"You squared it.": lambda x: asked.append("mistake") or x * x},
    )
    cases = {f"double/{place}": case for place, case in enumerate(challenge.drawn(np.random.default_rng(0)))}
    logged = challenge.read(
        {
            "status": "ok",
            "responses": {name: {"status": "ok", "result": 2 * case.args[0]} for name, case in cases.items()},
        }
    )
    for _ in range(3):
        assert judge_cases(challenge, challenge.value(logged, cases)) is None
    assert asked == ["expected", "expected"]


def test_what_the_kit_found_is_told_without_its_class():
    told = kit.trouble_words(
        "Model", "a batch", kit.error_words({"type": "", "message": "no layer", "where": ""})
    )
    assert told == "`Model` cannot be tried on a batch: no layer."
    asked = kit.error_words({"type": "", "message": "no layer. Did the class change?", "where": ""})
    assert kit.trouble_words("Model", "", asked) == "`Model` cannot be tried: no layer. Did the class change?"
    error = {"type": "ValueError", "message": "no layer", "where": " (line 1: x)"}
    told = kit.trouble_words("Model", "a batch", kit.error_words(error))
    assert told == "`Model` raised ValueError: no layer (line 1: x) on a batch."


def test_a_number_that_is_no_number_is_told_as_one():
    assert kit.check_shapes({"x": ()}, {"x": np.asarray(np.inf)}) == ["x is inf; it must be finite."]
    assert kit.check_shapes({"x": ()}, {"x": "many"}) == ["x should be a number, but it is text."]
    assert "a single number" in kit.check_shapes({"x": ()}, {"x": np.zeros(3)})[0]


def test_a_second_check_points_to_what_the_first_one_said():
    def failing(name: str, feedback: str) -> CheckResult:
        return CheckResult(name, "failed", 0.0, 1.0, feedback, cause="wrong")

    name = "The scale 1/√d_k is missing."
    checks = without_repeats(
        [
            failing("values", f"`attention` on n = 3 is 4; expected 5. {name}"),
            failing("the mask", f"`attention` on the causal mask for n = 7 is 2; expected 3. {name}"),
            failing("one key", f"`attention` on n = 8 is 1; expected 2. {name}"),
            failing("other", "`attention` on n = 9 has shape (2,); expected (3,)."),
        ]
    )
    assert name in checks[0].feedback
    assert name not in checks[1].feedback
    assert "see above, “values”" in checks[1].feedback
    assert checks[2].feedback.startswith("As above, under “values”: `attention`")
    assert checks[3].feedback == "`attention` on n = 9 has shape (2,); expected (3,)."


def test_a_notebook_names_a_mistake_only_if_it_explains_every_failing_example():
    challenge = doubled({"You squared it.": lambda x: x * x})
    examples = challenge.public("hw0")

    def told(answer) -> str:
        responses = {
            one["id"]: {"status": "ok", "result": {"fields": {"result": answer(*kit.decode(one["args"]))}}}
            for one in examples
        }
        lines = kit.KINDS["challenge"].checked({"name": "double"}, {"responses": responses}, examples)
        return " ".join(words for state, words in lines if state is False)

    assert told(lambda x: x * x).endswith("You squared it.")
    assert "You squared it." not in told(lambda x: 1.0 if x == 1 else 7.0)
    assert told(lambda x: 2 * x) == ""


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (lambda x: 2.0 if x == 1 else 0.0, "You returned 0 for all but one."),
        (lambda x: 2 * x if x < 3 else 0.0, "You returned 0."),
    ],
    ids=["explains every case", "explains all that is wrong"],
)
def test_check_cells_and_grading_name_mistakes_by_one_rule(answer: Any, named: str):
    challenge = doubled(
        {
            "You returned 0.": lambda x: 0.0,
            "You returned 0 for all but one.": lambda x: 2.0 if x == 1 else 0.0,
        }
    )
    examples = challenge.public("hw0")
    responses = {
        one["id"]: {"status": "ok", "result": {"fields": {"result": answer(*kit.decode(one["args"]))}}}
        for one in examples
    }
    lines = kit.KINDS["challenge"].checked({"name": "double"}, {"responses": responses}, examples)
    assert lines[-1][1].endswith(f" {named}")
    assert judge_cases(challenge, trials(challenge, answer)).feedback == lines[-1][1]


def test_weights_of_zero_are_not_blamed_on_the_softmax_axis():
    weights = np.array([[0.731, 0, 0.269], [0, 1, 0], [0.269, 0, 0.731]])  # rows and columns sum to 1
    lines = rows_sum_to_one({"norms_17": np.array([2.828, 2, 2.828]), "weights_17": weights})
    told = " ".join(text for passed, text in lines if passed is False)
    assert "a weight above 0" in told
    assert "axis" not in told
