"""The classes of a head as a value: names, the rows that feed each, and whatever else has one row a class.

A class may be fed by several rows: its logit is then the highest of theirs, which is how classes are merged without
training. All classes of a head have equally many, ``Head.rows_per_class``; one that needs fewer repeats its last. So
the rows of class c are output channels ``c * rows_per_class`` and on of the class convolution (of each anchor of a
cell), an edit of a class goes to all of its rows, and logits, scores and detections are of classes, not of rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.nn import functional as F

Rows = tuple[Tensor, Tensor | None]  # weight (rows, c, kh, kw), bias (rows,) or None


@dataclass(frozen=True)
class Classes:
    """What ``Head.give_classes`` gives to a head.

    ``names`` in the order of their ids; ``rows`` by (branch, level), ``rows_per_class`` for each name; ``extras`` by
    name, as ``Head.class_extras`` has them, (nc, …) each. ``towers``: how many class towers of one width or another
    stand side by side before the class convolution (1 in every published head); where that is one more than there
    are, ``beside`` is the head whose towers are put beside, and rows are as long as both.
    """

    names: tuple[str, ...]
    rows: Mapping[tuple[str, int], Rows]
    rows_per_class: int = 1
    extras: Mapping[str, Tensor] = field(default_factory=dict)
    towers: int = 1
    beside: Any = None


def highest(logits: Tensor, rows_per_class: int) -> Tensor:
    """The logits of classes from those of their rows: (B, rows, h, w) -> (B, classes, h, w), by torch's own pooling."""
    if rows_per_class == 1:
        return logits
    grouped = logits.unflatten(1, (-1, rows_per_class))
    return F.max_pool3d(grouped, (rows_per_class, 1, 1)).flatten(1, 2)
