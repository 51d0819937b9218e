"""Library calls that do a question's whole job are found in the source, whatever the source looks like."""

from __future__ import annotations

import pytest

from autograder.grade.annotate import with_calls
from autograder.grade.report import CheckResult, QuestionResult
from autograder.submissions import library_calls as librarycalls
from autograder.submissions.library_calls import LibraryCall, find_library_calls

WANTED = {"2.4": (["Mine"], ["scaled_dot_product_attention", "MultiheadAttention"])}

FOUND = {
    "an attribute": (
        "class Mine:\n    def forward(self, q):\n        return"
        " torch.nn.functional.scaled_dot_product_attention(q, q, q)"
    ),
    "an imported name": (
        "from torch.nn import MultiheadAttention as M\nclass Mine:\n    def __init__(self):\n       "
        " self.inner = M(8, 2)"
    ),
    "a helper two steps away": (
        "def a(q):\n    return F.scaled_dot_product_attention(q, q, q)\nb = a\nclass Mine:\n    def"
        " forward(self, q):\n        return b(q)"
    ),
    "a base class": "class Mine(nn.MultiheadAttention):\n    pass",
    "an alias of the class": "Mine = nn.MultiheadAttention",
    "getattr": 'class Mine:\n    f = getattr(F, "scaled_dot_product_attention")',
    "a method put in afterwards": "class Mine:\n    pass\nMine.forward = nn.MultiheadAttention.forward",
    "setattr": "class Mine:\n    pass\nsetattr(Mine, 'forward', nn.MultiheadAttention.forward)",
    "inside try": "try:\n    class Mine(nn.MultiheadAttention):\n        pass\nexcept Exception:\n    pass",
    "a cell with magics": (
        "%%time\n%matplotlib inline\n!pip list\nfiles = !ls\nprint?\n%time Mine = nn.MultiheadAttention(8, 2)"
    ),
}
NOT_FOUND = {
    "a comparison beside the answer": (
        "class Mine:\n    pass\ntheirs = nn.MultiheadAttention(8, 2)\nprint(compare(Mine, theirs))"
    ),
    "a comment and a docstring": (
        'class Mine:\n    """Equals nn.MultiheadAttention."""\n    # scaled_dot_product_attention'
    ),
    "locals that are called like variables elsewhere": (
        "class Mine:\n    def forward(self, x):\n        y = x\n        return y\nx ="
        " nn.MultiheadAttention(8, 2)\nclass Other:\n    def forward(self, x):\n        y ="
        " F.scaled_dot_product_attention(x, x, x)\n        return y"
    ),
    "one's own function of that name": (
        "def scaled_dot_product_attention(q):\n    return q\nclass Mine:\n    def forward(self, q):\n       "
        " return scaled_dot_product_attention(q)"
    ),
    "one's own method of that name": (
        "class Mine:\n    def forward(self, q):\n        return self.scaled_dot_product_attention(q)\n"
        "    def scaled_dot_product_attention(self, q):\n        return q"
    ),
}


@pytest.mark.parametrize("source", FOUND.values(), ids=FOUND)
def test_a_call_that_does_the_whole_job_is_found(source: str):
    calls, trouble = find_library_calls({3: "import torch", 7: source}, WANTED)
    assert trouble is None
    assert calls
    assert {(call.question, call.cell) for call in calls} == {("2.4", 7)}


@pytest.mark.parametrize("source", NOT_FOUND.values(), ids=NOT_FOUND)
def test_what_is_no_such_call_is_left_alone(source: str):
    assert find_library_calls({7: source}, WANTED) == ([], None)


@pytest.mark.parametrize(
    "line", ["Mine = nn.MultiheadAttention", "from torch.nn import MultiheadAttention as Mine"]
)
def test_a_use_on_a_line_that_the_course_supplied_is_not_the_students(line: str):
    assert find_library_calls({7: line}, WANTED)[0]
    assert find_library_calls({7: f"  {line}  "}, WANTED, frozenset([line])) == ([], None)


@pytest.mark.parametrize(
    "source",
    [
        "class Mine(nn.MultiheadAttention): pass",
        "def f(q): return F.scaled_dot_product_attention(q, q, q)\nMine = f",
        "Mine = 1  # a comment\nMine = nn.MultiheadAttention  # another",
    ],
)
def test_a_definition_or_comment_hides_no_use_on_its_line(source: str):
    assert find_library_calls({7: source}, WANTED)[0]


def test_a_notebook_without_such_a_name_is_not_parsed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(librarycalls.subprocess, "run", None)  # whoever calls it raises
    source = "# no nn.MultiheadAttention\nclass MultiheadAttention(Base):\n    pass\nclass Mine: pass"
    assert find_library_calls({7: source}, WANTED) == ([], None)


def test_a_call_is_reported_for_the_question_whose_name_it_serves_only():
    source = (
        "class Inner(nn.MultiheadAttention):\n    pass\nclass Outer:\n    def __init__(self, part=Inner):\n  "
        "      self.part = part()"
    )
    wanted = {"4.4": (["Inner"], ["MultiheadAttention"]), "4.5": (["Outer"], ["MultiheadAttention"])}
    assert [call.question for call in find_library_calls({1: source}, wanted)[0]] == ["4.4"]


NAME = "nn.MultiheadAttention"
HOSTILE = {
    "deep parentheses": f"Mine = {'(' * 50_000}{NAME}{')' * 50_000}",
    "deep attributes": f"Mine = {NAME}{'.a' * 90_000}",
    "a long sum": f"Mine = {NAME}{'+1' * 90_000}",
    "many minus signs": f"Mine = {'-' * 150_000}{NAME}",
    "deep blocks": "\n".join(" " * depth + "if 1:" for depth in range(300)) + f"\n{' ' * 300}Mine = {NAME}",
    "a null byte": f"Mine = {NAME}\0",
    "a lone surrogate": f"Mine = {NAME} + '\ud800'",
    "no Python": f"Mine = = {NAME} )",
    "a huge cell": f"Mine = {NAME}\n" + "x = 1\n" * 1_000_000,
    "nested f-strings": "Mine = " + "f'{" * 5_000 + NAME,
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_cell_harms_nobody_and_hides_no_other(source: str):
    calls, trouble = find_library_calls({1: source, 2: "Mine = F.scaled_dot_product_attention"}, WANTED)
    assert trouble is not None or (2, "scaled_dot_product_attention") in {
        (call.cell, call.name) for call in calls
    }


def test_a_search_that_takes_too_long_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(librarycalls, "SECONDS", 0.001)
    calls, trouble = find_library_calls({1: "Mine = nn.MultiheadAttention"}, WANTED)
    assert calls == []
    assert trouble is not None
    assert "please look yourself" in trouble


@pytest.mark.parametrize(("zero", "points"), [(False, 3.0), (True, 0.0)])
def test_a_call_is_a_note_or_costs_the_points_of_its_question(zero: bool, points: float):
    result = QuestionResult("2.4", "Heads", (CheckResult("right", "passed", 3.0, 3.0),))
    flagged = with_calls(result, [LibraryCall("2.4", 7, 2, "MultiheadAttention")], zero)
    assert flagged.points == points
    assert len(flagged.notes) == 1
    assert "cell 7, line 2 uses `MultiheadAttention`" in flagged.notes[0]
