"""Read a detector: its levels, one traced forward pass, the provenance of each detection, and its last step again."""

from .arguments import finite_number, whole_number
from .compare import Comparison, compare
from .detections import Detections, Rivals
from .equivalent import equivalent
from .equivalent_result import Changes, Difference, Equivalence
from .errors import CheckpointError, SelectionError, SourceError, UnsupportedModelError
from .evaluating import evaluating
from .head import Candidates, Head, Limits, Outputs, Pass, Targets
from .layers import layers
from .layers_field import Field
from .layers_merge import fused
from .layers_table import Cost, Layer, LayerTable
from .letterbox import Letterbox
from .levels import Level, select_class, select_classes, select_level, select_levels
from .pyramid import Pyramid
from .receptive_field import ReceptiveField, receptive_field
from .registry import describe, open_checkpoint
from .trace import Trace, stream, trace


def levels(model) -> tuple[Level, ...]:
    """The pyramid levels of a model's head in its own order, which is finest first in published detectors.

    Raises UnsupportedModelError, with the reason, for a model without per-level class rows.
    """
    return describe(model).levels


__all__ = [
    "Candidates",
    "Changes",
    "CheckpointError",
    "Comparison",
    "Cost",
    "Detections",
    "Difference",
    "Equivalence",
    "Field",
    "Head",
    "Layer",
    "LayerTable",
    "Letterbox",
    "Level",
    "Limits",
    "Outputs",
    "Pass",
    "Pyramid",
    "ReceptiveField",
    "Rivals",
    "SelectionError",
    "SourceError",
    "Targets",
    "Trace",
    "UnsupportedModelError",
    "compare",
    "describe",
    "equivalent",
    "evaluating",
    "finite_number",
    "fused",
    "layers",
    "levels",
    "open_checkpoint",
    "receptive_field",
    "select_class",
    "select_classes",
    "select_level",
    "select_levels",
    "stream",
    "trace",
    "whole_number",
]
