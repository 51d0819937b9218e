"""The people of the example class: words of their own, histories that differ, late submissions."""

from __future__ import annotations

import json
import random
from pathlib import Path

from autograder import kit
from autograder.declare import homeworks
from autograder.grade import course
from autograder.lms.people import read_manifest
from autograder.submissions.log import read_log
from tests.demo_people import LEVELS, level_of, with_history, words_of, write_people


def test_no_two_questions_get_the_same_words_and_each_has_several_levels():
    seen: dict[str, str] = {}
    for homework in homeworks().values():
        for question in homework.questions.values():
            if question.written is None:
                continue
            known = words_of(homework, question.id)
            assert tuple(known) == LEVELS
            for level, texts in known.items():
                for text in texts:
                    assert level_of(homework, question.id, text) == level or level == "nearly"
                    if text:
                        assert seen.setdefault(text, question.id) == question.id


def test_histories_differ_and_are_what_a_log_may_hold():
    homework = homeworks()["hw3"]
    bare = json.dumps({"schema": kit.LOG_SCHEMA, "homework": "hw3", "entries": {}}).encode()
    logs = [
        with_history(bare, homework, [], skill, random.Random(seed))
        for seed, skill in enumerate((0.2, 0.5, 0.9))
    ]
    read = [read_log(one, homework) for one in logs]
    assert all(one.history and not one.notes for one in read)
    assert len({len(one.history) for one in read}) == 3


def test_some_are_late_and_the_course_says_what_that_costs(tmp_path: Path):
    for number in range(30):
        (tmp_path / "class" / f"hw3-student-{number:02d}").mkdir(parents=True)
    write_people(tmp_path / "class")
    people = read_manifest(tmp_path / "class" / "collected.csv")
    assert 2 <= sum(one.late == "yes" for one in people) <= 15
    assert all((one.late_days != "0") == (one.late == "yes") for one in people)
    found = course.read(tmp_path / "course.toml")
    assert found.late is not None
    assert (set(found.due), found.adaptation) == (set(homeworks()), "")
