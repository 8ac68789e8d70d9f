"""A whole data set through a detector: every object and detection by the level that made it, in tables on disk."""

from .result import Survey, SurveyLevel
from .running.run import survey

__all__ = ["Survey", "SurveyLevel", "survey"]
