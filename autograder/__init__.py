"""Homework notebooks on attention and Transformers, and the autograder that judges them outside the kernel."""

__version__ = "0.1.0"
