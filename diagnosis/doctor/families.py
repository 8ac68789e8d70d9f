"""What the targets of well-known detectors look like: the fields of a layout, by name, from their papers and code."""

from collections.abc import Sequence
from typing import Any

V3 = (((10, 13), (16, 30), (33, 23)), ((30, 61), (62, 45), (59, 119)), ((116, 90), (156, 198), (373, 326)))
V4 = (((12, 16), (19, 36), (40, 28)), ((36, 75), (76, 55), (72, 146)), ((142, 110), (192, 243), (459, 401)))
V2 = (((18.33, 21.68), (59.98, 66.0), (106.83, 175.18), (252.25, 112.89), (312.66, 293.38)),)
YOLOF = (((32, 32), (64, 64), (128, 128), (256, 256), (512, 512)),)

FINE, WIDE = (8, 16, 32), (8, 16, 32, 64, 128)
CELL = {"unit": "stride", "relative": True, "grid_offset": 0.0}
PRIOR = {"unit": "prior", "relative": True, "size_function": "log"}
LOG_PRIOR = {**CELL, "size_unit": "prior", "size_function": "log"}
BARE = {"objectness": None}

FAMILIES: dict[str, dict[str, Any]] = {
    "yolov1": {**CELL, "size_unit": "normalized", "size_function": "sqrt", "strides": (64,)},
    "yolov2": {**LOG_PRIOR, "strides": (32,), "anchors": V2, "axes": "AHWC"},
    "yolov3": {**LOG_PRIOR, "strides": FINE, "anchors": V3, "axes": "AHWC", "ignore": -1.0},
    "yolov4": {**LOG_PRIOR, "strides": FINE, "anchors": V4, "axes": "AHWC", "ignore": -1.0},
    "yolov5": {**CELL, "strides": FINE, "anchors": V3, "axes": "AHWC"},
    "yolov7": {**CELL, "strides": FINE, "anchors": V4, "axes": "AHWC"},
    "yolov8": {**BARE, "format": "ltrb", "unit": "stride", "strides": FINE, "class_values": "soft"},
    "yolo11": {**BARE, "format": "ltrb", "unit": "stride", "strides": FINE, "class_values": "soft"},
    "yolox": {"strides": FINE, "grid_offset": 0.0, "class_values": "soft"},
    "fcos": {"format": "ltrb", "strides": WIDE, "objectness_values": "soft"},
    "nanodet": {**BARE, "format": "ltrb", "unit": "stride", "strides": FINE, "class_values": "soft"},
    "nanodet-plus": {
        **BARE,
        "format": "ltrb",
        "unit": "stride",
        "strides": (8, 16, 32, 64),
        "grid_offset": 0.0,
        "class_values": "soft",
    },
    "rtmdet": {**BARE, "format": "xyxy", "strides": FINE, "grid_offset": 0.0, "class_values": "soft"},
    "atss": {**PRIOR, "strides": WIDE, "objectness_values": "soft"},
    "yolof": {**BARE, **PRIOR, "strides": (32,), "grid_offset": 0.0, "anchors": YOLOF, "axes": "NC", "ignore": -1.0},
    "retinanet": {**BARE, **PRIOR, "strides": WIDE, "grid_offset": 0.0, "axes": "NC", "ignore": -1.0},
    "efficientdet": {**BARE, **PRIOR, "strides": WIDE, "axes": "NC", "ignore": -1.0},
    "centernet": {**BARE, **CELL, "strides": (4,), "class_values": "gaussian"},
}


def octaves(stride: float, size: float, ratios: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Three scales an octave of ``size`` strides, in each of ``ratios`` (width, height); px."""
    scales = (size * stride * 2 ** (i / 3) for i in range(3))
    return tuple((scale * w, scale * h) for scale in scales for w, h in ratios)


def priors(name: str, strides: Sequence[float]) -> tuple[tuple[tuple[float, float], ...], ...] | None:
    """A family's priors that follow from its strides: (width, height) px of each anchor, a level; or None."""
    if name == "atss":
        return tuple(((8.0 * stride, 8.0 * stride),) for stride in strides)
    if name == "retinanet":
        root = 2**0.5
        return tuple(octaves(stride, 4, ((root, 1 / root), (1, 1), (1 / root, root))) for stride in strides)
    if name == "efficientdet":
        return tuple(octaves(stride, 4, ((1, 1), (1.4, 0.7), (0.7, 1.4))) for stride in strides)
    return None


def family(name: str, classes: int, strides: Sequence[float] | None, anchors: Any) -> dict[str, Any]:
    """The fields of the layout of a family with so many classes; ValueError for names that are none."""
    if name not in FAMILIES:
        raise ValueError(f"A family is one of {', '.join(sorted(FAMILIES))}, but {name!r} was given.")
    fields = {"objectness": 4, **FAMILIES[name]}
    fields["strides"] = tuple(strides or fields["strides"])
    fields["anchors"] = anchors or priors(name, fields["strides"]) or fields.get("anchors")
    if fields["anchors"] is not None and len(fields["anchors"]) != len(fields["strides"]):
        raise ValueError(
            f"Priors are needed for each of the {len(fields['strides'])} levels of {fields['strides']}, but "
            f"{len(fields['anchors'])} came: give anchors=[[(w, h), …], …] beside strides."
        )
    first = 4 if fields["objectness"] is None else 5
    fields["classes"] = slice(first, first + classes)
    return fields
