"""Tables that platforms and spreadsheets write: any common encoding, delimiter and decimal sign.

A table is read into plain CSV, filled in, and written back as it came.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 50_000_000  # a gradebook of 1,000 students with 100 columns has 1 MB
DELIMITERS = ",;\t"
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
COMMA = re.compile(r"\d+,\d+")
POINT = re.compile(r"-?\d+\.\d+")


@dataclass(frozen=True)
class Table:
    """A table that was read.

    Attributes:
        text: plain CSV: commas, line feeds, no byte order mark.
        encoding, mark, delimiter, newline: how it came.
        comma: whether its numbers have a decimal comma.
    """

    text: str
    encoding: str = "utf-8"
    mark: bytes = b""
    delimiter: str = ","
    newline: str = "\n"
    comma: bool = False

    def written(self, text: str) -> bytes:
        """Another plain CSV, in the form in which this table came."""
        rows = list(csv.reader(io.StringIO(text)))
        if self.comma:
            before = {cell for row in csv.reader(io.StringIO(self.text)) for cell in row}
            rows = [[_with_comma(cell) if cell not in before else cell for cell in row] for row in rows]
        made = io.StringIO()
        csv.writer(made, delimiter=self.delimiter, lineterminator=self.newline).writerows(rows)
        return self.mark + made.getvalue().encode(self.encoding, "replace")

    def renamed(self, heads: Mapping[str, str]) -> Table:
        """The table with other column heads.

        Args:
            heads: a head as it stands there → what it is called instead.

        Raises:
            ValueError: there is no such head.
        """
        if not heads:
            return self
        rows = list(csv.reader(io.StringIO(self.text)))
        # Sakai has a row with the assignment and an empty one before the heads
        place = next((n for n, row in enumerate(rows[:5]) if set(heads) <= set(row)), 0)
        first = rows[place] if rows else []
        for head in heads:
            if first.count(head) != 1:
                raise ValueError(
                    f"{first.count(head)} columns are called {head!r}; there are: {'; '.join(first)}"
                )
        made = io.StringIO()
        csv.writer(made, lineterminator="\n").writerows(
            [*rows[:place], [heads.get(head, head) for head in first], *rows[place + 1 :]]
        )
        return Table(made.getvalue(), self.encoding, self.mark, self.delimiter, self.newline, self.comma)


def read_table(path: Path) -> Table:
    """Reads a table.

    Raises:
        ValueError: it is none; the message begins with the file's name.
    """
    with in_file(path):
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path.stat().st_size / 1e6:.0f} MB; the limit is {MAX_BYTES / 1e6:.0f} MB")
        data = path.read_bytes()
        mark, encoding, text = _decoded(data)
        newline = "\r\n" if "\r\n" in text else "\n"
        if "\r" in text and "\n" not in text:  # "CSV (Macintosh)" of Excel
            newline, text = "\r", text.replace("\r", "\n")
        first, _, rest = text.partition("\n")
        if first.strip().lower().startswith("sep=") and len(first.strip()) == 5:
            delimiter, text = first.strip()[4], rest  # a line that only Excel knows
        else:
            bare = re.sub(r'"[^"]*"', "", first)
            delimiter = max(DELIMITERS, key=lambda one: (bare.count(one), one == ","))
        if "\0" in text:
            raise ValueError("contains zero bytes, so it is not CSV. Save it as CSV in UTF-8")
        rows: list[list[str]] = []
        try:
            rows.extend(csv.reader(io.StringIO(text), delimiter=delimiter))
        except csv.Error as error:
            raise ValueError(f"row {len(rows) + 1}: {error}") from None
        comma = _has_decimal_commas([cell.strip() for row in rows for cell in row], delimiter)
        made = io.StringIO()
        csv.writer(made, lineterminator="\n").writerows(rows)
        return Table(made.getvalue(), encoding, mark, delimiter, newline, comma)


def _has_decimal_commas(cells: Sequence[str], delimiter: str) -> bool:
    """Whether numbers have a decimal comma; beside commas between cells, 1,000 may be a thousand."""
    found = [cell for cell in cells if COMMA.fullmatch(cell)]
    if delimiter != ",":
        return bool(found)
    return any(len(cell.partition(",")[2]) < 3 for cell in found) and not any(map(POINT.fullmatch, cells))


def read_matches(path: Path) -> dict[str, str]:
    """The instructor's matches of what could not be matched: submission or file → the platform's id.

    Raises:
        ValueError: it is no table with the columns submission and id.
    """
    table = read_table(path)
    with in_file(path):
        rows = csv.DictReader(io.StringIO(table.text))
        if not {"submission", "id"} <= set(rows.fieldnames or ()):
            raise ValueError("it needs the columns submission and id")
        found: dict[str, str] = {}
        for number, row in enumerate(rows, 2):
            name, identity = (row["submission"] or "").strip(), (row["id"] or "").strip()
            if not name and not identity:
                continue
            if not name or not identity:
                raise ValueError(f"row {number}: submission and id must both be given")
            if found.setdefault(name, identity) != identity:
                raise ValueError(f"row {number}: {name} has the id {found[name]} in a row above")
        return found


def number(text: str, row: int) -> float:
    """A number with a decimal point or comma.

    Raises:
        ValueError: it is none; the message names the row.
    """
    bare = text.strip().replace("\u00a0", "").replace("\u202f", "")
    if "," in bare:
        thousands, point = (".", ",") if bare.rfind(",") > bare.rfind(".") else (",", ".")
        bare = bare.replace(thousands, "").replace(point, ".")
    try:
        return float(bare)
    except ValueError:
        raise ValueError(f"row {row}: {text!r} is not a number") from None


@contextlib.contextmanager
def in_file(path: Path) -> Iterator[None]:
    """Puts a file's name before what is said of it."""
    try:
        yield
    except ValueError as error:
        told = str(error)
        raise ValueError(told if told.startswith(str(path)) else f"{path}: {told}") from None


def _decoded(data: bytes) -> tuple[bytes, str, str]:
    """Byte order mark, encoding and text."""
    for mark, encoding in MARKS:
        if data.startswith(mark):
            try:
                return mark, encoding, data[len(mark) :].decode(encoding)
            except UnicodeDecodeError as error:
                raise ValueError(f"begins as {encoding}, but is not: {error.reason}") from None
    for encoding, zeros in (("utf-16-le", data[1:200:2]), ("utf-16-be", data[0:200:2])):
        if zeros and zeros.count(0) > 0.8 * len(zeros) and len(data) % 2 == 0:
            return b"", encoding, data.decode(encoding, "replace")
    try:
        return b"", "utf-8", data.decode("utf-8")
    except UnicodeDecodeError:
        return b"", "cp1252", data.decode("cp1252", "replace")


def _with_comma(cell: str) -> str:
    return cell.replace(".", ",") if POINT.fullmatch(cell) else cell
