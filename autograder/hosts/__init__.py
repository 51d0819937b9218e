"""Other hosts of the grader: otter and Gradescope."""
