"""What check and record cells show in a notebook, as HTML and as text."""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

Line = tuple[bool | None, str]  # fine (True), wrong (False) or a note (None), and the words
# of a line: its mark, and the color on which the mark stands in white, so that it reads on any page
LINE_MARKS = {True: ("✓", "#2e7d32"), False: ("✗", "#d32f2f"), None: ("·", "#8a6d00")}


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

    @property
    def told(self) -> list[Line]:
        """The lines, each once: several inputs may show the same mistake in the same words."""
        return list(dict.fromkeys(self.lines))

    def __str__(self) -> str:
        return "\n".join([self.title, *(f"  {LINE_MARKS[state][0]} {text}" for state, text in self.told)])

    def _repr_html_(self) -> str:
        states = [state for state, _ in self.lines]
        worst = False if False in states else True if True in states else None
        rows = "".join(
            f'<div style="display:flex;margin:.25em 0"><b style="flex:none;width:1.35em;height:1.35em;'
            f"line-height:1.35;margin:.05em .5em 0 0;border-radius:3px;text-align:center;color:#ffffff;"
            f'background-color:{LINE_MARKS[state][1]}">{LINE_MARKS[state][0]}</b> <span style="min-width:0;'
            f'overflow-wrap:anywhere">{_inline(text)}</span></div>'
            for state, text in self.told
        )
        return (
            f'<div style="border-left:4px solid {LINE_MARKS[worst][1]};padding:.4em .9em;margin:.3em 0;'
            'max-width:52em;background:rgba(128,128,128,.08);line-height:1.45">'
            f"<b>{_inline(self.title)}</b>{rows}</div>"
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
    look = 'style="text-align:left;padding:.3em .15em"'  # narrow, so that five columns fit on a phone
    cells = ("".join(f"<td {look}>{html.escape(cell)}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    head = "".join(f'<th scope="col" {look}>{name}</th>' for name in heads)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    rich = f'<div style="overflow-x:auto">{table}</div>'
    show_both("\n".join("  ".join(cell for cell in row if cell) for row in rows), rich)
