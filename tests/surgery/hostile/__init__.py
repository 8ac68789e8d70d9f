"""Hostile files that the tests build, and what must come of each; run as a module it prints them as a table."""

from . import cases_calls, cases_files, cases_pickles, cases_sizes, cases_texts
from .case import OPENS, Case

CASES: list[Case] = [
    *cases_calls.CASES,
    *cases_sizes.CASES,
    *cases_texts.CASES,
    *cases_pickles.CASES,
    *cases_files.CASES,
]

__all__ = ["CASES", "OPENS", "Case"]
