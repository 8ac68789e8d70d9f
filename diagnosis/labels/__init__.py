"""Labels of a whole set: systematic faults by name, from the files, from what a model sees, and from edges."""

from .check import check_labels
from .fixing import fix_labels
from .previews import LabelSource, Preview, previews
from .reading import Reading
from .report import LabelReport, Mend

__all__ = [
    "LabelReport",
    "LabelSource",
    "Mend",
    "Preview",
    "Reading",
    "check_labels",
    "fix_labels",
    "previews",
]
