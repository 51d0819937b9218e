"""``autograder export-grades``: a platform's grade file filled in, and feedback pages in its zip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from autograder.cli.shared import (
    EXISTING,
    FILE,
    course_option,
    following,
    given_options,
    of_graded,
    show_list,
    tell,
    unless_given,
)
from autograder.files import speakable, write_atomically
from autograder.grade.course import Course
from autograder.lms import handback
from autograder.lms.feedback_zip import NAMES, feedback_zip, grouped
from autograder.lms.late import LatePolicy
from autograder.lms.people import MANIFEST, read_manifest
from autograder.lms.platforms import Platform, platforms
from autograder.lms.tables import Table, in_file, read_matches, read_table

ROLES = ", ".join(dict.fromkeys(role for one in platforms().values() for role in one.heads))


@click.command("export-grades")
@click.argument("grades", type=EXISTING)
@click.option(
    "--to",
    "platform",
    type=click.Choice([one.name for one in platforms().values() if one.fill]),
    help="The platform. [default: the platform in course.toml]",
)
@click.option(
    "--collected",
    type=EXISTING,
    required=True,
    help="The folder that 'autograder collect' created, or its collected.csv.",
)
@click.option(
    "--file",
    "theirs",
    type=EXISTING,
    help="The platform's grade file, such as Canvas's gradebook export or Moodle's grading worksheet.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    help=(
        "The assignment's column, or the number in its brackets. ROLE=HEADER gives a column header in another"
        " language, such as id=Nummer; the roles are " + ROLES + "."
    ),
)
@click.option(
    "--match",
    type=EXISTING,
    help="CSV with the columns submission and id: assigns rows of GRADES to students.",
)
@click.option(
    "-o",
    "--output",
    type=FILE,
    help="The file to upload. Required with --file.",
)
@click.option(
    "--feedback",
    type=FILE,
    help=f"Also write a zip of the feedback pages to upload. Platforms: {', '.join(NAMES)}.",
)
@click.option("--free-days", type=int, help="Apply late days; this many per term are free.")
@click.option(
    "--penalty",
    type=float,
    default=0.0,
    show_default=True,
    help="Percent of the points to deduct for each further late day.",
)
@click.option("--most-days", type=int, help="Give 0 points for more late days than this.")
@click.option(
    "--earlier",
    type=EXISTING,
    multiple=True,
    help="collected.csv of an earlier homework. Its late days count as used.",
)
@course_option
def handback_command(
    grades: Path,
    platform: str | None,
    collected: Path,
    theirs: Path | None,
    columns: tuple[str, ...],
    match: Path | None,
    output: Path | None,
    feedback: Path | None,
    free_days: int | None,
    penalty: float,
    most_days: int | None,
    earlier: tuple[Path, ...],
    course: Path | None,
) -> None:
    """Exports GRADES, the grades.csv of 'autograder grade', to a learning platform.

    With --file, copies the points into the platform's grade file. With --feedback, packs the feedback pages
    in the zip that the platform imports.
    """
    taught = following(course) if course else of_graded(grades.parent)
    to = _platform(unless_given("platform", platform, taught.platform or None))
    policy = _policy(taught, free_days, penalty, most_days, earlier)
    if (theirs is None) != (output is None) or (theirs is None and feedback is None):
        raise click.UsageError("give --file and -o for the grades, --feedback for the pages, or all three")
    if feedback is not None and to.name not in NAMES:
        raise click.UsageError(f"--feedback is for --to {' or '.join(NAMES)}")
    try:
        people = read_manifest(_manifest(collected))
        before = [one for path in earlier for one in read_manifest(_manifest(path))]
        given = read_table(grades)
        with in_file(grades):
            points, notes = handback.totals(given.text)
            homework = handback.homework_of(given.text)
        matches = read_matches(match) if match else None
        by_id, more = handback.grades_by_id(points, people, policy, before, matches)
        notes += more
        if theirs is not None and output is not None:
            own = _columns(columns, to, taught, homework)
            matched, told = _fill(theirs, output, to, by_id, own)
            notes += told
        if feedback is not None:
            whose = handback.matched(people, points, matches or {})
            packed, pages, told = feedback_zip(to.name, whose, grades.parent)
            notes += told
            write_atomically(feedback, packed)
    except ValueError as error:
        raise click.ClickException(speakable(str(error))) from None
    show_list("Check these before you upload", grouped(notes))
    if policy is not None:
        tell(f"Late days: {policy}")
    if output is not None:
        tell(f"{matched} of {len(by_id)} grades in {output}")
    if feedback is not None:
        tell(f"{pages} of {len(by_id)} feedback pages in {feedback}")
    if still_open := sum(points is None for points in by_id.values()):
        tell(
            f"{still_open} of {len(by_id)} grades are open: their cells are empty, not 0. Grade the open"
            " answers and run this command again."
        )


def _platform(name: str | None) -> Platform:
    if name is None:
        raise click.UsageError('give --to, or name the platform in course.toml: [platform] name = "canvas"')
    found = platforms()[name]
    if found.fill is None:
        raise click.UsageError(f"{name} has no grade import")
    return found


def _policy(
    taught: Course, free_days: int | None, penalty: float, most_days: int | None, earlier: Sequence[Path]
) -> LatePolicy | None:
    """What late days cost, by the options or else by the course."""
    if free_days is not None:
        return LatePolicy(free_days, penalty, most_days)
    if penalty or most_days is not None or (earlier and taught.late is None):
        raise click.UsageError("late days need --free-days (0 is allowed)")
    return taught.late


def _columns(given: Sequence[str], to: Platform, taught: Course, homework: str) -> tuple[str, dict[str, str]]:
    """The assignment's column, and role → head."""
    roles = dict(taught.roles) if taught.platform == to.name else {}
    own = []
    for one in given:
        role, mark, head = one.partition("=")
        if mark and role in to.heads:
            roles[role] = head
        else:
            own.append(one)
    if len(own) > 1:
        raise click.UsageError(f"--column names several columns: {', '.join(own)}")
    column = own[0] if own else taught.columns.get(homework, "") if taught.platform == to.name else ""
    return column, roles


def _fill(
    theirs: Path,
    output: Path,
    to: Platform,
    by_id: dict[str, float | None],
    columns: tuple[str, dict[str, str]],
) -> tuple[int, list[str]]:
    """Writes the file to upload; how many grades are in it, and what to look at."""
    assert to.fill is not None
    column, roles = columns
    asked = given_options(to.fill, "--to", column=column)
    table = read_table(theirs)
    with in_file(theirs):
        named = {head: to.heads[role] for role, head in roles.items()}
        upload = to.fill(table.renamed(named).text, by_id, **asked)
        text = Table(upload.text).renamed({there: head for head, there in named.items()}).text
    write_atomically(output, table.written(text if named else upload.text))
    return upload.matched, upload.notes


def _manifest(path: Path) -> Path:
    return path / MANIFEST if path.is_dir() else path
