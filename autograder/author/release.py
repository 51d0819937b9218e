"""The archive that students get, and the search that keeps answers out of it.

:func:`student_files` collects what belongs into it; :func:`leaks` looks through it for everything that a
student must not
have: lines of solutions, of declarations and of oracles, rubrics and explanations, pieces of the reference's
checkpoints and of
hidden data.
"""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from packaging.requirements import Requirement

from autograder.author import build, source
from autograder.author.inlined import PACKAGE, public_files
from autograder.declare import Homework
from autograder.files import zip_bytes
from autograder.names import source_path

FOLDER = "attention-homeworks"
NEEDED = ("numpy", "torch", "matplotlib")  # of what pyproject.toml lists
JUPYTER = "jupyterlab>=4"
DATA = Path("notebooks/data")
PIECE = 48  # bytes of a checkpoint that cannot be there by chance
SHORTEST = 12  # characters of a line that tells something
PHRASE = 25  # characters of a rubric or an explanation


def student_files(
    root: Path, chosen: Iterable[Homework], variants: str = "", history: bool = False
) -> dict[str, bytes]:
    """What students get, by path in the archive.

    Args:
        root: the checkout.
        chosen: the homeworks.
        variants: the word from which each student's own numbers are drawn; empty for the same numbers for
            all.
        history: whether the notebooks keep the history of checks unless a student says otherwise.

    Raises:
        BuildError: a source cannot be built.
    """
    homeworks = list(chosen)
    notebooks = {
        f"notebooks/{one.stem}.ipynb": build.student_notebook(root, one, variants, history)
        for one in homeworks
    }
    everything = "\n".join(notebooks.values())
    files: dict[str, bytes] = {
        "README.md": _readme(homeworks, variants).encode(),
        "LICENSE": (root / "LICENSE").read_bytes(),
    }
    wanted = _requirements(root)
    files["requirements.txt"] = "".join(f"{line}\n" for line in wanted).encode()
    pip = "".join(f"      - {line}\n" for line in wanted)
    files["environment.yml"] = (
        "name: attention\nchannels:\n  - conda-forge\ndependencies:\n  - python>=3.11\n  - pip\n  -"
        f" pip:\n{pip}".encode()
    )
    files |= {name: text.encode() for name, text in notebooks.items()}
    data = sorted(path for path in (root / DATA).iterdir() if path.is_file())
    used = [path for path in data if path.suffix == ".npz" and path.name in everything]
    notices = [path for path in data if path.suffix != ".npz"] if used else []
    files |= {f"{DATA.as_posix()}/{path.name}": path.read_bytes() for path in [*notices, *used]}
    return {f"{FOLDER}/{name}": content for name, content in sorted(files.items())}


# how a notebook of the archive is opened in Colab; with variants, its badge is gone
BADGE = "Click the badge at the top of a notebook, or upload the notebook."
UPLOAD = "Upload the notebook from this folder: copies from elsewhere have other numbers."


def _readme(homeworks: Sequence[Homework], variants: str) -> str:
    rows = []
    for one in homeworks:
        points = (
            f"{one.points:g} + {one.written_points:g} written" if one.written_points else f"{one.points:g}"
        )
        rows.append(
            f"| [notebooks/{one.stem}.ipynb](notebooks/{one.stem}.ipynb) | {one.title} | {points} |"
            f" {one.minutes} min |"
        )
    text = (Path(__file__).parents[1] / "hosts" / "bundled" / "README.students.md").read_text(
        encoding="utf-8"
    )
    return text.replace("@ROWS@", "\n".join(rows)).replace("@COLAB@", UPLOAD if variants else BADGE)


def _requirements(root: Path) -> list[str]:
    with (root / "pyproject.toml").open("rb") as file:
        declared = {one.name: one for one in map(Requirement, tomllib.load(file)["project"]["dependencies"])}
    return [*(f"{name}{declared[name].specifier}" for name in NEEDED), JUPYTER]


def archive(files: Mapping[str, bytes]) -> bytes:
    """The zip's bytes: equal for equal files."""
    return zip_bytes(files)


# --- what must not be in it ---------------------------------------------------------------------------------


def leaks(files: Mapping[str, bytes], root: Path, homeworks: Iterable[Homework]) -> list[str]:
    """Everything in the files that students must not have, in words; empty if there is nothing.

    Args:
        files: path → bytes, as of :func:`student_files`.
        root: the checkout, whose solutions, declarations and oracles are searched for.
        homeworks: all of them: the answers of one must not stand in another's notebook either.
    """
    declared = list(homeworks)
    texts = {name: readable(name, data) for name, data in files.items() if not name.endswith(".npz")}
    lines = {name: {line.strip() for line in text.split("\n")} for name, text in texts.items()}
    folded = {name: _folded(text) for name, text in texts.items()}
    found = [f"{name}: nobody needs a file of this kind" for name in files if _strange(name)]
    for secret, where in secret_lines(root, declared).items():
        found += [f"{name} holds a line of {where}: {secret!r}" for name in texts if secret in lines[name]]
    for secret, where in secret_phrases(declared).items():
        found += [f"{name} holds {where}: {secret!r}" for name in texts if secret in folded[name]]
    hidden = (PACKAGE / "data").glob("*hidden*")
    for path in [*sorted((root / "solutions").glob("*.pt")), *sorted(hidden)]:
        pieces = _pieces(path.read_bytes())
        found += [
            f"{name} holds a piece of {path.name}"
            for name, data in files.items()
            if any(piece in data for piece in pieces)
        ]
    return found


def _strange(name: str) -> bool:
    path = Path(name)
    return "seed" in path.name or (
        path.suffix not in (".ipynb", ".md", ".txt", ".yml", ".npz", "")
        and not path.name.startswith("LICENSE")
    )


def readable(name: str, data: bytes) -> str:
    """A file's text as people could read it: of a notebook its cells, outputs and the JSON in its kit."""
    text = data.decode("utf-8", errors="replace")
    if not name.endswith(".ipynb"):
        return text
    notebook = json.loads(text)
    parts = [json.dumps(notebook.get("metadata", {}), ensure_ascii=False)]
    for cell in notebook["cells"]:
        parts += [
            _joined(cell["source"]),
            json.dumps([cell.get("outputs", []), cell.get("metadata", {})], ensure_ascii=False),
        ]
    whole = "\n".join(parts)
    described = re.search(r"^open_homework\(json\.loads\((.*?)\n\)\)", whole, flags=re.DOTALL | re.MULTILINE)
    return whole + (
        "\n" + json.dumps(json.loads(ast.literal_eval(f"({described[1]})")), ensure_ascii=False)
        if described
        else ""
    )


def _joined(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def _folded(text: str) -> str:
    return " ".join(text.split())


def _tells(line: str) -> bool:
    """Whether a line of code or prose says more than that it is one."""
    return (
        len(line) >= SHORTEST
        and len(re.findall(r"\w", line)) >= SHORTEST // 2
        and not line.startswith(("import ", "from "))
    )


def secret_lines(root: Path, homeworks: Iterable[Homework]) -> dict[str, str]:
    """Line → where it stands: solutions, declarations and oracles, without what students are meant to see."""
    public = {line.strip() for path in public_files() for line in _lines(path)}
    found: dict[str, str] = {}
    for homework in homeworks:
        path = source_path(root, homework.stem)
        inside = False
        for line in _lines(path):
            bare = (
                re.sub(r"^# ?(?=\S)", "", line.strip())
                if line.startswith("#") and "STUB" not in line
                else line.strip()
            )
            if source.BEGIN.match(bare) or source.BEGIN.match(line):
                inside = True
            elif source.END.match(bare) or source.END.match(line):
                inside = False
            elif inside and "# STUB:" in line:
                public.add(line.replace("# STUB: ", "", 1).strip())
            elif inside:
                found.setdefault(bare, f"the solution in {path.name}")
            else:
                public |= {bare, line.strip()}
    for path in sorted((PACKAGE / "homeworks").rglob("*.py")):
        for line in _lines(path):
            found.setdefault(line.strip(), path.relative_to(PACKAGE).as_posix())
    return {line: where for line, where in found.items() if line not in public and _tells(line)}


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")


def secret_phrases(homeworks: Iterable[Homework]) -> dict[str, str]:
    """Phrase → what it is: rubric items, example answers and explanations of options."""
    found: dict[str, str] = {}
    for homework in homeworks:
        for question in homework.questions.values():
            for text, what in _phrases(homework, question.id):
                folded = _folded(text)
                if len(folded) >= PHRASE:
                    found.setdefault(folded, what)
    return found


def _phrases(homework: Homework, number: str) -> Iterator[tuple[str, str]]:
    question = homework.questions[number]
    if question.written:
        yield from ((text, f"the rubric of {number}") for text in question.written.rubric)
        yield from ((text, f"an example answer of {number}") for text in question.written.examples.values())
    for entry in question.entries:
        yield from ((text, f"an explanation of {number}") for text in entry.secrets())


def _pieces(data: bytes) -> list[bytes]:
    """Pieces of a file with many different bytes, which nothing else has; its ends, a zip's own, left out."""
    step = max(PIECE, len(data) // 200)
    pieces = [data[start : start + PIECE] for start in range(1_000, len(data) - 1_000, step)]
    return [piece for piece in pieces if len(set(piece)) > PIECE // 2]
