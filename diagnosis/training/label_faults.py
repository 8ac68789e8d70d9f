"""Labels of a batch, after augmentation, that contradict the image or the classes; cheap enough for every batch."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from anatomy.head.following import BatchLabels

TOLERANCE = 1e-3  # of a side of the image, by which rounding may leave it
BEYOND = 2.0  # sides of the image: what reaches further is in another unit
FEW = 3  # boxes, of which nothing can be told by all of them having it
SHOWN = 3  # files that are kept as examples


@dataclass
class LabelCount:
    """What was seen of the labels since the training began, and in the batch that came last.

    ``classes``: objects of each id; ``outside`` and ``strange``: boxes that leave the image or have no area, objects
    of no class, None where the labels of the batch are not known; ``reach``: the greatest coordinate of a batch most
    of whose boxes are so large that they are no shares of the image, None of others; ``corners``: whether the boxes of
    a batch that has such seem to be two corners where centre and size are wanted; ``files``: some of the images
    that have any of them, where the images have names.
    """

    classes: int
    rotated: bool
    objects: Counter[int] = field(default_factory=Counter)
    outside: int | None = None
    strange: int | None = None
    reach: float | None = None
    corners: bool = False
    files: dict[str, None] = field(default_factory=dict)

    def add_sound(self, batches: Sequence[BatchLabels]) -> bool:
        """Count batches if nothing is to be said of any; whether it was so."""
        if not batches:
            return True
        label = np.concatenate([labels.label for labels in batches])
        boxes = np.concatenate([labels.boxes for labels in batches])
        if not (_all_known(label, self.classes) and _all_within(boxes)):
            return False
        self.outside, self.strange, self.reach, self.corners = 0, 0, None, False
        self.objects.update(label.astype(int).tolist())
        return True

    def add(self, labels: BatchLabels) -> None:
        """Count one batch."""
        label = labels.label
        misplaced = _misplaced(labels.boxes, rotated=self.rotated)
        strange = ~((label >= 0) & (label < self.classes) & (label == np.floor(label)))
        self.outside, self.strange = int(misplaced.sum()), int(strange.sum())
        self.reach = _reach(labels.boxes)
        self.corners = not self.rotated and _are_corners(labels.boxes, misplaced, within=self.reach is None)
        self.objects.update(label[~strange].astype(int).tolist())
        for image in labels.image[misplaced | strange].astype(int).tolist():
            if labels.files and len(self.files) < SHOWN:
                self.files[labels.files[image]] = None

    def forget(self) -> None:
        """Of the batch that comes nothing is known."""
        self.outside = self.strange = self.reach = None
        self.corners = False


def _all_known(label: np.ndarray, classes: int) -> bool:
    """Whether all ids are those of a class."""
    return not len(label) or bool(label.min() >= 0 and label.max() < classes and (label == np.floor(label)).all())


def _all_within(boxes: np.ndarray) -> bool:
    """Whether all boxes lie within the image and have an area, as nearly always: told by a few numbers."""
    if not len(boxes):
        return True
    low, high = boxes.min(), boxes.max()  # NaN where there is one
    return bool(low >= -TOLERANCE and high <= 1 + TOLERANCE and (boxes[:, 2:] > boxes[:, :2]).all())


def _reach(boxes: np.ndarray) -> float | None:
    """The greatest coordinate of boxes (n, 4), where most of them are no shares of anything; else None."""
    far = np.nan_to_num(np.abs(boxes), posinf=0.0).max(1, initial=0.0)
    return float(far.max()) if (far > BEYOND).sum() * 2 > len(far) else None


def _are_corners(boxes: np.ndarray, misplaced: np.ndarray, *, within: bool) -> bool:
    """Whether boxes (n, 4), made of centre and size, were corners: of all of them the third and fourth number are above
    the first and second, and, where they are shares of the image, none leaves it, while many do as they were read."""
    first, second = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    ordered = len(boxes) >= FEW and bool((second > first).all() and (first >= 0).all())
    return ordered and misplaced.sum() * 4 >= len(boxes) and not (within and (second > 1 + TOLERANCE).any())


def _misplaced(boxes: np.ndarray, *, rotated: bool) -> np.ndarray:
    """(n,) bool of boxes (n, 4) xyxy in shares of the image; of rotated ones only the centre must lie within."""
    low, high = boxes[:, :2], boxes[:, 2:]
    area = ((high > low) & np.isfinite(boxes).reshape(len(boxes), 2, 2).all(1)).all(1)
    if rotated:
        low = high = (low + high) / 2
    inside = (low >= -TOLERANCE).all(1) & (high <= 1 + TOLERANCE).all(1)
    return np.logical_not(area & inside)
