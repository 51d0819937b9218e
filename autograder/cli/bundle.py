"""``autograder bundle``: the autograder zip for otter and Gradescope."""

from __future__ import annotations

from pathlib import Path

import click

from autograder.cli.shared import (
    FILE,
    RenamedOption,
    check_seconds,
    chosen,
    course_option,
    following,
    tell,
    unless_given,
)
from autograder.files import SECRET, kept_secret, write_atomically
from autograder.hosts import bundle


@click.command("bundle")
@click.argument("homework")
@click.option(
    "--platform",
    type=click.Choice(bundle.PLATFORMS),
    default="otter",
    show_default=True,
    help="The platform that runs the zip.",
)
@click.option(
    "-o",
    "--output",
    type=FILE,
    help="The zip to write. [default: HOMEWORK-PLATFORM.zip]",
)
@click.option(
    "--seed", help="The secret seed of the hidden inputs. [default: OUTPUT.seed.txt, created if missing]"
)
@click.option(
    "--visibility",
    "hidden",
    cls=RenamedOption,
    formerly=("--hidden",),
    type=click.Choice(bundle.VISIBILITIES),
    default=bundle.Config.hidden,
    show_default=True,
    help=(
        "When students see feedback on hidden inputs and multiple choice. With 'visible', students can"
        " resubmit"
        " until every answer is right."
    ),
)
@click.option(
    "--leaderboard", is_flag=True, help="Gradescope: show checkpoint accuracies on the leaderboard."
)
@click.option(
    "--seconds",
    type=float,
    default=bundle.Config.seconds,
    show_default=True,
    help="Gradescope: the time limit of the assignment, in seconds.",
)
@click.option(
    "--cell-seconds",
    type=float,
    default=bundle.Config.cell_seconds,
    show_default=True,
    callback=check_seconds,
    help="Time limit of one cell; a container with half a core needs twice the usual.",
)
@click.option(
    "--pip-flags",
    default="",
    help="Options for pip in the image build, such as an index with CPU builds of torch.",
)
@course_option
def bundle_command(
    homework: str,
    platform: str,
    output: Path | None,
    seed: str | None,
    hidden: str,
    leaderboard: bool,
    seconds: float,
    cell_seconds: float,
    pip_flags: str,
    course: Path | None,
) -> None:
    """Writes the autograder zip for otter or Gradescope.

    The zip contains the seed and the right answers: do not publish it.
    """
    taught = following(course)
    (declared,) = chosen((homework,))
    path = output or Path(f"{homework}-{platform}.zip")
    if seed is None:
        seed = kept_secret(path.with_name(f"{path.name}.seed.txt"))
    cell_seconds = unless_given("cell_seconds", cell_seconds, taught.limits.get("cell_seconds"))
    config = bundle.Config(
        homework, seed, hidden, leaderboard, seconds, cell_seconds, course=taught.adaptation
    )
    try:
        data = bundle.make(declared, platform, config, pip_flags)
    except RuntimeError as error:
        raise click.ClickException(str(error)) from None
    write_atomically(path, data, SECRET)
    tell(f"{path}: written, {len(data) / 1e6:.1f} MB, for {platform}")
