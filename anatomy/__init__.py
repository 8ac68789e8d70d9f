"""Read a detector: its levels, one traced forward pass, the provenance of each detection, and its last step again."""

from typing import Any

from .arguments import finite_number, whole_number
from .errors import CheckpointError, SelectionError, SourceError, UnsupportedModelError
from .families.registry import describe, open_checkpoint
from .head.batch_targets import BatchTargets
from .head.evaluating import evaluating
from .head.forward import Candidates, Limits, Outputs, Pass, Targets
from .head.head import Head
from .head.letterbox import Letterbox
from .head.levels import Level, select_class, select_classes, select_level, select_levels
from .head.pyramid import Pyramid
from .network.equivalence import Changes, Difference, Equivalence
from .network.equivalent import equivalent
from .network.field import Field
from .network.fused import fused
from .network.layer import Cost, Layer
from .network.layers import layers
from .network.receptive_field import ReceptiveField, receptive_field
from .network.table import LayerTable
from .tracing.compare import Comparison, compare
from .tracing.detection import Detection, Rivals
from .tracing.detections import Detections
from .tracing.trace import Trace, stream, trace


def levels(model: Any) -> tuple[Level, ...]:
    """The pyramid levels of a model's head in its own order, which is finest first in published detectors.

    Raises UnsupportedModelError, with the reason, for a model without per-level class rows.

    >>> [level.name for level in anatomy.levels(model)]
    ['P3', 'P4', 'P5']
    """
    return describe(model).levels


__all__ = [
    "BatchTargets",
    "Candidates",
    "Changes",
    "CheckpointError",
    "Comparison",
    "Cost",
    "Detection",
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
