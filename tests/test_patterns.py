"""No regular expression of ours is worse than linear, whatever a submission puts before it.

Each pattern is searched in a text that begins as the pattern does and then repeats, many times, what one of
its repeats accepts. Backtracking over such a text is what takes quadratic time.
"""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from tests.gallery import ROOT

PACKAGE = ROOT / "autograder"
OURS = ("author", "cli")  # rooms that read the repository and the command line, and no submission
LENGTH = 6_000  # characters; quadratic time is 18 million steps at least
LITTLE = 0.012  # seconds; linear time takes a hundredth of that
# patterns that are handed on, of which the text does not say how they are used
USED = {"kit/headings.py": "match"}
METHODS = {"search": "search", "findall": "search", "finditer": "search", "sub": "search", "split": "search"}
METHODS |= {"subn": "search", "match": "match", "fullmatch": "fullmatch"}
TRIED = "\n a1-_.(,:<\"'[`/\\=>*#é"  # characters that repeats are tried with
CATEGORIES = {
    codes.CATEGORY_DIGIT: r"\d",
    codes.CATEGORY_NOT_DIGIT: r"\D",
    codes.CATEGORY_SPACE: r"\s",
    codes.CATEGORY_NOT_SPACE: r"\S",
    codes.CATEGORY_WORD: r"\w",
    codes.CATEGORY_NOT_WORD: r"\W",
}
Node = tuple[Any, Any]


# --- patterns -----------------------------------------------------------------------------------------------


@cache
def sources() -> dict[Path, ast.Module]:
    paths = [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] not in OURS]
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def text_of(node: ast.expr, known: dict[str, str]) -> str | bytes | None:
    """The pattern that an expression gives; values that are put into it stand for a word."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
        return node.value
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.BinOp):
        left, right = text_of(node.left, known), text_of(node.right, known)
        return left + right if isinstance(left, str) and isinstance(right, str) else None
    if isinstance(node, ast.JoinedStr):
        parts = []
        for part in node.values:
            if isinstance(part, ast.Constant):
                parts.append(str(part.value))
            else:
                assert isinstance(part, ast.FormattedValue)
                found = text_of(part.value, known)
                parts.append(found if isinstance(found, str) else "7")
        return "".join(parts)
    return None


@cache
def patterns() -> list[tuple[str, str | bytes, int, str]]:
    """Place, text, flags and way of searching of every pattern in the package."""
    made: list[tuple[str, str | bytes, int, str]] = []
    used: dict[str, set[str]] = {}
    for tree in sources().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in METHODS:
                named = node.value
                name = named.id if isinstance(named, ast.Name) else getattr(named, "attr", "")
                used.setdefault(name, set()).add(METHODS[node.attr])
    for path, tree in sources().items():
        known: dict[str, str] = {}
        targets: dict[int, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                targets[id(node.value)] = node.targets[0].id
                found = text_of(node.value, known)
                if isinstance(found, str):
                    known[node.targets[0].id] = found
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            if ast.unparse(node.func.value) != "re" or node.func.attr not in {*METHODS, "compile"}:
                continue
            found = text_of(node.args[0], known)
            if found is None:
                continue
            told = ast.unparse(node)
            flags = sum(getattr(re, name) for name in set(re.findall(r"\bre\.([A-Z]+)\b", told)))
            ways = {METHODS.get(node.func.attr, "")} - {""} or used.get(targets.get(id(node), ""), {"search"})
            where = f"{path.relative_to(PACKAGE)}:{node.lineno}"
            made += [(where, found, flags, USED.get(where.partition(":")[0], way)) for way in sorted(ways)]
    return made


# --- texts --------------------------------------------------------------------------------------------------


def accepts(node: Node, character: str) -> bool:
    """Whether a node that stands for one character takes it."""
    code, value = node
    if code is codes.LITERAL:
        return chr(value) == character
    if code is codes.NOT_LITERAL:
        return chr(value) != character
    if code is codes.ANY:
        return True
    if code is codes.RANGE:
        return value[0] <= ord(character) <= value[1]
    if code is codes.CATEGORY:
        return re.match(CATEGORIES[value], character) is not None
    if code is codes.IN:
        negated = value[0][0] is codes.NEGATE
        return any(accepts(one, character) for one in value[negated:]) != negated
    return False


def shortest(nodes: Any) -> str:
    """A text that a sequence of nodes takes: of each repeat and choice as little as possible."""
    text = ""
    for code, value in nodes:
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            text += shortest(value[2]) * value[0]
        elif code is codes.SUBPATTERN:
            text += shortest(value[3])
        elif code is codes.ATOMIC_GROUP:
            text += shortest(value)
        elif code is codes.BRANCH:
            text += shortest(value[1][0])
        elif code is codes.LITERAL:
            text += chr(value)
        elif code in (codes.IN, codes.NOT_LITERAL, codes.ANY, codes.CATEGORY):
            text += next((one for one in TRIED[::-1] if accepts((code, value), one)), "")
    return text


def units(nodes: Any) -> Iterator[str]:
    """What a repeat of some nodes may take, once."""
    if len(nodes) == 1 and nodes[0][0] in (codes.IN, codes.NOT_LITERAL, codes.ANY, codes.LITERAL):
        yield from (one for one in TRIED if accepts(nodes[0], one))
    yield shortest(nodes)
    for code, value in nodes:
        if code is codes.BRANCH:
            yield from (shortest(one) for one in value[1])
        elif code is codes.SUBPATTERN and value[3][0][0] is codes.BRANCH:
            yield from (shortest(one) for one in value[3][0][1][1])


def pumped(nodes: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """What stands before a repeat, and what it may take, for each repeat at any depth."""
    nodes = list(nodes)
    for place, (code, value) in enumerate(nodes):
        so_far = before + shortest(nodes[:place])
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            if value[1] > 500:
                yield from ((so_far, unit) for unit in units(list(value[2])) if unit)
            yield from pumped(value[2], so_far)
        elif code is codes.SUBPATTERN:
            yield from pumped(value[3], so_far)
        elif code is codes.ATOMIC_GROUP:
            yield from pumped(value, so_far)
        elif code is codes.BRANCH:
            for one in value[1]:
                yield from pumped(one, so_far)


def texts(pattern: str | bytes, flags: int) -> set[str]:
    """Texts on which a pattern may backtrack for long."""
    text = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
    made = set()
    for before, unit in pumped(parser.parse(text, flags)):
        run = unit * (LENGTH // len(unit))
        # what a search begins with may also stand at every place of the run
        made |= {before + run + "\0", before + run, run + "\0"}
    return made


def slow(pattern: str | bytes, flags: int, way: str) -> list[str]:
    """A text for which a pattern takes much longer than once through it, if there is one."""
    compiled = re.compile(pattern, flags)
    for text in texts(pattern, flags):
        given: Any = text.encode("latin-1", "replace") if isinstance(pattern, bytes) else text
        search = {
            "search": lambda given=given: sum(1 for _ in compiled.finditer(given)),
            "match": lambda given=given: compiled.match(given),
            "fullmatch": lambda given=given: compiled.fullmatch(given),
        }[way]
        least = 1.0
        for _ in range(3):
            started = time.perf_counter()
            search()
            least = min(least, time.perf_counter() - started)
            if least < LITTLE:
                break
        else:
            return [f"{least:.3f} s for {text[:30]!r} … {text[-3:]!r}"]
    return []


def test_a_quadratic_pattern_is_seen():
    assert slow(r"^\s*record\(", re.M, "search")
    assert slow(r"a\d+\.\d+\w*'", 0, "match")
    assert slow(r"[ _-]*(?:copy|log)$", 0, "search")
    assert slow(rb"x[ab]*a*c", 0, "match")
    assert not slow(r"^[ \t]*record\(", re.M, "search")
    assert not slow(r"\s*x", 0, "match")


def test_the_patterns_of_the_package_are_found():
    found = {(place.partition(":")[0], way) for place, _, _, way in patterns()}
    assert len(found) > 50
    assert {("kit/statements.py", "search"), ("lms/canvas.py", "fullmatch")} <= found


def test_no_pattern_is_worse_than_linear():
    wrong = {
        f"{place} {pattern!r} ({way})": trouble
        for place, pattern, flags, way in patterns()
        if (trouble := slow(pattern, flags, way))
    }
    assert not wrong, "\n".join(f"{name}: {trouble[:3]}" for name, trouble in wrong.items())
