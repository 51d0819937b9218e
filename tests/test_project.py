"""The repository itself: coverage of the course plan, tables, environment files, documentation."""

from __future__ import annotations

import inspect
import re
import tomllib

import click
import pytest
from click.testing import CliRunner

from autograder import __version__, declare
from autograder.author import tables
from autograder.cli.main import described, first_sentence, main
from autograder.cli.reference import command_pages
from autograder.declare import homeworks
from tests.gallery import ROOT
from tests.test_rooms import ROOMS

# The course plan: every row that a homework must have, and how it must at least be graded.
PLAN = {
    "hw1": {
        "1.1": "C", "1.2": "VM", "1.3": "C", "1.4": "CW", "1.5": "CMV", "1.6": "VMW", "1.7": "VCM",
        "1.8": "CM", "1.9": "CM", "1.10": "M", "1.11": "CMW", "1.12": "MW", "1.13": "VM",
    },
    "hw2": {"2.1": "C", "2.2": "C", "2.3": "C", "2.4": "C", "2.5": "C", "2.6": "V", "2.7": "MW", "2.8": "CV"},
    "hw3": {
        "3.1": "V", "3.2": "V", "3.3": "V", "3.4": "C", "3.5": "M", "3.6": "C", "3.7": "CVMW", "3.8": "V",
    },
    "hw4": {
        "4.1": "C", "4.2": "CM", "4.3": "CV", "4.4": "C", "4.5": "C", "4.6": "C", "4.7": "T", "4.8": "VW",
        "4.9": "MW",
    },
    "hw5": {
        "5.1": "C", "5.2": "VW", "5.3": "C", "5.4": "C", "5.5": "CV", "5.6": "C", "5.7": "TCW", "5.8": "VW",
        "5.9": "MW",
    },
    "hw6": {
        "6.1": "CM", "6.2": "CW", "6.3": "MV", "6.4": "CV", "6.5": "VC", "6.6": "C", "6.7": "CVW",
        "6.8": "VW",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", list(homeworks()))
def test_no_row_of_the_course_plan_is_missing(name: str):
    found: dict[str, set[str]] = {}
    topics = tables.topics(homeworks()[name])
    for question in homeworks()[name].questions.values():
        row = re.match(r"\d+\.\d+", question.id)
        assert row, question.id
        found.setdefault(row[0], set()).update(tables.how_graded(question).replace(" ", ""))
    for row, letters in PLAN.get(name, {}).items():
        assert row in found, f"{row} is missing"
        assert row in topics, f"{row} has no topic: give one of its questions one"
        assert set(letters) <= found[row], f"{row} must be graded {letters}, is {found[row]}"


@pytest.mark.parametrize("name", list(homeworks()))
def test_every_question_has_points_minutes_and_a_place_in_the_notebook(name: str):
    homework = homeworks()[name]
    text = (ROOT / "solutions" / f"{homework.stem}.py").read_text(encoding="utf-8")
    for question in homework.questions.values():
        assert question.points or question.written, question.id
        assert question.minutes > 0
        assert f"{{{{header {question.id}}}}}" in text, question.id
        assert not question.entries or f'record("{question.id}")' in text
        assert not question.written or f"**Answer {question.id}**" in text


@pytest.mark.parametrize("name", list(homeworks()))
def test_the_minutes_of_a_homework_are_those_of_its_questions(name: str):
    homework = homeworks()[name]
    assert homework.minutes == sum(
        question.minutes for question in homework.questions.values() if not question.extra
    )


def test_tables_in_the_documentation_are_fresh():
    pages = tables.pages(ROOT, homeworks()) | command_pages(ROOT, main)
    for path, text in pages.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is stale: run 'autograder build'"


def project() -> dict:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["project"]


def test_the_conda_environment_is_in_step_with_pyproject():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    extras = re.search(r"-e \.\[([\w,]+)\]", text)
    assert extras, "environment.yml installs the project itself, so that dependencies stand in one place"
    assert set(extras[1].split(",")) <= set(project()["optional-dependencies"])
    assert f"python{project()['requires-python']}" in text
    assert "-c constraints.txt" in text


def test_every_direct_dependency_is_pinned_for_ci():
    pinned = {
        re.split(r"==", line)[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    wanted = [
        *project()["dependencies"],
        *(name for extra in project()["optional-dependencies"].values() for name in extra),
    ]
    missing = {re.split(r"[<>=!\[; ]", name)[0].lower().replace("_", "-") for name in wanted} - pinned
    assert missing == set()


def test_ci_installs_what_builds_the_handbook():
    assert "docs" in re.search(
        r"^EXTRAS \?= ([\w,]+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )[1].split(",")


def test_relative_links_in_the_documentation_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_pictures_of_the_readme_have_texts_and_are_small():
    found = re.findall(
        r"!\[([^\]]*)\]\((docs/pictures/[^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8")
    )
    assert {path.rpartition("/")[2] for _, path in found} == {
        path.name for path in (ROOT / "docs/pictures").iterdir()
    }
    for text, path in found:
        assert len(text) > 40, path
        assert (ROOT / path).stat().st_size <= 150_000, path


def test_every_command_has_help_and_stands_in_the_documentation():
    documented = "\n".join(
        page.read_text(encoding="utf-8") for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    )
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert inspect.cleandoc(command.help or "") == described(name), "what 'autograder --help' says"
        assert f"autograder {name}" in documented, name
        for option in command.params:
            assert option.param_type_name == "argument" or getattr(option, "help", None), (name, option.name)
        assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


def test_the_list_of_commands_cuts_no_sentence_off():
    told = CliRunner().invoke(main, ["--help"]).output.partition("Commands:")[2]
    assert "..." not in told
    lines = " ".join(told.split())
    for name in main.list_commands(click.Context(main)):
        assert f"{name} {first_sentence(described(name))}" in lines


def test_the_last_line_of_the_demo_names_the_report_as_the_readme_says():
    assert "open the report that its last line names" in (ROOT / "README.md").read_text(encoding="utf-8")
    rule = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\ndemo:")[2].partition("\n\n")[0]
    assert rule.splitlines()[-1].startswith("\t@echo")
    assert rule.splitlines()[-1].endswith('build/demo/graded/report.html"')


def test_the_page_of_an_authors_interface_shows_all_of_it():
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\.\. auto(?:class|function|data|exception):: (\w+)$", page, re.M)) == set(
        declare.__all__
    )


def test_the_changelog_has_a_heading_for_what_is_coming_and_for_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[(.+?)\]", text, re.M)
    assert headings[0] == "Unreleased"
    assert __version__ in headings


def test_contributing_names_the_rooms_in_their_order():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \d+ \| (.+?) \|", text, re.M)
    assert [row.replace("`", "").removesuffix("/") for row in rows] == list(ROOMS)
