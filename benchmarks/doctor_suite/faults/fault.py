"""What a fault is."""

from ..base import Encoder

YOLO = ("yolov1", "yolov2", "yolov3", "yolov3, every scale", "yolov4", "yolov5", "yolov7")


class Fault(Encoder):
    """A mix-in that stands before a scheme; its methods call those of the scheme and spoil what comes."""

    codes: frozenset[str] = frozenset()
    severity = "error"  # or "warning", or "any" where either is right
    suits: tuple[str, ...] = ()


def named(*codes: str) -> frozenset[str]:
    return frozenset(codes)


FUNCTION = named("wrong_box_unit", "wrong_box_format")
"""Of a size that is kept by another function than declared there is no code of its own; earlier suites took these."""
