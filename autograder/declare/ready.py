"""Declares the homeworks when it is imported: for the server that forks workers, which then have them."""

import sys

from autograder.declare.homework import declared_homeworks

try:
    declared_homeworks()
except Exception:
    # whoever asks for them is told why; half of a homework would be told as another mistake
    for _name in [name for name in sys.modules if name.startswith("autograder.homeworks")]:
        del sys.modules[_name]
