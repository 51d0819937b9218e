"""Turns a homework into otter tests: the same checks on the same inputs, inside the student's kernel."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

from autograder.declare import Homework
from benchmarks.classes import beside

TEST = """
from otter.test_files import test_case

OK_FORMAT = False
name = {question!r}
points = {points}


@test_case()
def test_{identifier}(env):
    import pickle
    from pathlib import Path

    import numpy as np
    from autograder import kit
    from autograder.declare import homeworks

    hw = homeworks()[{homework!r}]
    question = hw.questions[{question!r}]
    drawn = pickle.loads(Path({cases!r}).read_bytes())
    answer = {{}}
    for entry in question.entries:
        value = env.get(entry.name)
        if entry.hidden_inputs:
            trials = []
            for identity, case in drawn[entry.name].items():
                try:
                    said = kit.PROBES[case.probe](value, case.as_json(identity))
                    status, result, error = "ok", kit.decode(said), ""
                except Exception as problem:
                    status, result, error = "error", None, str(problem)
                what = (identity, case.note, case.group, tuple(case.args), case.kwargs)
                trials.append(kit.Trial(*what, status, result, error))
            value = trials
        elif entry.dimensions is not None and value is not None:
            value = np.asarray(value)
        answer[entry.name] = value
    for check in question.checks:
        assert all(answer[needed] is not None for needed in check.needs), "not answered"
        verdict = check.judge(answer)
        assert verdict is None, verdict.feedback
"""


def write_autograder(homework: Homework, folder: Path, seed: str) -> Path:
    """Writes the tests and has ``otter generate`` pack them.

    Returns:
        The path of the zip that ``otter run -a`` takes.
    """
    tests = folder / "tests"
    tests.mkdir(parents=True)
    cases = folder / "cases.pickle"  # drawn once for the class, as this grader does
    cases.write_bytes(pickle.dumps(homework.draw(seed)))
    (folder / "files").mkdir()
    for name, data in beside(homework.id).items():
        (folder / "files" / name).write_bytes(data)
    for question in homework.questions.values():
        if question.checks:
            identifier = question.id.replace(".", "_")
            text = TEST.format(
                question=question.id,
                points=question.points,
                identifier=identifier,
                homework=homework.id,
                cases=str(cases),
            )
            (tests / f"q{identifier}.py").write_text(text)
    (folder / "requirements.txt").write_text("")
    packed = folder / "autograder.zip"
    command = [
        sys.executable,
        "-m",
        "otter",
        "generate",
        "-t",
        str(tests),
        "-o",
        str(packed),
        "-r",
        str(folder / "requirements.txt"),
        "--no-environment",
        *sorted(path.name for path in (folder / "files").iterdir()),
    ]
    subprocess.run(command, check=True, capture_output=True, cwd=folder / "files")
    return packed
