"""The objects of one image as rows: which cell found each, or came nearest, and what stopped it."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from anatomy import Trace

from ...objects.missed import Candidate, Missed
from ...objects.overlap import reachable_overlap
from .detection_rows import Rows

SMALL, MEDIUM = 32**2, 96**2  # px² of the original: COCO's bounds


def object_row(key: Mapping[str, Any], result: Missed, i: int, detections: Rows) -> dict[str, Any]:
    """Object i with the cell that found it, or that came nearest; ``detections`` are the judged rows of its image."""
    trace, found = result.trace, int(result.found[i])
    x1, y1, x2, y2 = result.boxes[i].tolist()
    area, label = (x2 - x1) * (y2 - y1), int(result.labels[i])
    told = _finder(result, i, detections[found]) if found >= 0 else _nearest(result, i)
    left, top, right, bottom = trace.letterbox.to_input(result.boxes[i]).tolist()
    side = math.sqrt((right - left) * (bottom - top))
    return {
        **key,
        "object": i,
        "class_id": label,
        "class_name": trace.names[label],
        "x1": x1,
        "y1": y1,
        "x2": x2,
        "y2": y2,
        "size": "small" if area < SMALL else "medium" if area < MEDIUM else "large",
        "size_strides": side / trace.levels[told["level"]].stride,
        "found": found >= 0,
        "stage": result.stage(i),
        "detection": found if found >= 0 else None,
        **told,
        "candidates": [_candidate(trace, candidate) for candidate in result.candidates[i]],
    }


def _finder(result: Missed, i: int, row: Mapping[str, Any]) -> dict[str, Any]:
    """The cell of the detection that found an object; ``row`` is that detection's."""
    trace = result.trace
    logits = torch.from_numpy(trace.detections.logits[row["detection"]].astype(np.float64))
    scores = trace.head.probabilities(logits).numpy()
    top = max(trace.head.detectable, key=logits.tolist().__getitem__)
    reach = _reach(trace, result.boxes[i], row["anchor"], row["level"])
    same = ("iou", "confidence", "level", "level_name", "row", "col", "anchor")
    return {
        **{name: row[name] for name in same},
        "top_class_name": trace.names[top],
        "top_score": float(scores[top]),
        "suppressed_by": None,
        "reach": reach,
        "ceiling": bool(result.cut[i]),
    }


def _nearest(result: Missed, i: int) -> dict[str, Any]:
    """The cell that came nearest to finding an object."""
    trace, best = result.trace, result.candidates[i][result.best[i]]
    return {
        "iou": best.iou,
        "confidence": best.score,
        "level": best.level,
        "level_name": trace.levels[best.level].name,
        "row": best.row,
        "col": best.col,
        "anchor": best.anchor,
        "top_class_name": trace.names[best.top_class],
        "top_score": best.top_score,
        "suppressed_by": best.by if best.by >= 0 else None,
        "reach": best.reach,
        "ceiling": bool(result.cut[i]),
    }


def _reach(trace: Trace, box: np.ndarray, anchor: int, level: int) -> float:
    """The best IoU with an object that the box of a cell could have; 1 where a head has no ceiling."""
    if trace.reg_max <= 1:
        return 1.0
    far = np.asarray([(trace.reg_max - 1) * trace.levels[level].stride])
    points = trace.points(np.asarray([anchor]))
    return float(reachable_overlap(trace.letterbox.to_input(box), points, far)[0])


def _candidate(trace: Trace, candidate: Candidate) -> dict[str, Any]:
    return {
        "level_name": trace.levels[candidate.level].name,
        "row": candidate.row,
        "col": candidate.col,
        "anchor": candidate.anchor,
        "stage": candidate.stage,
        "iou": candidate.iou,
        "score": candidate.score,
        "top_class_name": trace.names[candidate.top_class],
        "top_score": candidate.top_score,
        "reach": candidate.reach,
    }
