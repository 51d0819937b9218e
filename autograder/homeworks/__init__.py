"""One module a homework: questions, points, hidden inputs, checks and feedback. Never visible to a submission."""
