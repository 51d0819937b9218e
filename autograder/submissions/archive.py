"""Reads files and zips of unknown origin within limits. What a file is follows from its content.

A zip is read member by member from disk. Of a member only the beginning is read unless it is something that
can be graded, and all levels of zips within a zip share one budget.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from autograder.kit.packing import MAX_NOTEBOOK_BYTES
from autograder.submissions.errors import SubmissionError
from autograder.submissions.log import MAX_LOG_BYTES

MAX_ZIP_BYTES = 200_000_000  # unpacked, of one zip: a class of 200 with checkpoints of 1 MB
ANY_ZIP_BYTES = 48_000_000  # what even the smallest zip may unpack to: a notebook and a log at their limits
MAX_RATIO = 60  # beyond that, unpacked bytes for each packed one: notebooks have 3 to 10, bombs 1000
MAX_ZIP_FILES = 5_000
ENTRY_BYTES = 800  # of a zip's directory for each file: 46 and a long name
MAX_TRIED = 2_000_000_000  # bytes unpacked of zips within a zip that turned out to be too large
ZIP_LEVELS = 2  # zips within a zip that are opened: a platform's holds students', which hold one more
SNIFFED = 64_000  # bytes at a file's beginning that say what it is
# What else counts, by suffix. Checkpoints; a homework's declaration says which of them it reads. A new kind
# of file that students hand in goes here. Modules that a notebook imports; only its kernel ever opens them.
ATTACHMENTS = (".pt", ".pth", ".py")
MAX_DEPTH = 60  # folders within folders, on disk and in a zip; people have 10
MAX_PART = 255  # characters of one name: no file system has longer ones, but a zip may have 65,535
IGNORED_FOLDERS = {"__MACOSX", ".ipynb_checkpoints", "__pycache__", ".git"}
JUNK = {"thumbs.db", "desktop.ini"}

NOTEBOOK, LOG, ATTACHMENT, ZIP, OTHER = "notebook", "log", "attachment", "zip", "other"
MAX_BYTES = {NOTEBOOK: MAX_NOTEBOOK_BYTES, LOG: MAX_LOG_BYTES, ATTACHMENT: 50_000_000}

_MAGIC = {
    b"Rar!\x1a\x07": "a RAR archive",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\0": "an xz archive",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"PK\x03\x04": "a zip",
    b"version https://git-lfs": "a pointer of Git LFS",  # what a clone without it holds
    b"bplist00": "a property list, such as iCloud leaves for a file that is not downloaded",
}
# how JSON begins in another encoding than UTF-8, with a mark or without; UTF-32 first, as UTF-16 begins alike
_OTHER_TEXT = {
    b"\xff\xfe\0\0": "utf-32-le",
    b"\0\0\xfe\xff": "utf-32-be",
    b"{\0\0\0": "utf-32-le",
    b"\0\0\0{": "utf-32-be",
    b"\xff\xfe": "utf-16-le",
    b"\xfe\xff": "utf-16-be",
    b"{\0": "utf-16-le",
    b"\0{": "utf-16-be",
}
_NOTEBOOK = re.compile(rb'"(?:cells|nbformat|worksheets)"\s*:')
_EARLIER = re.compile(r"hw\d{1,2}_recorded\.json")
_LOG = re.compile(rb'"(?:entries|schema)"\s*:')
_HTML = re.compile(rb"\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_DOCUMENT_ZIPS = (
    ".docx",
    ".xlsx",
    ".pptx",
    ".odt",
    ".ods",
    ".odp",
    ".jar",
    ".whl",
    ".npz",
    ".epub",
    ".pages",
)


@dataclass(frozen=True)
class Item:
    """A file that was found.

    Attributes:
        path: relative to where the search began, or to the zip's root; it leads nowhere else.
        kind: what its content is.
        data: its content, where that can be graded.
        items: what a zip holds.
        problem: why it cannot be used, in words.
    """

    path: PurePosixPath
    kind: str
    data: bytes = b""
    items: tuple[Item, ...] = ()
    problem: str = ""


@dataclass
class Budget:
    """What a zip, and all zips in it, may unpack to.

    Attributes:
        what: how messages name it.
        most: bytes.
        outer: of the zip that holds this one; it pays, too.
        tried: bytes that were unpacked in vain.
    """

    what: str
    most: int
    outer: Budget | None = None
    used: int = 0
    files: int = 0
    tried: int = 0

    @classmethod
    def of(cls, what: str, packed: int, outer: Budget | None = None) -> Budget:
        """The budget of a zip of so many bytes."""
        return cls(what, min(MAX_ZIP_BYTES, max(ANY_ZIP_BYTES, MAX_RATIO * packed)), outer)

    def spend(self, size: int, files: int = 0) -> None:
        """Takes bytes and files from it.

        Raises:
            SubmissionError: it is used up.
        """
        self.used += size
        self.files += files
        if self.outer is not None:
            self.outer.spend(size, files)
        if self.files > MAX_ZIP_FILES:
            raise SubmissionError(f"{self.what} holds {self.files} files; the limit is {MAX_ZIP_FILES}.")
        if self.used > self.most or self.tried > MAX_TRIED:
            raise SubmissionError(f"{self.what} unpacks to more than {self.most / 1e6:.0f} MB.")

    def release(self) -> None:
        """Gives the outer zips back what a refused one took: its bytes are not kept."""
        outer = self.outer
        while outer is not None:
            outer.used -= self.used
            outer.files -= self.files
            outer.tried += self.used
            outer = outer.outer

    def left(self) -> int:
        """Bytes that may still be read."""
        own = self.most - self.used
        return own if self.outer is None else min(own, self.outer.left())


def kind_of(name: str, head: bytes) -> str:
    """What a file is, by its first bytes; the name decides only where those do not."""
    lower = name.lower()
    suffixes = [suffix.lower() for suffix in PurePosixPath(name).suffixes]
    last = suffixes[-1] if suffixes else ""
    if last in ATTACHMENTS:
        return ATTACHMENT
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return OTHER if last in _DOCUMENT_ZIPS else ZIP
    head = as_utf8(head)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if _EARLIER.fullmatch(lower):
        return OTHER  # the record of another homework, which the kit keeps in the same folder
    if text.startswith(b"{"):
        if _NOTEBOOK.search(head) and not (last == ".json" and "log" in lower and _LOG.search(head)):
            return NOTEBOOK
        if last == ".json" and ("log" in lower or _LOG.search(head)):
            return LOG
        if b'"attention-homeworks/log/' in head:
            return LOG
    if last == ".ipynb":
        return NOTEBOOK
    if last == ".zip" and described(head) == "":
        return ZIP
    return LOG if last == ".json" and "log" in PurePosixPath(lower).stem else OTHER


def as_utf8(data: bytes) -> bytes:
    """JSON that an editor has saved in UTF-16 or UTF-32, in UTF-8; everything else as it is."""
    mark = next((mark for mark in _OTHER_TEXT if data.startswith(mark)), None)
    return data if mark is None else data.decode(_OTHER_TEXT[mark], "replace").removeprefix("\ufeff").encode()


def described(head: bytes) -> str:
    """What the first bytes say that a file is, with its article; empty if they do not."""
    if _HTML.match(head.removeprefix(b"\xef\xbb\xbf")):
        return "a web page"
    if head[257:262] == b"ustar":
        return "a tar archive"
    return next((what for magic, what in _MAGIC.items() if head.startswith(magic)), "")


def read_file(file: Path, path: PurePosixPath) -> Item:
    """Reads a file from disk; a zip with all that it holds."""
    try:
        with file.open("rb") as stream:
            head = stream.read(SNIFFED)
            if kind_of(path.name, head) != ZIP:
                return _read(path, head, stream, None)
        return _read_zip(file, path, Budget.of(path.name, file.stat().st_size), 0)
    except OSError as error:
        kind = kind_of(path.name, b"")
        return Item(path, kind, problem=f"{path.name} cannot be read: {error.strerror or error}.")


def read_stream(path: PurePosixPath, stream: IO[bytes]) -> Item:
    """Reads a file that is no zip."""
    return _read(path, stream.read(SNIFFED), stream, None)


def read_zip(source: IO[bytes], path: PurePosixPath, packed: int) -> Item:
    """Reads a zip of so many bytes with all that it holds."""
    return _read_zip(source, path, Budget.of(path.name, packed), 0)


def _read(path: PurePosixPath, head: bytes, stream: IO[bytes], budget: Budget | None) -> Item:
    """Reads the rest of what can be graded, within its limit."""
    kind, name = kind_of(path.name, head), path.name
    if budget is not None:
        budget.spend(len(head))
    if kind == OTHER:
        return Item(path, OTHER, problem=described(head))
    if kind == NOTEBOOK and (real := described(head)):
        return Item(path, kind, problem=f"{name} is {real}, not a notebook. Hand in the .ipynb file itself.")
    most = MAX_BYTES[kind]
    ask = most + 1 - len(head) if budget is None else min(most + 1 - len(head), budget.left() + 1)
    data = head + stream.read(max(0, ask))
    if budget is not None:
        budget.spend(len(data) - len(head))
    if kind in (NOTEBOOK, LOG) and len(data) <= most:
        data = as_utf8(data)
    # of a checkpoint the beginning is enough to say that it is too large
    if len(data) > most and kind != ATTACHMENT:
        return Item(path, kind, problem=f"{name} is larger than {most / 1e6:.0f} MB, too large to read.")
    return Item(path, kind, data)


def _read_zip(source: Path | IO[bytes], path: PurePosixPath, budget: Budget, level: int) -> Item:
    """A zip with the items in it, or with the problem that it has."""
    what = path.name
    try:
        check_directory(source, MAX_ZIP_FILES)
        with zipfile.ZipFile(source) as archive:
            return Item(path, ZIP, items=tuple(_members(archive, what, budget, level)))
    except SubmissionError as error:
        budget.release()
        return Item(path, ZIP, problem=str(error))
    except Exception as error:  # zipfile raises nearly anything for a damaged zip, struct.error and others
        budget.release()
        return Item(path, ZIP, problem=f"{what} is not a zip file that can be read: {error}")


def _members(archive: zipfile.ZipFile, what: str, budget: Budget, level: int) -> list[Item]:
    """The files in a zip, with paths that lead nowhere else.

    Raises:
        SubmissionError: it is encrypted, or holds too much.
    """
    files = [info for info in archive.infolist() if not info.is_dir()]
    parts = [safe_parts(info.filename) for info in files]
    paths = [
        PurePosixPath(*(some if len(some) <= MAX_DEPTH + 1 else (some[0], "\u2026", some[-1])))
        for some in parts
    ]
    kept = read_of(paths)
    budget.spend(0, sum(path in kept for path in paths))
    items = []
    for info, path, some in zip(files, paths, parts, strict=True):
        if not some or path not in kept:
            continue
        if info.flag_bits & 1:
            raise SubmissionError(f"{what} is encrypted. Hand in a zip without a password.")
        if len(some) > MAX_DEPTH + 1:
            items.append(Item(path, OTHER, problem="a file too deep within folders"))
            continue
        with archive.open(info) as member:  # the size in the directory may lie
            head = member.read(min(SNIFFED, budget.left() + 1))
            if kind_of(path.name, head) != ZIP:
                items.append(_read(path, head, member, budget))
            elif level == ZIP_LEVELS:
                items.append(Item(path, OTHER, problem="a zip too deep within zips"))
            else:
                with tempfile.TemporaryFile() as spooled:
                    size = spooled.write(head)
                    while size <= budget.left() and (chunk := member.read(1_000_000)):
                        size += spooled.write(chunk)
                    if size > budget.left():
                        budget.tried += size
                        budget.spend(0)
                        items.append(Item(path, ZIP, problem=f"{path.name} is too large to be opened."))
                        continue
                    spooled.seek(0)
                    inner = Budget.of(path.name, size, budget)
                    items.append(_read_zip(spooled, path, inner, level + 1))
    return items


def read_of(paths: Collection[PurePosixPath]) -> set[PurePosixPath]:
    """The files that are read: all but those that systems and tools leave behind.

    A notebook or zip whose name hides it is read where no other lies beside it.
    """
    own = [path for path in paths if path.parts and not IGNORED_FOLDERS & set(path.parts)]
    shown = {path for path in own if not is_junk(path.name)}
    folders = {path.parent for path in shown if path.suffix.lower() in (".ipynb", ".zip")}
    return shown | {path for path in own if is_hidden(path.name) and path.parent not in folders}


def is_hidden(name: str) -> bool:
    """Whether a file may be a submission but for the dot at its name's beginning; macOS's ``._`` are none."""
    return is_junk(name) and not name.startswith("._") and name.lower().endswith((".ipynb", ".zip"))


def check_directory(source: Path | IO[bytes], files: int) -> None:
    """Refuses a zip whose directory alone would fill the memory, before it is parsed.

    Args:
        source: the zip.
        files: how many it may hold.

    Raises:
        SubmissionError: the directory is larger than so many files need.
    """
    if isinstance(source, Path):
        with source.open("rb") as opened:
            return check_directory(opened, files)
    size = source.seek(0, 2)
    source.seek(max(0, size - 66_000))
    tail = source.read(66_000)
    source.seek(0)
    at = tail.rfind(b"PK\x05\x06")  # the end record; a comment of 64 kB may follow
    directory = int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0
    if directory == 0xFFFFFFFF:  # its size stands elsewhere; it is less than the whole
        directory = size
    if directory > files * ENTRY_BYTES:
        raise SubmissionError(f"It lists more files than the limit of {files}.")
    return None


def is_junk(name: str) -> bool:
    """Whether a file is one that systems leave behind."""
    return name.startswith(".") or name.lower() in JUNK


def safe_parts(name: str) -> list[str]:
    """The parts of a path in a zip, without those that lead elsewhere; long ones are cut in the middle."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return [
        part if len(part) <= MAX_PART else part[: MAX_PART - 50] + part[-50:]
        for part in parts
        if part not in ("..", "/", ".")
    ]
