"""Runs untrusted notebooks under limits, in a sandbox where there is one."""
