"""Runs untrusted notebooks: limits, sessions, three kinds of kernels, and the loop that drives them."""
