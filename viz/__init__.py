"""Draw what the other packages return: every function takes data and returns a matplotlib Figure."""

from .canvas.palette import LEVEL_COLORS, level_color
from .canvas.style import STYLE
from .explorer.explore import explore
from .explorer.state import Explorer
from .figures.anchor_grid import anchor_grid
from .figures.assignment import assignment
from .figures.attribution import attribution
from .figures.compare import compare
from .figures.detections import detections
from .figures.distribution import distribution
from .figures.features import features
from .figures.grid import grid
from .figures.heatmaps import heatmaps
from .figures.layers import layers
from .figures.loss_by_level import loss_by_level
from .figures.missed import missed
from .figures.numerics import numerics
from .figures.receptive_field import receptive_field
from .figures.survey.survey import survey
from .figures.targets import targets
from .reports.report import report
from .reports.survey.report import survey_report

__all__ = [
    "LEVEL_COLORS",
    "STYLE",
    "Explorer",
    "anchor_grid",
    "assignment",
    "attribution",
    "compare",
    "detections",
    "distribution",
    "explore",
    "features",
    "grid",
    "heatmaps",
    "layers",
    "level_color",
    "loss_by_level",
    "missed",
    "numerics",
    "receptive_field",
    "report",
    "survey",
    "survey_report",
    "targets",
]
