"""The page of the handbook that lists every command and option, made from the commands themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

PAGE = "docs/cli.md"
HEAD = """# Commands

Every command with its options. Written by `autograder build` from the commands themselves; do not edit.
`autograder COMMAND --help` says the same.
"""


def command_pages(root: Path, group: click.Command) -> dict[Path, str]:
    """The page, by its path in a checkout."""
    assert isinstance(group, click.Group)
    context = click.Context(group, info_name="autograder")
    parts = [HEAD]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        parts.append("\n".join(_section(name, command, context)))
    return {root / PAGE: "\n".join(parts)}


def _section(name: str, command: click.Command, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"## autograder {name}\n"
    yield f"```text\nautograder {name} {usage}\n```\n"
    yield f"{inspect.cleandoc(command.help or '')}\n"
    yield "| option | meaning |\n|---|---|"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield _row(parameter, context)
    yield ""


def _row(option: click.Option, context: click.Context) -> str:
    """An option and what it does, as a row of a table."""
    record = option.get_help_record(context)
    assert record is not None
    names, told = (" ".join(text.split()).replace("|", "\\|") for text in record)
    several = " May be given several times." if option.multiple else ""
    return f"| `{names}` | {told}{several} |"
