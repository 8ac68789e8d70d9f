"""Detections with their provenance, and the rivals that lost to them."""

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Rivals:
    """The anchors that non-maximum suppression removed in favour of one detection, best first.

    ``xyxy`` (k, 4) px of the original image, ``iou`` (k,) with the detection; the rest as in ``Detections``.
    """

    anchor: np.ndarray
    level: np.ndarray
    level_name: np.ndarray
    row: np.ndarray
    col: np.ndarray
    class_id: np.ndarray
    confidence: np.ndarray
    iou: np.ndarray
    xyxy: np.ndarray

    def __len__(self) -> int:
        return len(self.anchor)

    def chosen(self, which: np.ndarray) -> "Rivals":
        """Those of a mask (k,) or of indices."""
        return Rivals(**{field.name: getattr(self, field.name)[which] for field in fields(self)})


@dataclass(frozen=True)
class Detections:
    """What the detector found in one image, and which cell of which level made each of the n boxes.

    ``xyxy`` (n, 4) float32 px of the original image (of a rotated box: its upright hull); ``confidence`` (n,) in
    [0, 1]; ``level`` index, ``stride`` px of the network input, ``row`` and ``col`` on the level's grid; ``anchor``
    flat index over all levels in the head's order; ``branch`` "one2many" or "one2one"; ``center`` (n, 2) xy of the
    cell's anchor point in px of the original; ``logits`` (n, nc) before the sigmoid or softmax; ``suppressed`` one
    ``Rivals`` a detection; ``pooled_level`` (n,) index of the level from whose map a second stage pooled
    each box, where ``level`` is that of the cell that proposed it; ``level`` again where there is no such stage. NumPy
    arrays; the order is the source's, best first.
    """

    xyxy: np.ndarray
    confidence: np.ndarray
    class_id: np.ndarray
    class_name: tuple[str, ...]
    level: np.ndarray
    level_name: tuple[str, ...]
    stride: np.ndarray
    row: np.ndarray
    col: np.ndarray
    anchor: np.ndarray
    branch: tuple[str, ...]
    center: np.ndarray
    logits: np.ndarray
    suppressed: tuple[Rivals, ...]
    pooled_level: np.ndarray

    def __post_init__(self):
        sizes = {field.name: len(getattr(self, field.name)) for field in fields(self)}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"Every field must hold one entry a detection, but the lengths are {sizes}.")

    def __len__(self) -> int:
        return len(self.anchor)
