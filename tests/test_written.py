"""The written answers as pages and PDF: complete, harmless, and with words where something is missing."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import time
from pathlib import Path

import nbformat
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from autograder.author.build import build_notebook, dumps
from autograder.cli.main import main
from autograder.declare import homeworks
from autograder.names import source_path
from autograder.report import safehtml, written
from tests.gallery import ROOT
from tests.test_pages import ATTACKS, HARMFUL

HW3 = homeworks()["hw3"]
CHROMIUM = next((path for name in written.BROWSERS if (path := shutil.which(name))), None)


def handed_in(folder: Path, who: str, answer: str) -> None:
    notebook = build_notebook(HW3, source_path(ROOT, HW3.stem))
    cell = next(cell for cell in notebook.cells if cell.source.startswith("**Answer 3.7**"))
    cell.source = f"**Answer 3.7**\n\n{answer}"
    own = folder / who
    own.mkdir(parents=True)
    (own / "hw3.ipynb").write_text(dumps(nbformat.from_dict(notebook)), encoding="utf-8")


def run(*arguments: object):
    return CliRunner().invoke(main, ["written", *map(str, arguments)])


def test_each_submission_gets_a_page_with_its_answers_and_what_is_left_out_is_named(tmp_path: Path):
    handed_in(tmp_path / "class", "jane", "Because $QK^\\top$ is what **counts**.")
    handed_in(tmp_path / "class", "blank", "")
    (tmp_path / "class" / "log").mkdir()
    (tmp_path / "class" / "log" / "submission_log.json").write_text("{}")
    result = run(tmp_path / "class", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "Skipped: log: No notebook was handed in" in result.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"jane.html", "blank.html"}
    page = (tmp_path / "out" / "jane.html").read_text(encoding="utf-8")
    assert "<strong>counts</strong>" in page
    assert "<math" in page
    assert "What training finds" in page
    assert "No answer was found." in (tmp_path / "out" / "blank.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_harmful_gets_onto_a_page(attack: str):
    text = f"Before. {attack} After."
    page = written.page("<script>alert(1)</script>", HW3, [written.Answered(HW3.questions["3.7"], text)])
    body = page[page.index("<main>") :]
    assert not HARMFUL.search(body.replace('<h2 id="q1">', "<h2>")), body
    assert "<script" not in page
    assert "default-src 'none'" in page


def test_without_a_browser_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(written, "BROWSERS", ("no-such-browser",))
    handed_in(tmp_path / "class", "jane", "Because.")
    result = run(tmp_path / "class", "-o", tmp_path / "out", "--pdf")
    assert result.exit_code == 1
    assert "PDF needs Chromium or Chrome" in result.output
    assert "print the HTML pages" in result.output


def test_a_browser_that_fails_is_told_with_its_words(tmp_path: Path):
    page = tmp_path / "page.html"
    page.write_text("<p>x</p>")
    with pytest.raises(RuntimeError, match=r"could not print page\.html"):
        written.print_pdf(page, tmp_path / "page.pdf", shutil.which("false") or "/bin/false")
    assert not (tmp_path / "page.pdf").exists()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.xdist_group("browser")
def test_a_pdf_holds_the_answer_and_no_script_ran_for_it(tmp_path: Path):
    script = (
        '<script>document.body.innerHTML = "TAKEN"</script><img src=x'
        " onerror=\"document.body.innerHTML='TAKEN'\">"
    )
    handed_in(tmp_path / "class", "jane", f"Weights agree. {script}\n\n$$\\frac{{QK^\\top}}{{\\sqrt d}}$$")
    result = run(tmp_path / "class", "-o", tmp_path / "out", "--pdf")
    assert result.exit_code == 0, result.output
    data = (tmp_path / "out" / "jane.pdf").read_bytes()
    assert data.startswith(b"%PDF-")
    assert b"/StructTreeRoot" in data, "tagged, so that a screen reader finds headings"
    if shutil.which("pdftotext"):
        text = subprocess.run(
            ["pdftotext", str(tmp_path / "out" / "jane.pdf"), "-"], capture_output=True, text=True, check=True
        ).stdout
        assert "Weights agree." in text
        assert "TAKEN" not in text


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.xdist_group("browser")
def test_a_pdf_holds_a_pasted_picture(tmp_path: Path):
    """One pasted as a cell's attachment, one as a data URI, each of a size of its own."""
    handed_in(tmp_path / "class", "jane", "See ![](attachment:a.png) and ![](data:image/png;base64,@DATA@)")
    path = tmp_path / "class" / "jane" / "hw3.ipynb"
    document = json.loads(path.read_text(encoding="utf-8").replace("@DATA@", png(31, 17)))
    cell = next(cell for cell in document["cells"] if "attachment:a.png" in "".join(cell["source"]))
    cell["attachments"] = {"a.png": {"image/png": png(43, 29)}}
    path.write_text(json.dumps(document), encoding="utf-8")
    result = run(tmp_path / "class", "-o", tmp_path / "out", "--pdf")
    assert result.exit_code == 0, result.output
    data = (tmp_path / "out" / "jane.pdf").read_bytes()
    for wide, high in ((31, 17), (43, 29)):
        assert f"/Width {wide}".encode() in data
        assert f"/Height {high}".encode() in data


def png(wide: int, high: int) -> str:
    """A picture of noise, in base64."""
    made = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (high, wide, 3), np.uint8)
    Image.fromarray(noise).save(made, "PNG")
    return base64.b64encode(made.getvalue()).decode()


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("The <mask> token and <EOS> come last", "The &lt;mask&gt; token and &lt;EOS&gt; come last"),
        ("a List<int> and more words", "a List&lt;int&gt; and more words"),
        ("if x<y then z>w it fails", "if x&lt;y then z&gt;w it fails"),
        ("if a<b and c>d it fails", "if a&lt;b and c&gt;d it fails"),
        ("<text>\nits next line", "&lt;text&gt;\nits next line"),
    ],
)
def test_words_that_look_like_tags_are_words_and_take_nothing_with_them(words: str, shown: str):
    assert shown in str(safehtml.markdown(words))


@pytest.mark.parametrize(
    "tags",
    [
        "<b>bold</b>",
        "<details open><summary>s</summary>t</details>",
        '<a href="https://example.org/a?b=c">l</a>',
        '<img alt="a>b" src="data:image/png;base64,AAAA">',
        "<math><mi>x</mi></math>",
        "<https://example.org>",
    ],
)
def test_tags_that_are_html_stay_tags(tags: str):
    assert "&lt;" not in str(safehtml.markdown(tags))


def test_words_that_look_like_tags_are_found_in_linear_time():
    for many in ('<a ="' * 50_000, "<x" * 100_000, "<a b " * 50_000, "<a x=" * 50_000 + ">"):
        started = time.monotonic()
        safehtml.words_of_tags(many)
        assert time.monotonic() - started < 5
