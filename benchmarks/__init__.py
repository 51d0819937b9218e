"""Measures how fast a class is graded: ``python -m benchmarks``."""
