"""Do decoded boxes lie on the objects, or part of a cell beside them? Asked with labelled images."""

from collections.abc import Iterable

import numpy as np

import anatomy
from anatomy.grid import cells

from .objects import check_objects
from .report import Finding

SURE = 0.25  # a cell speaks for an object when its class has at least this probability
FEWEST = 5  # objects on a level before it is judged
SPREAD = 0.35  # cells: of a wider scatter nothing is concluded
HALF, WHOLE = 0.3, 0.75  # cells: an offset beyond these is half a cell, and a whole one


def check_offsets(model, data: Iterable, predict_args) -> tuple[list[Finding], int]:
    """Findings on the offset of every level's boxes from labelled objects, and the number of passes.

    ``data``: (image, boxes (n, 4) xyxy px of the original, labels) an image.
    """
    away: dict[int, list[np.ndarray]] = {}
    passes, head = 0, anatomy.describe(model)
    for image, boxes, labels in data:
        trace = anatomy.trace(model, image, **predict_args)
        passes += 1
        boxes, labels = check_objects(trace, boxes, labels)
        for level, offset in _offsets(trace, trace.letterbox.to_input(boxes), labels):
            away.setdefault(level, []).append(offset)
    findings = [_judge(head.levels[level], np.array(offsets)) for level, offsets in sorted(away.items())]
    return [finding for finding in findings if finding is not None], passes


def _offsets(trace, boxes: np.ndarray, labels: np.ndarray):
    """(level, (2,) cells) of every object and level: how far the boxes of its sure cells lie from it, median."""
    places = cells(np.arange(sum(r * c for r, c in trace.shapes)), trace.shapes)
    strides = np.array([level.stride for level in trace.levels])
    points = places.centers(strides)
    logits = np.concatenate([level.flatten(1).double().cpu().numpy() for level in trace.logits], 1)
    surest = logits.max(0)
    decoded = trace.decode(np.arange(len(points)))
    centre = (decoded[:, :2] + decoded[:, 2:]) / 2
    size = (decoded[:, 2:] - decoded[:, :2]) / (boxes[:, None, 2:] - boxes[:, None, :2])
    for box, label, ratio in zip(boxes, labels, size, strict=True):
        near = ((points > box[:2]) & (points < box[2:])).all(1)
        speaks = near & (logits[label] == surest) & (surest > np.log(SURE / (1 - SURE)))
        speaks &= (np.abs(ratio - 1) < 0.3).all(1)  # its size says that it means this object
        for level in np.unique(places.level[speaks]):
            here = speaks & (places.level == level)
            yield int(level), np.median(centre[here] - (box[:2] + box[2:]) / 2, 0) / strides[level]


def _judge(level, offsets: np.ndarray) -> Finding | None:
    """An offset (n, 2) that most objects of a level share."""
    if len(offsets) < FEWEST:
        return None
    middle = np.median(offsets, 0)
    spread = np.median(np.abs(offsets - middle), 0)
    worst = float(np.abs(middle).max())
    if worst < HALF or spread[np.abs(middle).argmax()] > SPREAD:
        return None
    code = "half_cell_offset" if worst < WHOLE else "off_by_one_cell"
    message = (
        f"{level.name}: boxes lie {middle[0]:+.2f} cells to the right and {middle[1]:+.2f} down of {len(offsets)} "
        "labelled objects. Check the grid offset of the decoder."
    )
    evidence = {"offset": tuple(middle.tolist()), "spread": tuple(spread.tolist()), "objects": len(offsets)}
    return Finding(code, "error", level.index, message, evidence)
