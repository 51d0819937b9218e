"""Near-identical code is found, and what a class writes alike is not taken for it."""

from __future__ import annotations

from autograder.declare import homeworks
from autograder.submissions import similarity
from tests.test_pages import notebook_with

HW3 = homeworks()["hw3"]
OWN = """
def scores(a, b):
    total = a @ b.T
    scaled = total / np.sqrt(b.shape[1])
    for row in range(len(scaled)):
        if scaled[row].max() > 40:
            scaled[row] -= scaled[row].max() * 2
    weights = np.exp(scaled)
    return weights / weights.sum(axis=1, keepdims=True)
"""
COPY = """
def scores(left, right):  # my own work
    product = left @ right.T

    small = product / np.sqrt(right.shape[1])
    for i in range(len(small)):
        if small[i].max() > 40: small[i] -= small[i].max() * 2
    w = np.exp( small )
    return w / w.sum(axis=1, keepdims=True)
"""
OTHER = """
def scores(a, b):
    out = np.zeros((len(a), len(b)))
    for i, query in enumerate(a):
        raw = [float(np.dot(query, key)) / len(key) ** 0.5 for key in b]
        top = max(raw)
        soft = [np.exp(value - top) for value in raw]
        norm = sum(soft)
        out[i] = [value / norm for value in soft]
    return out
"""
GIVEN = "\n".join(f"helper_{i} = one_hot('A B C')[{i}] * {i} + np.eye(3)[{i}]" for i in range(30))


def test_a_renamed_copy_is_found_and_an_own_answer_is_not():
    class_ = {
        name: notebook_with(GIVEN, text) for name, text in (("ann", OWN), ("bob", COPY), ("eve", OTHER))
    }
    found = similarity.compare_notebooks(class_.items(), notebook_with(GIVEN))
    assert [group.names for group in found.groups] == [("ann", "bob")]
    assert found.groups[0].pairs[0].similarity > 0.9
    rows = found.groups[0].pairs[0].rows
    assert sum(row.same for row in rows) >= 6
    (first,) = [row for row in rows if row.left[0][0].startswith("def scores(")]
    assert [text for text, differs in first.left if differs] == ["a", "b"]
    assert "".join(text for text, _ in first.left) == "def scores(a, b):"
    assert [text for text, differs in first.right if differs][:2] == ["left", "right"]


def test_lines_side_by_side_stand_under_their_question_and_only_differences_are_marked():
    class_ = {
        name: notebook_with(text, 'record("3.1")', "x = 1")
        for name, text in (("ann", OWN), ("bob", OWN.replace("* 2", "* 3") + "\nprint(scores)"))
    }
    (group,) = similarity.compare_notebooks(class_.items(), homework=HW3).groups
    ((question, rows),) = [part for part in group.pairs[0].parts if part[0]]
    assert question == "3.1"
    marked = [[text for text, differs in row.left + row.right if differs] for row in rows]
    assert [texts for texts in marked if texts] == [["2", "3"], ["print(scores)"]]
    assert rows[-1].left == ()
    assert rows[-1].right == (("print(scores)", True),)


def test_the_shared_skeleton_and_what_the_class_writes_alike_are_no_similarity():
    class_ = {f"s{i}": notebook_with(GIVEN, OWN) for i in range(12)}
    assert similarity.compare_notebooks(class_.items()).groups == ()
    assert (
        similarity.compare_notebooks(
            [("a", notebook_with(GIVEN)), ("b", notebook_with(GIVEN))], notebook_with(GIVEN)
        ).groups
        == ()
    )


def test_code_that_is_no_python_is_compared_as_far_as_it_goes():
    class_ = {"a": notebook_with("!ls\n%time x\n" + OWN, "def f(:\n  '''"), "b": notebook_with(COPY, "\x00")}
    assert len(similarity.compare_notebooks(class_.items()).groups) == 1
