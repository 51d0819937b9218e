"""Where people grade written answers."""
