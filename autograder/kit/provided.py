"""What grading provides: statements of the homework's own cells, for names that a notebook lacks."""

from __future__ import annotations

import symtable
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from autograder.kit.statements import of_short_texts, python_text


@dataclass(frozen=True)
class CellNames:
    """The names of one piece of code.

    Attributes:
        bound: those that get a value at its top level, imports included.
        used: those that it reads and does not bind, inside its functions too.
        readable: whether it is Python.
    """

    bound: frozenset[str] = frozenset()
    used: frozenset[str] = frozenset()
    readable: bool = True


@of_short_texts
def names_of(source: str) -> CellNames:
    """The names of a code cell or of one statement."""
    try:
        top = symtable.symtable(python_text(source), "cell", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return CellNames(readable=False)
    symbols = list(top.get_symbols())
    bound = {one.get_name() for one in symbols if one.is_assigned() or one.is_imported()}
    used = {one.get_name() for one in symbols if one.is_referenced()}
    inner = list(top.get_children())
    while inner:
        table = inner.pop()
        inner += table.get_children()
        used |= {one.get_name() for one in table.get_symbols() if one.is_global() and one.is_referenced()}
    return CellNames(frozenset(bound), frozenset(used - bound))


def to_provide(given: Sequence[str], cells: Sequence[str]) -> list[str]:
    """The given statements whose names cells need before any of them binds them, in order.

    Args:
        given: statements of the homework's own cells.
        cells: the code cells that grading runs, in order.
    """
    names = [names_of(cell) for cell in cells]

    def lacks(name: str) -> bool:
        used = next((at for at, one in enumerate(names) if name in one.used), None)
        return used is not None and not any(name in one.bound for one in names[:used])

    return _with_needs(given, lacks)


def to_restore(given: Sequence[str], lost: Collection[str]) -> list[str]:
    """The given statements that give the names that a cell lost when it raised, in order."""
    return _with_needs(given, lambda name: name in lost)


def _with_needs(given: Sequence[str], is_wanted: Callable[[str], bool]) -> list[str]:
    """The statements that give wanted names, and those before them on which they rest."""
    by_name = {name: number for number, text in enumerate(given) for name in names_of(text).bound}
    wanted = [number for name, number in by_name.items() if is_wanted(name)]
    chosen: set[int] = set()
    while wanted:
        number = wanted.pop()
        if number not in chosen:
            chosen.add(number)
            used = names_of(given[number]).used
            wanted += [by_name[name] for name in used if name in by_name and by_name[name] < number]
    return [given[number] for number in sorted(chosen)]


def provided_note(statements: Iterable[str]) -> str:
    """The note on what grading provides because a notebook lacks it; empty if that is nothing."""
    names = sorted({name for text in statements for name in names_of(text).bound})
    if not names:
        return ""
    told, it = ", ".join(f"`{name}`" for name in names), "it" if len(names) == 1 else "them"
    return (
        f"This notebook uses {told} before any of its cells defines {it}. What the homework's own cells give"
        " is provided in grading. Was a cell deleted?"
    )
