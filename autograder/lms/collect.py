"""What a platform gave, and how it becomes the folder that ``autograder grade`` takes.

Each submission gets a sub-folder. Who handed in what is told by the ids that the platform put into names
and metadata, and kept in ``collected.csv``. What does not follow the platform's naming is listed, never
guessed. Everything read here is untrusted.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from autograder.lms.files import unpack
from autograder.lms.people import MANIFEST, Person, write_manifest

WANTED = {".ipynb", ".json", ".pt", ".pth"}  # zips are unpacked, the rest is listed
MAX_TOTAL_BYTES = 5_000_000_000  # of one class


@dataclass
class Collected:
    """What was found: people, each submission's files, and what was left alone with the reason."""

    people: list[Person] = field(default_factory=list)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def add(self, submission: str, name: str, data: bytes) -> None:
        """Keeps a file of a submission, or says why not; a zip is unpacked."""
        own = self.files.setdefault(submission, {})
        for path, content, trouble in unpack(name, data):
            base = re.sub(r"[^\w.() -]", "_", PurePosixPath(path.replace("\\", "/")).name)
            if trouble or PurePosixPath(base).suffix.lower() not in WANTED:
                self.left.append(f"{submission}: {path} ({trouble or 'not a notebook, log or checkpoint'})")
                continue
            if own.get(base) == content:
                continue  # the same file beside the zip and in it
            stem, suffix, number = PurePosixPath(base).stem, PurePosixPath(base).suffix, 2
            while base in own:
                base, number = f"{stem} ({number}){suffix}", number + 1
            own[base] = content


def write(found: Collected, folder: Path) -> None:
    """Writes the sub-folders and ``collected.csv``.

    Raises:
        FileExistsError: the folder holds something already.
        ValueError: the class is larger than :data:`MAX_TOTAL_BYTES`.
    """
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; collect into a new folder")
    total = sum(len(data) for own in found.files.values() for data in own.values())
    if (
        total > MAX_TOTAL_BYTES
        or total > shutil.disk_usage(folder.parent if folder.parent.exists() else Path()).free
    ):
        raise ValueError(f"the submissions take {total / 1e9:.1f} GB")
    for submission, own in found.files.items():
        (folder / submission).mkdir(parents=True)
        for name, data in own.items():
            (folder / submission / name).write_bytes(data)
    folder.mkdir(parents=True, exist_ok=True)
    write_manifest(found.people, folder / MANIFEST)
