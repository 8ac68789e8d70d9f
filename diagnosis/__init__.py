"""Say what is wrong with a detector, and why: targets, grids, assignment, numerics, attribution, missed objects."""

from anatomy.tracing.questions import answer

from .attribution import (
    BASELINES,
    METHODS,
    Attribution,
    Curves,
    Faithfulness,
    Heat,
    Odexai,
    Randomization,
    Subject,
    attribute,
    attribute_all,
    attribute_parts,
    faithfulness,
    odexai,
    subject,
    subjects,
)
from .doctor import InferredLayout, TargetLayout, check_decoder, check_loss, check_targets, infer_layout
from .findings import CODES, Finding, Report
from .grid import GridLevel, GridReport, Sight, check_grid
from .labels import LabelReport, Mend, Reading, check_labels, fix_labels
from .objects.assignment import SPARED, Assignment, assign, assign_trace
from .objects.level_evidence import VERDICTS, LevelEvidence, Successor, level_evidence
from .objects.loss_by_level import SIZES, LossByLevel, loss_by_level
from .objects.missed import STAGES, Candidate, Missed, missed
from .objects.reading import PROBLEMS, ImageLabels, LabelledSet, Problem, read_labels
from .scales import Layer, Numerics, Origin, Scales, numerics
from .surveys import Survey, survey
from .training import BrokenBatch, Watch, read_watch, watch

answer(why=attribute, evidence=level_evidence)  # what a detection is asked

__all__ = [
    "BASELINES",
    "CODES",
    "METHODS",
    "PROBLEMS",
    "SIZES",
    "SPARED",
    "STAGES",
    "VERDICTS",
    "Assignment",
    "Attribution",
    "BrokenBatch",
    "Candidate",
    "Curves",
    "Faithfulness",
    "Finding",
    "GridLevel",
    "GridReport",
    "Heat",
    "ImageLabels",
    "InferredLayout",
    "LabelReport",
    "LabelledSet",
    "Layer",
    "LevelEvidence",
    "LossByLevel",
    "Mend",
    "Missed",
    "Numerics",
    "Odexai",
    "Origin",
    "Problem",
    "Randomization",
    "Reading",
    "Report",
    "Scales",
    "Sight",
    "Subject",
    "Successor",
    "Survey",
    "TargetLayout",
    "Watch",
    "assign",
    "assign_trace",
    "attribute",
    "attribute_all",
    "attribute_parts",
    "check_decoder",
    "check_grid",
    "check_labels",
    "check_loss",
    "check_targets",
    "faithfulness",
    "fix_labels",
    "infer_layout",
    "level_evidence",
    "loss_by_level",
    "missed",
    "numerics",
    "odexai",
    "read_labels",
    "read_watch",
    "subject",
    "subjects",
    "survey",
    "watch",
]
