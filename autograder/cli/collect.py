"""``autograder collect`` and ``autograder handback``: from a learning platform to grades, and back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import click

from autograder.files import write_atomically
from autograder.lms import collect, handback

EXISTING = click.Path(exists=True, path_type=Path)


@click.command("collect")
@click.argument("source", type=EXISTING)
@click.option(
    "--from",
    "platform",
    type=click.Choice(list(collect.READERS)),
    required=True,
    help="Where SOURCE comes from.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="A new folder, for 'autograder grade'.",
)
@click.option(
    "--prefix", default="", help="GitHub: what each repository's name begins with before the user's name."
)
@click.option(
    "--times", type=EXISTING, help="CSV with the columns id and submitted, or Moodle's grading worksheet."
)
@click.option("--due", help="The due time in ISO 8601, such as 2026-11-03T23:59-08:00; counts late days.")
@click.option(
    "--grace",
    type=int,
    default=0,
    show_default=True,
    help="Minutes after the due time that count as on time.",
)
def collect_command(
    source: Path, platform: str, output: Path, prefix: str, times: Path | None, due: str | None, grace: int
) -> None:
    """Turns SOURCE, a platform's zip or folder, into a folder of submissions and collected.csv."""
    if prefix and platform != "github":
        raise click.BadParameter("--prefix is for --from github")
    reader: Callable[[Path], collect.Collected] = (
        partial(collect.github, prefix=prefix) if platform == "github" else collect.READERS[platform]
    )
    try:
        found = reader(source)
        known = collect.read_times(times.read_text(encoding="utf-8-sig")) if times else {}
        found.people = collect.with_times(
            found.people, known, collect.read_time(due) if due else None, timedelta(minutes=grace)
        )
        collect.write(found, output)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from None
    _list("Left alone", found.left)
    _list("Without a file that can be graded", [name for name, own in found.files.items() if not own])
    if due:
        _list(
            "Late, but by how much is not known (give --times)",
            [one.submission for one in found.people if one.late != "no" and not one.late_days],
        )
        _list(
            "Late",
            [
                f"{one.submission}: {one.late_days} days"
                for one in found.people
                if one.late_days not in ("", "0")
            ],
        )
    if len(found.people) == 0:
        raise click.ClickException(f"nothing in {source} is named as {platform} does")
    click.echo(
        f"{len(found.files)} submissions of {len(found.people)} students in {output}. Next: autograder grade"
        f" {output} -o GRADED"
    )


@click.command("handback")
@click.argument("grades", type=EXISTING)
@click.option(
    "--to", "platform", type=click.Choice(["canvas", "moodle"]), required=True, help="Whose file to fill in."
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
    help="Canvas' gradebook export, or Moodle's grading worksheet.",
)
@click.option("--column", default="", help="Canvas: the assignment's column, or the number in its brackets.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
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
    column: str,
    output: Path,
    free_days: int | None,
    penalty: float,
    most_days: int | None,
    earlier: tuple[Path, ...],
) -> None:
    """Fills GRADES, the grades.csv of 'autograder grade', into the file that Canvas or Moodle takes back."""
    if free_days is None and (penalty or most_days is not None or earlier):
        raise click.UsageError("late days need --free-days, which may be 0")
    policy = None if free_days is None else handback.LatePolicy(free_days, penalty, most_days)
    try:
        people = collect.read_manifest(_manifest(collected))
        before = [one for path in earlier for one in collect.read_manifest(_manifest(path))]
        points, notes = handback.totals(grades.read_text(encoding="utf-8-sig"))
        by_id, more = handback.grades_by_id(points, people, policy, before)
        text = theirs.read_text(encoding="utf-8")
        upload = (
            handback.canvas(text, column, by_id) if platform == "canvas" else handback.moodle(text, by_id)
        )
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from None
    write_atomically(output, upload.text.encode())
    _list("Look at these before you upload", [*notes, *more, *upload.notes])
    if policy is not None:
        click.echo(f"Late days: {policy}")
    click.echo(f"{upload.matched} of {len(by_id)} grades in {output}")


def _manifest(path: Path) -> Path:
    return path / collect.MANIFEST if path.is_dir() else path


def _list(title: str, lines: list[str]) -> None:
    if lines:
        click.echo(f"{title}:")
        for line in lines:
            click.echo(f"  {line}")
