"""Whose is what: files that were found become submissions, and two people never become one.

A log, a zip or a checkpoint joins a notebook only because they lie in a folder of their own, because their
names have the same stem, or because their content fits and nothing else could be meant. Everything else is a
submission of its own, or is listed.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import PurePosixPath

from autograder import kit
from autograder.files import cut_to_bytes, same_name, whole
from autograder.submissions.archive import ATTACHMENT, LOG, NOTEBOOK, OTHER, ZIP, Item
from autograder.submissions.belonging import (
    bare,
    cells_digest,
    code_of,
    fit,
    fits,
    homework_of,
    identity_of,
    listed,
    same_cells,
    sources_of,
    stem,
)
from autograder.submissions.below import bring_together
from autograder.submissions.copies import versions, without_copies
from autograder.submissions.submission import Submission, flat_name
from autograder.submissions.without import HAND_IN, only, rows_without

COPY = "This notebook has the cells of another one in the same folder; each was graded by itself."
GENERIC = re.compile(r"submission_log(?:[ _-]*\(?\d+\)?)?")  # what the kit calls it, counted by a browser
# names that a learning platform made: files that have such names may be different people's
OF_PLATFORM = re.compile(r"_\d{2,}_|_attempt_\d|_assignsubmission_|^\d+-\d+ - |\([^()]+\)_|_\d{2,}$")


def group(
    items: Sequence[Item], root: str, left: list[str], own: bool, people: Collection[str] = ()
) -> list[Submission]:
    """The submissions among files.

    Args:
        items: with paths relative to one folder or zip.
        root: what that is called.
        left: gets a line for each file that is part of no submission.
        own: whether files at the very top may be one person's: so in a zip, not in a class's folder.
        people: the folders of which each is known to be one person's, as :func:`same_name` writes them.
    """
    folders: dict[PurePosixPath, list[Item]] = {}
    for item in items:
        folders.setdefault(item.path.parent, []).append(item)
    below: dict[PurePosixPath, list[str]] = {}
    with contextlib.suppress(Exception):  # what cannot be read is said where its folder is sorted
        below = bring_together(folders, own, people, left)
    made: list[Submission] = []
    full: set[PurePosixPath] = set()
    for folder, members in folders.items():
        top = folder == PurePosixPath()
        try:
            known = same_name(str(folder)) in people
            found = _of_people(folder, members, left, root, known, own or not top)
        except Exception as error:  # whatever their bytes do to a reader costs these files only
            found = [_unsorted(item, error) for item in members]
        if len(found) == 1 and not top:
            found = [replace(found[0], name=flat_name(folder))]
        if notes := below.get(folder):
            found = [
                one if one.notebook is None else replace(one, notes=(*notes, *one.notes)) for one in found
            ]
        if found:
            full.add(folder)
        made += found
        if own and top and len(found) == 1:  # one person's: folders beside it are hers, too
            full |= set(folders)
    return [*made, *rows_without(folders, full, own and len(made) == 1)]


def _unsorted(item: Item, error: Exception) -> Submission:
    """The row of a file in a folder where it could not be told what belongs together."""
    told = f"The files around {item.path.name} could not be sorted ({type(error).__name__}: {error})"
    return Submission(flat_name(item.path), problem=f"{cut_to_bytes(told, 400)}. Grade each file by itself.")


def _of_people(
    folder: PurePosixPath, members: Sequence[Item], left: list[str], root: str, known: bool, own: bool
) -> list[Submission]:
    """The submissions in one folder, of each notebook one copy.

    Args:
        folder: its path.
        members: its files.
        left: gets a line for each file that is part of no submission.
        root: what the folder is called that was given.
        known: whether it is known that the folder is one person's.
        own: whether it may be.
    """
    if not (known or own):
        return _of_folder(folder, members, left, own, root)
    kept = without_copies(members, known)
    parts = versions(kept) if known else [kept.members]
    found: list[Submission] = []
    for part in parts:
        made = _of_folder(folder, part, left, True, root)
        if len(parts) > 1 and len(made) == 1 and made[0].notebook is not None:
            made = [replace(made[0], name=flat_name(part[0].path))]
        said = kept.notes.get(part[0].path, []) if known else [*chain(*kept.notes.values())]
        found += [
            replace(one, notes=(*said, *one.notes)) if said and one.notebook is not None else one
            for one in made
        ]
    left += kept.left
    return found


def _of_folder(
    folder: PurePosixPath, members: Sequence[Item], left: list[str], own: bool, root: str
) -> list[Submission]:
    """The submissions whose files lie in one folder, those in its zips included."""
    loose, zips = [one for one in members if one.kind != ZIP], [one for one in members if one.kind == ZIP]
    made = []
    there: set[bytes] | None = None  # what the notebooks beside the zips hold
    stems = Counter(stem(one.path) for one in zips)
    named: dict[str, list[Item]] = {}
    for item in loose:
        if item.kind == NOTEBOOK:
            named.setdefault(stem(item.path), []).append(item)
    for one in zips:
        own_stem = stem(one.path)
        target = named.get(own_stem, []) if stems[own_stem] == 1 else []
        joined = None if one.problem else _joined(one, loose, target, own, len(zips) == 1)
        if joined is not None:
            taken = {(item.path.name) for item in loose}
            loose += [item for item in joined if item.path.name not in taken]
            left += [f"{one.path}: {item.path}" for item in one.items if item.kind == OTHER]
            continue
        inside = _of_zip(one, left)
        if there is None:
            there = {identity_of(item.data) for item in loose if item.kind == NOTEBOOK}
        made += [
            replace(item, notes=(*item.notes, COPY))
            if item.notebook and identity_of(item.notebook) in there
            else item
            for item in inside
        ]
    return [*_of_loose(folder, loose, left, own, root), *made]


def _of_zip(item: Item, left: list[str]) -> list[Submission]:
    """The submissions in a zip; at least one, which says what is wrong if nothing in it can be graded."""
    name = flat_name(item.path)
    if item.problem:
        return [Submission(name, problem=item.problem)]
    inner: list[str] = []
    found = group(item.items, name, inner, own=True)
    left += [f"{item.path}: {line}" for line in inner]
    if not found:
        files = [f"{one.path} ({one.problem})" if one.problem else str(one.path) for one in item.items]
        problem = f"{item.path.name} holds no notebook and no {kit.LOG_NAME}{only(files)}. {HAND_IN}"
        return [Submission(name, problem=problem)]
    if len(found) == 1:
        return [replace(found[0], name=name)]
    return [replace(one, name=flat_name(PurePosixPath(f"{name}-{one.name}"))) for one in found]


def _joined(
    one: Item, loose: Sequence[Item], named: Sequence[Item], own: bool, alone: bool
) -> list[Item] | None:
    """A zip's files under the folder's path, if they belong to what lies loose there; None if not.

    Args:
        one: the zip.
        loose: what lies beside it.
        named: the notebooks of them that have the zip's name, if no other zip has it.
        own: whether the folder may be one person's.
        alone: whether it is the folder's only zip.
    """
    inside = list(_flat(one))
    notebooks = [item for item in loose if item.kind == NOTEBOOK]
    copies = [item for item in inside if item.kind == NOTEBOOK]
    rest = [item for item in inside if item.kind in (LOG, ATTACHMENT)]
    if len(named) == 1:
        target = named[0]
    elif own and alone and not notebooks and any(item.kind == LOG for item in loose) and len(copies) == 1:
        return [*(_moved(item, one) for item in [*copies, *rest])]
    elif alone and own and len(main := _of_a_homework(notebooks)) == 1:
        target = main[0]
    elif alone and len(notebooks) == 1 and not copies and _logs_fit(rest, notebooks[0]):
        target = notebooks[0]
    else:
        return None
    if not (copies or rest) or any(not same_cells(item.data, target.data) for item in copies):
        return None
    named_log = [item for item in loose if item.kind == LOG and stem(item.path) == stem(target.path)]
    return [
        _renamed(_moved(item, one), target) if item.kind == LOG and len(notebooks) > 1 else _moved(item, one)
        for item in rest
        if not (item.kind == LOG and named_log)
    ]


def _flat(one: Item) -> Iterator[Item]:
    for item in one.items:
        yield item
        yield from _flat(item)


def _moved(item: Item, archive: Item) -> Item:
    return replace(item, path=archive.path.parent / item.path.name)


def _renamed(log: Item, notebook: Item) -> Item:
    """The log under the notebook's name, so that nobody else's notebook takes it."""
    return replace(log, path=log.path.with_name(f"{bare(notebook.path)}_{kit.LOG_NAME}"))


# --- loose files in one folder ------------------------------------------------------------------------------


def _of_loose(
    folder: PurePosixPath, loose: Sequence[Item], left: list[str], own: bool, root: str
) -> list[Submission]:
    notebooks = [item for item in loose if item.kind == NOTEBOOK]
    logs = [item for item in loose if item.kind == LOG]
    files = [item for item in loose if item.kind == ATTACHMENT]
    others = [item for item in loose if item.kind == OTHER]
    left += [f"{item.path} ({item.problem})" if item.problem else str(item.path) for item in others]
    notes: tuple[str, ...] = ()
    if own and len(notebooks) > 1:
        notebooks, notes = _one_of(notebooks, left)
    own = own and len(notebooks) == 1
    mine = _pairs(notebooks, logs, own)
    used = {id(log) for log in mine.values()}
    copied = _copied(notebooks)
    theirs = _files_of(notebooks, files, own)
    made = [
        Submission(
            flat_name(folder) if own and folder != PurePosixPath() else flat_name(item.path),
            None if item.problem else item.data,
            mine[number].data if number in mine else None,
            theirs.get(bare(item.path), {}),
            item.problem if number not in mine else "",
            notes=(
                *notes,
                *([item.problem] if item.problem and number in mine else []),
                *([COPY] if copied[number] else []),
                *_spare(logs, mine.get(number), own),
            ),
        )
        for number, item in enumerate(notebooks)
    ]
    taken = {name for one in made for name in one.attachments}
    left += [str(item.path) for item in files if whole(item.path.name) not in taken]
    for log in logs:
        if id(log) in used:
            continue
        if own and GENERIC.fullmatch(bare(log.path).lower()):
            left.append(f"{log.path} (another log of the same notebook)")
        else:
            name = flat_name(log.path) if log.path.name != kit.LOG_NAME else flat_name(folder) or root
            made.append(Submission(name, log=None if log.problem else log.data, problem=log.problem))
    return made


def _one_of(notebooks: list[Item], left: list[str]) -> tuple[list[Item], tuple[str, ...]]:
    """One person's notebook of a homework, if it is one person's; all of them if that cannot be told."""
    belongs = _of_a_homework(notebooks)
    if len(belongs) != 1:
        return notebooks, ()
    others = [item for item in notebooks if item is not belongs[0]]
    left += [f"{item.path} (a notebook of no homework, beside {belongs[0].path.name})" for item in others]
    names = listed([item.path.name for item in others])
    return belongs, (f"{belongs[0].path.name} was graded; {names} beside it belongs to no homework.",)


def _of_a_homework(notebooks: list[Item]) -> list[Item]:
    """The notebooks that may be a person's submission: those of a homework, unless a platform named them."""
    if len(notebooks) < 2 or any(OF_PLATFORM.search(bare(item.path)) for item in notebooks):
        return notebooks
    return [item for item in notebooks if homework_of(item.data)]


def _pairs(notebooks: Sequence[Item], logs: Sequence[Item], own: bool) -> dict[int, Item]:
    """The log of each notebook, by the notebook's place."""
    named: dict[str, list[Item]] = {}
    for log in logs:
        named.setdefault(stem(log.path), []).append(log)
    stems = [stem(notebook.path) for notebook in notebooks]
    counted = Counter(stems)
    pairs = {
        number: named[one][0]
        for number, one in enumerate(stems)
        if counted[one] == 1 and len(named.get(one, ())) == 1
    }
    if len(notebooks) > 1:
        return pairs | _by_content(notebooks, logs, pairs)
    if len(notebooks) != 1 or pairs:
        return pairs
    exact = [log for log in logs if log.path.name == kit.LOG_NAME]
    generic = [log for log in logs if GENERIC.fullmatch(bare(log.path).lower())]
    for some in (exact, generic, logs):
        fitting = [log for log in some if _may_join(log, notebooks[0], own)]
        if len(fitting) == 1:
            return {0: fitting[0]}
    return {0: sorted(generic, key=lambda log: log.path.name)[-1]} if own and generic else {}


def _by_content(notebooks: Sequence[Item], logs: Sequence[Item], pairs: dict[int, Item]) -> dict[int, Item]:
    """The logs whose answers come from one of several notebooks, and from no other; each of one notebook."""
    used = {id(log) for log in pairs.values()}
    sources = [(log, told) for log in logs if id(log) not in used and (told := sources_of(log.data))]
    code = [code_of(item.data) for item in notebooks] if sources else []
    fitting = [[n for n, there in enumerate(code) if fit(told, there)] for _, told in sources]
    sure = Counter(some[0] for some in fitting if len(some) == 1)
    return {
        some[0]: log
        for (log, _), some in zip(sources, fitting, strict=True)
        if len(some) == 1 and sure[some[0]] == 1 and some[0] not in pairs
    }


def _may_join(log: Item, notebook: Item, own: bool) -> bool:
    """Whether a folder's only notebook may have a log whose name is not its own."""
    fit = fits(log.data, notebook.data)
    if GENERIC.fullmatch(bare(log.path).lower()):
        return True
    return fit is True or (own and fit is None)


def _spare(logs: Sequence[Item], used: Item | None, own: bool) -> Iterator[str]:
    """What to say where a person's folder holds several logs of the kit."""
    if not own or used is None:
        return
    others = [log for log in logs if log is not used and GENERIC.fullmatch(bare(log.path).lower())]
    if others:
        names = listed([one.path.name for one in others])
        yield f"Of several logs, {used.path.name} counts; not used: {names}."


def _files_of(notebooks: Sequence[Item], files: Sequence[Item], own: bool) -> dict[str, dict[str, bytes]]:
    """Name of a notebook → its files: all in a folder of its own, else those that begin with its name."""
    names = {bare(item.path) for item in notebooks}
    if len(notebooks) == 1 and (own or len(files) <= 2):
        return {name: {whole(one.path.name): one.data for one in files} for name in names}
    found: dict[str, dict[str, bytes]] = {}
    for one in files:
        beginnings = (one.path.name[:end] for end in range(len(one.path.name), 0, -1))
        if (mine := next((name for name in beginnings if name in names), None)) is not None:
            found.setdefault(mine, {})[whole(one.path.name)] = one.data
    return found


def _copied(notebooks: Sequence[Item]) -> list[bool]:
    """Whether another notebook in the folder has the same cells, for each of them."""
    if len(notebooks) < 2:
        return [False] * len(notebooks)
    digests = [cells_digest(item.data) for item in notebooks]
    counted = Counter(digests)
    return [digest is not None and counted[digest] > 1 for digest in digests]


# --- what belongs together ----------------------------------------------------------------------------------


def _logs_fit(items: Sequence[Item], notebook: Item) -> bool:
    """Whether there is one log and its answers come from the notebook's cells."""
    logs = [item for item in items if item.kind == LOG]
    return len(logs) == 1 and fits(logs[0].data, notebook.data) is True
