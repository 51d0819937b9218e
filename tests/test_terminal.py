"""Nothing that a submission says reaches the terminal as a command or as markup, wherever it is printed."""

from __future__ import annotations

import ast
import csv
import errno
import io
import json
import re
import warnings
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.text import Text

from autograder.cli import conclude, progress, shared, trouble
from autograder.cli import main as commands
from autograder.cli.main import main
from autograder.files import quiet_parser, speakable
from autograder.grade.report import CheckResult, QuestionResult, Raised, Report
from autograder.lms import people
from autograder.report import tables
from autograder.report.not_run import class_lines
from tests.gallery import ROOT

# what a terminal takes for a command, or what turns the text around it
COMMANDS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\u202e[/b][red]:smile:"
HOSTILE = st.text(
    st.sampled_from("ab \n\t\r\x1b\x07\x08\x9b\u202e\u2066\ud83d[]/:;0m\\"), min_size=1, max_size=40
) | st.sampled_from([EVIL, "[/b]", "[bold red]x[/]", "\x1b[31m", "[link=https://example.org]x[/link]"])
MANY = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)


def assert_harmless(printed: str) -> None:
    found = COMMANDS.findall(printed)
    assert not found, f"{found[:5]} in {printed[:500]!r}"


def without_blanks(text: str) -> str:
    return "".join(text.split())


def terminal() -> tuple[shared.Terminal, io.StringIO]:
    written = io.StringIO()
    return shared.Terminal(file=written, force_terminal=False, width=200), written


@MANY
@given(HOSTILE)
def test_sentences_lists_and_tables_are_printed_as_they_are(text: str):
    console, written = terminal()
    console.print(text, soft_wrap=True)
    console.print(Text.assemble("Warning: ", speakable(text)), soft_wrap=True)
    console.print(tables.table([hostile_report(text)]))
    for line in [*tables.open_words([hostile_report(text)]), *class_lines([hostile_report(text)])]:
        console.print(line, soft_wrap=True)
    with progress.show_progress(console, 1) as advance:
        advance()
    assert_harmless(written.getvalue())
    shown = without_blanks(speakable(text))
    assert shown in without_blanks(written.getvalue()), "nothing is taken for markup"


@MANY
@given(HOSTILE)
def test_lines_are_told_without_commands(text: str):
    @click.command()
    def speak() -> None:
        shared.tell(text)
        shared.show_list(text, [text])

    assert_harmless(CliRunner().invoke(speak).output)


@MANY
@given(HOSTILE)
def test_whatever_ends_a_command_is_told_without_commands(text: str):
    @click.group(cls=commands.Commands)
    def group() -> None:
        pass

    errors = [
        click.ClickException(text), click.BadParameter(text), click.UsageError(text),
        trouble.RefusedError(text), OSError(errno.ENOSPC, "full", text), FileNotFoundError(text),
        OSError(errno.EPERM, text), PermissionError(errno.EACCES, "no", text),
    ]  # fmt: skip
    for error in errors:
        group.get_command = lambda *_, error=error: failing(error)  # type: ignore[method-assign]
        result = CliRunner().invoke(group, ["x"])
        assert result.exit_code not in (0, None)
        assert result.output, error
        assert_harmless(result.output)


def failing(error: Exception) -> click.Command:
    @click.command()
    def fail() -> None:
        raise error

    return fail


def hostile_report(text: str) -> Report:
    check = CheckResult(text, "failed", 0.0, 1.0, text, cause="grader", fault=f"Traceback\n{text}")
    raised = (Raised(1, text, text, text, text, text, "", ("3.1",)),)
    question = QuestionResult("3.1", text, (check,), written=text, written_points=1.0)
    return Report(text, "hw3", "graded with problems", (question,), (text,), fault=text, raised=raised)


@MANY
@given(HOSTILE)
def test_a_fault_is_told_without_commands(tmp_path: Path, text: str):
    console, written = terminal()
    conclude._tell_faults(console, tmp_path, [hostile_report(text)])
    assert_harmless(written.getvalue())


PRINTERS = {"click.echo", "click.secho", "print", "Console", "sys.stdout.write", "sys.stderr.write"}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "autograder" / "cli").glob("*.py")), ids=lambda path: path.stem
)
def test_commands_print_through_one_place(path: Path):
    calls = [
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
    ]
    found = [f"line {node.lineno}: {name}" for node in calls if (name := ast.unparse(node.func)) in PRINTERS]
    assert len(found) == (1 if path.stem == "shared" else 0), found


def test_python_says_nothing_of_the_code_of_submissions():
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        quiet_parser()
        ast.parse("'\\\x1b'\n'\\d'")
    assert not said


# --- whole commands -----------------------------------------------------------------------------------------

NAME = "\x1b[2J\x1b]0;x\x07[red]\u202e"  # a file's name


def invoked(*arguments: str | Path) -> str:
    result = CliRunner().invoke(main, [str(one) for one in arguments])
    assert not result.exception or isinstance(result.exception, SystemExit), result.exc_info
    assert result.output
    assert_harmless(result.output)
    return result.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of submissions with such names, and nothing in them that could be graded."""
    made = tmp_path / NAME
    (made / f"x{NAME}").mkdir(parents=True)
    for name in (f"{NAME}.ipynb", f"x{NAME}/{NAME}.ipynb", f"{NAME}.zip", f"{NAME}.txt"):
        (made / name).write_text("{" + EVIL)
    log = {"schema": "attention-homeworks/log/1", "homework": EVIL, "student": EVIL, "entries": {EVIL: 1}}
    (made / f"x{NAME}" / "submission_log.json").write_text(json.dumps(log))
    return made


def test_grading_hand_ins_with_such_names(folder: Path, tmp_path: Path):
    told = invoked("grade", folder, "-o", tmp_path / f"out{NAME}", "--workers", "1", "--sandbox", "off")
    assert "[red]" in told
    told = invoked("report", tmp_path / f"out{NAME}")
    assert "report.html" in told
    for command in (["report"], ["manual-grading", "--export", tmp_path / f"{NAME}.csv"]):
        invoked(command[0], tmp_path / f"out{NAME}", *command[1:])


def test_files_with_such_names_as_arguments(folder: Path, tmp_path: Path):
    text = folder / f"{NAME}.txt"
    invoked("grade", text, "-o", tmp_path / "none")
    invoked("grade", tmp_path / f"missing{NAME}", "-o", tmp_path / "none")
    invoked("written", folder / f"{NAME}.ipynb", "-o", tmp_path / f"answers{NAME}")
    invoked("report", folder)
    invoked("manual-grading", folder, "--export", tmp_path / "x.csv")
    invoked("grade", text, "-o", tmp_path / "none", "--homework", NAME)
    invoked("grade", text, "-o", tmp_path / "none", "--limit", f"{NAME}=1")


@pytest.mark.parametrize("platform", ["canvas", "moodle", "gradescope", "github"])
def test_collecting_such_names(folder: Path, tmp_path: Path, platform: str):
    invoked("collect", folder, "--from", platform, "-o", tmp_path / f"{platform}{NAME}")


def test_giving_back_to_such_names(tmp_path: Path):
    rows = [people.Person(f"a{NAME}", "canvas", f"1{NAME}", EVIL, EVIL)]
    heads = list(people.Person.__dataclass_fields__)
    manifest = tmp_path / people.MANIFEST
    with manifest.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(heads)
        writer.writerows([[getattr(one, head) for head in heads] for one in rows])
    grades = tmp_path / f"{NAME}.csv"
    grades.write_text(
        "submission,homework,status,total,open\n" + f'"a{NAME}",hw3,graded,1,\n', encoding="utf-8"
    )
    theirs = tmp_path / f"theirs{NAME}.csv"
    theirs.write_text(
        f'Student,ID,SIS Login ID,Section,"Homework {NAME} (12)"\n"x{NAME}",9,x,,\n', encoding="utf-8"
    )
    for extra in ([], ["--column", f"no{NAME}"], ["--column", f"id={NAME}"]):
        invoked(
            "export-grades",
            grades,
            "--to",
            "canvas",
            "--collected",
            manifest,
            "--file",
            theirs,
            *extra,
            "-o",
            tmp_path / "up.csv",
        )
