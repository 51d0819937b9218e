"""A folder of results for one grader who works elsewhere: made, opened, and what goes back from it."""

from __future__ import annotations

import io
import json
import re
import secrets
import zipfile
from pathlib import Path

from autograder.files import SECRET, encoded, write_atomically
from autograder.grade import course
from autograder.grade.exchange import TICKET, Exchange, ExchangeError, of_file
from autograder.grade.store import EXECUTED, PRIVATE, RESULTS, read_reports

MAX_FILES, MAX_BYTES = 20_000, 8_000_000_000
BESIDE = (course.FILE, "pages.json")
_MEMBER = re.compile(rf"submissions/(?P<name>[^/\\\0]{{1,255}})/({re.escape(RESULTS)}|{re.escape(EXECUTED)})")


def packed(output: Path, grader: str) -> bytes:
    """A zip with all that a grader needs: results, executed notebooks, and the marks as they are now.

    Raises:
        ExchangeError: the name is empty.
        FileNotFoundError: the folder holds no results.
    """
    name = " ".join(grader.split())[:60]
    if not name:
        raise ExchangeError("A grader's name is wanted.")
    reports = read_reports(output)
    ticket = Exchange(output).ticket(name, secrets.token_hex(8))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(TICKET, encoded(json.dumps(ticket)))
        for beside in BESIDE:
            if (output / beside).is_file():
                file.write(output / beside, beside)
        for report in reports:
            for part in (RESULTS, EXECUTED):
                path = output / "submissions" / report.submission / part
                if path.is_file() and not path.is_symlink():
                    file.write(path, f"submissions/{report.submission}/{part}")
    return made.getvalue()


def unpacked(path: Path) -> Path:
    """The folder of a grader's zip, beside it; made at the first time and gone on with later.

    Raises:
        ExchangeError: it is no such zip, or another folder lies in its place.
    """
    folder = path.with_suffix("")
    try:
        with zipfile.ZipFile(path) as file:
            ticket = json.loads(file.read(TICKET))
            if folder.exists():
                there = of_file(folder)
                if there is None or there["number"] != ticket["number"]:
                    raise ExchangeError(f"{folder} is there already and belongs to something else.")
                return folder
            names = [TICKET, *(name for name in file.namelist() if name in BESIDE or _fits(name))]
            if len(names) > MAX_FILES or sum(file.getinfo(name).file_size for name in names) > MAX_BYTES:
                raise ExchangeError(f"{path}: too large to be a grader's file.")
            draft = folder.with_name(f".{folder.name}.draft")
            if draft.exists():
                raise ExchangeError(f"{draft} is left of an earlier try; remove it first.")
            draft.mkdir(PRIVATE)
            for name in names:
                (draft / name).parent.mkdir(parents=True, exist_ok=True)
                write_atomically(draft / name, file.read(name), SECRET)
            Exchange(draft).begin(ticket)
            draft.rename(folder)
            return folder
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        if isinstance(error, ExchangeError):
            raise
        raise ExchangeError(f"{path}: no file that 'autograder manual-grading --export-for' wrote.") from None


def _fits(name: str) -> bool:
    found = _MEMBER.fullmatch(name)
    return found is not None and found["name"] not in (".", "..")


def sent_back(folder: Path) -> Path | None:
    """Writes what goes back from a grader's folder, beside it; None for a folder that is no grader's."""
    ticket = of_file(folder)
    if ticket is None:
        return None
    path = folder.with_name(f"{folder.name}.marks.json")
    write_atomically(path, Exchange(folder).returned(ticket), SECRET)
    return path
