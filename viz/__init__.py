"""Draw what the other packages return: every function takes data and returns a matplotlib Figure."""

from .anchor_grid import anchor_grid
from .assignment import assignment
from .attribution import attribution
from .compare import compare
from .detections import detections
from .distribution import distribution
from .explore import explore
from .explorer import Explorer
from .features import features
from .grid import grid
from .heatmaps import heatmaps
from .layers import layers
from .loss_by_level import loss_by_level
from .missed import missed
from .numerics import numerics
from .palette import LEVEL_COLORS, level_color
from .receptive_field import receptive_field
from .report import report
from .style import STYLE
from .targets import targets

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
    "targets",
]
