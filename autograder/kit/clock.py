"""Times as the log keeps them and as people read them."""

from __future__ import annotations

import calendar
import time
from typing import Any


def now() -> str:
    """The present moment, as the log keeps it."""
    return stamp(time.time())


def stamp(seconds: float) -> str:
    """A moment in seconds since 1970, as the log keeps it: UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def clock(stamp: Any) -> str:
    """A time of the log for people: local time, with the date if it is not today."""
    try:
        local = time.localtime(calendar.timegm(time.strptime(str(stamp), "%Y-%m-%dT%H:%M:%SZ")))
    except (ValueError, OverflowError):
        return "another time"
    return time.strftime("%H:%M" if local[:3] == time.localtime()[:3] else "%Y-%m-%d %H:%M", local)
