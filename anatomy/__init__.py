"""Read a detector: its levels, one traced forward pass, the provenance of each detection, and its last step again."""

from typing import Any

from .arguments import finite_number, whole_number
from .errors import CheckpointError, SelectionError, SourceError, UnsupportedModelError
from .families.exports.network import Export
from .families.exports.preprocessing import Preprocessing
from .families.registry import describe, open_checkpoint, open_export
from .head.batch_targets import BatchTargets
from .head.evaluating import evaluating
from .head.forward import Candidates, Limits, Outputs, Pass, Refined, Targets
from .head.head import Head
from .head.letterbox import Letterbox
from .head.levels import Level, select_class, select_classes, select_level, select_levels
from .head.pyramid import Pyramid
from .network.equivalence import Changes, Difference, Equivalence
from .network.equivalent import equivalent
from .network.export_equivalence import ExportEquivalence, Fate, LevelDifference, PreprocessingDifference
from .network.field import Field
from .network.fused import fused
from .network.layer import Cost, Layer
from .network.layers import layers
from .network.receptive_field import ReceptiveField, receptive_field
from .network.table import LayerTable
from .tracing.compare import Comparison, compare
from .tracing.detection import Detection, Rivals
from .tracing.detections import Detections
from .tracing.shares import LevelShares, level_shares
from .tracing.trace import Trace, stream, trace


def levels(model: Any) -> tuple[Level, ...]:
    """The pyramid levels of a model's head in its own order, which is finest first in published detectors.

    Raises UnsupportedModelError, with the reason, for a model whose boxes no cell of a level makes.

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
    "Export",
    "ExportEquivalence",
    "Fate",
    "Field",
    "Head",
    "Layer",
    "LayerTable",
    "Letterbox",
    "Level",
    "LevelDifference",
    "LevelShares",
    "Limits",
    "Outputs",
    "Pass",
    "Preprocessing",
    "PreprocessingDifference",
    "Pyramid",
    "ReceptiveField",
    "Refined",
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
    "level_shares",
    "levels",
    "open_checkpoint",
    "open_export",
    "receptive_field",
    "select_class",
    "select_classes",
    "select_level",
    "select_levels",
    "stream",
    "trace",
    "whole_number",
]
