"""What validation keeps of a data set, its scores by COCO and by Ultralytics, and what levels and rows are worth."""

from .scores import CONVENTIONS, scores, scores_by_class
from .selection import evaluation_rows, validation_limit
from .table import EvaluationRows
from .worth import worth

__all__ = [
    "CONVENTIONS",
    "EvaluationRows",
    "evaluation_rows",
    "scores",
    "scores_by_class",
    "validation_limit",
    "worth",
]
