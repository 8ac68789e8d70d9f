"""The table of what validation keeps: one row a box and label, of the model as it is and of each muted level."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..tables import EVALUATION

if TYPE_CHECKING:
    from polars import DataFrame

PLAIN = -1  # the model as it is; 0, 1 …: with that level muted
POOL = -2  # of a head without NMS: all that its top-k could choose if any level, or any row of one, were silent


def changed_variants(levels: int, classes: int, level: int, class_id: int) -> tuple[int, int]:
    """The variants of what a silent row (level, class) adds, and removes, beside its class's list of the muted level.

    Of a head that chooses by itself, as where each cell has its likeliest class alone and another takes its place.
    """
    place = level * classes + class_id
    return levels + place, POOL - 1 - place


@dataclass(frozen=True)
class EvaluationRows:
    """What validation keeps of one image; n rows, sorted by variant, then as they were chosen (confidence descending).

    ``variant`` (n,) int16: ``PLAIN``, ``POOL`` or a muted level; ``class_id`` (n,) int32; ``confidence`` (n,) float32;
    ``level`` (n,) int16; ``anchor`` (n,) int32; ``xyxy`` (n, 4) float32 px of the network input, unclipped; ``cut``
    (n,) bool: beyond the limit of boxes an image, and kept here because silencing something else may bring it back.
    """

    variant: np.ndarray
    class_id: np.ndarray
    confidence: np.ndarray
    level: np.ndarray
    anchor: np.ndarray
    xyxy: np.ndarray
    cut: np.ndarray

    def __len__(self) -> int:
        return len(self.variant)

    def to_df(self, number: int) -> "DataFrame":
        """The rows as the ``evaluation`` table has them, for image ``number`` of the set."""
        import polars

        columns = {
            "number": np.full(len(self), number, np.int64),
            "variant": self.variant,
            "class_id": self.class_id,
            "confidence": self.confidence,
            "level": self.level,
            "anchor": self.anchor,
        }
        sides = {name: np.ascontiguousarray(self.xyxy[:, i]) for i, name in enumerate(("x1", "y1", "x2", "y2"))}
        return polars.DataFrame(columns | sides | {"cut": self.cut}, schema=EVALUATION)
