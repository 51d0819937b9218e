"""What a platform gave, and how it becomes the folder that ``autograder grade`` takes.

Each submission gets a sub-folder. Who handed in what is told by the ids that the platform put into names
and metadata, and kept in ``collected.csv``. What does not follow the platform's naming is listed, never
guessed. Everything read here is untrusted, and waits on disk, not in memory.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from autograder.files import cut_to_bytes, plain_name, same_name
from autograder.lms.files import unpack
from autograder.lms.people import MANIFEST, Person, folder_name, write_manifest

MAX_TOTAL_BYTES = 5_000_000_000  # of one class
MAX_OWN_BYTES = 200_000_000  # of one submission
MAX_OWN_FILES = 200
MAX_FILE_NAME = 150  # bytes


@dataclass
class Collected:
    """What was found: people, each submission's files, and what was left alone with the reason.

    Attributes:
        people: whose the submissions are.
        files: submission → file name → where its content waits.
        left: a line for each file that was not taken.
        unmatched: path → content's place, of files whose owner the platform's naming does not tell; an
            instructor can (``--match``).
    """

    people: list[Person] = field(default_factory=list)
    files: dict[str, dict[str, Path]] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    unmatched: dict[str, Path] = field(default_factory=dict)
    _spool: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="collect-")), repr=False)
    _attempts: dict[str, dict[str, list[tuple[str, Path]]]] = field(default_factory=dict, repr=False)
    _total: int = 0
    _own: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        weakref.finalize(self, shutil.rmtree, self._spool, ignore_errors=True)

    def add(self, submission: str, name: str, data: bytes) -> None:
        """Keeps a file of a submission, or says why not; a zip is unpacked."""
        own = self.files.setdefault(submission, {})
        for path, content, trouble in unpack(name, data):
            base = file_name(PurePosixPath(path.replace("\\", "/")).name)
            trouble = trouble or self._refusal(submission, own, len(content))
            if trouble:
                self.left.append(f"{submission}: {path} ({trouble})")
                continue
            there = {same_name(one): place for one, place in own.items()}
            stem, suffix, number = PurePosixPath(base).stem, PurePosixPath(base).suffix, 2
            if same_name(base) in there and there[same_name(base)].read_bytes() == content:
                continue  # the same file beside the zip and in it
            while same_name(base) in there:
                base, number = f"{stem} ({number}){suffix}", number + 1
            own[base] = self._keep(content)
            self._own[submission] = self._own.get(submission, 0) + len(content)

    def attempt(self, submission: str, when: str, name: str, data: bytes) -> None:
        """Keeps a file of one of several attempts; :meth:`take_latest` decides which attempt counts."""
        self._attempts.setdefault(submission, {}).setdefault(when, []).append((name, self._keep(data)))
        self.files.setdefault(submission, {})

    def take_latest(self) -> None:
        """Adds the files of each submission's latest attempt and names the others."""
        for submission, attempts in self._attempts.items():
            last = max(attempts)
            for name, place in attempts.pop(last):
                self.add(submission, name, place.read_bytes())
            for when, files in sorted(attempts.items()):
                names = ", ".join(name for name, _ in files)
                self.left.append(f"{submission}: {names} (the attempt of {when}; that of {last} counts)")
        self._attempts.clear()

    def leave(self, path: str, data: bytes, reason: str) -> None:
        """Lists a file whose owner is not known, and keeps it for an instructor who knows."""
        self.left.append(f"{path} ({reason})")
        if data and len(self.unmatched) < MAX_OWN_FILES:
            self.unmatched[path] = self._keep(data)

    def settle(self, matches: Mapping[str, str], source: str) -> None:
        """Files what could not be matched under the ids that an instructor gives.

        Args:
            matches: a path as it was listed, or a submission → the platform's id of its student.
            source: the platform.

        Raises:
            ValueError: nothing here is called so.
        """
        for name, identity in matches.items():
            theirs = next((one.submission for one in self.people if one.id == identity), "")
            if name in self.unmatched:
                submission = theirs or folder_name("", identity)
                if not theirs:
                    self.people.append(Person(submission, source, identity))
                self.add(submission, PurePosixPath(name).name, self.unmatched[name].read_bytes())
                self.left = [line for line in self.left if not line.startswith(f"{name} (")]
            elif name in self.files:
                mine = [one for one in self.people if one.submission == name]
                self.people = [one for one in self.people if one.submission != name]
                self.people.append(replace(mine[0] if mine else Person(name, source, ""), id=identity))
            else:
                raise ValueError(
                    f"{name!r} is neither a submission nor a file that was not imported;"
                    f" these were: {'; '.join([*self.unmatched, *self.files][:10])}"
                )

    def _keep(self, data: bytes) -> Path:
        """Puts content aside.

        Raises:
            ValueError: the class is larger than :data:`MAX_TOTAL_BYTES`, or than the disk.
        """
        self._total += len(data)
        if self._total > min(MAX_TOTAL_BYTES, shutil.disk_usage(self._spool).free):
            raise ValueError(f"the submissions take more than {self._total / 1e9:.1f} GB")
        digest = hashlib.sha256(data).hexdigest()
        path = self._spool / digest
        if not path.exists():
            path.write_bytes(data)
        return path

    def _refusal(self, submission: str, own: Mapping[str, Path], size: int) -> str:
        """Why one more file of a submission is not taken; empty if it is."""
        if len(own) >= MAX_OWN_FILES:
            return f"more than {MAX_OWN_FILES} files"
        if self._own.get(submission, 0) + size > MAX_OWN_BYTES:
            return f"more than {MAX_OWN_BYTES / 1e6:.0f} MB together"
        return ""


def file_name(name: str) -> str:
    """A harmless file name out of one that a student chose; its suffix stays."""
    path = PurePosixPath(name)
    suffix = plain_name(path.suffix, 20)
    suffix = f".{suffix}" if suffix else ""
    return (plain_name(path.stem, MAX_FILE_NAME) or "file") + cut_to_bytes(suffix, 20)


def write(found: Collected, folder: Path) -> None:
    """Writes the sub-folders and ``collected.csv``.

    Raises:
        FileExistsError: the folder holds something already.
        ValueError: two submissions cannot be told apart.
    """
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; collect into a new folder")
    names: dict[str, str] = {}
    for submission in found.files:
        if (other := names.setdefault(same_name(submission), submission)) != submission:
            raise ValueError(f"the submissions {other!r} and {submission!r} cannot be told apart by name")
    for submission, own in found.files.items():
        (folder / submission).mkdir(parents=True)
        for name, place in own.items():
            shutil.copyfile(place, folder / submission / name)
    folder.mkdir(parents=True, exist_ok=True)
    write_manifest(found.people, folder / MANIFEST)
