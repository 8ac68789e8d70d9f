"""What a model sees in images: its confident boxes, each object once, whatever the class."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anatomy.tracing.overlap import pair_overlaps

SAME = 0.7  # IoU from which two boxes of different classes are of one object
MOST = 100  # boxes of an image, the most confident


@dataclass(frozen=True)
class Seen:
    """The boxes of one image: ``boxes`` (m, 4) xyxy shares, ``confidence`` (m,), best first, ``class_id`` (m,) int64.

    ``size`` (width, height) px of the image.
    """

    size: tuple[int, int]
    boxes: np.ndarray
    confidence: np.ndarray
    class_id: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)

    def chosen(self, which: np.ndarray) -> "Seen":
        """Those of a mask (m,) or of indices."""
        return Seen(
            size=self.size,
            boxes=self.boxes[which],
            confidence=self.confidence[which],
            class_id=self.class_id[which],
        )


def once(seen: Seen) -> Seen:
    """Each object once: of boxes that overlap, the most confident, of whatever class."""
    order = np.argsort(-seen.confidence, kind="stable")[:MOST]
    overlaps = pair_overlaps(seen.boxes[order], seen.boxes[order])
    kept: list[int] = []
    for place in range(len(order)):
        if not kept or overlaps[place, kept].max() < SAME:
            kept.append(place)
    return seen.chosen(order[np.array(kept, np.int64)])


def translated(seen: Sequence[Seen], classes: Mapping[int, int], keep: bool = False) -> list[Seen]:
    """Detections with the ids of the labels, ``classes`` {id of the model: id of the labels}.

    Those without are left out, unless ``keep``, which is for detections none of which has one.
    """
    return [_translated(one, classes, keep) for one in seen]


def _translated(seen: Seen, classes: Mapping[int, int], keep: bool) -> Seen:
    ids = np.array([classes.get(class_id, -1) for class_id in seen.class_id.tolist()], np.int64)
    found = Seen(size=seen.size, boxes=seen.boxes, confidence=seen.confidence, class_id=ids)
    return found if keep else found.chosen(ids >= 0)


def sizes(seen: Iterable[Seen]) -> np.ndarray:
    """Widths and heights px (n, 2) of the images."""
    return np.array([one.size for one in seen], np.float64).reshape(-1, 2)
