"""Draw what the other packages return: every function takes data and returns a matplotlib Figure."""

from .anchor_grid import anchor_grid
from .assignment import assignment
from .compare import compare
from .detections import detections
from .distribution import distribution
from .explore import explore
from .explorer import Explorer
from .features import features
from .heatmaps import heatmaps
from .missed import missed
from .palette import LEVEL_COLORS, level_color
from .report import report
from .style import STYLE
from .targets import targets

__all__ = [
    "LEVEL_COLORS",
    "STYLE",
    "Explorer",
    "anchor_grid",
    "assignment",
    "compare",
    "detections",
    "distribution",
    "explore",
    "features",
    "heatmaps",
    "level_color",
    "missed",
    "report",
    "targets",
]
