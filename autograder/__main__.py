"""``python -m autograder`` is ``autograder``."""

import sys


def main() -> None:
    """Runs the command line; where processes will be needed, they import beside this one."""
    try:
        if sys.argv[1:2] == ["grade"] and not {"-h", "--help"} & set(sys.argv):
            from autograder.grade.processes import context

            context()
        from autograder import schemas as schemas  # before anything imports nbformat
        from autograder.cli.main import main as command
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    command()


if __name__ == "__main__":
    main()
