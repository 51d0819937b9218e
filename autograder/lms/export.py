"""A platform's own table, read to be filled in: its heads, the assignment's column, its rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Export:
    """A table whose heads are known.

    Attributes:
        head: its heads.
        rows: the rows below, as they came.
    """

    head: list[str]
    rows: list[list[str]]

    def place(self, name: str) -> int:
        """The number of a column that has to be there."""
        return self.head.index(name)

    def place_of(self, name: str) -> int | None:
        """The number of a column; None if there is none of that name."""
        return self.head.index(name) if name in self.head else None

    def column(self, column: str, fits: Callable[[str], bool], possible: Sequence[str] = ()) -> int:
        """The number of the assignment's column.

        Args:
            column: as it was asked for.
            fits: whether a head is meant, beside one that is equal.
            possible: what the error lists; all heads if left out.

        Raises:
            ValueError: none or several are meant.
        """
        found = [place for place, name in enumerate(self.head) if name == column or fits(name)]
        if len(found) != 1:
            there = "; ".join(possible or self.head)
            raise ValueError(f"{len(found)} columns are called {column!r}; there are: {there}")
        return found[0]

    def whole_rows(self) -> Iterator[tuple[int, list[str]]]:
        """The rows that are not empty, with their line numbers.

        Raises:
            ValueError: a row has another length than the heads.
        """
        for line, row in enumerate(self.rows, 2):
            if row and len(row) != len(self.head):
                raise ValueError(f"row {line} has {len(row)} cells, but there are {len(self.head)} headers")
            if row:
                yield line, row


def read_export(text: str, what: str, needs: Sequence[Sequence[str]], roles: Mapping[str, str]) -> Export:
    """Reads a table whose first row holds the heads.

    Args:
        text: plain CSV; a byte order mark is passed over.
        what: whose table it should be, for the error.
        needs: the heads that must be there; of each group one is enough.
        roles: role → head, by which ``--column ROLE=HEAD`` names a head in another language.

    Raises:
        ValueError: heads are missing; the message says which, and how to name them.
    """
    rows = list(csv.reader(io.StringIO(text.lstrip("\ufeff"))))
    head = rows[0] if rows else []
    if any(not set(group) & set(head) for group in needs):
        wanted = " and ".join(" or ".join(group) for group in needs)
        named = {head: role for role, head in roles.items()}
        example = " ".join(f"--column {named[group[0]]}=HEAD" for group in needs)
        raise ValueError(
            f"this is not {what}: it needs the column{'s' if len(needs) > 1 else ''} {wanted}. In another"
            f" language, name {'them' if len(needs) > 1 else 'it'}: {example}"
        )
    return Export(head, rows[1:])
