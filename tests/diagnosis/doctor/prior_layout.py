"""Two levels of two priors a cell, as decoders with logarithms of sizes have them."""

from diagnosis import TargetLayout

STRIDES = (8, 16)
PRIORS = (((12.0, 20.0), (30.0, 18.0)), ((40.0, 60.0), (90.0, 56.0)))


def layout_of_priors(classes: int) -> TargetLayout:
    """Box, objectness and so many classes of each prior."""
    return TargetLayout(
        format="cxcywh",
        unit="stride",
        relative=True,
        grid_offset=0.0,
        size_unit="prior",
        size_function="log",
        classes=slice(5, 5 + classes),
        strides=STRIDES,
        anchors=PRIORS,
        axes="AC,H,W",
    )
