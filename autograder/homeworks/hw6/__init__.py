"""Homework 6."""
