"""Notebooks that lie beside each other in one person's folder: which counts, and what the others are.

Copies have the same cells. Where ``collected.csv`` says that a folder is one person's, they are one
submission. Elsewhere they are one only if their names differ by nothing but the mark of a copy, which a
browser, a system or Jupyter sets: such names tell nobody apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from autograder.files import same_name
from autograder.submissions.archive import ATTACHMENT, LOG, NOTEBOOK, Item
from autograder.submissions.belonging import (
    bare,
    cells_digest,
    code_of,
    fit,
    homework_of,
    homework_of_log,
    listed,
    sources_of,
    stem,
)

MAX_VERSIONS = 12  # different notebooks of one person: a term has six homeworks
MARKS = re.compile(
    r"^(?:copy|kopie|copi[ae]|c\u00f3pia)(?: \(?\d+\)?)? (?:of|von|van|de) |"
    r"(?<![ _-])[ _-]*(?:copy|kopie|copi[ae]|c\u00f3pia)[ _-]?(?:\(?\d+\)?)?$|(?<![ _-])[ _-]*\(\d{1,2}\)$"
)


@dataclass
class Kept:
    """What is left of a folder's files.

    Attributes:
        members: the files that count.
        notes: place of a notebook → what to say to its student about the others.
        left: lines about the others.
    """

    members: list[Item]
    notes: dict[PurePosixPath, list[str]] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def say(self, one: Item, note: str) -> None:
        """Keeps a note for a notebook's student."""
        self.notes.setdefault(one.path, []).append(note)


def without_copies(members: Sequence[Item], one_persons: bool) -> Kept:
    """A folder's files with one of each notebook.

    Args:
        members: the files of one folder.
        one_persons: whether it is known that all are one person's; else names decide.
    """
    kept = Kept(list(members))
    notebooks = [item for item in members if item.kind == NOTEBOOK and not item.problem]
    if len(notebooks) < 2:
        return kept
    alike: dict[bytes, list[Item]] = {}
    for item in notebooks:
        if (digest := cells_digest(item.data)) is not None:
            alike.setdefault(digest, []).append(item)
    if all(len(some) == 1 for some in alike.values()):
        return kept
    if not one_persons:
        of_homework = [some for some in alike.values() if homework_of(some[0].data)]
        stems = {stem_of_copies(item.path) for some in of_homework for item in some}
        if len(of_homework) != 1 or len(stems) != 1:
            return kept
        alike = {b"": of_homework[0]}
    for some in alike.values():
        if len(some) == 1:
            continue
        # outputs and pasted pictures are more bytes
        best = min(some, key=lambda item: (-len(item.data), len(item.path.name), item.path.name))
        others = sorted((item for item in some if item is not best), key=lambda item: item.path.name)
        gone = {item.path for item in others}
        kept.members = [item for item in kept.members if item.path not in gone]
        kept.left += [f"{item.path} (a copy of {best.path.name}, beside it)" for item in others]
        names, have = listed([item.path.name for item in others]), "has" if len(others) == 1 else "have"
        kept.say(best, f"{best.path.name} was graded; {names} beside it {have} the same cells.")
    return kept


def stem_of_copies(path: PurePosixPath) -> str:
    """A notebook's name without the marks of copies: ``hw3 (2).ipynb``, ``Copy of hw3.ipynb`` → ``hw3``."""
    name, before = same_name(bare(path)), ""
    while name != before:
        name, before = MARKS.sub("", name), name
    return name.strip()


def versions(kept: Kept) -> list[list[Item]]:
    """One person's files, once for each notebook that may count: that notebook, its logs, the other files.

    Notebooks of no homework count only if there is no other. Several of one homework have different cells,
    and nothing says which of them is meant: each is graded, with a note.
    """
    notebooks = [item for item in kept.members if item.kind == NOTEBOOK]
    belongs = {item.path: homework_of(item.data) for item in notebooks} if len(notebooks) > 1 else {}
    some = [item for item in notebooks if belongs.get(item.path)]
    if not some:
        return [kept.members]
    if len(some) > MAX_VERSIONS:
        told = f"{len(some)} notebooks of homeworks with different cells were handed in"
        item = replace(
            some[0], data=b"", problem=f"{told}, more than {MAX_VERSIONS}. Hand in the one that counts."
        )
        kept.left += [f"{one.path} (one of {len(some)} notebooks)" for one in some[1:]]
        return [[item]]
    others = [item for item in notebooks if not belongs[item.path]]
    kept.left += [f"{item.path} (a notebook of no homework, beside {some[0].path.name})" for item in others]
    logs = [item for item in kept.members if item.kind == LOG]
    rest = [item for item in kept.members if item.kind not in (LOG, NOTEBOOK)]
    code = {item.path: code_of(item.data) for item in some} if logs and len(some) > 1 else {}
    sources = {log.path: sources_of(log.data) for log in logs} if code else {}
    found, used = [], set()
    for number, item in enumerate(some):
        if others:
            names, do = listed([one.path.name for one in others]), "belongs" if len(others) == 1 else "belong"
            kept.say(item, f"{item.path.name} was graded; {names} beside it {do} to no homework.")
        mine = belongs[item.path]
        same = [one.path.name for one in some if belongs[one.path] == mine]
        if len(same) > 1:
            told = f"Several notebooks of {mine} with different cells were handed in: {listed(same)}."
            kept.say(item, f"{told} Each was graded by itself.")
        fitting = {log.path: fit(sources[log.path], code[item.path]) for log in logs} if code else {}
        joining = logs if len(some) == 1 else _logs_of(item, mine, logs, some, fitting)
        used |= {log.path for log in joining}
        found.append([item, *joining, *(one for one in rest if number == 0 or one.kind == ATTACHMENT)])
    spare = [log for log in logs if log.path not in used]
    graded = set(belongs.values())
    kept.left += [f"{log.path} (a log of no notebook beside it)" for log in spare if _of(log) in graded]
    return [*found, *([log] for log in spare if _of(log) not in graded)]


def _logs_of(
    notebook: Item,
    homework: str,
    logs: Sequence[Item],
    notebooks: Sequence[Item],
    fitting: Mapping[PurePosixPath, bool | None],
) -> list[Item]:
    """The logs that may be one notebook's of several that a person handed in; ``fitting`` by content."""
    stems = {stem(one.path) for one in notebooks}
    named = [log for log in logs if stem(log.path) == stem(notebook.path)]
    free = [log for log in logs if stem(log.path) not in stems and _of(log) in (homework, "")]
    sure = [log for log in free if fitting[log.path]]
    return named or sure or [log for log in free if fitting[log.path] is None]


def _of(log: Item) -> str:
    return homework_of_log(log.data)
