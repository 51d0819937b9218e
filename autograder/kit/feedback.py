"""What check and record cells show in a notebook, as HTML and as text."""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

Line = tuple[bool | None, str]  # fine (True), wrong (False) or a note (None), and the words


def after_grading(*names: str) -> Line:
    """The note on answers that a check cell does not try."""
    they = "it is" if len(names) == 1 else "they are"
    return None, f"{', '.join(f'`{name}`' for name in names)}: whether {they} right, you read after grading."


@dataclass
class Feedback:
    """What a check cell shows: a title and lines that are fine (True), wrong (False) or notes (None)."""

    title: str
    lines: list[Line] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return bool(self.lines) and all(state is not False for state, _ in self.lines)

    def __str__(self) -> str:
        marks = {True: "✓", False: "✗", None: "·"}
        return "\n".join([self.title, *(f"  {marks[state]} {text}" for state, text in self.lines)])

    def _repr_html_(self) -> str:
        states = [state for state, _ in self.lines]
        color = "#c62828" if False in states else "#2e7d32" if True in states else "#8a6d00"
        marks = {True: ("✓", "#2e7d32"), False: ("✗", "#c62828"), None: ("·", "#8a6d00")}
        rows = "".join(
            f'<div style="margin:.25em 0"><b style="color:{marks[state][1]}">{marks[state][0]}</b>'
            f" {_inline(text)}</div>"
            for state, text in self.lines
        )
        return (
            f'<div style="border-left:4px solid {color};padding:.4em .9em;margin:.3em 0;max-width:52em;'
            f'background:rgba(128,128,128,.08);line-height:1.45"><b>{_inline(self.title)}</b>{rows}</div>'
        )

    def show(self) -> None:
        """Displays itself: as HTML in a notebook, as text elsewhere."""
        show_both(str(self), self._repr_html_())


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False)).replace("\n", "<br>")


def show_both(text: str, rich: str) -> None:
    """Shows text, or its HTML where there is a notebook to show it."""
    shell = sys.modules.get("IPython")
    if shell is not None and shell.get_ipython() is not None:
        from IPython.display import display

        display({"text/plain": text, "text/html": rich}, raw=True)
    else:
        print(text)


def show_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Shows a table; as text without its heads, and without what is empty."""
    left = 'style="text-align:left"'
    cells = ("".join(f"<td {left}>{html.escape(cell)}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    head = "".join(f'<th scope="col" {left}>{name}</th>' for name in heads)
    rich = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    show_both("\n".join("  ".join(cell for cell in row if cell) for row in rows), rich)
