"""Fetches the data that homeworks declare, ahead of time: ``python -m autograder.author.fetch [HOMEWORK …]``.

Grading itself has no network. Set-up runs this once; afterwards grading finds what is there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from autograder.declare import DataUnavailableError, homeworks


def main(names: Sequence[str]) -> int:
    """Fetches and verifies; says of each homework what is there, or what to do by hand.

    Args:
        names: homeworks; all if none are given.

    Returns:
        The exit status: 1 if something cannot be had, 2 if there is no such homework.
    """
    if unknown := [name for name in names if name not in homeworks()]:
        print(f"There is no {', '.join(unknown)}; there are {', '.join(homeworks())}.", file=sys.stderr)
        return 2
    status = 0
    for name in names or homeworks():
        data = homeworks()[name].data
        try:
            if data:
                print(data.verify())
        except DataUnavailableError as error:
            print(f"{name}: {error}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
