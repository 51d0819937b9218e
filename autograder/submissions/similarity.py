"""Submissions whose own code is nearly the same: normalized lines, shared ones removed, then rapidfuzz.

What students are given, and what much of the class writes alike, says nothing; so do names, comments and
layout.
"""

from __future__ import annotations

import ast
import builtins
import io
import keyword
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from nbformat import NotebookNode
from rapidfuzz.distance import Indel

from autograder.declare import Homework
from autograder.names import notebook_path
from autograder.submissions.cells import CHECK, RECORD, is_kit, owners
from autograder.submissions.notebook import read_notebook
from autograder.submissions.side_by_side import Line, Row, by_question, side_by_side

THRESHOLD = 0.9
MIN_TOKENS = 60  # of one's own code; less is too little to tell
COMMON_SHARE, COMMON_LEAST = 0.15, 5  # a line in more submissions than this is common property
MAX_TOKENS = 20_000
MAX_CELL = 50_000  # characters: a longer cell is data, not code
MAX_LINES = 5_000  # of one submission; an honest one has 500
MAX_PAIRS = 3  # shown side by side for each group
MAX_GROUPS = 30


@dataclass(frozen=True)
class Pair:
    """Two submissions side by side.

    Attributes:
        similarity: from 0 to 1, over what is their own.
        tokens: how many tokens of their own the shorter one has.
        rows: their lines beside each other.
    """

    left: str
    right: str
    similarity: float
    tokens: int
    rows: tuple[Row, ...] = ()

    @property
    def parts(self) -> list[tuple[str, list[Row]]]:
        """The rows by question."""
        return list(by_question(self.rows))


@dataclass(frozen=True)
class Group:
    """Submissions that are linked by near-identical pairs, with the closest pairs."""

    names: tuple[str, ...]
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Comparison:
    """What came out for one homework: how it was compared, how many could be, and what was found."""

    method: str
    compared: int
    groups: tuple[Group, ...]


def logical_lines(source: str, kept: frozenset[str] = frozenset()) -> Iterator[Line]:
    """The logical lines of Python source; names but builtins, attributes and ``kept`` ones become ``_``.

    Stops where the source is no longer Python.
    """
    tokens: list[str] = []
    start, last, previous = 0, 0, ""
    lines = source.split("\n")
    layout = (
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENCODING,
        tokenize.ENDMARKER,
    )
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.NEWLINE:
                if tokens and not _only_text(tokens):
                    yield Line(" ".join(tokens), tuple(tokens), "\n".join(lines[start - 1 : last]))
                tokens = []
            elif token.type not in layout:
                if not tokens:
                    start = token.start[0]
                plain = (
                    token.type != tokenize.NAME
                    or previous == "."
                    or token.string in KNOWN
                    or token.string in kept
                )
                tokens.append(token.string if plain else "_")
                last, previous = token.end[0], token.string
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return


KNOWN = (
    frozenset(keyword.kwlist) | frozenset(dir(builtins)) | {"np", "torch", "nn", "F", "plt", "math", "self"}
)


def _only_text(tokens: Sequence[str]) -> bool:
    return len(tokens) == 1 and tokens[0].lstrip("rRbBuUfF")[:1] in ("'", '"')


def own_lines(notebook: NotebookNode, kept: frozenset[str], homework: Homework | None = None) -> list[Line]:
    """The first lines of code of a notebook, without kit, check and record cells.

    Args:
        notebook: whose.
        kept: names that stay as they are.
        homework: whose questions the lines are told apart by.
    """
    found: list[Line] = []
    questions = owners(notebook, homework) if homework is not None else {}
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and len(cell.source) <= MAX_CELL and not is_kit(cell.source):
            source = "\n".join(
                line for line in cell.source.split("\n") if not line.lstrip().startswith(("%", "!"))
            )
            found += _cell_lines(source, kept, questions.get(index, ""))
            if len(found) >= MAX_LINES:
                return found[:MAX_LINES]
    return found


@lru_cache(maxsize=4_000)
def _cell_lines(source: str, kept: frozenset[str], question: str = "") -> tuple[Line, ...]:
    """The lines of a cell; kept, as most cells are the same in many notebooks."""
    return tuple(
        replace(line, question=question)
        for line in logical_lines(source, kept)
        if not RECORD.match(line.text) and not CHECK.match(line.text)
    )


def skeleton(homework: Homework) -> NotebookNode | None:
    """The student version of a homework, where the package lies in its checkout; else None."""
    path = notebook_path(Path(__file__).resolve().parents[2], homework.stem)
    return read_notebook(path.read_bytes()) if path.is_file() else None


def compare_notebooks(
    notebooks: Iterable[tuple[str, NotebookNode]],
    given: NotebookNode | None = None,
    homework: Homework | None = None,
) -> Comparison:
    """Finds groups of notebooks whose own code is nearly the same.

    Args:
        notebooks: submission and notebook; gone through once, so that they need not all be in memory.
        given: the student version; without it, what is given is told by how many have it.
        homework: says to which question a line belongs.
    """
    kept = frozenset(names(given)) if given is not None else frozenset()
    lines = {name: own_lines(notebook, kept, homework) for name, notebook in notebooks}
    common = max(COMMON_LEAST, round(COMMON_SHARE * len(lines)))
    counts = Counter(key for found in lines.values() for key in {line.key for line in found})
    shared = {key for key, count in counts.items() if count > common}
    if given is not None:
        shared |= {line.key for line in own_lines(given, kept)}
    own = {name: [line for line in found if line.key not in shared] for name, found in lines.items()}
    tokens = {
        name: [token for line in found for token in line.tokens][:MAX_TOKENS] for name, found in own.items()
    }
    candidates = sorted(name for name, found in tokens.items() if len(found) >= MIN_TOKENS)
    pairs: list[Pair] = []
    for index, left in enumerate(candidates):
        for right in candidates[index + 1 :]:
            share = Indel.normalized_similarity(tokens[left], tokens[right], score_cutoff=THRESHOLD)
            if share >= THRESHOLD:
                pairs.append(Pair(left, right, share, min(len(tokens[left]), len(tokens[right]))))
    source = "the notebook that students get" if given is not None else "what most submissions share"
    method = (
        f"Compared without comments, layout and chosen names, after taking away {source} and every line that"
        f" more than {common} of {len(lines)} submissions have. {len(candidates)} submissions hold at least"
        f" {MIN_TOKENS} tokens of their own; listed are those that agree in at least {THRESHOLD:.0%}."
    )
    return Comparison(method, len(candidates), tuple(_groups(pairs, own))[:MAX_GROUPS])


def names(notebook: NotebookNode) -> Iterator[str]:
    """Every name that the code of a notebook uses."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and not is_kit(cell.source):
            try:
                tree = ast.parse(
                    "\n".join(
                        line for line in cell.source.split("\n") if not line.lstrip().startswith(("%", "!"))
                    )
                )
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            for node in ast.walk(tree):
                if isinstance(node, ast.Name):
                    yield node.id
                elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                    yield node.name
                elif isinstance(node, ast.arg):
                    yield node.arg


def _groups(pairs: Sequence[Pair], own: Mapping[str, Sequence[Line]]) -> Iterator[Group]:
    members: dict[str, set[str]] = {}
    for pair in pairs:
        joined = members.get(pair.left, {pair.left}) | members.get(pair.right, {pair.right})
        for name in joined:
            members[name] = joined
    distinct = {id(group): group for group in members.values()}.values()
    for group in sorted(distinct, key=lambda names: (-len(names), sorted(names))):
        closest = sorted(
            (pair for pair in pairs if pair.left in group), key=lambda pair: (-pair.similarity, -pair.tokens)
        )[:MAX_PAIRS]
        shown = [
            Pair(one.left, one.right, one.similarity, one.tokens, side_by_side(own[one.left], own[one.right]))
            for one in closest
        ]
        yield Group(tuple(sorted(group)), tuple(shown))
