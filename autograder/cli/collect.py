"""``autograder collect``: imports submissions from a learning platform."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from autograder.cli.shared import (
    EXISTING,
    FOLDER,
    course_option,
    due_time,
    following,
    given_options,
    show_list,
    tell,
    unless_given,
)
from autograder.files import speakable
from autograder.lms import collect, late
from autograder.lms.platforms import platforms
from autograder.lms.tables import in_file, read_matches, read_table


@click.command("collect")
@click.argument("source", type=EXISTING)
@click.option(
    "--from",
    "platform",
    type=click.Choice(list(platforms())),
    required=True,
    help="The platform that SOURCE was downloaded from.",
)
@click.option(
    "-o",
    "--output",
    type=FOLDER,
    required=True,
    help="The folder to create, for 'autograder grade'.",
)
@click.option("--prefix", default="", help="GitHub: the part of each repository's name before the user name.")
@click.option(
    "--times",
    type=EXISTING,
    help="Submission times: a CSV with columns id and submitted, or Moodle's worksheet.",
)
@click.option(
    "--match",
    type=EXISTING,
    help=(
        "CSV with the columns submission and id: assigns files that were not imported, or submissions, to"
        " students."
    ),
)
@click.option(
    "--due", help="The due time in ISO 8601, such as 2026-11-03T23:59-08:00. Late days count from it."
)
@click.option("--homework", default="", help="The homework in course.toml whose due time applies.")
@click.option(
    "--grace",
    type=int,
    default=0,
    show_default=True,
    help="Minutes after the due time that still count as on time.",
)
@course_option
def collect_command(
    source: Path,
    platform: str,
    output: Path,
    prefix: str,
    times: Path | None,
    match: Path | None,
    due: str | None,
    homework: str,
    grace: int,
    course: Path | None,
) -> None:
    """Imports submissions from SOURCE, the zip or folder that a learning platform exports."""
    taught = following(course, [source])
    at = late.read_time(due) if due else due_time(taught, homework)
    allowed = unless_given("grace", timedelta(minutes=grace), taught.grace or None)
    read = platforms()[platform].read
    asked = given_options(read, "--from", prefix=prefix)
    try:
        found = read(source, **asked)
        if match is not None:
            with in_file(match):
                found.settle(read_matches(match), platform)
        known = _times(times) if times else {}
        found.people = late.with_times(found.people, known, at, allowed)
        if found.people:
            collect.write(found, output)
    except (ValueError, OSError) as error:
        raise click.ClickException(speakable(str(error))) from None
    show_list("Not imported", found.left)
    show_list("No file that can be graded", [name for name, own in found.files.items() if not own])
    if at is not None:
        show_list(
            "Late, by an unknown time (give --times)",
            [one.submission for one in found.people if one.late != "no" and not one.late_days],
        )
    else:
        show_list(
            f"Late according to {platform} (to count late days, give --due or a due time in course.toml)",
            [one.submission for one in found.people if one.late == "yes" and not one.late_days],
        )
    if at is not None:
        show_list(
            "Late",
            [
                f"{one.submission}: {one.late_days} days"
                for one in found.people
                if one.late_days not in ("", "0")
            ],
        )
    if len(found.people) == 0:
        if found.unmatched:
            raise click.ClickException(
                f"no file in {source} could be assigned to a student. The list above says why. If another"
                f" platform than {platform} made it, name that with --from; else assign files with --match"
            )
        raise click.ClickException(f"no file in {source} has a name in the format of {platform}")
    tell(
        f"{len(found.files)} submissions of {len(found.people)} students in {output}. Next: autograder grade"
        f" {output} -o GRADED"
    )


def _times(path: Path) -> dict[str, str]:
    table = read_table(path)
    with in_file(path):
        return late.read_times(table.text)
