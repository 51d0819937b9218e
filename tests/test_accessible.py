"""For everyone: figures say what they show, tables have headers, images have words, not color alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import numpy as np
import pytest

from autograder import kit
from autograder.author.build import build_notebook
from autograder.author.inlined import public_files
from autograder.author.source import read_source
from autograder.declare import homeworks
from autograder.names import source_path
from autograder.report import safehtml
from autograder.report.notebook_html import render_cells
from tests.conftest import by_homework, reference
from tests.contrast import contrast
from tests.gallery import ROOT

DRAWN_HERE = [
    name for name, one in homeworks().items() if not (ROOT / "solutions" / f"{one.stem}.log.json").is_file()
]  # the others train for minutes
PAGES = [
    ROOT / "README.md",
    ROOT / "autograder" / "hosts" / "bundled" / "README.students.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
STYLE = re.compile(r"([^;:]+?) \(([a-z ]+)\) (?:goes from|is at) ")


def markdown(source: Path | str) -> Iterator[tuple[str, str]]:
    """The Markdown texts of a page or of a homework's notebook, each with its place, code left out."""
    if isinstance(source, Path):
        texts = [(source.name, source.read_text(encoding="utf-8"))]
    else:
        homework = homeworks()[source]
        cells = build_notebook(
            homework, source_path(ROOT, homework.stem), repository="https://example.org/x"
        ).cells
        texts = [(f"{source}, {cell.id}", cell.source) for cell in cells if cell.cell_type == "markdown"]
    for place, text in texts:
        yield place, re.sub(r"^```.*?^```|`[^`\n]*`", "code", text, flags=re.DOTALL | re.MULTILINE)


def figures(name: str) -> list[tuple[int, dict]]:
    notebook = nbformat.reads(reference(name)[0], as_version=4)
    return [
        (index, output)
        for index, cell in enumerate(notebook.cells)
        for output in cell.get("outputs", [])
        if any(kind.startswith("image/") for kind in output.get("data", {}))
    ]


@pytest.mark.parametrize("name", by_homework(DRAWN_HERE))
def test_every_figure_of_an_executed_notebook_says_what_it_shows(name: str):
    drawn = figures(name)
    assert len(drawn) >= 5
    for index, output in drawn:
        told = output["metadata"].get("image/png", {}).get("alt", "")
        assert told.startswith("Figure"), (
            f"{name}, cell {index}: a figure without words; call show_figure() instead of plt.show()"
        )
        assert len(told) > 60, (name, index, told)
        assert output["data"]["text/plain"] == told
    notebook = nbformat.reads(reference(name)[0], as_version=4)
    below = "".join(
        output.data.get("text/html", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "data" in output
    )
    assert below.count("<summary>Figure in words</summary>") == len(drawn)


@pytest.mark.parametrize("name", by_homework(DRAWN_HERE))
def test_lines_of_one_panel_differ_in_more_than_color(name: str):
    several = 0
    for index, output in figures(name):
        for panel in output["metadata"]["image/png"]["alt"].split("\n"):
            styles = [style for _, style in STYLE.findall(panel)]
            several += len(styles) > 1
            assert len(set(styles)) == len(styles), (name, index, panel)
    assert several or name == "hw3"


def test_no_notebook_and_no_kit_shows_a_figure_without_words():
    for homework in homeworks().values():
        for index, cell in enumerate(read_source(source_path(ROOT, homework.stem)).cells):
            if cell.cell_type == "code":
                assert "plt.show()" not in cell.source, (homework.id, index)
                draws = re.search(r"(?:subplots|draw_panels)\(", cell.source)
                assert not draws or re.search(r"\bshow_\w+\(", cell.source), (homework.id, index)
    for path in (path for path in public_files() if "homeworks" in path.parts):
        text = path.read_text(encoding="utf-8")
        assert "plt.show()" not in text, path.name
        drawn = len(re.findall(r"(?:plt\.subplots|draw_panels)\(", text))
        assert drawn == text.count("    show_figure(figure)"), path.name


def test_a_figure_is_described_by_its_titles_axes_lines_and_extremes():
    from matplotlib.figure import Figure

    figure = Figure()
    left, right = figure.subplots(1, 2)
    left.plot([1, 2, 3], [5.0, 1.0, 0.25], "--", label="loss")
    left.plot([2], [1.0], "o", label="kept")
    left.set(title="Training", xlabel="step", ylabel="error")
    right.imshow(np.array([[0.1, 0.9], [0.5, 0.5]]))
    right.set_xticks([0, 1], ["A", "B"])
    right.set_yticks([0, 1], ["first", "second"])
    figure.suptitle("Two panels")
    told = kit.describe_figure(figure)
    assert (
        told
        == "Figure: Two panels.\nTraining: error over step; loss (dashed) goes from 5 to 0.25 for x from 1 to"
        " 3; kept (circles) is at 1 at x = 2.\nmap of 2 rows and 2 columns, from 0.1 to 0.9; first is"
        " largest at B (0.9); second is alike everywhere."
    )


def test_feedback_pages_keep_the_words_of_a_figure_and_nothing_else_of_its_metadata():
    picture = (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
    told = 'Figure: weights "on" <b>A</b>'
    outputs = [
        nbformat.v4.new_output("display_data", data={"image/png": picture}, metadata={"image/png": metadata})
        for metadata in ({"alt": told, "width": 9_999}, {"alt": ["no", "text"]}, {})
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=outputs)])
    (html,) = render_cells(notebook)
    found = re.findall(r"<img[^>]*>", html)
    assert len(found) == 3
    assert "Figure: weights" in found[0]
    assert "<b>" not in found[0]
    assert "9999" not in html
    assert all('alt="Figure drawn by cell 1"' in one for one in found[1:])


@pytest.mark.parametrize("source", [*PAGES, *homeworks()], ids=lambda source: getattr(source, "name", source))
def test_images_have_words_and_tables_have_headers(source: Path | str):
    for name, text in markdown(source):
        for alt, _ in re.findall(r"!\[([^\]]*)\]\(([^)]*)\)", text):
            assert len(alt) > 5, f"{name}: an image without words"
        assert not re.search(r"<img(?![^>]*\balt=)", text), name
        for head in re.findall(
            r"^(\|.*\|)[ \t]*\n\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*$", text, flags=re.MULTILINE
        ):
            cells = [cell.strip() for cell in head.strip().strip("|").split("|")]
            assert all(cells), f"{name}: a table's column has no header: {head}"


THEMES = ("#ffffff", "#111111", "#1e1e1e")  # JupyterLab light and dark, VS Code dark


def test_marks_of_a_check_read_on_light_and_dark_pages():
    lines = [(True, "fine"), (False, "wrong"), (None, "note")]
    shown = kit.Feedback("Check", lines)._repr_html_()
    for page in (shown, safehtml.clean(shown)):  # in a notebook, and on a feedback page
        marks = re.findall(r'<b style="([^"]*)">(.)</b>', page)
        assert [mark for _, mark in marks] == ["✓", "✗", "·"]
        for style, mark in marks:
            found = dict(re.findall(r"(?<![\w-])((?:background-)?color):\s*(#\w{6})", style))
            assert contrast(found["color"], found["background-color"]) >= 4.5, mark
            assert all(contrast(found["background-color"], theme) >= 3 for theme in THEMES), mark
        words = re.sub(r'<b style="[^"]*">.</b>', "", page)
        assert not re.search(r"(?<![\w-])color:", words)  # the words are in the page's own color
    for state, words in lines:
        (edge,) = re.findall(
            r"border-left:4px solid (#\w{6})", kit.Feedback("", [(state, words)])._repr_html_()
        )
        assert all(contrast(edge, theme) >= 3 for theme in THEMES), words


def test_a_line_that_several_inputs_give_is_shown_once():
    lines: list[kit.Line] = [(False, "the same"), (True, "fine"), (False, "the same"), (None, "the same")]
    told = kit.Feedback("Check 4.6b", lines)
    assert str(told).count("the same") == told._repr_html_().count("the same") == 2
    assert not told.ok


def test_a_picture_without_words_gets_some_and_one_from_elsewhere_its_words():
    source = 'src="data:image/png;base64,AAAA"'
    shown = safehtml.clean(f'<img {source}><img alt="mine" {source}><img src="a.png" alt="theirs">')
    assert re.findall(r'<img[^>]* alt="([^"]*)"', shown) == [safehtml.NO_WORDS, "mine"]
    assert shown.endswith("[theirs]")
