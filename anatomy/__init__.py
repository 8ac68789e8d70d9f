"""Read a detector: its levels, one traced forward pass, the provenance of each detection, and its last step again."""

from .compare import Comparison, compare
from .detections import Detections, Rivals
from .errors import CheckpointError, SelectionError, SourceError, UnsupportedModelError
from .head import Candidates, Head, Limits, Pass, Targets, describe, open_checkpoint
from .letterbox import Letterbox
from .levels import Level, select_class, select_classes, select_levels, whole_number
from .trace import Trace, stream, trace


def levels(model) -> tuple[Level, ...]:
    """The pyramid levels of a model's head, finest first.

    Raises UnsupportedModelError, with the reason, for a model without per-level class rows.
    """
    return describe(model).levels


__all__ = [
    "Candidates",
    "CheckpointError",
    "Comparison",
    "Detections",
    "Head",
    "Letterbox",
    "Level",
    "Limits",
    "Pass",
    "Rivals",
    "SelectionError",
    "SourceError",
    "Targets",
    "Trace",
    "UnsupportedModelError",
    "compare",
    "describe",
    "levels",
    "open_checkpoint",
    "select_class",
    "select_classes",
    "select_levels",
    "stream",
    "trace",
    "whole_number",
]
