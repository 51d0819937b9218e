"""Folders in which nothing can be graded: each person's has a row that says what it holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from autograder.submissions.archive import Item
from autograder.submissions.belonging import listed
from autograder.submissions.submission import Submission, flat_name

HAND_IN = "Hand in the notebook (the .ipynb file), or the zip that its last cell makes."
# what a student hands in instead of a notebook; a folder of nothing but pictures or tables is no submission
INSTEAD = {
    ".py", ".pdf", ".html", ".htm", ".rar", ".7z", ".gz", ".tgz", ".tar", ".xz", ".docx", ".doc", ".odt",
    ".pages", ".rtf", ".md", ".tex", ".rmd", ".qmd", ".txt", ".ipynb", ".zip", ".bz2",
}  # fmt: skip


def rows_without(
    folders: dict[PurePosixPath, list[Item]], full: Iterable[PurePosixPath], one_person: bool
) -> Iterator[Submission]:
    """A row for each person's folder in which nothing can be graded.

    Args:
        folders: all of them.
        full: those with a submission.
        one_person: whether all may be one person's; then a folder needs a file that students hand in instead.
    """
    full, top = set(full), PurePosixPath()
    above = {parent for folder in full for parent in (folder, *folder.parents)}
    told: set[PurePosixPath] = set()
    for folder in sorted(folders):
        chain = [folder, *folder.parents]
        if folder == top or any(parent in full for parent in chain if parent != top):
            continue
        without = [one for one in chain if one != top and one not in above]
        if not without or (empty := without[-1]) in told:  # the topmost without any
            continue
        inside = [item for other in folders if other.is_relative_to(empty) for item in folders[other]]
        deep = one_person or len(empty.parts) > 1
        if deep and not any(item.path.suffix.lower() in INSTEAD for item in inside):
            continue
        paths = ((item.path.relative_to(empty).as_posix(), item.problem) for item in inside)
        names = [f"{path} ({problem})" if problem else path for path, problem in paths]
        told.add(empty)
        problem = f"The folder holds no notebook, log or zip{only(names)}. {HAND_IN}"
        yield Submission(flat_name(empty), problem=problem)


def only(names: Sequence[str]) -> str:
    """The first of what is there, for the end of a sentence; empty if nothing is."""
    return f", only {listed(names)}" if names else ""
