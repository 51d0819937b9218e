"""What lies in folders below a notebook's: its log, copies of it and older versions."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from autograder.files import same_name
from autograder.submissions.archive import LOG, NOTEBOOK, ZIP, Item
from autograder.submissions.belonging import fits, homework_of, identity_of, listed

# folders in which people keep what they had before; other names may be a second person's
OLDER = re.compile(
    r"(?:old(?:er)?|backups?|bak|archived?|cop(?:y|ies)|previous|versions?|drafts?|history|temp|tmp"
    r"|trash|alt|kopien?|sicherung|entw[u\u00fc]rfe?|vieux|ancien(?:ne)?s?|viejos?|copias?)"
    r"(?:[ _.-]?(?:versions?|files?|stuff))?"
)
ROUND = " _.-()0123456789"  # what may stand around such a name
Folders = dict[PurePosixPath, list[Item]]


def bring_together(
    folders: Folders, own: bool, people: Collection[str], left: list[str]
) -> dict[PurePosixPath, list[str]]:
    """Sorts what lies in folders below a notebook's, where nothing else could be meant.

    Args:
        folders: the files of each folder; changed.
        own: whether files at the very top may be one person's.
        people: the folders of which each is known to be one person's.
        left: gets a line for each file that is part of no submission.

    Returns:
        Notes for the submissions of a folder.
    """
    older = _Older(folders, left)
    for folder in sorted(folders, key=lambda one: len(one.parts)):
        if above := _notebooks_above(folder, folders, own, people):
            older.sort(folder, above)
    _logs(folders, own)
    for folder in [one for one, members in folders.items() if not members]:
        del folders[folder]
    return older.notes()


def _notebooks_above(
    folder: PurePosixPath, folders: Folders, own: bool, people: Collection[str]
) -> list[Item]:
    """The notebooks in the next folder above that has any, if this one holds older versions of them."""
    if not any(item.kind == NOTEBOOK for item in folders[folder]):
        return []
    for above in folder.parents:
        if above == PurePosixPath() and not own:
            return []
        found = [item for item in folders.get(above, ()) if item.kind == NOTEBOOK]
        if found:
            below = folder.relative_to(above).parts
            known = same_name(str(above)) in people
            older = any(OLDER.fullmatch(same_name(part).strip(ROUND)) for part in below)
            return found if known or older else []
    return []


class _Older:
    """Takes copies out of folders below their notebook's, and notes where other versions are."""

    def __init__(self, folders: Folders, left: list[str]):
        self.folders, self.left = folders, left
        self.copies: dict[PurePosixPath, list[str]] = {}  # notebook → the copies of it that were found
        self.others: dict[PurePosixPath, list[str]] = {}  # folder → the other versions of what is in it
        self.read: dict[int, tuple[bytes, str]] = {}  # by identity: a zip may hold one path twice

    def sort(self, folder: PurePosixPath, above: Sequence[Item]) -> None:
        """Sorts one folder; ``above`` are the notebooks in the next folder that has any."""
        members, place = self.folders[folder], above[0].path.parent
        there = {self._of(item)[0]: item for item in above}
        graded = {self._of(item)[1] for item in above}
        for item in [one for one in members if one.kind == NOTEBOOK]:
            name = str(item.path.relative_to(place))
            identity, homework = self._of(item)
            if (same := there.get(identity)) is not None:
                members.remove(item)
                self.left.append(f"{item.path} (a copy of {same.path.name}, in a folder above)")
                self.copies.setdefault(same.path, []).append(name)
            elif homework and homework in graded:
                self.others.setdefault(place, []).append(name)
                self.others.setdefault(folder, []).append(f"{above[0].path.name} in a folder above")
        if any(item.kind == NOTEBOOK for item in members):
            return
        has_log = any(item.kind == LOG for item in self.folders[place])
        for item in [one for one in members if one.kind == LOG]:
            members.remove(item)
            if has_log or len(above) > 1:
                self.left.append(f"{item.path} (a log beside a copy)")
            else:
                self.folders[place].append(replace(item, path=place / item.path.name))

    def notes(self) -> dict[PurePosixPath, list[str]]:
        """What to say of the submissions of each folder."""
        found: dict[PurePosixPath, list[str]] = {}
        for path, names in self.copies.items():
            have = "has" if len(names) == 1 else "have"
            told = f"{path.name} was graded; {listed(names)} {have} the same cells."
            found.setdefault(path.parent, []).append(told)
        for folder, names in self.others.items():
            told = f"Another version was handed in, with different cells: {listed(names)}."
            found.setdefault(folder, []).append(f"{told} Each was graded by itself.")
        return found

    def _of(self, item: Item) -> tuple[bytes, str]:
        """What a notebook's cells are, and which homework's; read once."""
        if id(item) not in self.read:
            self.read[id(item)] = identity_of(item.data), homework_of(item.data)
        return self.read[id(item)]


def _logs(folders: Folders, own: bool) -> None:
    """Puts a log beside its notebook where one of the two lies in a folder below the other's.

    Only where the content fits and nothing else there could be meant: two people may share a folder.
    """
    below: Folders = {}
    for folder, members in folders.items():
        for above in (folder, *folder.parents):
            below.setdefault(above, []).extend(members)
    for folder in list(folders):
        if folder == PurePosixPath() and not own:
            continue
        notebooks = [item for item in below[folder] if item.kind == NOTEBOOK]
        logs = [item for item in below[folder] if item.kind == LOG]
        if len(notebooks) != 1 or len(logs) != 1 or any(item.kind == ZIP for item in below[folder]):
            continue
        (notebook,), (log,) = notebooks, logs
        place, other = notebook.path.parent, log.path.parent
        if place != other and folder in (place, other) and fits(log.data, notebook.data):
            folders[place].append(replace(log, path=place / log.path.name))
            folders[other].remove(log)
