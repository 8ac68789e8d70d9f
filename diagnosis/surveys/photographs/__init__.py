"""The photographs behind any number of a survey: rows picked, drawn, and cut out."""

from .sheet import Photographs, show

__all__ = ["Photographs", "show"]
