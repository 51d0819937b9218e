"""The time of a repository's last commit, read from its files: git itself never runs.

A repository that a student hands in has a configuration, hooks, filters and remotes of its own, and many git
commands do what these say. So nothing here runs git or reads ``config``: the commit that HEAD names is looked
up among loose objects and packs. No link is followed, and no path or object from elsewhere (``gitdir:``
files, ``commondir``, alternates, promisor remotes) is used.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

MAX_SMALL = 5_000_000  # bytes of HEAD, a branch or packed-refs
MAX_OBJECT = 1_000_000  # bytes of a commit
MAX_PACK = 2_000_000_000
MAX_CHAIN = 50  # deltas behind one object
HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
REF = re.compile(r"refs/[A-Za-z0-9._/@+-]{1,200}")
COMMITTER = re.compile(rb"^committer [^\n]*> (-?\d{1,12}) ([+-])(\d\d)(\d\d)$", re.MULTILINE)
COMMIT, OFS_DELTA, REF_DELTA = 1, 6, 7  # types of objects in a pack (git-scm.com/docs/pack-format)


class GitError(ValueError):
    """The repository does not say; the message says why."""


def commit_time(repository: Path) -> str:
    """The committer's time of the commit that HEAD names, in ISO 8601.

    Raises:
        GitError: it cannot be read.
    """
    folder = repository / ".git"
    if folder.is_symlink() or not folder.is_dir():
        raise GitError("its .git is no folder")
    try:
        commit = _object(folder, _head(folder))
        match = COMMITTER.search(commit.partition(b"\n\n")[0])
        if match is None:
            raise GitError("its last commit names no time")
        shift = timedelta(hours=int(match[3]), minutes=int(match[4])) * (-1 if match[2] == b"-" else 1)
        when = datetime.fromtimestamp(int(match[1]), UTC)
        return when.astimezone(timezone(shift)).isoformat()
    except (OSError, zlib.error, IndexError, OverflowError, ValueError) as error:
        if isinstance(error, GitError):
            raise
        raise GitError(f"its last commit cannot be read ({type(error).__name__})") from None


def _head(folder: Path) -> str:
    """The hash of the commit that HEAD names."""
    text = _small(folder, "HEAD").decode("ascii", "replace").strip()
    if HASH.fullmatch(text):
        return text
    name = text.removeprefix("ref: ").strip()
    if not REF.fullmatch(name) or ".." in name:
        raise GitError("its HEAD names no branch")
    try:
        found = _small(folder, name).decode("ascii", "replace").strip()
    except FileNotFoundError:
        packed = _small(folder, "packed-refs").decode("utf-8", "replace")
        lines = (line.split(" ") for line in packed.splitlines())
        found = next((line[0] for line in lines if line[1:] == [name]), "")
    if not HASH.fullmatch(found):
        raise GitError("it has no commit")
    return found


def _small(folder: Path, name: str) -> bytes:
    with _inside(folder, name).open("rb") as file:
        return file.read(MAX_SMALL)


def _inside(folder: Path, name: str) -> Path:
    """An ordinary file of the repository, to which no link leads.

    Raises:
        GitError: it is none.
    """
    path = folder
    for part in name.split("/"):
        path = path / part
        if path.is_symlink():
            raise GitError("it holds links")
    if path.exists() and not path.is_file():
        raise GitError("it holds what is no file")
    return path


def _object(folder: Path, name: str) -> bytes:
    """A commit's content."""
    try:
        with _inside(folder, f"objects/{name[:2]}/{name[2:]}").open("rb") as file:
            data = zlib.decompressobj().decompress(file.read(MAX_OBJECT), MAX_OBJECT)
        head, _, content = data.partition(b"\0")
        if not head.startswith(b"commit "):
            raise GitError("its HEAD is no commit")
        return content
    except FileNotFoundError:
        pass
    for index, pack in _packs(folder):
        place = _place(index, bytes.fromhex(name))
        if place is not None:
            kind, content = _packed(index, pack, place, len(name) // 2, MAX_CHAIN)
            if kind != COMMIT:
                raise GitError("its HEAD is no commit")
            return content
    raise GitError("its last commit is not there")


def _packs(folder: Path) -> Iterator[tuple[bytes, Path]]:
    """The packs' indexes, with the packs."""
    place = folder / "objects" / "pack"
    if (folder / "objects").is_symlink() or place.is_symlink() or not place.is_dir():
        return
    for path in sorted(place.glob("*.idx"))[:100]:
        pack = path.with_suffix(".pack")
        if path.is_symlink() or pack.is_symlink() or not path.is_file() or not pack.is_file():
            continue
        if path.stat().st_size <= 100_000_000 and pack.stat().st_size <= MAX_PACK:
            yield path.read_bytes(), pack


def _place(index: bytes, name: bytes) -> int | None:
    """Where an object begins in its pack, by the pack's index of version 2."""
    if index[:8] != b"\xfftOc\x00\x00\x00\x02":
        raise GitError("its index of packs has an unknown version")
    fan = [int.from_bytes(index[8 + 4 * n : 12 + 4 * n], "big") for n in (name[0] - 1, name[0], 255)]
    low, high, total = 0 if name[0] == 0 else fan[0], fan[1], fan[2]
    names, size = 8 + 256 * 4, len(name)
    while low < high:
        middle = (low + high) // 2
        there = index[names + middle * size : names + (middle + 1) * size]
        if there == name:
            offsets = names + total * (size + 4)
            place = int.from_bytes(index[offsets + 4 * middle : offsets + 4 * middle + 4], "big")
            if place & 0x80000000:
                far = offsets + 4 * total + 8 * (place & 0x7FFFFFFF)
                place = int.from_bytes(index[far : far + 8], "big")
            return place
        low, high = (middle + 1, high) if there < name else (low, middle)
    return None


def _packed(index: bytes, pack: Path, place: int, size: int, chain: int) -> tuple[int, bytes]:
    """Type and content of the object at a place in a pack."""
    if chain == 0:
        raise GitError("its last commit rests on too many others")
    with pack.open("rb") as file:
        file.seek(place)
        data = file.read(2 * MAX_OBJECT)
    kind, at = data[0] >> 4 & 7, 1
    while data[at - 1] & 0x80:
        at += 1
    base: int | None = None
    if kind == OFS_DELTA:
        back = data[at] & 0x7F
        while data[at] & 0x80:
            at += 1
            back = (back + 1) << 7 | data[at] & 0x7F
        at += 1
        base = place - back
    elif kind == REF_DELTA:
        base = _place(index, data[at : at + size])
        at += size
    content = zlib.decompressobj().decompress(data[at:], MAX_OBJECT)
    if kind not in (OFS_DELTA, REF_DELTA):
        return kind, content
    if base is None or not base > 0:
        raise GitError("its last commit is not whole")
    kind, before = _packed(index, pack, base, size, chain - 1)
    return kind, _apply(before, content)


def _apply(base: bytes, delta: bytes) -> bytes:
    """What a delta makes of its base."""
    at = 0
    for _ in range(2):  # the sizes of base and result
        while delta[at] & 0x80:
            at += 1
        at += 1
    made = bytearray()
    while at < len(delta) and len(made) <= MAX_OBJECT:
        code, at = delta[at], at + 1
        if code & 0x80:
            numbers = [0, 0]
            for bit in range(7):
                if code >> bit & 1:
                    part = 0 if bit < 4 else 1
                    numbers[part] |= delta[at] << 8 * (bit if bit < 4 else bit - 4)
                    at += 1
            start, count = numbers[0], numbers[1] or 0x10000
            made += base[start : start + count]
        elif code:
            made += delta[at : at + code]
            at += code
        else:
            raise GitError("its last commit is not whole")
    return bytes(made)
