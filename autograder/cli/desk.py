"""``autograder manual-grading``: pages on which people grade written answers."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from autograder.cli.shared import FILE, Terminal, of_graded, publish_pages, tell
from autograder.files import SECRET, encoded, write_atomically
from autograder.grade import elsewhere
from autograder.grade.exchange import Exchange, ExchangeError, of_file
from autograder.grade.marks_csv import MarksCsvError, from_csv, to_csv
from autograder.grade.store import read_reports


@click.command("manual-grading")
@click.argument("output", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="Port to listen on; 0 selects a free one.",
)
@click.option(
    "--graders",
    type=click.IntRange(1, 50),
    default=1,
    show_default=True,
    help="Number of one-time links to print, the first for a head grader. Each grader chooses a name.",
)
@click.option("--grader", "named", multiple=True, metavar="NAME", help="Print this grader's link.")
@click.option("--head", "heads", multiple=True, metavar="NAME", help="Print this head grader's link.")
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="A name or address of this machine under which other machines reach it; the server then uses TLS.",
)
@click.option(
    "--behind-proxy",
    "proxy",
    default="",
    metavar="ORIGIN",
    help="Listen for a proxy on this machine that serves the pages at ORIGIN: https://grading.example.edu.",
)
@click.option("--export", "export", type=FILE, help="Export all points as CSV to this file, and stop.")
@click.option(
    "--export-for",
    nargs=2,
    type=(str, FILE),
    metavar="NAME FILE",
    help="Write a zip with which this grader can work offline, and stop.",
)
@click.option(
    "--import",
    "take_in",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Import points from this CSV file, or from the file of a grader who worked offline, and stop.",
)
def desk_command(
    output: Path,
    port: int,
    graders: int,
    named: tuple[str, ...],
    heads: tuple[str, ...],
    hosts: tuple[str, ...],
    proxy: str,
    export: Path | None,
    export_for: tuple[str, Path] | None,
    take_in: Path | None,
) -> None:
    """Serves pages on which people grade the written answers of a graded folder.

    OUTPUT is the folder of results, or the zip that --export-for made.
    """
    try:
        folder = output if output.is_dir() else elsewhere.unpacked(output)
        of_graded(folder)
        if export_for is not None:
            _send_out(folder, *export_for)
        if take_in is not None:
            _take_in(folder, take_in)
        if export is not None:
            write_atomically(export, encoded(to_csv(folder, read_reports(folder))))
            tell(f"{export}: written")
        if export is not None or take_in is not None or export_for is not None:
            return
        people = [*((name, True) for name in heads), *((name, False) for name in named)]
        ticket = of_file(folder)
        if ticket is not None:
            people = [(str(ticket["grader"]), False)]
        _open(folder, port, people or [("", number == 0) for number in range(graders)], hosts, proxy)
        if (back := elsewhere.sent_back(folder)) is not None:
            tell(f"Return this file to the person who sent you the zip: {back}")
        else:
            tell(f"Open the class report in a browser: {publish_pages(Terminal(), folder, None, None)}")
    except (UnicodeDecodeError, MarksCsvError, ExchangeError) as error:
        raise click.ClickException(str(error)) from None


def _open(
    folder: Path, port: int, people: list[tuple[str, bool]], hosts: tuple[str, ...], proxy: str
) -> None:
    """Serves manual grading until it is interrupted."""
    try:
        from autograder.desk.app import AddressError, serve
    except ImportError as error:
        raise click.ClickException(
            f"manual grading needs {error.name}, which is missing here; install this project again with"
            " all of its requirements: pip install attention-homeworks"
        ) from None
    try:
        serve(folder, port=port, people=people, tell=tell, hosts=hosts, proxy=proxy)
    except AddressError as error:
        raise click.ClickException(str(error)) from None


def _send_out(folder: Path, name: str, path: Path) -> None:
    """Writes the zip of one grader."""
    if path.suffix != ".zip":
        raise ExchangeError(f"{path}: the name of a grader's file ends with .zip.")
    write_atomically(path, elsewhere.packed(folder, name), SECRET)
    tell(f"{path}: for {name}, who opens it with: autograder manual-grading {path.name}")


def _take_in(folder: Path, path: Path) -> None:
    """Imports marks from CSV or from a grader's file, and writes all pages."""
    reports = read_reports(folder)
    text = path.read_text(encoding="utf-8-sig")
    if text.lstrip().startswith("{"):
        merged = Exchange(folder).merge(reports, text)
        tell(f"{merged.taken} marks imported.")
        if merged.conflicts:
            tell(f"{len(merged.conflicts)} were changed on both sides; choose on their pages:")
        for line in (*merged.conflicts, *merged.left):
            tell(f"  {line}")
    else:
        tell(f"{from_csv(folder, reports, text, getpass.getuser())} marks changed.")
    publish_pages(Terminal(), folder, reports, None)
