"""Whether the levels of a detector lie on the image as its head declares, asked of the detector itself."""

from .check import GridReport, check_grid
from .probe import GridLevel
from .sight import Sight

__all__ = ["GridLevel", "GridReport", "Sight", "check_grid"]
