"""GitHub Classroom: a folder of repositories, as its assistant clones them."""

from __future__ import annotations

from pathlib import Path

from autograder.lms.collect import Collected
from autograder.lms.files import read_files
from autograder.lms.gitread import GitError, commit_time
from autograder.lms.people import Person, folder_name


def read(source: Path, *, prefix: str = "") -> Collected:
    """What a folder of repositories holds.

    Args:
        source: the folder.
        prefix: what every repository's name begins with before the user's name, such as ``homework-3-``.
    """
    if not source.is_dir():
        raise ValueError(f"{source} is not a folder of repositories")
    found = Collected()
    for repository in sorted(one for one in source.iterdir() if not one.name.startswith(".")):
        if repository.is_symlink() or not repository.is_dir() or not repository.name.startswith(prefix):
            found.left.append(f"{repository.name} (not a repository{f' called {prefix}…' if prefix else ''})")
            continue
        submission = folder_name("", repository.name)
        found.files[submission] = {}
        found.people.append(
            Person(
                submission,
                "github",
                repository.name.removeprefix(prefix),
                submitted=_last_commit(repository, found.left),
            )
        )
        for path, data, trouble in read_files(repository):
            if trouble:
                found.left.append(f"{submission}: {path} ({trouble})")
            else:
                found.add(submission, path, data)
    return found


def _last_commit(repository: Path, left: list[str]) -> str:
    """The last commit's committer time, which a student can set to anything; empty if it is not known."""
    try:
        return commit_time(repository)
    except GitError as error:
        left.append(f"{repository.name}: the time of the last commit ({error})")
        return ""
