"""What one split gives to judge by: its rows, the pictures looked at, what a model and the edges show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .edges import EdgeField
from .rows import Rows
from .seen import Seen


@dataclass(frozen=True)
class Material:
    """``rows`` of the n images looked at, numbered from 0; ``looked`` (n,): their places in the list of ``paths``.

    ``sizes`` (n, 2) width and height px; ``seen``: of each what the model sees, with the ids of the labels, None
    without a model; ``fields`` {place among the n: its edges}, of some; ``used``: the class ids of all rows of the
    split, sorted; ``names`` {id: name}; ``classes_known``: the model has classes for
    most of these labels; ``in_common``: names of classes that both have, None where there is no model or no name.
    """

    rows: Rows
    paths: Sequence[Path | str]
    looked: np.ndarray
    sizes: np.ndarray
    names: Mapping[int, str]
    used: np.ndarray
    seen: Sequence[Seen] | None = None
    fields: Mapping[int, EdgeField] = field(default_factory=dict)
    split: str = ""
    classes_known: bool = True
    in_common: tuple[str, ...] | None = None

    @property
    def polygons(self) -> bool:
        """Whether most rows are polygons."""
        return bool(self.rows.polygon.mean() > 0.5) if len(self.rows) else False
