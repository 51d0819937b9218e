"""Canvas: the zip of "Download Submissions", and the gradebook's import."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from autograder.lms.collect import Collected
from autograder.lms.export import read_export
from autograder.lms.files import read_files
from autograder.lms.handback import Upload, cell, is_excused, upload_of
from autograder.lms.people import Person, folder_name

# jane's file in a Canvas zip: doejane_LATE_1234_56789_hw3-1.ipynb; -1 counts her uploads of that name
NAMED = re.compile(r"(?P<who>.+?)(?P<late>_LATE)?_(?P<id>[0-9]+)_(?P<file>[0-9]+)_(?P<name>.+)", re.DOTALL)
NUMBERS = re.compile(r"(?=_([0-9]+)_[0-9]+_)")  # where a name may hold the ids of a user and a file
ANONYMOUS = re.compile(
    r"(?P<late>LATE_)?(?P<who>anon)_(?P<id>[A-Za-z0-9]+)_(?P<file>[0-9]+)_(?P<name>.+)", re.DOTALL
)
# text or an address that jane entered instead of a file: doejane_1234_text.html
ENTERED = re.compile(r"(?P<who>.+?)(?P<late>_LATE)?_(?P<id>[0-9]+)_(?:text|link)\.html", re.DOTALL)
COUNTER = re.compile(r"-\d+(?=\.\w+$)")
# --column ROLE=HEAD names the head that a gradebook in another language has instead
HEADS = {
    "student": "Student",
    "id": "ID",
    "sis": "SIS User ID",
    "login": "SIS Login ID",
    "section": "Section",
}
IDENTIFYING = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")


def read(source: Path) -> Collected:
    """What a zip of "Download Submissions" holds. Canvas says that something is late, not since when."""
    found = Collected()
    people: dict[str, Person] = {}
    for path, data, trouble in read_files(source):
        name = PurePosixPath(path).name
        match = ANONYMOUS.fullmatch(name) or NAMED.fullmatch(name)
        entered = ENTERED.fullmatch(name)
        if entered is not None and len(re.findall(r"_[0-9]+(?=_)", name)) == 1:
            who, late = entered["who"], "yes" if entered["late"] else "no"
            submission = folder_name(who, entered["id"])
            found.files.setdefault(submission, {})
            people.setdefault(submission, Person(submission, "canvas", entered["id"], who, late=late))
            found.left.append(f"{path} (text or an address that was entered in Canvas; no file)")
            continue
        if match is None or trouble or len(PurePosixPath(path).parts) > 2:
            found.leave(path, data, trouble or "not named as Canvas does")
            continue
        # a student called jane_99, or a file called 3_x, gives a name that can be read in two ways,
        # one of which may be somebody else's
        possible = {match["id"], *(other[1] for other in NUMBERS.finditer(name))}
        if len(possible) > 1:
            found.leave(path, data, f"may be of {' or '.join(sorted(possible))}; use --match to assign it")
            continue
        submission = folder_name(match["who"], match["id"])
        late = "yes" if match["late"] else "no"
        known = people.get(submission)
        given = match["name"]
        if known is None or not known.handle or given.lower().endswith((".ipynb", ".zip")):
            people[submission] = Person(
                submission, "canvas", match["id"], match["who"], late=late, handle=name
            )
        if PurePosixPath(given).suffix.lower() != ".ipynb":
            given = COUNTER.sub("", given)  # the log and the checkpoint have names to be recognized by
        found.add(submission, given, data)
    found.people = list(people.values())
    return found


def fill(gradebook: str, grades: Mapping[str, float | None], *, column: str = "") -> Upload:
    """A file for Canvas' gradebook import, out of its export.

    Args:
        gradebook: the export's text.
        grades: points by Canvas' user id; None while they are open, which leaves the cell empty.
        column: the assignment's column, as the export names it, or the number in its brackets.

    Raises:
        ValueError: the export or the column is not what Canvas writes.
    """
    export = read_export(gradebook, "a gradebook export of Canvas", [["Student"], ["ID"]], HEADS)
    head = export.head
    assignments = [name for name in head if name.endswith(")")]
    own = export.column(column, lambda name: name.endswith(f"({column})"), assignments)
    kept = [*(place for place, name in enumerate(head) if name in IDENTIFYING), own]
    identity, student, made = export.place("ID"), export.place("Student"), [head]
    done: set[str] = set()
    excused: list[str] = []
    for row in export.rows:
        who = row[identity].strip() if len(row) == len(head) else ""
        if not who:  # the rows with points possible and posting policies stand above the students
            if not done and len(row) == len(head):
                made.append(row)
        elif who in grades and who not in done:
            made.append([cell(grades[who], old) if place == own else old for place, old in enumerate(row)])
            done.add(who)
            if is_excused(row[own]):
                excused.append(f"{row[student]}: excused in the gradebook; unchanged")
    upload = upload_of([[row[place] for place in kept] for row in made], done, grades)
    missing = [
        row[student]
        for row in export.rows
        if len(row) == len(head) and row[identity].strip() and row[identity].strip() not in grades
    ]
    upload.notes += [f"{name}: in the gradebook, but it has no grade here; left out" for name in missing]
    upload.notes += excused
    return upload
