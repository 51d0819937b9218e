"""Notebooks as Colab, VS Code, nbclassic and JupyterLab save them grade like the original."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from autograder.author.build import build_notebook
from autograder.declare import Homework, homeworks
from autograder.grade.grade import grade_submission
from autograder.kit.handing_in import cell_digest
from autograder.names import source_path
from autograder.run.choose import kernels
from autograder.run.runner import skip_reason
from autograder.submissions.find import Submission
from autograder.submissions.notebook import read_notebook, recognize, written_answers
from tests import bare
from tests.conftest import PLACE, SETTINGS
from tests.gallery import ROOT

STREAM = {"output_type": "stream", "name": "stdout", "text": ["saved\n"]}
LANGUAGE = {
    "name": "python",
    "version": "3.12.11",
    "mimetype": "text/x-python",
    "codemirror_mode": {"name": "ipython", "version": 3},
}


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def by_colab(document: dict[str, Any]) -> dict[str, Any]:
    """Format 4.0: ids in the metadata, tags and our mark gone, forms marked, no last newline."""
    for number, cell in enumerate(document["cells"]):
        form = {"cellView": "form"} if "@title" in cell["source"] else {}
        cell["metadata"] = {"id": f"aBc{number:09d}", **form}
        if cell["cell_type"] == "code":
            cell["metadata"] |= {
                "colab": {"base_uri": "https://localhost:8080/", "height": 35},
                "outputId": f"out{number}",
                "executionInfo": {"elapsed": 12},
            }
            cell |= {"execution_count": number, "outputs": [STREAM]}
        cell["source"] = lines(cell["source"])
        del cell["id"]
    metadata = {
        "colab": {"provenance": [], "gpuType": "T4"},
        "accelerator": "GPU",
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
    }
    return {
        "nbformat": 4,
        "nbformat_minor": 0,
        "metadata": metadata | {"widgets": {"application/vnd.jupyter.widget-state+json": {}}},
        "cells": document["cells"],
    }


def by_vs_code(document: dict[str, Any]) -> dict[str, Any]:
    """Format 4.2 as VS Code wrote it for years: no ids, its own marks; our mark and tags stay."""
    for number, cell in enumerate(document["cells"]):
        cell["metadata"] = {**cell["metadata"], "vscode": {"languageId": "python"}}
        cell["source"] = lines(cell["source"])
        if cell["cell_type"] == "code":
            cell |= {"execution_count": number, "outputs": [STREAM]}
        del cell["id"]
    own = {
        "kernelspec": {"display_name": ".venv (3.12.11)", "language": "python", "name": "python3"},
        "language_info": LANGUAGE,
        "orig_nbformat": 4,
    }
    return {**document, "nbformat_minor": 2, "metadata": {**document["metadata"], **own}}


def by_nbclassic(document: dict[str, Any]) -> dict[str, Any]:
    """Format 4.4: no ids; a cell's input may be scrolled or collapsed."""
    for number, cell in enumerate(document["cells"]):
        cell["source"] = lines(cell["source"])
        if cell["cell_type"] == "code":
            cell |= {"execution_count": number, "outputs": [STREAM]}
            cell["metadata"] = {**cell["metadata"], "scrolled": True}
        del cell["id"]
    return {
        **document,
        "nbformat_minor": 4,
        "metadata": {**document["metadata"], "language_info": LANGUAGE, "toc": {"nav_menu": {}}},
    }


def by_jupyterlab(document: dict[str, Any]) -> dict[str, Any]:
    """Format 4.5 with new ids, as after copying cells into another notebook."""
    for number, cell in enumerate(document["cells"]):
        cell |= {"id": f"{number:08x}-new", "source": lines(cell["source"])}
        cell["metadata"] = {
            **cell["metadata"],
            "editable": True,
            "slideshow": {"slide_type": ""},
            "execution": {"iopub.status.busy": "2026-11-23T22:00:00Z"},
        }
        if cell["cell_type"] == "code":
            cell |= {"execution_count": number, "outputs": [STREAM]}
    return {**document, "metadata": {**document["metadata"], "language_info": LANGUAGE}}


FRONT_ENDS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "Colab": by_colab,
    "VS Code": by_vs_code,
    "nbclassic": by_nbclassic,
    "JupyterLab": by_jupyterlab,
}


def solved(homework: Homework) -> dict[str, Any]:
    return json.loads(json.dumps(build_notebook(homework, source_path(ROOT, homework.stem), blank=False)))


@pytest.mark.parametrize("name", list(homeworks()))
def test_the_grader_sees_the_same_notebook_whatever_saved_it(name: str):
    homework = homeworks()[name]
    original = solved(homework)
    clean = read_notebook(json.dumps(original).encode())
    for front_end, save in FRONT_ENDS.items():
        data = json.dumps(save(copy.deepcopy(original))).encode()
        found = read_notebook(data)
        assert [(cell.cell_type, cell.source) for cell in found.cells] == [
            (cell.cell_type, cell.source) for cell in clean.cells
        ], front_end
        assert [skip_reason(cell) for cell in found.cells] == [skip_reason(cell) for cell in clean.cells], (
            front_end
        )
        assert [cell_digest(cell.source) for cell in found.cells] == [
            cell_digest(cell["source"]) for cell in original["cells"]
        ], front_end
        assert recognize(found, None, homeworks()) is homework, front_end
        assert written_answers(found, homework) == written_answers(clean, homework), front_end
        assert any(answer.text for answer in written_answers(clean, homework).values()), name


def test_what_colab_saved_gets_the_points_of_the_original():
    original = solved(homeworks()["hw3"])
    made = {"original": original, "colab": by_colab(copy.deepcopy(original))}
    reports = {
        who: grade_submission(Submission(who, json.dumps(document).encode()), SETTINGS, kernels(PLACE)[0])[0]
        for who, document in made.items()
    }
    assert reports["original"].points > 80  # all but what training finds
    assert reports["colab"].questions == reports["original"].questions
    assert reports["colab"].status == reports["original"].status == "graded"


@pytest.mark.parametrize("name", list(homeworks()))
def test_helper_cells_are_forms_and_nothing_rests_on_ids_names_or_widgets(name: str):
    homework = homeworks()[name]
    notebook = build_notebook(homework, source_path(ROOT, homework.stem))
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    folded = [cell for cell in code if re.search(r"^# ?@title .*", cell.source, flags=re.MULTILINE)]
    assert code[0] in folded  # the kit: by far the longest cell
    for cell in folded:
        assert cell.metadata["cellView"] == "form"
        assert cell.metadata["jupyter"]["source_hidden"] is True
        assert re.search(r'^# @title .*(\{ display-mode: "form" \})?$', cell.source, flags=re.MULTILINE)
    for cell in code[1:]:
        assert cell in folded or len(cell.source.splitlines()) <= 60
    text = "\n".join(cell.source for cell in code)
    assert not re.search(r"^\s*(from|import) (ipywidgets|ipympl)", text, flags=re.MULTILINE)
    assert "interact(" not in text
    assert not re.search(r"^\s*(from|import) autograder", text, flags=re.MULTILINE)


def test_the_bare_environment_hides_everything_else(tmp_path):
    python = bare.make(tmp_path / "bare")
    seen = bare.installed(python)
    assert seen == set(bare.distributions())
    assert {"numpy", "torch", "matplotlib", "ipykernel", "ipython"} <= seen
    assert (
        not {
            "attention-homeworks",
            "nbformat",
            "nbconvert",
            "jupytext",
            "scipy",
            "transformers",
            "torchvision",
            "ipywidgets",
        }
        & seen
    )
