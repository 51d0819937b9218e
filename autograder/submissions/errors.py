"""What is wrong with a submission, as an error with words for its student."""

from __future__ import annotations


class SubmissionError(ValueError):
    """A submission, or a file of it, that cannot be used; the message says why, for a student to read."""
