"""Labels of a batch, after augmentation, that contradict the image or the classes; cheap enough for every batch."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from anatomy.head.following import BatchLabels

TOLERANCE = 1e-3  # of a side of the image, by which rounding may leave it
SHOWN = 3  # files that are kept as examples


@dataclass
class LabelCount:
    """What was seen of the labels since the training began, and in the batch that came last.

    ``classes``: objects of each id; ``outside`` and ``strange``: boxes that leave the image or have no area, objects
    of no class; ``files``: some of the images that have any of them, where the images have names.
    """

    classes: int
    rotated: bool
    objects: Counter[int] = field(default_factory=Counter)
    outside: int = 0
    strange: int = 0
    files: dict[str, None] = field(default_factory=dict)

    def add(self, labels: BatchLabels) -> None:
        """Count one batch."""
        misplaced = _misplaced(labels.boxes, rotated=self.rotated)
        label = labels.label
        strange = ~((label >= 0) & (label < self.classes) & (label == np.floor(label)))
        self.outside, self.strange = int(misplaced.sum()), int(strange.sum())
        self.objects.update(label[~strange].astype(int).tolist())
        for image in labels.image[misplaced | strange].astype(int).tolist():
            if labels.files and len(self.files) < SHOWN:
                self.files[labels.files[image]] = None


def _misplaced(boxes: np.ndarray, *, rotated: bool) -> np.ndarray:
    """(n,) bool of boxes (n, 4) xyxy in shares of the image; of rotated ones only the centre must lie within."""
    low, high = boxes[:, :2], boxes[:, 2:]
    area = ((high > low) & np.isfinite(boxes).reshape(len(boxes), 2, 2).all(1)).all(1)
    if rotated:
        low = high = (low + high) / 2
    inside = (low >= -TOLERANCE).all(1) & (high <= 1 + TOLERANCE).all(1)
    return np.logical_not(area & inside)
