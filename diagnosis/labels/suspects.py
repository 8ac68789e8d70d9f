"""Single labels that a model contradicts, ranked: objects that it sees and no label has, other classes, loose boxes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .fit import overlaps, pairs
from .matched import Matched, match
from .reading import Reading
from .rows import Rows
from .seen import Seen, sizes

SURE = 0.25  # confidence below which a detection accuses nobody
APART = 0.3  # IoU with every label below which an object has none
ONE_OBJECT = 0.6  # IoU from which a label and a detection of different classes are of one object
LOOSE = 0.75  # IoU below which a box is loose
FULL = 32.0  # px, size from which a detection tells where an object ends
USUAL = 4  # times that two classes must meet before they count as often confused
KINDS = ("lacking", "class", "loose")


@dataclass(frozen=True)
class Suspects:
    """``kind`` (s,), ``score`` (s,) from 0 to 1; ``row`` (s,), −1 for none, and ``detection`` (s,), over all images.

    ``iou`` (s,) of the two; of a lacking object with the label that is nearest.
    """

    kind: np.ndarray
    score: np.ndarray
    row: np.ndarray
    detection: np.ndarray
    iou: np.ndarray


def find_suspects(
    rows: Rows, seen: Sequence[Seen], reading: Reading, meant: Mapping[int, int] | None = None
) -> Suspects:
    """All suspects, the likeliest first, each label and each detection once.

    ``seen`` with the ids of the labels; ``meant`` {id written: id meant}, of ids that mean another. A label whose class
    no detection has is suspected of no other class. How the score is made:

    - lacking: the confidence, less the part of the box that labels of its class cover (a group labelled as one);
    - class: confidence × IoU × (1 − the part of the labels of this class that the model takes for that one), as what
      it often confuses says little of a single label;
    - loose: confidence × (1 − IoU), less for objects so small that a pixel matters.
    """
    found = match(rows, seen, reading, APART)
    classes = _meant(found.written, meant or {})
    parts = [_lacking(rows, seen, reading, meant or {}), _at_odds(found, classes, seen), _loose(found, classes, seen)]
    kind = np.repeat(KINDS, [len(part[0]) for part in parts])
    score, row, detection, iou = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(-score, kind="stable")
    return Suspects(
        kind=kind[order],
        score=score[order],
        row=row[order].astype(np.int64),
        detection=detection[order].astype(np.int64),
        iou=iou[order],
    )


def suspect_dicts(
    found: Suspects,
    rows: Rows,
    seen: Sequence[Seen],
    reading: Reading,
    names: Mapping[int, str],
    paths: Sequence[Path | str],
    meant: Mapping[int, int] | None = None,
    split: str = "",
) -> Iterator[dict[str, Any]]:
    """Rows of the table of suspects; ``paths`` of the images of ``seen``. Boxes are the labels', else the model's."""
    image_of = np.repeat(np.arange(len(seen)), [len(one) for one in seen])
    first = np.cumsum([0, *(len(one) for one in seen)])
    labelled = reading.boxes(rows.quads, sizes(seen)[rows.image])
    for place in range(len(found.kind)):
        row, detection = int(found.row[place]), int(found.detection[place])
        image = int(image_of[detection])
        one, which = seen[image], detection - int(first[image])
        sees = int(one.class_id[which])
        written = sees if row < 0 else int(rows.class_id[row])
        own = (meant or {}).get(written, written) if row >= 0 else written
        box = (one.boxes[which] if row < 0 else labelled[row]) * np.tile(one.size, 2)
        yield {
            "split": split,
            "image": str(paths[image]),
            "line": None if row < 0 else int(rows.line[row]),
            "kind": str(found.kind[place]),
            "class_name": names.get(own, str(own)),
            "other": names.get(sees, str(sees)),
            "confidence": float(one.confidence[which]),
            "iou": float(found.iou[place]),
            **dict(zip(("x1", "y1", "x2", "y2"), map(float, box), strict=True)),
            "score": float(found.score[place]),
        }


Part = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # score, row, detection, iou


def _lacking(rows: Rows, seen: Sequence[Seen], reading: Reading, meant: Mapping[int, int]) -> Part:
    """Detections that no label overlaps."""
    paired = pairs(rows, seen)
    boxes = reading.boxes(rows.quads, sizes(seen)[rows.image])[paired.row]
    theirs = paired.boxes[paired.detection]
    best, covered = np.zeros(len(paired.boxes)), np.zeros(len(paired.boxes))
    np.maximum.at(best, paired.detection, overlaps(boxes, theirs))
    same = _meant(rows.class_id, meant)[paired.row] == _all(seen, "class_id")[paired.detection]
    np.maximum.at(covered, paired.detection, np.where(same, _covered(theirs, boxes), 0))
    confidence = _all(seen, "confidence")
    which = np.flatnonzero((confidence >= SURE) & (best < APART) & (covered < 1))
    return confidence[which] * (1 - covered[which]), np.full(len(which), -1), which, best[which]


def _at_odds(found: Matched, classes: np.ndarray, seen: Sequence[Seen]) -> Part:
    """Labels of another class than the detection upon them."""
    judged = np.isin(classes, _all(seen, "class_id")) & (found.sees >= 0)
    which = np.flatnonzero(judged & (classes != found.sees) & (found.iou >= ONE_OBJECT) & (found.confidence >= SURE))
    usual = np.empty(len(which))
    for place, k in enumerate(which.tolist()):
        of_class = classes == classes[k]
        together = (of_class & (found.sees == found.sees[k])).sum() - 1
        usual[place] = together / (of_class.sum() - 1 + USUAL)
    score = found.confidence[which] * found.iou[which] * (1 - usual)
    return score, found.row[which], found.detection[which], found.iou[which]


def _loose(found: Matched, classes: np.ndarray, seen: Sequence[Seen]) -> Part:
    """Labels whose box and the detection's, of the same class, differ."""
    side = np.sqrt(np.prod(found.seen[:, 2:] - found.seen[:, :2], 1) * np.prod(sizes(seen)[found.image], 1))
    which = np.flatnonzero((classes == found.sees) & (found.iou < LOOSE) & (found.confidence >= SURE))
    score = (found.confidence * (1 - found.iou) * np.minimum(side / FULL, 1))[which]
    return score, found.row[which], found.detection[which], found.iou[which]


def _covered(boxes: np.ndarray, by: np.ndarray) -> np.ndarray:
    """The part of each box (p, 4) that another (p, 4) covers."""
    common = np.minimum(boxes[:, 2:], by[:, 2:]) - np.maximum(boxes[:, :2], by[:, :2])
    return np.prod(np.maximum(common, 0), 1) / np.maximum(np.prod(boxes[:, 2:] - boxes[:, :2], 1), 1e-12)


def _meant(written: np.ndarray, meant: Mapping[int, int]) -> np.ndarray:
    return np.array([meant.get(class_id, class_id) for class_id in written.tolist()], np.int64)


def _all(seen: Sequence[Seen], name: str) -> np.ndarray:
    return np.concatenate([np.empty(0), *(getattr(one, name) for one in seen)])
