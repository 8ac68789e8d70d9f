"""One colour for each pyramid level, the same in every figure and safe for colour-blind readers."""

from matplotlib.colors import to_rgb
from matplotlib.typing import ColorType

# Okabe and Ito, "Color Universal Design", https://jfly.uni-koeln.de/color/
LEVEL_COLORS = {
    "P2": "#F0E442",  # yellow
    "P3": "#56B4E9",  # sky blue
    "P4": "#E69F00",  # orange
    "P5": "#009E73",  # bluish green
    "P6": "#CC79A7",  # reddish purple
    "P7": "#D55E00",  # vermillion
}
OTHER_LEVELS = ("#0072B2", "#999999", "#000000")
MISSING = "#B0B0B0"  # cells without a number, and letterbox padding


def level_color(name: str) -> str:
    """The colour of a level by its name ("P3"); levels beyond P2 to P7 share three more."""
    return LEVEL_COLORS.get(name) or OTHER_LEVELS[sum(map(ord, name)) % len(OTHER_LEVELS)]


def luminance(color: ColorType) -> float:
    """Relative luminance of a colour in [0, 1], as WCAG 2.1 defines it."""
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in to_rgb(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def ink(color: ColorType) -> str:
    """Black or white, whichever reads better on a ground of this colour."""
    ground = luminance(color)
    return "black" if (ground + 0.05) / 0.05 >= 1.05 / (ground + 0.05) else "white"
