"""Labels of a whole set: systematic faults by name, from the files, from what a model sees, and from edges."""

from .check import check_labels
from .reading import Reading
from .report import LabelReport, Mend

__all__ = ["LabelReport", "Mend", "Reading", "check_labels"]
