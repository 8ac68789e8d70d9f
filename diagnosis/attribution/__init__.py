"""Which pixels made a number of a detection, by many methods, and whether the map can be believed."""

from .curves import Curves
from .faithfulness import Faithfulness, faithfulness
from .methods import BASELINES, METHODS, attribute, attribute_all
from .randomization import Randomization
from .result import Attribution, Heat
from .subject import Subject, subject, subjects

__all__ = [
    "BASELINES",
    "METHODS",
    "Attribution",
    "Curves",
    "Faithfulness",
    "Heat",
    "Randomization",
    "Subject",
    "attribute",
    "attribute_all",
    "faithfulness",
    "subject",
    "subjects",
]
