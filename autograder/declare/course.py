"""The homeworks as this process sees them: as declared, or as the course that it follows changes them."""

from __future__ import annotations

import json
from functools import lru_cache

from autograder.declare.adapted import adapted
from autograder.declare.homework import Homework, declared_homeworks

_adaptation = ""


def follow(adaptation: str) -> None:
    """Makes :func:`homeworks` give them as a course wants them.

    Args:
        adaptation: JSON, homework's id → what :func:`autograder.declare.adapted.adapted` takes; empty for the
            homeworks as declared.

    Raises:
        AdaptationError: it does not fit the homeworks of this package.
    """
    global _adaptation
    _adapted(adaptation)
    _adaptation = adaptation


def followed() -> str:
    """The adaptation that this process follows; a worker process is given it."""
    return _adaptation


def homeworks() -> dict[str, Homework]:
    """Every homework by id, as declared or as the course changes it."""
    return _adapted(_adaptation)


@lru_cache(maxsize=8)
def _adapted(adaptation: str) -> dict[str, Homework]:
    found = declared_homeworks()
    if not adaptation:
        return found
    told = json.loads(adaptation)
    return {name: adapted(one, told[name]) if name in told else one for name, one in found.items()}
