"""One module a homework: the public part that follows the kit into its notebook, and that the grader shares."""
