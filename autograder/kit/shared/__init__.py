"""Public parts that several homeworks share."""
