"""Answers that are equal or nearly so, found in time that grows with their number and not with its square.

Each answer is compared with a bounded number of others: those that open a group and share the most pairs of
neighboring words with it. An answer joins the group whose first answer is nearest to it, so that no chain of
small steps leads from one answer to a quite different one.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Indel, Levenshtein

LEAST, MOST, USUAL = 60, 100, 90  # percent of the words that agree
MAX_WORDS = 3_000  # of an answer that are compared
MAX_POSTED = 24  # groups that are kept for a pair of words
MAX_COMPARED = 12  # groups that an answer is compared with
_DRESS = re.compile(r"[*_`#>~]+")


@dataclass(frozen=True)
class Piece:
    """A run of words of an answer: ``both`` have it, or ``here`` or ``there`` alone."""

    kind: str
    text: str


def words_of(text: str) -> list[str]:
    """What is compared: words and signs, without case, layout and the dress of Markdown."""
    bare = _DRESS.sub(" ", unicodedata.normalize("NFKC", text).casefold())
    return re.findall(r"\w+|[^\w\s]", bare)[:MAX_WORDS]


def groups(texts: Mapping[str, str], percent: int) -> list[list[str]]:
    """The keys of answers that belong together, each group in the order of the mapping, alone or not.

    Args:
        texts: key → answer.
        percent: of the words that must agree with the group's first answer, from 60 to 100.
    """
    same: dict[tuple[str, ...], list[str]] = {}
    for key, text in texts.items():
        same.setdefault(tuple(words_of(text)), []).append(key)
    if percent >= MOST:
        return list(same.values())
    cutoff = max(percent, LEAST) / 100
    found: list[list[str]] = []
    firsts: list[tuple[str, ...]] = []
    posted: dict[tuple[str, str], list[int]] = {}
    for words, keys in same.items():
        pairs = set(zip(("", *words), (*words, ""), strict=True))
        near: Counter[int] = Counter()
        for pair in pairs:
            near.update(posted.get(pair, ()))
        scored = [
            (Indel.normalized_similarity(words, firsts[number], score_cutoff=cutoff), -number)
            for number, _ in near.most_common(MAX_COMPARED)
        ]
        best, at = max(scored, default=(0.0, 0))
        if best >= cutoff:
            found[-at] += keys
            continue
        for pair in pairs:
            kept = posted.setdefault(pair, [])
            if len(kept) < MAX_POSTED:
                kept.append(len(found))
        firsts.append(words)
        found.append(list(keys))
    order = {key: place for place, key in enumerate(texts)}
    return [sorted(keys, key=order.__getitem__) for keys in found]


def differences(here: str, there: str) -> list[Piece]:
    """What another answer says differently, word by word as it was written; empty if nothing."""
    left, right = here.split()[:MAX_WORDS], there.split()[:MAX_WORDS]
    pieces: list[Piece] = []
    for step in Levenshtein.opcodes(left, right):
        ours, theirs = left[step.src_start : step.src_end], right[step.dest_start : step.dest_end]
        if step.tag == "equal":
            pieces.append(Piece("both", " ".join(ours)))
            continue
        pieces += [Piece(kind, " ".join(run)) for kind, run in (("here", ours), ("there", theirs)) if run]
    if all(piece.kind == "both" for piece in pieces):
        return []
    return [_short(piece) for piece in pieces]


def _short(piece: Piece) -> Piece:
    """A run that both have, cut to its ends: what differs is what counts."""
    words = piece.text.split(" ")
    if piece.kind != "both" or len(words) <= 14:
        return piece
    return Piece("both", " ".join([*words[:6], "…", *words[-6:]]))


def alike(found: Sequence[Sequence[str]], key: str) -> list[str]:
    """The other answers of an answer's group."""
    return next(([one for one in group if one != key] for group in found if key in group), [])
