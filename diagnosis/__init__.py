"""Say what is wrong with a detector, and why: targets, decoders, losses, grids, assignment."""

from .assignment import SPARED, Assignment, assign, assign_trace
from .decoder import check_decoder
from .grid import check_grid
from .layout import TargetLayout
from .loss import check_loss
from .loss_by_level import SIZES, LossByLevel, loss_by_level
from .missed import STAGES, Candidate, Missed, missed
from .report import CODES, Finding, Report
from .targets import check_targets

__all__ = [
    "CODES",
    "SIZES",
    "SPARED",
    "STAGES",
    "Assignment",
    "Candidate",
    "Finding",
    "LossByLevel",
    "Missed",
    "Report",
    "TargetLayout",
    "assign",
    "assign_trace",
    "check_decoder",
    "check_grid",
    "check_loss",
    "check_targets",
    "loss_by_level",
    "missed",
]
