"""Judges what a run recorded, for one submission and for a class."""
