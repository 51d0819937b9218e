"""Homework notebooks on attention and Transformers, and the autograder that judges them outside the kernel.

The folders are the rooms of the house, in the order of the work; CONTRIBUTING.md lists them.
"""

__version__ = "1.0.0"
