"""What a batch has in common; light to import, since the main process only hands it on."""

from __future__ import annotations

from dataclasses import dataclass, field

from autograder.run.limits import Limits


@dataclass(frozen=True)
class Settings:
    """What a batch has in common.

    Attributes:
        seed: draws the hidden inputs.
        homework: takes every submission for this one; None recognizes it.
        limits: what a submission may use.
        library_calls: what follows from a call that a question forbids: ``flag`` says so and keeps the
            points, ``zero`` gives no points for that question.
        variants: the word from which students' own numbers are drawn; empty for the same numbers and hidden
            inputs for all.
        packages: what is importable beyond the homework's own packages and was asked for, with versions:
            another version grades anew.
        course: what the course changes in the homeworks, for :func:`autograder.declare.follow`; empty for
            the homeworks as declared.
    """

    seed: str
    homework: str | None = None
    limits: Limits = field(default_factory=Limits)
    library_calls: str = "flag"
    variants: str = ""
    packages: tuple[str, ...] = ()
    course: str = ""
