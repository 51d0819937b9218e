"""The words that this project avoids, and where they are: ``python -m tests.words``, a part of ``make lint``.

codespell finds misspelled and British words, and the words of ``words.txt``. codespell cannot find phrases,
so each phrase is a regular expression here, with what to write instead. ``docs/style.md`` gives the reasons.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

from tests.gallery import ROOT

FOLDERS = ("autograder", "benchmarks", "docs", "solutions", "tests", "notebooks/data", ".github")
TEXTS = (".md", ".py", ".j2", ".js", ".css", ".yml")  # the files that are read
HERE = ("tests/words.py", "tests/test_words.py", "tests/words.txt", "docs/style.md")  # they quote the phrases

# what not to write → what to write instead
PHRASES = {
    r"\bAsked (?:for )?(?:is|are)\b": "'The question asks for …'",
    r"\basked is\b(?! (?:not )?None)": "'the question asks for …'",
    r"\b(?:Compared|Listed|Promised|Counted|Not counted|Checked|Missing) (?:is|are) (?:what|all|pairs)": (
        "the subject first: 'The report lists …'"
    ),
    r"\bwhat came out\b": "'the result' or 'your result'",
    r"\b[Tt]akes? in (?:the |a )?CSV\b": "'import CSV'",
    r"\b(?:at|of|on|by|open|opens|another) (?:the |a )?desk\b": "'manual grading'",
    r"\b[Tt]he desk(?:'s)?\b": "'the manual grading page'",
    r"\b(?:goes|go) along\b": "'goes into the zip' or 'is submitted'",
    r"(?:^|[.:] )Who (?:prefers|wants|needs|has) ": "'If you prefer …, …'",
    r"\ba mistake of ours\b": "'a fault in the grader'",
    r"\bwith words, not\b": "'with a message'",
    r"\bnumbers of (?:their|one's|your) own\b": "'per-student numbers' or 'per-student variants'",
}


def misspelled(paths: list[str]) -> list[str]:
    """What codespell says of these files, a line for each word."""
    command = [sys.executable, "-m", "codespell_lib", "-D", "-", "-D", str(ROOT / "tests" / "words.txt")]
    done = subprocess.run([*command, *paths], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 65):  # 65: words were found
        raise RuntimeError(done.stderr)
    return done.stdout.splitlines()


def phrases(text: str, python: bool = False) -> Iterator[tuple[int, str, str]]:
    """Each phrase to avoid in a text: its line, the phrase, and what to write instead.

    Args:
        text: of a file.
        python: whether strings and comments continue on the next line after quotation marks and ``#``.
    """
    between = r"""(?:["']?\s+(?:f?["']|#)?\s*)""" if python else r"\s+"
    for pattern, instead in PHRASES.items():
        for found in re.finditer(pattern.replace(" ", between), text, re.MULTILINE):
            yield text.count("\n", 0, found.start()) + 1, " ".join(found[0].split()), instead


def texts() -> list[str]:
    """The project's files that people write, by their paths from the root."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in TEXTS]
    return sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *found])


def unwanted(paths: list[str]) -> Iterator[str]:
    """A line for each word and phrase to avoid in these files."""
    yield from misspelled([path for path in paths if path not in HERE])
    for path in paths:
        if path in HERE:
            continue
        text = (ROOT / path).read_text(encoding="utf-8")
        for line, phrase, instead in phrases(text, path.endswith(".py")):
            yield f"{path}:{line}: {phrase} ==> {instead}"


if __name__ == "__main__":
    found = list(unwanted(sys.argv[1:] or texts()))
    print("\n".join(found) or "Words and phrases are in order.")
    sys.exit(bool(found))
