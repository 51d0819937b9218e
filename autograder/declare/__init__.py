"""What a homework declares; THE interface of an author."""

from __future__ import annotations

from autograder.declare.cases import Case
from autograder.declare.course import follow, followed, homeworks
from autograder.declare.data import DATA_FOLDERS, Data, DataUnavailableError, packaged
from autograder.declare.entries import Array, Challenge, Checkpoint, Choice, Entry, Oracle
from autograder.declare.evidence import (
    Picture,
    as_text,
    attention,
    case_evidence,
    curve,
    drawn_as_heads,
    drawn_as_matrix,
    matrix,
    picture_of,
    plain,
    recorded_evidence,
)
from autograder.declare.homework import DIFFICULTIES, NOT_JUDGED, Homework, Question, declared_homeworks
from autograder.declare.judging import judge_cases, not_run, result_of, wrong_on
from autograder.declare.prediction import Prediction
from autograder.declare.recorded import LogEntry, read_value
from autograder.declare.text import Number, Numbers, NumbersMissingError, Written
from autograder.declare.verdicts import Answer, Check, Judge, Right, Verdict, Wrong
from autograder.files import several

__all__ = [
    "DATA_FOLDERS",
    "DIFFICULTIES",
    "NOT_JUDGED",
    "Answer",
    "Array",
    "Case",
    "Challenge",
    "Check",
    "Checkpoint",
    "Choice",
    "Data",
    "DataUnavailableError",
    "Entry",
    "Homework",
    "Judge",
    "LogEntry",
    "Number",
    "Numbers",
    "NumbersMissingError",
    "Oracle",
    "Picture",
    "Prediction",
    "Question",
    "Right",
    "Verdict",
    "Written",
    "Wrong",
    "as_text",
    "attention",
    "case_evidence",
    "curve",
    "declared_homeworks",
    "drawn_as_heads",
    "drawn_as_matrix",
    "follow",
    "followed",
    "homeworks",
    "judge_cases",
    "matrix",
    "not_run",
    "packaged",
    "picture_of",
    "plain",
    "read_value",
    "recorded_evidence",
    "result_of",
    "several",
    "wrong_on",
]
