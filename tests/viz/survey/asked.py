"""A survey of hand-written rows that answers questions, as ``diagnosis.survey`` makes one."""

from functools import partial
from typing import Any

import polars

from diagnosis.surveys import answers
from tests.diagnosis.surveys.frames import a_survey

ANSWERS = ("recall", "precision", "calibration", "errors", "duplicates", "reasons", "rescue", "compare")
SCORES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "mAP50", "mAP50_95")


class Asked:
    """The rows of ``a_survey``, with the answers as methods; ``worth`` is what a test gives."""

    def __init__(self, *rows: Any, worth: polars.DataFrame | None = None, **given: Any) -> None:
        self.rows, self.given = a_survey(*rows, **given), worth

    def __getattr__(self, name: str) -> Any:
        if name in ANSWERS:
            return partial(getattr(answers, name), self)
        return getattr(self.rows, name)

    def worth(self) -> polars.DataFrame:
        assert self.given is not None
        return self.given


def some(count: int, **row: Any) -> list[dict[str, Any]]:
    """So many rows that are alike, each on an image of its own where no image is said."""
    return [{"number": number} | row for number in range(count)]


def worth_of(changes: dict[tuple[str, str | None], float]) -> polars.DataFrame:
    """What ``worth`` returns: (level, class or None) -> the change of every score."""
    rows = [
        {"level_name": level, "class_name": name, **dict.fromkeys((f"delta_{score}" for score in SCORES), change)}
        for (level, name), change in changes.items()
    ]
    return polars.DataFrame(rows, schema_overrides={"class_name": polars.String})


def a_full_survey(**given: Any) -> Asked:
    """Objects of every size, found and missed, by two levels; detections of every kind."""
    small, large = (0, 0, 10, 10), (0, 0, 200, 200)
    objects = [
        *some(3, found=True, detection=0, box=small, level=0),
        *some(7, number=5, stage="confidence", box=small, level=0, confidence=0.12),
        *some(8, number=6, found=True, detection=0, box=large, level=2, class_name="dog"),
        *some(2, number=7, stage="localisation", box=large, level=1, class_name="dog", ceiling=True),
    ]
    detections = [
        *some(3, level=0, object=0, confidence=0.4),
        *some(8, number=6, level=2, object=0, confidence=0.9),
        *some(4, number=6, level=0, object=0, confidence=0.3, error="duplicate", rivals_P3=2),
        *some(5, number=7, level=1, confidence=0.8, error="background", rivals_P5=1),
    ]
    return Asked(objects, detections, **given)
