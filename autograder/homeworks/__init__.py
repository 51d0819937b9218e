"""One folder a homework: questions, hidden inputs, checks, feedback. Never visible to a submission."""
