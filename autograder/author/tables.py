"""Tables in the documentation that follow from the declarations; ``autograder build`` writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from autograder.declare.homework import Homework, Question

LETTERS = {"challenge": "C", "array": "V", "choice": "M", "checkpoint": "T"}
COVERAGE = "docs/coverage.md"
TOPICS = {  # of the course plan: what a lecture has to have covered
    "1.1": "scaled dot-product attention",
    "1.2": "reading an attention map",
    "1.3": "self-attention with projections and masks",
    "1.4": "variance of scores, the scale",
    "1.5": "hard attention, why it is not trained",
    "1.6": "inverse temperature, kinds of attention",
    "1.7": "orthogonal keys, copying",
    "1.8": "first-order change, Jacobian–vector product",
    "1.9": "multi-head attention, column convention",
    "1.10": "encoder–decoder, cross-attention",
    "1.11": "permutation equivariance, positional encoding",
    "1.12": "query, key and value in words",
    "1.13": "contextual embeddings, windows, cost, scaling",
    "2.1": "one head as a PyTorch module",
    "2.2": "vectorisation",
    "2.3": "attention as a layer, document classification",
    "2.4": "multi-head attention, padding and causal masks",
    "2.5": "layer norm, feed-forward network, encoder block",
    "2.6": "training a small Transformer",
    "2.7": "Transformers and recurrent networks",
    "3.1": "attention by content",
    "3.2": "attention by position",
    "3.3": "content and position together",
    "3.4": "identity and permutation",
    "3.5": "1×1 convolution",
    "3.6": "attention as convolution",
    "3.7": "trained against designed weights, identifiability",
    "3.8": "previous-token head, induction",
    "4.1": "images as patches",
    "4.2": "patch embedding as a convolution",
    "4.3": "class token, learned positions, parameter counts",
    "4.4": "self-attention and pre-norm block in PyTorch",
    "4.5": "the Vision Transformer",
    "4.6": "training and evaluation loops, validation",
    "4.7": "training on FashionMNIST",
    "4.8": "confusion, attention over an image, similarity of positions",
    "4.9": "ViT, CNN and the original Transformer",
    "5.1": "tokens, vocabulary, padding",
    "5.2": "averaged embeddings and bag of words",
    "5.3": "feed-forward classifier",
    "5.4": "self-attention classifier",
    "5.5": "frozen encoder, recurrent head",
    "5.6": "metrics and loops",
    "5.7": "training and using a sentiment model",
    "5.8": "what attention shows, negation",
    "5.9": "judging an explanation",
    "6.1": "a linear recurrence",
    "6.2": "linear attention, causal form",
    "6.3": "similarity functions",
    "6.4": "feature maps of a kernel",
    "6.5": "time and memory",
    "6.6": "random Fourier features",
    "6.7": "linear denoising, ridge",
    "6.8": "measured cost",
}
README = "README.md"
TIMETABLE = "docs/timetable.md"


def how_graded(question: Question) -> str:
    """The letters of the course plan: C challenge, V value, M choice, T checkpoint, W written."""
    letters = {LETTERS[entry.kind] for entry in question.entries} | ({"W"} if question.written else set())
    return " ".join(letter for letter in "CVMTW" if letter in letters)


def coverage(homeworks: Mapping[str, Homework]) -> str:
    """The page that lists every question: row of the course plan, points, minutes, how graded."""
    lines = [
        "# Coverage",
        "",
        (
            "Every question, as declared. Written by `autograder build`; do not edit. How graded: **C** the"
            " answer runs on hidden"
        ),
        (
            "inputs, **V** a recorded value is re-evaluated, **M** multiple choice or match, **T** a trained"
            " checkpoint is"
        ),
        (
            "re-evaluated, **W** written, graded by a person. **Topic** is the row of the course plan, whose"
            " number is the question's"
        ),
        "without letters. **n**: a course may draw [numbers for each student](variants.md).",
        "",
        "| homework | questions | auto-graded | written | minutes, all questions |",
        "|---|---:|---:|---:|---:|",
    ]
    for homework in homeworks.values():
        minutes = sum(question.minutes for question in homework.questions.values())
        facts = (
            homework.id,
            len(homework.questions),
            f"{homework.points:g}",
            f"{homework.written_points:g}",
            minutes,
        )
        lines.append("| " + " | ".join(map(str, facts)) + " |")
    for homework in homeworks.values():
        lines += ["", f"## {homework.id} · {homework.title}", ""]
        lines += [
            "| question | title | topic | points | written | minutes | difficulty | graded |",
            "|---|---|---|---:|---:|---:|---|---|",
        ]
        for question in homework.questions.values():
            points = f"{question.points:g}" + (" extra" if question.extra else "")
            written = f"{question.written.points:g}" if question.written else ""
            row = re.match(r"\d+\.\d+", question.id)
            topic, graded = (
                TOPICS.get(row[0] if row else "", "–"),
                how_graded(question) + (" n" if question.numbers else ""),
            )
            cells = (
                question.id,
                question.title,
                topic,
                points,
                written,
                question.minutes,
                question.difficulty,
                graded,
            )
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def overview(homeworks: Mapping[str, Homework]) -> str:
    """The table of homeworks for the README."""
    lines = [
        "| homework | questions | auto-graded | written | extra | student's time |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for homework in homeworks.values():
        extra = sum(question.points for question in homework.questions.values() if question.extra)
        lines.append(
            f"| [{homework.id} · {homework.title}](notebooks/{homework.stem}.ipynb) |"
            f" {len(homework.questions)} | {homework.points:g} | {homework.written_points:g} | {extra:g} |"
            f" {homework.minutes} min |"
        )
    return "\n".join(lines)


def _time(homeworks: Mapping[str, Homework], names: Sequence[str]) -> str:
    """What the questions of some homeworks take together, extra credit left out: ``4 h 30 min``."""
    asked = [
        question for name in names if name in homeworks for question in homeworks[name].questions.values()
    ]
    minutes = sum(question.minutes for question in asked if not question.extra)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def pages(root: Path, homeworks: Mapping[str, Homework]) -> dict[Path, str]:
    """The documentation files that hold such tables, and their right text."""
    readme, timetable = ((root / name).read_text(encoding="utf-8") for name in (README, TIMETABLE))
    table = re.compile(r"(<!-- homeworks -->\n).*?\n?(<!-- /homeworks -->)", flags=re.DOTALL)
    return {
        root / COVERAGE: coverage(homeworks),
        root / README: table.sub(lambda match: match[1] + overview(homeworks) + "\n" + match[2], readme),
        root / TIMETABLE: re.sub(
            r"(<!-- time ([\w ]+) -->).*?(<!-- / -->)",
            lambda match: f"{match[1]}{_time(homeworks, match[2].split())}{match[3]}",
            timetable,
        ),
    }
