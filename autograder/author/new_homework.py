"""A new homework to begin with: small, complete, and passing every test of the project."""

from __future__ import annotations

import re
from pathlib import Path

from autograder.author.source import BuildError

SKELETON = Path(__file__).parent / "skeleton"
ID = re.compile(r"hw[1-9]\d?")
STEM = re.compile(r"[a-z][a-z0-9_]{0,39}")
FILES = {  # where a file of the skeleton goes
    "package.txt": "autograder/homeworks/{id}/__init__.py",
    "homework.txt": "autograder/homeworks/{id}/homework.py",
    "q1_average.txt": "autograder/homeworks/{id}/q1_average.py",
    "q2_meaning.txt": "autograder/homeworks/{id}/q2_meaning.py",
    "source.txt": "solutions/{stem}.py",
    "gallery.txt": "tests/gallery/{id}.py",
}


def new_homework(root: Path, id: str, title: str) -> dict[Path, str]:
    """The files of a new homework, by their paths in a checkout.

    Args:
        root: the checkout.
        id: such as ``hw7``.
        title: for people; the file's name follows from it.

    Raises:
        BuildError: the id or the title will not do, or a file is there already.
    """
    if not ID.fullmatch(id):
        raise BuildError(f"{id!r}: a homework is called hw and a number, such as hw7")
    bare = " ".join(title.split())
    words = re.sub(r"[^a-z0-9]+", "_", bare.lower()).strip("_")
    if not STEM.fullmatch(words) or len(bare) > 60 or set(bare) & set('"\\{}@'):
        raise BuildError(
            f"{title!r}: a title has at most 60 characters, begins with a letter of the Latin alphabet, and"
            " holds no quotation marks, braces or @"
        )
    names = {"id": id, "stem": f"{id}_{words}"}
    made = {}
    for name, place in FILES.items():
        path = root / place.format(**names)
        if path.exists():
            raise BuildError(f"{path} is there already; choose another number")
        text = (SKELETON / name).read_text(encoding="utf-8")
        for mark, value in {"@ID@": id, "@N@": id[2:], "@TITLE@": bare, "@STEM@": names["stem"]}.items():
            text = text.replace(mark, value)
        made[path] = text
    return made
