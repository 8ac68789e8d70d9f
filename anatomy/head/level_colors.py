"""One colour for each pyramid level, the same wherever levels are drawn, and safe for colour-blind readers."""

from ..arguments import refused

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


def level_color(name: str) -> str:
    """The colour of a level by its name ("P3"); levels beyond P2 to P7 share three more.

    >>> viz.level_color("P3")
    '#56B4E9'
    """
    if not isinstance(name, str):
        raise refused("level_color", "the name of a level", name, "viz.level_color('P3')")
    return LEVEL_COLORS.get(name) or OTHER_LEVELS[sum(map(ord, name)) % len(OTHER_LEVELS)]
