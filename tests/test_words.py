"""The check of words finds what it should, and a renamed command or option still answers to its old name."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from autograder.cli.main import COMMANDS, FORMERLY, main
from tests.words import PHRASES, misspelled, phrases, texts

BAD = {
    "the largest; asked is the smallest": "asked is",
    "The desk does not\nknow this browser": "The desk",
    "Take in CSV": "Take in CSV",
    "Then.\nWho prefers paper prints": "Who prefers",
    "as `my.py`, which goes along.": "goes along",
}


@pytest.mark.parametrize("text", BAD)
def test_a_phrase_to_avoid_is_found(text: str):
    ((_, phrase, instead),) = phrases(text)
    assert BAD[text] in phrase
    assert instead


def test_a_phrase_is_found_across_the_strings_of_a_python_file_with_its_line():
    text = 'x = 1\ntold = (\n    "the largest; asked"\n    f" is the smallest"\n)\n# what\n# came out\n'
    assert [(line, phrase.split()[-1]) for line, phrase, _ in phrases(text, python=True)] == [
        (3, "is"),
        (6, "out"),
    ]


def test_good_sentences_and_code_are_let_pass():
    text = "The question asks for the smallest.\nif asked is None or asked is not None:\n    pass"
    assert list(phrases(text, python=True)) == []


def test_british_words_and_the_projects_own_are_found(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("A hand-in whose colour is grey.\nA submission whose color is gray.\n")
    assert [line.split(": ")[1] for line in misspelled([str(path)])] == [
        "hand-in ==> submission",
        "colour ==> color",
        "grey ==> gray",
    ]


def test_all_texts_are_read():
    found = texts()
    for path in ("README.md", "docs/grade.md", "autograder/cli/grade.py", "solutions/hw3_hand_designed.py"):
        assert path in found
    assert PHRASES


@pytest.mark.parametrize(("old", "new"), FORMERLY.items())
def test_a_command_answers_to_its_old_name_which_nothing_lists(old: str, new: str):
    assert old not in COMMANDS
    assert old not in CliRunner().invoke(main, ["--help"]).output.split()
    context = click.Context(main)
    assert main.get_command(context, old) is main.get_command(context, new)
    assert CliRunner().invoke(main, [old, "--help"]).exit_code == 0


@pytest.mark.parametrize(
    ("command", "old", "new"), [("override", "--why", "--reason"), ("bundle", "--hidden", "--visibility")]
)
def test_an_option_answers_to_its_old_name_which_no_help_shows(command: str, old: str, new: str):
    found = main.get_command(click.Context(main), command)
    assert found is not None
    said = CliRunner().invoke(main, [command, "--help"]).output
    assert new in said
    assert f"{old} " not in said
    value = "visible" if command == "bundle" else "a tie"
    name = next(option.name for option in found.params if new in option.opts)
    for spelled in (old, new):
        parsed, _, _ = found.make_parser(click.Context(found)).parse_args([spelled, value])
        assert parsed[name] == value
