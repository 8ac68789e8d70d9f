"""Labels and detections that are of one object: pairs of a row and a detection."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from .fit import overlaps, pairs
from .reading import Reading
from .rows import Rows
from .seen import Seen, sizes


@dataclass(frozen=True)
class Matched:
    """``row`` (k,) and ``detection`` (k,), counted over all images; ``image`` (k,); ``iou`` (k,).

    ``labelled`` and ``seen`` (k, 4) xyxy shares; ``written`` and ``sees`` (k,), the class ids of row and detection;
    ``confidence`` (k,).
    """

    row: np.ndarray
    detection: np.ndarray
    image: np.ndarray
    iou: np.ndarray
    labelled: np.ndarray
    seen: np.ndarray
    written: np.ndarray
    sees: np.ndarray
    confidence: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    def chosen(self, which: np.ndarray) -> "Matched":
        """Those of a mask (k,) or of indices."""
        return Matched(**{field.name: getattr(self, field.name)[which] for field in fields(self)})


def match(rows: Rows, seen: Sequence[Seen], reading: Reading, least: float = 0.5) -> Matched:
    """The pairs of which each is the other's best, at an IoU of ``least`` at least, whatever the classes."""
    paired = pairs(rows, seen)
    boxes = reading.boxes(rows.quads, sizes(seen)[rows.image])
    iou = overlaps(boxes[paired.row], paired.boxes[paired.detection])
    best_of_row = _best(paired.row, iou, len(rows))
    best_of_detection = _best(paired.detection, iou, len(paired.boxes))
    row = np.flatnonzero(best_of_row >= 0)
    place = best_of_row[row]
    mutual = (best_of_detection[paired.detection[place]] == place) & (iou[place] >= least)
    row, place = row[mutual], place[mutual]
    detection = paired.detection[place]
    return Matched(
        row=row,
        detection=detection,
        image=rows.image[row],
        iou=iou[place],
        labelled=boxes[row],
        seen=paired.boxes[detection],
        written=rows.class_id[row],
        sees=_all(seen, "class_id")[detection].astype(np.int64),
        confidence=_all(seen, "confidence")[detection],
    )


def _all(seen: Sequence[Seen], name: str) -> np.ndarray:
    return np.concatenate([np.empty(0), *(getattr(one, name) for one in seen)])


def _best(group: np.ndarray, value: np.ndarray, groups: int) -> np.ndarray:
    """Of each group the place of its largest value, -1 for a group without any."""
    found = np.full(groups, -1)
    order = np.argsort(value, kind="stable")
    found[group[order]] = order
    return found
