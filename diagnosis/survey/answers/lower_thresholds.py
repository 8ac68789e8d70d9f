"""What a lower confidence threshold would bring, and what it would cost."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from polars import DataFrame, Float64, Int64, col

from anatomy.arguments import finite_number

from ..tables import SurveyTables
from .grouping import need_truth
from .matching import Matched, match_evaluation

LOWEST = 0.001  # what the evaluation keeps is above this
SCHEMA: dict[str, Any] = {
    "conf": Float64,
    "missed": Int64,
    "rescued": Int64,
    "share": Float64,
    "false_positives": Int64,
    "cost": Float64,
    "found": Int64,
    "detections": Int64,
}


def rescue(survey: SurveyTables, conf: float | Iterable[float]) -> DataFrame:
    """How many objects that were missed for want of confidence lower thresholds would find, and at which cost.

    ``conf``: thresholds below the survey's, one or several; one row each, the highest first. ``missed``: objects of the
    stage "confidence"; ``rescued`` of them, and as a ``share``; ``false_positives`` that come with them, beyond those
    at the survey's own threshold, and as ``cost`` for each rescued object (null where none is); ``found`` and
    ``detections`` in all at this threshold.

    Exact: the matching, done anew by class and IoU with confident boxes first. Approximate: which boxes there are. They
    are those of the evaluation, whose suppression allowed several labels a box, of which the likeliest is taken here,
    and which keeps ``max_det`` rows an image; where a second label suppressed another box, or the cut falls, prediction
    at that threshold may differ. Raises ValueError for thresholds that are not below the survey's or below 0.001.
    """
    need_truth(survey, "rescue")
    now = float(survey.settings["conf"])
    lower = sorted({_threshold(value, now) for value in _listed(conf)}, reverse=True)
    if not lower:
        return DataFrame(schema=SCHEMA)
    matched = match_evaluation(survey, _float32(lower[-1]))
    if matched.objects.is_empty() and matched.boxes.is_empty():
        return DataFrame(schema=SCHEMA)
    before = _wrong(matched, now)
    return DataFrame([_at(matched, value, before) for value in lower], schema=SCHEMA)


def _at(matched: Matched, conf: float, before: int) -> dict[str, Any]:
    """One row: what is found and kept above ``conf``, where ``before`` false positives are there already."""
    above = col("confidence") > _float32(conf)
    weak = matched.objects.filter(col("stage") == "confidence")
    found = matched.objects.filter(above)
    rescued = len(weak.filter(above))
    wrong = _wrong(matched, conf) - before
    return {
        "conf": conf,
        "missed": len(weak),
        "rescued": rescued,
        "share": rescued / len(weak) if len(weak) else None,
        "false_positives": wrong,
        "cost": wrong / rescued if rescued else None,
        "found": len(found),
        "detections": len(matched.boxes.filter(above)),
    }


def _wrong(matched: Matched, conf: float) -> int:
    """How many boxes above ``conf`` find nothing."""
    return len(matched.boxes.filter((col("confidence") > _float32(conf)) & ~col("finds")))


def _listed(conf: float | Iterable[float]) -> list:
    return list(conf) if isinstance(conf, Iterable) and not isinstance(conf, str) else [conf]


def _threshold(value: Any, now: float) -> float:
    value = finite_number(value, "conf")
    if not LOWEST <= value < now:
        raise ValueError(
            f"conf must be from {LOWEST:g} to below the survey's own threshold of {now:g}, but {value!r} was given."
        )
    return value


def _float32(value: float) -> float:
    """The number that scores are compared with, which are float32."""
    return float(np.float32(value))
