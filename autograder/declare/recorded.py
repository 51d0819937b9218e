"""What a log says of one entry, decoded. Everything in a log is untrusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autograder import kit


@dataclass(frozen=True)
class LogEntry:
    """One recorded entry, decoded.

    Attributes:
        status: ``ok``, ``missing``, ``unanswered``, ``stopped`` or ``invalid`` (the log holds something
            unusable).
        value: what was recorded, of an entry that runs on no hidden inputs.
        responses: of a challenge: case id → (status, decoded result, error in words).
        problem: why it is invalid, for a student to read.
    """

    status: str
    value: Any = None
    responses: Mapping[str, tuple[str, Any, str]] = field(default_factory=dict)
    problem: str = ""


def read_value(encoded: Any) -> Any:
    """Decodes a value that a notebook recorded.

    Raises:
        ValueError: it is not in the log's format, or would need torch in the grading process.
    """
    return kit.decode(_as_in_logs(encoded))


def read_response(raw: Mapping[str, Any]) -> tuple[str, Any, str]:
    """Decodes the response to one hidden input: status, result, error in words."""
    error = raw.get("error")
    return raw["status"], read_value(raw.get("result")), kit.error_words(error) if error else ""


def _as_in_logs(value: Any) -> Any:
    """Refuses what only a challenges file may hold: the mark of torch tensors, and arrays in base64."""
    if isinstance(value, dict):
        if "torch" in value:
            raise ValueError("unknown key 'torch'")
        if "dtype" in value and isinstance(value.get("data"), str):
            raise ValueError("array data must be a list")
        return {key: _as_in_logs(item) if key != "data" else item for key, item in value.items()}
    return [_as_in_logs(item) for item in value] if isinstance(value, list) else value
