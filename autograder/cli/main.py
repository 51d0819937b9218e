"""The command line: joins the commands, each a file of its own that is loaded when it is called."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import click

from autograder import __version__
from autograder.declare import follow

# command → its file in this folder, which holds a function FILE_command
COMMANDS = {
    "build": "build",
    "bundle": "bundle",
    "collect": "collect",
    "export": "otter_assign",
    "export-grades": "handback",
    "gallery": "gallery",
    "grade": "grade",
    "manual-grading": "desk",
    "new-course": "new_course",
    "new-homework": "new_homework",
    "override": "override",
    "regrades": "regrades",
    "release": "release",
    "report": "report",
    "written": "written",
}
FORMERLY = {"desk": "manual-grading", "handback": "export-grades"}  # old names, accepted for one more version


def described(name: str) -> str:
    """What a command says of itself, read without importing what it needs."""
    file = COMMANDS[name]
    tree = ast.parse((Path(__file__).parent / f"{file}.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == f"{file}_command":
            return ast.get_docstring(node) or ""
    raise LookupError(f"{file}.py has no function {file}_command")


def first_sentence(text: str) -> str:
    """The first sentence of a docstring, in one line."""
    return " ".join(text.partition("\n\n")[0].split()).partition(". ")[0].rstrip(".") + "."


class Commands(click.Group):
    """All commands. An error that a user can fix is a sentence, not a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name or former name, None if there is none."""
        file = COMMANDS.get(FORMERLY.get(cmd_name, cmd_name))
        if file is None:
            return None
        command = getattr(importlib.import_module(f"autograder.cli.{file}"), f"{file}_command")
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands, which has to load none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, first_sentence(described(name))) for name in COMMANDS])

    def invoke(self, ctx: click.Context) -> object:
        """Runs a command; which course it follows, it says itself."""
        follow("")
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.exceptions.Abort):
            raise
        except click.ClickException as error:
            vars(error)["message"] = _printable(error.message)  # final, says click
            raise
        except Exception as error:
            from autograder.cli.trouble import RefusedError, refused
            from autograder.declare import DataUnavailableError

            if isinstance(error, DataUnavailableError):
                raise RefusedError(_printable(str(error))) from None
            if (told := refused(error)) is not None:
                vars(told)["message"] = _printable(told.message)
                raise told from None
            raise


def _printable(message: str) -> str:
    """An error's words for a terminal: paths and file names in them are those of students."""
    from autograder.files import speakable_lines

    return speakable_lines(message)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Builds the homework notebooks and grades submissions."""
    from autograder.files import quiet_parser

    quiet_parser()
