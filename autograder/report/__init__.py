"""Writes results: tables, feedback pages, the class report."""
