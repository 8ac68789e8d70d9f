"""The tables of a survey: the name and type of every column, in order."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import polars
from polars import Boolean, Float32, Float64, Int16, Int32, Int64, LazyFrame, String

SIZES = ("small", "medium", "large")  # of an object's box, in px of the original, by COCO's bounds
ERRORS = ("classification", "localisation", "both", "duplicate", "background")  # TIDE's kinds of a detection, in order
KEY = {"number": Int64, "image": String}  # the place of an image in the set, and its path
BOX = {"x1": Float64, "y1": Float64, "x2": Float64, "y2": Float64}
CELL = {"row": Int32, "col": Int32, "anchor": Int32}

# one row an image; input = original * (gain_x, gain_y) + (pad_x, pad_y)
IMAGES: dict[str, Any] = {
    **KEY,
    "width": Int32,
    "height": Int32,
    "input_width": Int32,
    "input_height": Int32,
    "gain_x": Float64,
    "gain_y": Float64,
    "pad_x": Float64,
    "pad_y": Float64,
    "objects": Int32,
    "found": Int32,
    "detections": Int32,
    "error": String,
    "label_problems": Int32,
}

CANDIDATE: dict[str, Any] = {
    "level_name": String,
    **CELL,
    "stage": String,
    "iou": Float64,
    "score": Float64,
    "top_class_name": String,
    "top_score": Float64,
    "reach": Float64,
}

# one row an object of the labels, in px of the original; `ceiling`: a side of it lies beyond what the cell that found
# it, or came nearest, can reach, (reg_max - 1) strides of its level; `reach`: the best IoU that this leaves
OBJECTS: dict[str, Any] = {
    **KEY,
    "object": Int32,
    "class_id": Int32,
    "class_name": String,
    **BOX,
    "size": String,
    "size_strides": Float64,
    "found": Boolean,
    "stage": String,
    "detection": Int32,
    "iou": Float64,
    "confidence": Float64,
    "level": Int32,
    "level_name": String,
    **CELL,
    "top_class_name": String,
    "top_score": Float64,
    "suppressed_by": Int32,
    "reach": Float64,
    "ceiling": Boolean,
    "candidates": polars.List(polars.Struct(CANDIDATE)),
}

# one row a detection of the working point; the columns of rivals follow `suppressed`, see `detections_schema`; `cut`: a
# side of its box ends at the ceiling of its level (`Trace.cut`)
DETECTIONS: dict[str, Any] = {
    **KEY,
    "detection": Int32,
    "class_id": Int32,
    "class_name": String,
    "confidence": Float64,
    "level": Int32,
    "level_name": String,
    "stride": Float64,
    **CELL,
    "branch": String,
    **BOX,
    "center_x": Float64,
    "center_y": Float64,
    "cut": Boolean,
    "suppressed": Int32,
    "second_class_id": Int32,
    "second_class_name": String,
    "second_score": Float64,
    "object": Int32,
    "iou": Float64,
    "correct": Boolean,
    "error": String,
}

# one row a box and label of what validation selects; px of the network's input, unclipped
EVALUATION: dict[str, Any] = {
    "number": Int64,
    "variant": Int16,
    "class_id": Int32,
    "confidence": Float32,
    "level": Int16,
    "anchor": Int32,
    "x1": Float32,
    "y1": Float32,
    "x2": Float32,
    "y2": Float32,
    "cut": Boolean,
}


def detections_schema(level_names: Iterable[str]) -> dict[str, Any]:
    """``DETECTIONS`` with a column ``rivals_<level name>`` for each level, behind ``suppressed``."""
    schema = {}
    for name, kind in DETECTIONS.items():
        schema[name] = kind
        if name == "suppressed":
            schema |= {f"rivals_{level}": Int32 for level in level_names}
    return schema


class SurveyTables(Protocol):
    """What is asked of a survey: its tables, in the order of the set, and what they were made with.

    ``names`` class id: name; ``levels`` with ``index``, ``name`` and ``stride``; ``settings`` with ``conf``, ``iou``,
    ``match_iou`` and so on; ``truth``: whether there were labels.
    """

    @property
    def images(self) -> LazyFrame: ...
    @property
    def objects(self) -> LazyFrame: ...
    @property
    def detections(self) -> LazyFrame: ...
    @property
    def evaluation(self) -> LazyFrame: ...
    @property
    def names(self) -> Mapping[int, str]: ...
    @property
    def levels(self) -> Sequence[Any]: ...
    @property
    def settings(self) -> Mapping[str, Any]: ...
    @property
    def truth(self) -> bool: ...
