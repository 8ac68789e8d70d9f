"""Which pixels made a number of a detection, by many methods, and whether the map can be believed."""

from .evidence.curves import Curves
from .evidence.faithfulness import Faithfulness, faithfulness
from .evidence.odexai import Odexai, odexai
from .evidence.randomization import Randomization
from .methods import BASELINES, METHODS, attribute, attribute_all
from .parts import attribute_parts
from .result import Attribution, Heat
from .subject import Subject, subject, subjects

__all__ = [
    "BASELINES",
    "METHODS",
    "Attribution",
    "Curves",
    "Faithfulness",
    "Heat",
    "Odexai",
    "Randomization",
    "Subject",
    "attribute",
    "attribute_all",
    "attribute_parts",
    "faithfulness",
    "odexai",
    "subject",
    "subjects",
]
