"""No reader of a submission takes more than linear time: each is fed growing inputs, and its time compared.

What a page shows is cut, so that for most of these inputs time stops to grow at all.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from autograder.declare import homeworks
from autograder.grade.report import CheckResult, QuestionResult, Report
from autograder.report import notebook_html, safehtml
from autograder.report.feedback import feedback_page
from autograder.report.mistakes import kind_of
from autograder.report.notebook_html import render_cells
from autograder.submissions import library_search, similarity
from autograder.submissions.errors import SubmissionError
from autograder.submissions.log import parse_json, read_log
from autograder.submissions.notebook import read_notebook, recognize, written_answers

HW3 = homeworks()["hw3"]
CHALLENGE = next(
    entry.name for question in HW3.questions.values() for entry in question.entries if entry.hidden_inputs
)
FACTOR = 8  # between the sizes: three doublings
ALLOWED = 24.0  # times as long; quadratic time would be 64 times as long
LITTLE = 0.24  # seconds that a large input may always take
LONG = 0.05  # seconds that are measured well, where the clock of a process has ticks of 0.01 s
TRIES = 3  # the machine may be busy


def seconds(work: Callable[[], object], long: float = 0.0) -> float:
    """The mean processor time of a call, over as many calls as take a given time (20 at most)."""
    calls, started = 0, time.process_time()
    while True:
        safehtml.math.cache_clear()
        notebook_html._rendered.clear()  # a small one would be kept, a large one never
        with contextlib.suppress(SubmissionError, library_search.UnreadError):
            work()
        calls += 1
        spent = time.process_time() - started
        if spent >= long or calls == 20:
            return spent / calls


def assert_linear(
    made: Callable[[int], object], read: Callable[[object], object], size: int, little: float = LITTLE
) -> None:
    """Compares a size with eight times as much, unless even that takes little time."""
    small, large = made(size), made(FACTOR * size)
    found = []
    for _ in range(TRIES):
        spent = seconds(lambda: read(large))
        if spent <= little:
            return
        least = seconds(lambda: read(small), LONG)
        if spent <= ALLOWED * least:
            return
        found.append(f"size {size}: {least} s, {FACTOR * size}: {spent} s")
    raise AssertionError("\n".join(found))


def test_a_quadratic_reader_is_seen():
    def quadratic(text: str) -> None:
        for i in range(0, len(text), 8):
            text.replace("a", "b", i)

    with pytest.raises(AssertionError, match="size 8000"):
        assert_linear(lambda n: "a" * n, quadratic, 8_000, little=0.0)  # on a fast machine, too


def shown(**output: str):
    """A cell with an output, and the page's part that shows it."""
    kind, text = next(iter(output.items()))
    cell = new_code_cell("1")
    if kind == "stream":
        cell.outputs = [new_output("stream", text=text)]
    elif kind == "traceback":
        cell.outputs = [new_output("error", ename="E", evalue=text, traceback=[text])]
    else:
        cell.outputs = [new_output("display_data", data={kind.replace("_", "/"): text})]
    notebook = new_notebook()
    notebook.cells = [cell]
    return notebook


def of_cell(cell):
    notebook = new_notebook()
    notebook.cells = [cell]
    return notebook


HTML = {
    "an angle bracket and blanks": lambda n: "<" + " " * n,
    "an angle bracket, blanks, a slash and blanks": lambda n: "<" + " " * n + "/" + " " * n,
    "on and letters": lambda n: "on" + "a" * n + " " * n,
    "javascript and blanks": lambda n: "javascript" + " " * n,
    "nested divisions": lambda n: "<div>" * n,
    "nested divisions, closed": lambda n: "<div>" * n + "</div>" * n,
    "divisions that only seem to be closed": lambda n: "<div><select></div></select>" * n,
    "divisions closed in a table": lambda n: "<div><table></div></table>" * n,
    "divisions closed in a comment": lambda n: "<div><!--</div>-->" * n,
    "divisions closed in an attribute": lambda n: '<div><p title="</div></p>">' * n,
    "divisions closed in half an attribute": lambda n: '<p x"><div><p y">' * n,
    "fonts and paragraphs": lambda n: "".join(f'<font color="{i}"><p>' for i in range(n)),
    "fonts, paragraphs, closed": lambda n: "".join(f'<font color="{i}"></p></font><p>' for i in range(n)),
    "links": lambda n: "<a href=x>" * n,
    "tables": lambda n: "<table><tr><td>" * n,
    "comments": lambda n: "<!--" * n,
    "declarations": lambda n: "<!" * n,
    "instructions": lambda n: "<?" * n,
    "entities": lambda n: "&" * n,
    "images in an attribute": lambda n: '<img alt="' + "<img" * n + '">',
    "images": lambda n: '<img alt="a">' * n,
    "a style": lambda n: '<p style="' + "color:red;" * n + '">x</p>',
    "a class": lambda n: '<p class="' + "ag-x " * n + '">x</p>',
    "attributes": lambda n: "<p " + "a=b " * n + ">",
    "attributes without an end": lambda n: "<p " + 'a="b" ' * n,
    "quotes": lambda n: "<p a='" * n,
}
MARKDOWN = {
    "brackets": lambda n: "[" * n,
    "pictures": lambda n: "![a](" * n,
    "stars": lambda n: "*a " * n,
    "underscores": lambda n: "_a__" * n,
    "quotes": lambda n: ">" * n,
    "ticks": lambda n: "`" * n + " a",
    "ticks of many lengths": lambda n: " ".join("`" * (i % 300 + 1) for i in range(n // 100)),
    "angle brackets": lambda n: "<" * n,
    "tags": lambda n: "<a " * n,
    "dollars": lambda n: "$" * n,
    "dollars and letters": lambda n: "$a " * n,
    "blanks": lambda n: "a" + " " * n + "b",
    "blank lines": lambda n: " \n" * n,
    "lists": lambda n: "- " * n,
    "deeper lists": lambda n: "\n".join(" " * (2 * i) + "- a" for i in range(n // 50)),
    "a table": lambda n: "|" * n + "\n" + "|-" * n,
    "references": lambda n: "[a]: b\n" * n,
    "environments": lambda n: "\\begin{" * n,
    "fractions": lambda n: "$" + "\\frac{" * n + "$",
    "entities": lambda n: "&" * n,
    "comments": lambda n: "<!--" * n,
    "backslashes": lambda n: "\\" * n,
}
CODE = {
    "assignments": lambda n: "x = [1, 2]\n" * n,
    "quotes": lambda n: '"' * n,
    "formats": lambda n: "f'{" * n,
    "brackets": lambda n: "(" * n,
    "raw strings": lambda n: "r'\\" * n,
    "magics": lambda n: "%" * n,
    "blanks": lambda n: " " * n + "x",
    "a string without an end": lambda n: "'''" + "a\n" * n,
    "digits": lambda n: "1" * n + "e",
    "attributes": lambda n: "a." * n,
    "backslashes": lambda n: "\\\n" * n,
    "question marks": lambda n: "?" * n,
    "indents": lambda n: "\n".join(" " * (i % 90) + "if x:" for i in range(n)),
    "a decorator": lambda n: "@" * n,
    "definitions": lambda n: "def f(x):\n    return x\n" * n,
    "assigned magics": lambda n: "a, " * n + "= %x",
    "commas": lambda n: "a , " * n,
}
TEXT = {
    "escape sequences": lambda n: "\x1b[31m" * n,
    "beginnings of them": lambda n: "\x1b[" * n,
    "one of them": lambda n: "\x1b[1;" + "1;" * n,
    "angle brackets": lambda n: "<" * n,
    "lines": lambda n: "\n" * n,
    "rewritten lines": lambda n: "\r" * n,
    "backspaces": lambda n: "a\b" * n,
}


@pytest.mark.parametrize("made", HTML.values(), ids=HTML)
def test_html_is_cleaned_in_linear_time(made):
    assert_linear(made, lambda text: safehtml.clean(safehtml.shown_html(text)), 1_000)


@pytest.mark.parametrize("made", HTML.values(), ids=HTML)
def test_an_output_of_html_is_shown_in_linear_time(made):
    assert_linear(lambda n: shown(text_html=made(n)), render_cells, 1_000)


@pytest.mark.parametrize("made", MARKDOWN.values(), ids=MARKDOWN)
def test_markdown_is_shown_in_linear_time(made):
    assert_linear(made, safehtml.markdown, 1_000)
    assert_linear(lambda n: of_cell(new_markdown_cell(made(n))), render_cells, 1_000)


@pytest.mark.parametrize("made", CODE.values(), ids=CODE)
def test_code_is_shown_in_linear_time(made):
    assert_linear(lambda n: of_cell(new_code_cell(made(n))), render_cells, 1_000)


@pytest.mark.parametrize("made", TEXT.values(), ids=TEXT)
def test_text_is_shown_in_linear_time(made):
    assert_linear(lambda n: shown(stream=made(n)), render_cells, 1_000)
    assert_linear(lambda n: shown(traceback=made(n)), render_cells, 1_000)


@pytest.mark.parametrize("made", CODE.values(), ids=CODE)
def test_code_is_compared_in_linear_time(made):
    def compare(cell):
        similarity._cell_lines.cache_clear()
        similarity.compare_notebooks([("a", of_cell(cell)), ("b", of_cell(cell))])

    assert_linear(lambda n: new_code_cell(made(n)), compare, 1_000)


@pytest.mark.parametrize("text", ["x = 1\n", "y{i} = x{i} + {i}\n", "a.b{i}(c)[{i}]\n"])
def test_equal_and_different_lines_are_set_side_by_side_in_linear_time(text: str):
    def lines(n: int):
        return list(similarity.logical_lines("".join(text.format(i=i) for i in range(n))))

    assert_linear(lines, lambda found: similarity.side_by_side(found, found[::-1]), 1_000)


@pytest.mark.parametrize("made", CODE.values(), ids=CODE)
def test_plain_code_is_parsed_in_linear_time(made):
    assert_linear(made, library_search.parse, 500)


def log_with(**more: object) -> bytes:
    return json.dumps(
        {"schema": "attention-homeworks/log/1", "homework": "hw3", "entries": {}, **more}
    ).encode()


def responses(given: object) -> bytes:
    return log_with(entries={CHALLENGE: {"status": "ok", "responses": given}})


def names(n: int) -> list[str]:
    return list(map(str, range(n)))


GOOD = {"status": "ok", "result": 1}
LOGS = {
    "broken responses": lambda n: responses(dict.fromkeys(names(n), 1)),
    "broken responses after good ones": lambda n: responses({**dict.fromkeys(names(n), GOOD), "x": 1}),
    "responses with long errors": lambda n: responses(
        {"a": {"status": "error", "error": {"type": "x" * n, "message": "", "where": ""}}}
    ),
    "unknown keys of an entry": lambda n: log_with(
        entries={CHALLENGE: {"status": "ok", **dict.fromkeys(names(n))}}
    ),
    "unknown entries": lambda n: log_with(entries=dict.fromkeys(names(n), 1)),
    "unknown keys": lambda n: log_with(**dict.fromkeys(names(n))),
    "broken answers": lambda n: log_with(answers=dict.fromkeys(names(n), 1)),
    "sources of an answer": lambda n: log_with(answers={"3.1": {"sources": [1] * n}}),
    "a deep list": lambda n: responses("@").replace(b'"@"', b"[" * n + b"]" * n),
    "half characters": lambda n: log_with(entries={"x" + "\ud83d" * n: {}}),
    "a long number": lambda n: b'{"a": ' + b"1" * n + b"}",
}


@pytest.mark.parametrize("made", LOGS.values(), ids=LOGS)
def test_logs_are_read_in_linear_time(made):
    assert_linear(made, lambda data: read_log(data, HW3), 1_000)


def notebook_of(*cells: dict) -> bytes:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)}).encode()


def code(source: object) -> dict:
    return {"cell_type": "code", "source": source}


def prose(source: str) -> dict:
    return {"cell_type": "markdown", "source": source}


def old(n: int) -> bytes:
    outputs = [{"output_type": "stream", "text": "x"}] * n
    cell = {"cell_type": "code", "input": "a", "language": "python", "outputs": outputs}
    return json.dumps({"nbformat": 3, "worksheets": [{"cells": [cell]}]}).encode()


NOTEBOOKS = {
    "cells": lambda n: notebook_of(*[code(["a\n"] * 10)] * (n // 10)),
    "lines": lambda n: notebook_of(code(["record('3.1')\n"] * n)),
    "answers": lambda n: notebook_of(prose("**Answer 3.1**" * n)),
    "blank answers": lambda n: notebook_of(prose("**Answer 3.1**" + " \n" * n)),
    "stars": lambda n: notebook_of(prose("*" * n)),
    "blanks": lambda n: notebook_of(prose(" " * n + "**Answer")),
    "records": lambda n: notebook_of(code("record(" + " " * n)),
    "old outputs": old,
}


@pytest.mark.parametrize("made", NOTEBOOKS.values(), ids=NOTEBOOKS)
def test_notebooks_are_read_in_linear_time(made):
    def read(data: bytes) -> None:
        notebook = read_notebook(data)
        written_answers(notebook, HW3, data)
        recognize(notebook, None, homeworks())

    assert_linear(made, read, 1_000)


def report(text: str) -> Report:
    check = CheckResult("a check", "failed", 0.0, 1.0, text, cause="wrong")
    return Report("a", "hw3", "graded", (QuestionResult("3.1", "t", (check,), written=text),), (text,))


@pytest.mark.parametrize("made", [*MARKDOWN.values(), *TEXT.values()], ids=[*MARKDOWN, *TEXT])
def test_feedback_of_any_text_is_shown_and_grouped_in_linear_time(made):
    assert_linear(lambda n: report(made(n)), lambda one: feedback_page(one, None), 1_000)
    assert_linear(made, kind_of, 1_000)


def test_json_is_parsed_in_linear_time():
    assert_linear(lambda n: b"[" + b"1," * n + b"1]", lambda data: parse_json(data, 10**9, "x"), 10_000)
    assert_linear(lambda n: b'{"a":' * n, lambda data: parse_json(data, 10**9, "x"), 10_000)


def test_an_executed_notebook_is_read_back_in_linear_time():
    made = lambda n: json.dumps(of_cell(shown(stream="x" * n).cells[0]))  # noqa: E731
    assert_linear(made, lambda text: nbformat.reads(text, as_version=4), 20_000)
