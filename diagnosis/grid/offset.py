"""Do decoded boxes lie on the objects, or part of a cell beside them? Asked with labelled images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import anatomy

from ..objects.label_sources import labelled_images
from ..objects.labels import check_objects

SURE = 0.25  # a cell speaks for an object when its class has at least this probability
FEWEST = 5  # objects on a level before it is judged
SPREAD = 0.35  # cells: of a wider scatter nothing is concluded


@dataclass(frozen=True)
class ObjectOffset:
    """How far the boxes of one level's sure cells lie from labelled objects, (n, 2) xy in cells, an object each."""

    each: np.ndarray

    @property
    def offset(self) -> np.ndarray:
        """(2,) xy in cells, the median."""
        return np.median(self.each, 0)

    @property
    def spread(self) -> np.ndarray:
        """(2,) xy in cells: the median distance from the median."""
        return np.median(np.abs(self.each - self.offset), 0)

    @property
    def sure(self) -> bool:
        """Whether enough objects agree."""
        return len(self.each) >= FEWEST and self.spread[np.abs(self.offset).argmax()] <= SPREAD


def object_offsets(model: Any, data: Any, predict_args: Mapping[str, Any]) -> tuple[dict[int, ObjectOffset], int]:
    """The offset of every level that speaks for an object, and the number of passes.

    ``data``: (image, boxes (n, 4) xyxy px of the original, labels) an image, or what ``read_labels`` makes or reads.
    """
    away: dict[int, list[np.ndarray]] = {}
    passes = 0
    for image, boxes, labels in labelled_images(data):
        trace = anatomy.trace(model, image, **predict_args)
        passes += 1
        boxes, labels = check_objects(trace, boxes, labels)
        for level, offset in _offsets(trace, trace.letterbox.to_input(boxes), labels):
            away.setdefault(level, []).append(offset)
    return {level: ObjectOffset(np.array(offsets)) for level, offsets in away.items()}, passes


def _offsets(trace, boxes: np.ndarray, labels: np.ndarray):
    """(level, (2,) cells) of every object and level: how far the boxes of its sure cells lie from it, median."""
    places, points = trace.places(), trace.points()
    scores = trace.scores().cpu().numpy()
    surest = scores.max(0)
    decoded = trace.decode(np.arange(len(points)))
    centre = (decoded[:, :2] + decoded[:, 2:]) / 2
    size = (decoded[:, 2:] - decoded[:, :2]) / (boxes[:, None, 2:] - boxes[:, None, :2])
    for box, label, ratio in zip(boxes, labels, size, strict=True):
        near = ((points > box[:2]) & (points < box[2:])).all(1)
        speaks = near & (scores[label] == surest) & (surest > SURE)
        speaks &= (np.abs(ratio - 1) < 0.3).all(1)  # its size says that it means this object
        for level in np.unique(places.level[speaks]):
            here = speaks & (places.level == level)
            yield int(level), np.median(centre[here] - (box[:2] + box[2:]) / 2, 0) / trace.steps[level]
