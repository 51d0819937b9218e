"""``autograder handback``: grades into the file that a learning platform takes back."""

from __future__ import annotations

from pathlib import Path

import click

from autograder.cli.shared import EXISTING, FILE, given_options, show_list, tell
from autograder.files import speakable, write_atomically
from autograder.lms import handback
from autograder.lms.late import LatePolicy
from autograder.lms.people import MANIFEST, read_manifest
from autograder.lms.platforms import platforms
from autograder.lms.tables import Table, in_file, read_matches, read_table

ROLES = ", ".join(dict.fromkeys(role for one in platforms().values() for role in one.heads))


@click.command("handback")
@click.argument("grades", type=EXISTING)
@click.option(
    "--to",
    "platform",
    type=click.Choice([one.name for one in platforms().values() if one.fill]),
    required=True,
    help="Whose file to fill in.",
)
@click.option(
    "--collected",
    type=EXISTING,
    required=True,
    help="The folder that 'autograder collect' made, or its collected.csv.",
)
@click.option(
    "--file",
    "theirs",
    type=EXISTING,
    required=True,
    help="The platform's own file: such as Canvas' gradebook export or Moodle's grading worksheet.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    help=(
        "The assignment's column, or the number in its brackets. ROLE=HEAD names a column head in another"
        " language, such as id=Nummer; roles are " + ROLES + "."
    ),
)
@click.option(
    "--match", type=EXISTING, help="CSV with the columns submission and id: whose a row of GRADES is."
)
@click.option(
    "-o",
    "--output",
    type=FILE,
    required=True,
    help="The file to upload.",
)
@click.option("--free-days", type=int, help="Apply late days: as many in a term are free.")
@click.option(
    "--penalty",
    type=float,
    default=0.0,
    show_default=True,
    help="Percent of the points for each late day beyond those.",
)
@click.option("--most-days", type=int, help="More late days than this give 0 points.")
@click.option(
    "--earlier",
    type=EXISTING,
    multiple=True,
    help="collected.csv of an earlier homework, whose late days count as used.",
)
def handback_command(
    grades: Path,
    platform: str,
    collected: Path,
    theirs: Path,
    columns: tuple[str, ...],
    match: Path | None,
    output: Path,
    free_days: int | None,
    penalty: float,
    most_days: int | None,
    earlier: tuple[Path, ...],
) -> None:
    """Fills GRADES, the grades.csv of 'autograder grade', into the file that a platform takes back."""
    if free_days is None and (penalty or most_days is not None or earlier):
        raise click.UsageError("late days need --free-days, which may be 0")
    fill = platforms()[platform].fill
    assert fill is not None
    roles = {
        role: head
        for role, mark, head in (one.partition("=") for one in columns)
        if mark and role in platforms()[platform].heads
    }
    own = [one for one in columns if one.partition("=")[0] not in roles]
    if len(own) > 1:
        raise click.UsageError(f"--column names several columns: {', '.join(own)}")
    asked = given_options(fill, "--to", column=own[0] if own else "")
    policy = None if free_days is None else LatePolicy(free_days, penalty, most_days)
    try:
        people = read_manifest(_manifest(collected))
        before = [one for path in earlier for one in read_manifest(_manifest(path))]
        given = read_table(grades)
        with in_file(grades):
            points, notes = handback.totals(given.text)
        by_id, more = handback.grades_by_id(
            points, people, policy, before, read_matches(match) if match else None
        )
        table = read_table(theirs)
        with in_file(theirs):
            named = {head: platforms()[platform].heads[role] for role, head in roles.items()}
            upload = fill(table.renamed(named).text, by_id, **asked)
            text = Table(upload.text).renamed({there: head for head, there in named.items()}).text
    except (ValueError, OSError) as error:
        raise click.ClickException(speakable(str(error))) from None
    write_atomically(output, table.written(text if named else upload.text))
    show_list("Look at these before you upload", [*notes, *more, *upload.notes])
    if policy is not None:
        tell(f"Late days: {policy}")
    tell(f"{upload.matched} of {len(by_id)} grades in {output}")
    if still_open := sum(points is None for points in by_id.values()):
        tell(
            f"{still_open} of {len(by_id)} are open: their cells are empty, not 0. Grade what waits, and run"
            " this again."
        )


def _manifest(path: Path) -> Path:
    return path / MANIFEST if path.is_dir() else path
