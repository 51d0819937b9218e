"""Feedback pages and the class report: what they show, what they hide, how text stays text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import nbformat
import numpy as np
import pytest

from autograder import kit
from autograder.author.build import build_notebook
from autograder.declare import attention, case_evidence, drawn_as_matrix, homeworks, plain
from autograder.grade import store
from autograder.grade.judge import judge_question
from autograder.grade.report import CheckResult, QuestionResult, Report
from autograder.names import source_path
from autograder.report import charts, class_report, safehtml
from autograder.report.evidence import evidence_svg
from autograder.report.feedback import feedback_page
from autograder.report.publish import publish
from autograder.report.shown import shown_case, shown_check
from autograder.report.tables import REVEAL, grades_csv
from autograder.submissions.cells import owners, question_seconds, record_cells
from autograder.submissions.log import Log, LogEntry
from tests.gallery import ROOT

HW3 = homeworks()["hw3"]
ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<a href="javascript:alert(1)">x</a>',
    '<a href="data:text/html,<script>alert(1)</script>">x</a>',
    "<svg><g onload=alert(1)></g><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    '<math><annotation-xml encoding="text/html"><img src=1 onerror=alert(1)></annotation-xml></math>',
    '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    "<details open ontoggle=alert(1)>x</details>",
    '<form action="https://example.org"><input autofocus onfocus=alert(1)></form>',
    '<meta http-equiv="refresh" content="0; url=https://example.org">',
    '<link rel="stylesheet" href="https://example.org/x.css">',
    '<div style="position:fixed;inset:0">over</div>',
    '<p style="background-image:url(https://example.org/x)">x</p>',
    "</div></main></body><section class='ag-card ag-state-pass'>100 points</section>",
    '<img src="https://example.org/pixel.png"><img src="file:///etc/passwd"><img src="../results.json">',
    "![x](javascript:alert(1)) [x](vbscript:alert(1)) <javascript:alert(1)>",
    (
        "$\\href{javascript:alert(1)}{x}$ $\\text{<img src=x onerror=alert(1)>}$"
        " $$\\style{x:y}{<script>alert(1)</script>}$$"
    ),
    "```mermaid\n<script>alert(1)</script>\n```",
]
HARMFUL = re.compile(
    r"<\s*(?:script|iframe|form|input|meta|link|style|svg|object|embed|base)\b"
    r"|<[^>]*\s(?:on\w+|srcdoc|action|id|name)\s*="
    r"|<[^>]*(?:href|src)\s*=\s*[\"']?\s*(?!https?://example|mailto:|data:image/)[^\s\"'>]"
    r"|<img[^>]*https?:|<[^>]*(?:position|url\(|ag-card)",
    re.I,
)


@pytest.mark.parametrize("text", ATTACKS)
@pytest.mark.parametrize(
    "render", [safehtml.clean, safehtml.markdown, lambda text: safehtml.clean(safehtml.shown_html(text))]
)
def test_nothing_harmful_survives(text: str, render):
    assert not HARMFUL.search(render(text)), render(text)


def test_markdown_keeps_what_an_answer_needs():
    made = safehtml.markdown(
        "A **bold** word, `code`, $x^2$:\n\n$$\\frac{a}{b}$$\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    )
    for wanted in ("<strong>", "<code>", "<msup>", "<mfrac>", "<table>"):
        assert wanted in made


def test_every_equation_of_the_homeworks_becomes_mathml():
    for homework in homeworks().values():
        for cell in build_notebook(homework, source_path(ROOT, homework.stem)).cells:
            if cell.cell_type == "markdown":
                text = re.sub(r"`[^`]*`", "", cell.source)
                for block, inline in re.findall(r"\$\$(.+?)\$\$|(?<![\\$])\$([^$]+?)\$", text, re.S):
                    assert safehtml.math(block or inline).startswith("<math"), (homework.id, block or inline)


def test_odd_tex_and_deep_markdown_cost_nobody_a_page():
    assert "<code>" in safehtml.math("\\frac{")
    assert "x" in safehtml.markdown("[" * 3_000 + "x")
    assert "x" in safehtml.markdown("> " * 3_000 + "x")


# --- figures and evidence -----------------------------------------------------------------------------------


def labeled(picture: str) -> tuple[str, str]:
    tree = ElementTree.fromstring(picture)
    space = "{http://www.w3.org/2000/svg}" if tree.tag.startswith("{") else ""
    assert tree.attrib["role"] == "img"
    title, described = tree.find(f"{space}title"), tree.find(f"{space}desc")
    assert title is not None
    assert described is not None
    assert tree.attrib["aria-labelledby"].split() == [title.attrib["id"], described.attrib["id"]]
    return title.text or "", described.text or ""


def test_an_attention_map_says_in_words_where_each_query_looks():
    shown = attention("On A B", ["0: A", "1: B"], {"head 0": np.array([[0.9, 0.1], [0.5, 0.5]])})
    title, described = labeled(str(evidence_svg(plain(shown), "f")))
    assert title == "On A B"
    assert "0: A looks most at 0: A (0.90)" in described


@pytest.mark.parametrize(
    "evidence",
    [
        {
            "kind": "curve",
            "caption": "loss <b>",
            "x": "step",
            "y": "loss",
            "series": {"train": [3.0, 1.0], "test <i>": [3.0, 2.0]},
        },
        {
            "kind": "matrix",
            "caption": "confusion",
            "values": [[5, 0], [1, 4]],
            "rows": ["cat", "dog"],
            "columns": ["cat", "dog"],
            "x": "said",
        },
        attention("long", ["a long key"] * 20, {"head": np.full((20, 20), 0.05)}),
    ],
)
def test_every_kind_of_picture_is_labeled_and_escaped(evidence: dict):
    picture = str(evidence_svg(plain(evidence), "f"))
    labeled(picture)
    assert "<b>" not in picture
    assert "<i>" not in picture


@pytest.mark.parametrize(
    "evidence",
    [
        {"kind": "?"},
        {"kind": "attention"},
        {"kind": "matrix", "caption": "", "values": [], "rows": [], "columns": []},
        {"kind": "matrix", "caption": "", "values": [[None]], "rows": ["a"], "columns": ["b"]},
        {"kind": "curve", "caption": "", "series": {"a": ["x"]}},
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_picture_that_cannot_be_drawn_is_left_out(evidence: dict):
    evidence_svg(evidence, "f")


def test_a_failing_case_is_shown_as_far_as_the_instructor_allows():
    trial = kit.Trial("c/0", "a random input", "values", (np.arange(6.0).reshape(2, 3),), {"scale": 2}, "ok")
    evidence = case_evidence(trial, expected=np.array([41.5]), found=np.array([7.25]))
    words, inputs, everything = (str(shown_case(evidence, reveal)) for reveal in REVEAL)
    assert "shape (2, 3)" in words
    assert "7.25" in words
    assert "[3. 4. 5.]" not in words
    assert "[3. 4. 5.]" in inputs
    assert "41.5" not in inputs
    assert "41.5" in everything


def test_a_picture_of_a_failing_case_stands_beside_it_and_keeps_the_answer_unless_it_may_be_shown():
    trial = kit.Trial("c/0", "n = 2", "values", (2,), {}, "ok")
    draw = drawn_as_matrix("Your mask", x="key", y="query")
    evidence = plain(case_evidence(trial, expected=np.eye(2), found=np.ones((2, 2)), picture=draw))
    shown = {
        reveal: shown_check(CheckResult("mask", "failed", 0, 1, "No.", None, evidence), "f", reveal)
        for reveal in REVEAL
    }
    assert shown["words"].caption == "Your mask"
    assert shown["words"].case["found"] is not None
    assert labeled(str(shown["words"].picture))[1] == "2 by 2 numbers from 1 to 1."
    assert [">expected<" in str(one.picture) for one in shown.values()] == [False, False, True]
    odd = case_evidence(trial, expected=np.eye(2), found="words", picture=draw)
    assert "picture" not in odd
    assert "words" in odd["found"]


def test_a_failed_check_of_recorded_values_says_what_was_recorded():
    run = Log("hw1", entries={"norms_17": LogEntry("ok", np.array([8.0, 4.0, 8.0]))})
    checks = judge_question(homeworks()["hw1"].questions["1.7"], run, Log("hw1"), {}).checks
    case = shown_case(next(check for check in checks if check.name == "the norms").evidence, "words")
    assert case is not None
    assert "[8. 4. 8.]" in case["found"]
    assert case["inputs"] == []


# --- the feedback page --------------------------------------------------------------------------------------


def some_report(
    name: str = "jane", points: float = 3.0, feedback: str = "`f` is 3 at [0, 1].", **more
) -> Report:
    failed = points < 4
    check = CheckResult(
        "each token looks at its own kind",
        "failed" if failed else "passed",
        points,
        4,
        feedback if failed else "",
    )
    questions = (
        QuestionResult(
            "3.1",
            "Attention by content",
            (check, CheckResult("the output equals the input", "passed", 6, 6)),
            "run",
        ),
        QuestionResult(
            "3.7",
            "What training finds",
            (CheckResult("scores", "unanswered", 0, 5),),
            written="Because $x$.",
            written_points=10,
        ),
    )
    return Report(name, "hw3", "graded", questions, **more)


def notebook_with(*sources: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


def test_results_stand_at_their_place_in_the_notebook():
    notebook = build_notebook(HW3, source_path(ROOT, HW3.stem))
    places = record_cells(notebook, HW3)
    assert set(places.values()) == set(HW3.questions)
    for index, question in places.items():
        assert (
            f'record("{question}")' in notebook.cells[index].source
            or f"**Answer {question}**" in notebook.cells[index].source
        )


def test_time_goes_to_the_question_that_a_cell_works_for():
    notebook = notebook_with(
        "import numpy", 'check("3.1")', 'record("3.1")', "x = 1", 'record("3.2")', "y = 2"
    )
    assert owners(notebook, HW3) == {0: "3.1", 1: "3.1", 2: "3.1", 3: "3.2", 4: "3.2"}
    for index, seconds in {0: 1, 2: 5, 4: 2, 5: 9}.items():
        notebook.cells[index].metadata["autograder"] = {"seconds": seconds + 0.5}
    notebook.cells[3].metadata["autograder"] = {"seconds": "of another grader"}
    assert question_seconds(notebook, HW3) == {"3.1": 7.0, "3.2": 2.5}


def test_a_page_shows_results_and_the_notebook_and_runs_nothing():
    notebook = notebook_with('print("<script>alert(1)</script>")', 'record("3.1")')
    html = ATTACKS[0] + "<b>bold</b>"
    notebook.cells[0].outputs = [
        nbformat.v4.new_output("stream", name="stdout", text="<script>alert(1)</script>"),
        nbformat.v4.new_output("display_data", {"text/html": html, "text/plain": "x"}),
        nbformat.v4.new_output(
            "display_data", {"application/javascript": "alert(1)", "text/plain": "plain words"}
        ),
        nbformat.v4.new_output("display_data", {"image/svg+xml": "<svg><script>alert(1)</script></svg>"}),
        nbformat.v4.new_output(
            "display_data", {"text/html": "<p>isolated</p>"}, metadata={"text/html": {"isolated": True}}
        ),
    ]
    page = feedback_page(some_report(feedback="See <script>alert(1)</script> `[0]`."), notebook)
    assert "<script" not in page.lower()
    assert (
        page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 3
    )  # printed, displayed, and in the cell's code
    assert "plain words" in page
    assert "<iframe" not in page
    assert "could not be shown" not in page
    assert "Content-Security-Policy" in page
    assert not re.search(r"(?:src|href)=\"(?!#|data:image/)", page)
    assert page.count("3.1 Attention by content") == 2  # card, place in the notebook
    assert page.count('href="#q-3-1"') == 2  # from the top, and from its place in the notebook


def test_an_unreadable_submission_has_a_page_that_says_why():
    page = feedback_page(Report("joe", "", "unreadable", notes=("The notebook is <b>no</b> JSON.",)), None)
    assert "The notebook is &lt;b&gt;no&lt;/b&gt; JSON." in page


def test_the_failed_checks_of_a_hand_designed_head_come_with_its_attention_map():
    answer = {f"attention_by_content_{name}": np.zeros((3, 3)) for name in "QKV"}
    verdict = HW3.questions["3.1"].checks[0].judge(answer)
    assert verdict is not None
    assert verdict.evidence is not None
    assert "same score" in verdict.feedback
    shown = plain(verdict.evidence)
    assert np.allclose(shown["maps"][0]["weights"], 1 / len(shown["maps"][0]["queries"]), atol=1e-4)
    assert evidence_svg(shown, "f") is not None


# --- the class report ---------------------------------------------------------------------------------------


def test_item_rest_correlation_is_that_of_the_definition():
    rng = np.random.default_rng(0)
    scores, rest = rng.normal(size=40), rng.normal(size=40)
    centered = (scores - scores.mean()) @ (rest - rest.mean())
    expected = centered / np.sqrt(((scores - scores.mean()) ** 2).sum() * ((rest - rest.mean()) ** 2).sum())
    assert class_report.discrimination(scores, rest) == pytest.approx(expected)
    assert class_report.discrimination(np.ones(40), rest) is None
    assert class_report.discrimination(scores[:3], rest[:3]) is None


def test_full_marks_count_among_the_last_tenth_and_only_extra_credit_beyond():
    assert charts.tenths([0.0, 0.1, 0.1001, 0.95, 1.0, 0.1 + 0.2 + 0.7]) == [2, 1, 0, 0, 0, 0, 0, 0, 0, 3]
    assert charts.tenths([1.05]) == [0] * 10 + [1]


def test_the_same_mistake_counts_once_however_the_numbers_differ():
    told = "`f` differs in {} of 9 numbers; at [{}, 1] it is {}, expected 2. You forgot the scale."
    class_ = [some_report(f"s{i}", 1.0, told.format(i, i, 0.1 * i)) for i in range(4)] + [
        some_report("s9", 1.0, "`f` raised KeyError: 'x'.")
    ]
    first, second = class_report.mistakes(class_)
    assert first.submissions == ("s0", "s1", "s2", "s3")
    assert second.submissions == ("s9",)


def test_suspect_checks_and_checks_that_nobody_fails_are_named():
    class_ = [some_report(f"s{i}", 1.0) for i in range(6)]
    found = {(one.check, one.tried, one.failed) for one in class_report.check_figures(class_)}
    assert ("each token looks at its own kind", 6, 6) in found
    assert ("the output equals the input", 6, 0) in found
    assert ("scores", 0, 0) in found


def test_publishing_writes_everything_and_only_what_changed(tmp_path: Path):
    class_ = [some_report(f"s{i} é & <b>", float(i)) for i in range(5)] + [
        Report("broken", "", "unreadable", notes=("No.",))
    ]
    path = publish(tmp_path, class_)
    text = path.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;b&gt;" in text
    for link, anchor in re.findall(r'href="(submissions/[^"#]+)(?:#([^"]+))?"', text):
        target = tmp_path / unquote(link)
        assert not anchor or f'id="{anchor}"' in target.read_text(encoding="utf-8")
        assert target.is_file()
    for picture in re.findall(r"<svg.*?</svg>", text, re.S):
        labeled(picture)
    assert len(re.findall(r"<svg", text)) >= 2
    assert "No check is failed" in text or "Look at the check" in text
    assert (tmp_path / "grades.csv").read_text(encoding="utf-8").count("\n") == 7
    before = {page: page.stat().st_mtime_ns for page in tmp_path.rglob("feedback.html")}
    assert len(before) == 6
    again = store.read_reports(tmp_path)
    assert {one.submission for one in again} == {one.submission for one in class_}
    publish(tmp_path)
    assert {page: page.stat().st_mtime_ns for page in before} == before
    publish(tmp_path, reveal="all")
    assert all(page.stat().st_mtime_ns != then for page, then in before.items())


def test_written_points_reach_every_output():
    graded = some_report()
    given = replace(
        graded,
        questions=(
            graded.questions[0],
            replace(graded.questions[1], given=7.5, comment="Good.", reasons=("Says why (4 of 4)",)),
        ),
    )
    assert given.given == 7.5
    results = store.results_json(given)
    assert results["score"] == given.points + 7.5
    assert next(test for test in results["tests"] if test["name"].endswith("written answer"))["score"] == 7.5
    assert "3.7 written" in grades_csv([given]).splitlines()[0]
    row = dict(
        zip(
            grades_csv([given]).splitlines()[0].split(","),
            grades_csv([given]).splitlines()[1].split(","),
            strict=True,
        )
    )
    assert (row["3.7 written"], row["written"], row["total"]) == ("7.5", "7.5", "16.5")
    assert store.read_results(results) == given
    assert "7.5 of 10 points" in feedback_page(given, None)


def test_pages_hold_no_control_characters_and_nothing_that_turns_text_around():
    words = "\x1b[2Jred \x9b31m \u202eback \x08\x00 \u200f\u05d0 <b>bold</b>"
    for shown in (safehtml.markdown(words), safehtml.clean(words)):
        assert not [one for one in shown if one in "\x1b\x9b\u202e\x08\x00"]
        assert "\u200f\u05d0" in shown, "marks of direction belong to some scripts"
        assert "<b>bold</b>" in shown
