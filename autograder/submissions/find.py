"""Finds submissions in folders, zips and files. Everything here is untrusted.

Nothing is dropped silently: what looks like a submission but cannot be read becomes a submission with a
problem, and files that are none are listed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from autograder.files import cut_to_bytes, same_name, speakable
from autograder.submissions.archive import (
    IGNORED_FOLDERS,
    MAX_DEPTH,
    OTHER,
    Item,
    is_hidden,
    read_file,
    read_of,
)
from autograder.submissions.belonging import listed
from autograder.submissions.grouping import group
from autograder.submissions.submission import MAX_NAME, Submission, flat_name
from autograder.submissions.without import HAND_IN

__all__ = ["IGNORED_FOLDERS", "Found", "Submission", "find", "flat_name"]

RESULTS = {"grades.csv", "seed.txt", "submissions"}  # by which the folder of a run's results is known
PACKED = " archive"  # how the descriptions of archives end
MAX_TOTAL_BYTES = 6_000_000_000  # of all submissions together, in memory until they are graded,
MAX_SHARE = 0.5  # and of this machine's memory


@dataclass(frozen=True)
class Found:
    """All submissions below the given paths, and the files that are none."""

    submissions: tuple[Submission, ...]
    ignored: tuple[str, ...]


def find(
    paths: Iterable[Path],
    *,
    one_person: bool = False,
    people: Iterable[str] = (),
    without: Path | None = None,
) -> Found:
    """Collects submissions from folders, notebooks, logs and zips, by what is in the files.

    A folder with one notebook is one submission, with the log and checkpoints beside it. A folder with
    several notebooks (as an LMS unpacks) has one submission each, unless one alone belongs to a homework.
    What joins what is in :mod:`autograder.submissions.grouping`.

    Args:
        paths: folders and files.
        one_person: whether each is what one person handed in, as on a platform that grades one at a time,
            and not a class.
        people: the folders directly below the paths of which each is known to be one person's, as
            ``collected.csv`` lists them.
        without: a folder below the paths that holds no submissions, such as the results of an earlier run.

    Raises:
        FileNotFoundError: a path does not exist.
    """
    submissions: list[Submission] = []
    ignored: list[str] = []
    known = {same_name(name) for name in people} | ({"."} if one_person else set())
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder")
        base = path if path.is_dir() else path.parent
        items = []
        for file in _walk(path, ignored, without) if path.is_dir() else [path]:
            relative = PurePosixPath(file.relative_to(base).as_posix())
            if file.is_symlink() or not file.is_file():
                ignored.append(f"{relative} (not an ordinary file)")
            else:
                items.append(read_file(file, relative))
        if path.is_file() and items and items[0].kind == OTHER:
            submissions.append(_no_notebook(items[0]))
            continue
        if path.is_dir() and not one_person:  # an archive in a class's folder is what somebody handed in
            submissions += [_no_notebook(item) for item in items if _is_packed(item)]
            items = [item for item in items if not _is_packed(item)]
        name = path.stem if path.is_file() else path.name
        submissions += group(items, name, ignored, own=one_person, people=known if path.is_dir() else ())
        if path.is_dir() and not one_person:
            read = {item.path.parts[0] for item in items}
            rows = (_nothing_in(one) for one in _folders_in(path, without) if one.name not in read)
            submissions += [row for row in rows if row is not None]
    return Found(tuple(_kept(_unique(submissions))), tuple(speakable(line) for line in ignored))


def _is(one: Path, other: Path | None) -> bool:
    """Whether two paths lead to the same folder."""
    with contextlib.suppress(OSError):
        return other is not None and one.samefile(other)
    return False


def _walk(folder: Path, ignored: list[str], without: Path | None, depth: int = 0) -> Iterator[Path]:
    """Every file below a folder that is not left behind by a system or tool."""
    if depth > MAX_DEPTH:
        ignored.append(f"{folder} (a folder too deep within folders)")
        return
    try:
        there = sorted(folder.iterdir())
    except OSError as error:
        if depth == 0:  # the folder that was asked for
            raise
        ignored.append(f"{folder} (cannot be read: {error.strerror})")
        return
    if depth and {item.name for item in there} >= RESULTS:
        ignored.append(f"{folder} (results of an earlier run)")
        return
    is_folder: dict[Path, bool] = {}
    for item in there:
        try:
            is_folder[item] = item.is_dir() and not item.is_symlink()
        except OSError as error:  # such as a path that is longer than the system allows
            ignored.append(f"{folder}/{item.name[:50]}… (cannot be read: {error.strerror})")
    kept = read_of([PurePosixPath(item.name) for item, folds in is_folder.items() if not folds])
    for item, folds in is_folder.items():
        if folds and item.name not in IGNORED_FOLDERS and not _is(item, without):
            yield from _walk(item, ignored, without, depth + 1)
        elif not folds and PurePosixPath(item.name) in kept:
            yield item
        elif not folds and is_hidden(item.name):
            ignored.append(f"{item} (a hidden file)")


def _folders_in(folder: Path, without: Path | None) -> list[Path]:
    return sorted(
        one
        for one in folder.iterdir()
        if one.name not in IGNORED_FOLDERS and one.is_dir() and not one.is_symlink() and not _is(one, without)
    )


def _nothing_in(folder: Path) -> Submission | None:
    """The row of a person's folder of which no file was read; None if it holds results."""
    names: list[str] = []
    with contextlib.suppress(OSError):
        names = sorted(os.listdir(folder))
    if set(names) >= RESULTS:
        return None
    told = (
        f"The folder holds nothing that can be read, only {listed(names)}."
        if names
        else "The folder is empty: no file that can be graded was handed in."
    )
    return Submission(flat_name(PurePosixPath(folder.name)), problem=f"{told} {HAND_IN}")


def _is_packed(item: Item) -> bool:
    """Whether a file that belongs to no folder is an archive of a kind that is not opened."""
    return item.kind == OTHER and item.problem.endswith(PACKED) and len(item.path.parts) == 1


def _no_notebook(item: Item) -> Submission:
    """The row of a file that was given by its name and is nothing that can be graded."""
    what = item.problem or "neither a notebook nor a log nor a zip"
    return Submission(flat_name(item.path), problem=f"{item.path.name} is {what}. {HAND_IN}")


def _unique(submissions: Iterable[Submission]) -> Iterator[Submission]:
    """Gives each a name of its own, for file systems that do not tell case or composition apart, too."""
    taken: set[str] = set()
    numbers: dict[str, int] = {}  # of the last one of each name
    for one in submissions:
        base = one.name or "submission"
        name, number = base, numbers.get(same_name(base), 2)
        while same_name(name) in taken:
            mark = f" ({number})"
            name, number = cut_to_bytes(base, MAX_NAME - len(mark)) + mark, number + 1
        taken.add(same_name(name))
        numbers[same_name(base)] = number
        yield replace(one, name=name, problem=speakable(one.problem), notes=tuple(map(speakable, one.notes)))


def memory() -> int:
    """Bytes of memory that this machine has; a large number where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 2**62


def _kept(submissions: Iterable[Submission]) -> Iterator[Submission]:
    """Submissions as long as memory may hold them, then rows that say so."""
    total, allowed = 0, min(MAX_TOTAL_BYTES, int(MAX_SHARE * memory()))
    for one in submissions:
        size = one.size()
        if total + size > allowed:
            most = f"{allowed / 1e9:.1f} GB of memory"
            told = f"The submissions before this one fill {most}. Grade the class in parts."
            yield Submission(one.name, problem=told)
        else:
            total += size
            yield one
