"""Written answers are found in every layout in which people write them; a lost one is never empty."""

from __future__ import annotations

import re
import time
from functools import cache

import nbformat
import pytest

from autograder.author.build import build_notebook, dumps
from autograder.declare import homeworks
from autograder.kit.headings import heading
from autograder.names import source_path
from autograder.submissions.notebook import written_answers
from tests.gallery import ROOT

HW3, HW1 = homeworks()["hw3"], homeworks()["hw1"]
TEXT = "The scores agree because only the product counts."
MORE = "The order of the tokens does not matter to it."

Cells = list[tuple[str, str]]


@cache
def built(homework: str, variants: str = "") -> str:
    declared = homeworks()[homework]
    return dumps(build_notebook(declared, source_path(ROOT, declared.stem), variants=variants))


def fresh(homework, variants: str = "") -> nbformat.NotebookNode:
    """The student notebook."""
    return nbformat.reads(built(homework.id, variants), as_version=4)


def notebook(homework, question: str, cells: Cells | None, before: Cells = ()) -> nbformat.NotebookNode:
    """The student notebook with other cells in the place of an answer's cell; None leaves it as it is."""
    built = fresh(homework)
    place = next(n for n, cell in enumerate(built.cells) if cell.source.startswith(f"**Answer {question}**"))
    made = [built.cells[place]] if cells is None else [_cell(*one) for one in cells]
    built.cells[place : place + 1] = [*(_cell(*one) for one in before), *made]
    return built


def _cell(kind: str, text: str) -> nbformat.NotebookNode:
    return nbformat.NotebookNode(cell_type=kind, source=text, metadata={})


def answer(cells: Cells | None, homework=HW3, question: str = "3.7", before: Cells = ()):
    return written_answers(notebook(homework, question, cells, before), homework)[question]


M = "markdown"
BLANK = "*Write your answer here.*"
LAYOUTS: dict[str, Cells] = {
    "as asked": [(M, f"**Answer 3.7**\n\n{TEXT}")],
    "placeholder kept above": [(M, f"**Answer 3.7**\n\n{BLANK}\n\n{TEXT}")],
    "placeholder kept on the line": [(M, f"**Answer 3.7**\n\n{BLANK} {TEXT}")],
    "on the heading's line": [(M, f"**Answer 3.7** {TEXT}")],
    "colon inside": [(M, f"**Answer 3.7:** {TEXT}")],
    "colon outside": [(M, f"**Answer 3.7**: {TEXT}")],
    "colon, text below": [(M, f"**Answer 3.7:**\n{TEXT}")],
    "title": [(M, f"## Answer 3.7\n{TEXT}")],
    "bold title": [(M, f"### **Answer 3.7**\n\n{TEXT}")],
    "title with text": [(M, f"#### Answer 3.7: {TEXT}")],
    "underlined title": [(M, f"Answer 3.7\n==========\n{TEXT}")],
    "bold by HTML": [(M, f"<b>Answer 3.7</b>\n\n{TEXT}")],
    "strong by HTML with break": [(M, f"<strong>Answer 3.7</strong><br>{TEXT}")],
    "title by HTML": [(M, f"<h3>Answer 3.7</h3>\n{TEXT}")],
    "colored": [(M, f'<span style="color:blue">**Answer 3.7**</span>\n\n{TEXT}')],
    "in a box": [(M, f'<div class="alert alert-info">\n\n**Answer 3.7**\n\n{TEXT}\n</div>')],
    "italic": [(M, f"*Answer 3.7*\n\n{TEXT}")],
    "bold by underscores": [(M, f"__Answer 3.7__\n\n{TEXT}")],
    "bold and italic": [(M, f"***Answer 3.7***\n\n{TEXT}")],
    "plain": [(M, f"Answer 3.7\n\n{TEXT}")],
    "plain with colon": [(M, f"Answer 3.7: {TEXT}")],
    "lower case": [(M, f"**answer 3.7**\n\n{TEXT}")],
    "capitals": [(M, f"**ANSWER 3.7:**\n\n{TEXT}")],
    "answer to": [(M, f"**Answer to 3.7**\n\n{TEXT}")],
    "answer to question": [(M, f"**My answer to question 3.7:** {TEXT}")],
    "two spaces": [(M, f"**Answer  3.7**\n\n{TEXT}")],
    "hard space": [(M, f"**Answer\u00a03.7**\n\n{TEXT}")],
    "escaped by an editor": [(M, f"\\*\\*Answer 3.7\\*\\*\n\n{TEXT}")],
    "quoted": [(M, f"> **Answer 3.7**\n>\n> {TEXT}")],
    "text quoted": [(M, f"**Answer 3.7**\n\n> {TEXT}")],
    "in a list": [(M, f"- **Answer 3.7**\n\n  {TEXT}")],
    "in a numbered list": [(M, f"1. **Answer 3.7** {TEXT}")],
    "text as a list": [(M, f"**Answer 3.7**\n\n- {TEXT}\n- {MORE}")],
    "in a table": [(M, f"| **Answer 3.7** | {TEXT} |\n|---|---|")],
    "fenced": [(M, f"**Answer 3.7**\n\n```\n{TEXT}\n```")],
    "all bold": [(M, f"**Answer 3.7: {TEXT}**")],
    "dash": [(M, f"**Answer 3.7** - {TEXT}")],
    "words above the heading": [(M, f"{TEXT}\n\n**Answer 3.7**\n\n{BLANK}")],
    "after lines and a rule": [(M, f"\n\n---\n**Answer 3.7**\n\n{TEXT}")],
    "Windows line ends": [(M, f"**Answer 3.7**\r\n\r\n{TEXT}")],
    "next cell": [(M, f"**Answer 3.7**\n\n{BLANK}"), (M, TEXT)],
    "next cell with a title of its own": [(M, f"**Answer 3.7**\n\n{BLANK}"), (M, f"### Mine\n{TEXT}")],
    "next cell but one": [(M, f"**Answer 3.7**\n\n{BLANK}"), (M, ""), (M, TEXT)],
    "next cell is raw": [(M, f"**Answer 3.7**\n\n{BLANK}"), ("raw", TEXT)],
    "next cell holds code comments": [(M, f"**Answer 3.7**\n\n{BLANK}"), ("code", f"# {TEXT}")],
    "next cell holds a string": [(M, f"**Answer 3.7**\n\n{BLANK}"), ("code", f'"""\n{TEXT}\n"""')],
    "next cell prints": [(M, f"**Answer 3.7**\n\n{BLANK}"), ("code", f'print("{TEXT}")')],
    "next cell is words without Python": [(M, f"**Answer 3.7**\n\n{BLANK}"), ("code", TEXT)],
    "cell above": [(M, TEXT), (M, f"**Answer 3.7**\n\n{BLANK}")],
    "raw cell": [("raw", f"**Answer 3.7**\n\n{TEXT}")],
    "code cell": [("code", f"**Answer 3.7**\n\n{TEXT}")],
    "code cell, commented": [("code", f"# Answer 3.7\n# {TEXT}")],
    "code cell, comment on the line": [("code", f"# Answer 3.7: {TEXT}")],
    "code cell, string": [("code", f'"""\n**Answer 3.7**\n\n{TEXT}\n"""')],
    "code cell, Markdown magic": [("code", f"%%markdown\n**Answer 3.7**\n\n{TEXT}")],
    "comments above code": [("code", f"# Answer 3.7\n# {TEXT}\nshown = 1")],
    "heading overwritten": [(M, TEXT)],
    "heading overwritten by a title": [(M, f"### My answer\n\n{TEXT}")],
    "heading translated": [(M, f"**Antwort 3.7**\n\n{TEXT}")],
    "heading overwritten, in a raw cell": [("raw", TEXT)],
    "heading overwritten, two cells": [(M, TEXT), (M, MORE)],
    "split, with the heading twice": [(M, f"**Answer 3.7**\n\n{TEXT}"), (M, f"**Answer 3.7**\n\n{MORE}")],
    "a comment of HTML": [(M, f"**Answer 3.7**\n\n<!--\n{TEXT}\n-->")],
    "unfolding": [(M, f"<details><summary><b>Answer 3.7</b></summary>\n\n{TEXT}\n</details>")],
    "in parts": [(M, f"**Answer 3.7a**\n\n{TEXT}\n\n**Answer 3.7b**\n\n{MORE}")],
    "another number": [(M, f"**Answer 2.7**\n\n{TEXT}")],
    "another number, colon": [(M, f"**Answer 3.8:** {TEXT}")],
    "number alone": [(M, f"**3.7**\n\n{TEXT}")],
    "wide digits": [(M, f"**Answer \uff13.\uff17**\n\n{TEXT}")],
    "Arabic digits": [(M, f"**Answer \u0663.\u0667**\n\n{TEXT}")],
    "wide colon": [(M, f"**Answer 3.7\uff1a** {TEXT}")],
    "next cell assigns a string": [(M, f"**Answer 3.7**\n\n{BLANK}"), ("code", f'answer = """\n{TEXT}\n"""')],
    "next cell assigns and prints": [
        (M, f"**Answer 3.7**\n\n{BLANK}"),
        ("code", f'text = ("{TEXT}"\n    "{MORE}")\nprint(text)'),
    ],
    "next cell prints several": [(M, f"**Answer 3.7**\n\n{BLANK}"), ("code", f'print("Mine:", "{TEXT}", 3)')],
    "next cell prints an f-string": [(M, f"**Answer 3.7**\n\n{BLANK}"), ("code", f'print(f"{TEXT}")')],
    "next cell imports and shows": [
        (M, f"**Answer 3.7**\n\n{BLANK}"),
        ("code", f'from IPython.display import Markdown, display\ndisplay(Markdown("""{TEXT}"""))'),
    ],
    "next cell is LaTeX": [(M, f"**Answer 3.7**\n\n{BLANK}"), ("code", f"%%latex\n{TEXT}")],
    "next cell writes a file": [
        (M, f"**Answer 3.7**\n\n{BLANK}"),
        ("code", f"%%writefile answer.md\n{TEXT}"),
    ],
    "next cell never runs": [(M, f"**Answer 3.7**\n\n{BLANK}"), ("code", f'if False:\n    """{TEXT}"""')],
    "comments and code": [(M, f"**Answer 3.7**\n\n{BLANK}"), ("code", f"# {TEXT}\n# {MORE}\nprint(1 + 1)")],
    "comment in the record cell": [
        (M, f"**Answer 3.7**\n\n{BLANK}"),
        ("code", f'# {TEXT}\nrecord("3.7")'),
    ],
    "a picture alone": [(M, f'**Answer 3.7**\n\n<img src="x.png" alt="{TEXT}">')],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_answer_is_found_as_people_write_it(layout: str):
    found = answer(LAYOUTS[layout])
    assert found.state == "found"
    assert TEXT in found.text
    assert "Write your answer" not in found.text
    assert not re.search(r"Answer 3\.7\b", found.text)
    assert not found.nearby
    if MORE in str(LAYOUTS[layout]):
        assert MORE in found.text


@pytest.mark.parametrize(
    "cells",
    [
        None,
        [(M, "**Answer 3.7**")],
        [(M, "**Answer 3.7:**\n\n  \n")],
        [(M, f"**Answer 3.7** {BLANK}")],
        [(M, f"> **Answer 3.7**\n>\n> {BLANK}")],
        [(M, "**Answer 3.7**\n\n---\n")],
        [(M, f"**Answer 3.7**\n\n{BLANK}"), (M, "")],
        [(M, f"**Answer 3.7**\n\n{BLANK}"), ("code", "x = 1")],
    ],
)
def test_a_place_that_holds_nothing_is_blank(cells: Cells | None):
    found = answer(cells)
    assert (found.state, found.text) == ("blank", "")


def test_an_answer_whose_place_is_gone_is_not_found():
    found = answer([])
    assert (found.state, found.text) == ("not found", "")
    found = answer([("code", "words = 'nothing'")])
    assert found.state == "not found"
    assert any("words = 'nothing'" in cell for cell in found.nearby)


def test_of_several_texts_without_a_heading_none_is_taken_and_all_are_shown():
    found = answer([("code", "x = 1"), (M, TEXT), ("code", "y = 2"), (M, MORE)])
    assert (found.state, found.text) == ("not found", "")
    assert found.nearby == (TEXT, MORE)


@pytest.mark.parametrize(
    "text",
    [
        "\u5206\u6570\u4e00\u81f4\uff0c\u56e0\u4e3a\u53ea\u6709\u4e58\u79ef\u91cd\u8981\u3002",
        "\u05d4\u05ea\u05e9\u05d5\u05d1\u05d4 \u05d4\u05d9\u05d0 \u05d4\u05de\u05db\u05e4\u05dc\u05d4",
    ],
    ids=["Chinese", "Hebrew"],
)
@pytest.mark.parametrize("code", ["{}", "answer = {!r}", "# {}", 'print("{}")'])
def test_an_answer_in_a_script_without_case_is_found_in_a_code_cell(text: str, code: str):
    found = answer([(M, f"**Answer 3.7**\n\n{BLANK}"), ("code", code.format(text))])
    assert (found.state, found.text) == ("found", text)


@pytest.mark.parametrize(
    "tag", ['<iframe src="https://docs.example.org/a"></iframe>', '<a href="a.pdf"></a>']
)
def test_a_place_that_only_shows_something_is_not_blank(tag: str):
    assert answer([(M, f"**Answer 3.7**\n\n{tag}")]).state == "found"


@pytest.mark.parametrize(
    "text", ["**3.7** " + TEXT, "3.7: " + TEXT, "### Question 3.7\n" + TEXT, "Q3.7) " + TEXT, f"3.7\n{TEXT}"]
)
def test_an_answer_at_the_end_of_the_notebook_without_its_heading_is_shown_and_not_blank(text: str):
    built = fresh(HW3)
    built.cells.append(_cell(M, text))
    found = written_answers(built, HW3)["3.7"]
    assert (found.state, found.nearby) == ("not found", (text,))
    built.cells[-1] = _cell(M, "3.7 was the hardest question of all for me")
    assert written_answers(built, HW3)["3.7"].state == "blank"


def test_a_text_between_heading_and_record_cell_that_code_splits_off_is_kept():
    found = answer([(M, f"**Answer 3.7**\n\n{TEXT}"), (M, MORE)])
    assert TEXT in found.text
    assert MORE in found.text


@pytest.mark.parametrize("homework", homeworks().values(), ids=list(homeworks()))
def test_an_answer_without_its_heading_is_found_in_every_question(homework):
    for question in homework.questions.values():
        if question.written:
            found = answer([(M, TEXT)], homework, question.id)
            assert (found.state, found.text) == ("found", TEXT), question.id
            blank = answer(None, homework, question.id)
            assert (blank.state, blank.text) == ("blank", ""), question.id


def test_an_answer_is_found_without_its_heading_where_students_have_numbers_of_their_own():
    built = fresh(HW1, "2027-spring")
    place = next(n for n, cell in enumerate(built.cells) if cell.source.startswith("**Answer 1.12**"))
    built.cells[place].source = TEXT
    assert written_answers(built, HW1)["1.12"].text == TEXT


def test_an_answer_below_the_question_s_own_text_is_found():
    built = notebook(HW3, "3.7", [])
    title = next(cell for cell in built.cells if cell.source.startswith("## 3.7 "))
    title.source += f"\n\n{TEXT}"
    assert written_answers(built, HW3)["3.7"].text == TEXT


def test_two_answers_in_one_cell_are_two_answers():
    built = fresh(HW1)
    cells = [cell for cell in built.cells if cell.source.startswith(("**Answer 1.11**", "**Answer 1.12**"))]
    cells[0].source = f"**Answer 1.11**\n\n{TEXT}\n\n**Answer 1.12**\n\n{MORE}"
    built.cells.remove(cells[1])
    found = written_answers(built, HW1)
    assert (found["1.11"].text, found["1.12"].text) == (TEXT, MORE)


def test_an_answer_may_name_another_one_and_quote_titles():
    words = f"{TEXT}\n\nAnswer 3.6 shows that heads add up; see **Answer 9.9** too.\n\n#### A part\n\n{MORE}"
    found = answer([(M, f"**Answer 3.7**\n\n{words}")])
    assert found.text == words


@pytest.mark.parametrize(
    "line",
    [
        "Answer 3.7 shows that the product counts",
        "The answer is 3.7 times as large",
        "answers 3.7",
        "**Answer 3.71x**",
        "**Answer 3.7.2**",
        "3.7",
        "",
    ],
)
def test_what_is_no_heading_is_none(line: str):
    found = heading(line)
    assert found is None or found.question != "3.7"


def test_reading_hostile_text_takes_no_time():
    started = time.monotonic()
    for text in (
        "> " * 200_000,
        "<" * 200_000,
        "1. " * 100_000,
        "*" * 400_000,
        "Answer " * 50_000,
        "\\" * 300_000,
    ):
        answer([(M, text), ("code", text)])
    assert time.monotonic() - started < 20
