"""Labelled objects and what became of them: assigned, paid for, found or missed, and by which level."""
