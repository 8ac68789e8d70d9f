"""The detections of one image as rows: which cell made each, its rivals and second class, and whether it is right."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from anatomy import Detections, Trace

from ...objects.missed import Missed
from .error_kinds import error_kinds

Rows = list[dict[str, Any]]


def detection_rows(key: Mapping[str, Any], trace: Trace) -> Rows:
    """One row a detection, in the order of the trace; not judged yet."""
    seen, rows = trace.detections, []
    second, score = _second_class(trace)
    for i, other in enumerate(second):
        x1, y1, x2, y2 = seen.xyxy[i].tolist()
        rivals = np.bincount(seen.suppressed[i].level, minlength=len(trace.levels)).tolist()
        rows.append(
            {
                **key,
                "detection": i,
                "class_id": int(seen.class_id[i]),
                "class_name": seen.class_name[i],
                "confidence": float(seen.confidence[i]),
                **cell(trace, int(seen.level[i]), seen, i),
                "stride": float(seen.stride[i]),
                "branch": seen.branch[i],
                "x1": x1,
                "y1": y1,
                "x2": x2,
                "y2": y2,
                "center_x": float(seen.center[i, 0]),
                "center_y": float(seen.center[i, 1]),
                "cut": bool(trace.cut[i]),
                "suppressed": sum(rivals),
                **{f"rivals_{level.name}": rivals[level.index] for level in trace.levels},
                "second_class_id": other,
                "second_class_name": None if other is None else trace.names[other],
                "second_score": score[i],
                "object": None,
                "iou": None,
                "correct": None,
                "error": None,
            }
        )
    return rows


def cell(trace: Trace, level: int, at: Any, i: int) -> dict[str, Any]:
    """The columns that say which cell this is."""
    return {
        "level": level,
        "level_name": trace.levels[level].name,
        "row": int(at.row[i]),
        "col": int(at.col[i]),
        "anchor": int(at.anchor[i]),
    }


def _second_class(trace: Trace) -> tuple[list[int | None], list[float | None]]:
    """Of every detection the likeliest class that it is not, and its probability; None for a model of one class."""
    seen = trace.detections
    if len(trace.names) < 2 or not len(seen):
        return [None] * len(seen), [None] * len(seen)
    logits = torch.from_numpy(np.array(seen.logits, dtype=np.float64))
    chances = trace.head.probabilities(logits, dim=1).numpy()
    second = np.where(_others(trace), logits.numpy(), -np.inf).argmax(1)
    score = chances[np.arange(len(seen)), second]
    return second.tolist(), score.tolist()


def _others(trace: Trace) -> np.ndarray:
    """(n, nc) bool: the classes that each detection could have been and is not."""
    seen = trace.detections
    others = np.isin(list(trace.names), list(trace.head.detectable))[None].repeat(len(seen), 0)
    others[np.arange(len(seen)), seen.class_id] = False
    return others


def judge(rows: Rows, seen: Detections, result: Missed, match_iou: float) -> None:
    """Say of each detection whether it is right, which object it is about, and what is wrong with it."""
    kinds = error_kinds(
        boxes=seen.xyxy,
        class_id=seen.class_id,
        object_boxes=result.boxes,
        object_class_id=result.labels,
        found=result.found,
        match_iou=match_iou,
    )
    for row, correct, about, iou, error in zip(rows, kinds.correct, kinds.object, kinds.iou, kinds.error, strict=True):
        row |= {
            "correct": bool(correct),
            "object": None if about < 0 else int(about),
            "iou": float(iou),
            "error": error or None,
        }
