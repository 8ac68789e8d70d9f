"""Colours of figures: those of the levels, of what is missing, and which ink reads on a ground."""

from matplotlib.colors import to_rgb
from matplotlib.typing import ColorType

from anatomy.head.level_colors import LEVEL_COLORS as LEVEL_COLORS
from anatomy.head.level_colors import OTHER_LEVELS as OTHER_LEVELS
from anatomy.head.level_colors import level_color as level_color

MISSING = "#B0B0B0"  # cells without a number, and letterbox padding


def luminance(color: ColorType) -> float:
    """Relative luminance of a colour in [0, 1], as WCAG 2.1 defines it."""
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in to_rgb(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def ink(color: ColorType) -> str:
    """Black or white, whichever reads better on a ground of this colour."""
    ground = luminance(color)
    return "black" if (ground + 0.05) / 0.05 >= 1.05 / (ground + 0.05) else "white"
