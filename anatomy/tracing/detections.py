"""Detections with their provenance: arrays of them all, or one of them."""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, overload

import numpy as np
from torch import Tensor

from ..arguments import scalar, shown
from ..head.level_colors import level_color
from ..shown import Part, Shown, Table
from .detection import BOX, Detection, bound, box_words, cell, from_levels, share, without_trace
from .detection import Rivals as Rivals

if TYPE_CHECKING:
    from polars import DataFrame


@dataclass(frozen=True, repr=False)
class Detections(Shown):
    """What the detector found in one image, and which cell of which level made each of the n boxes.

    ``xyxy`` (n, 4) float32 px of the original image (of a rotated box: its upright hull); ``confidence`` (n,) in
    [0, 1]; ``level`` index, ``stride`` px of the network input, ``row`` and ``col`` on the level's grid; ``anchor``
    flat index over all levels in the head's order; ``branch`` "one2many" or "one2one"; ``center`` (n, 2) xy of the
    cell's anchor point in px of the original; ``logits`` (n, nc) before the sigmoid or softmax; ``suppressed`` one
    ``Rivals`` a detection; ``pooled_level`` (n,) index of the level from whose map a second stage pooled
    each box, where ``level`` is that of the cell that proposed it; ``level`` again where there is no such stage. NumPy
    arrays; the order is the source's, best first.

    ``detections[i]`` is one ``Detection``; a mask (n,), indices or a slice give ``Detections``. Those of a trace know
    it (for ``crop``, ``why()``, ``evidence()``) and their ``numbers`` in it; pickled, they travel without it.
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
    _trace: ClassVar[Any] = None
    _numbers: ClassVar[np.ndarray | None] = None

    def __post_init__(self):
        sizes = {field.name: len(getattr(self, field.name)) for field in fields(self)}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"Every field must hold one entry a detection, but the lengths are {sizes}.")

    def __len__(self) -> int:
        return len(self.anchor)

    def __iter__(self) -> Iterator[Detection]:
        return map(self._one, range(len(self)))

    @overload
    def __getitem__(self, which: int) -> Detection: ...
    @overload
    def __getitem__(self, which: Any) -> "Detections": ...
    def __getitem__(self, which: Any) -> "Detection | Detections":
        """One by its index, negative ones from the end; several by a slice, a mask (n,) or indices.

        Raises IndexError for what is not there, TypeError for anything else.
        """
        chosen = scalar(which)
        if isinstance(chosen, int | np.integer) and not isinstance(chosen, bool):
            return self._one(self._index(int(chosen)))
        rows = np.arange(len(self))[which] if isinstance(which, slice) else self._rows(which)
        kept = {field.name: _taken(getattr(self, field.name), rows) for field in fields(self)}
        return bound(Detections(**kept), self._trace, self.numbers[rows])

    @property
    def numbers(self) -> np.ndarray:
        """Their indices among all detections of their trace, (n,) int64."""
        return np.arange(len(self)) if self._numbers is None else self._numbers

    def of(self, trace: Any) -> "Detections":
        """The same detections, all of a trace, which know it."""
        return bound(object.__new__(Detections), trace, **without_trace(self.__dict__))

    def where(self, wanted: Any) -> list[int]:
        """The indices of what a caller names: None (all), a ``Detection``, ``Detections``, an index or several.

        Raises IndexError for what is not there, TypeError for anything else.
        """
        if wanted is None:
            return list(range(len(self)))
        if isinstance(wanted, Detection | Detections):
            pairs = list(zip(self.anchor.tolist(), self.class_id.tolist(), strict=True))
            asked = [(one.anchor, one.class_id) for one in ([wanted] if isinstance(wanted, Detection) else wanted)]
            if any(pair not in pairs for pair in asked):
                raise IndexError("A detection of another trace was given. Give one of this trace, trace.detections[i].")
            return [pairs.index(pair) for pair in asked]
        return self._rows(np.atleast_1d(_array(wanted)), wanted).tolist()

    def to_df(self) -> "DataFrame":
        """One row a detection, as a polars DataFrame; boxes, centres in px of the original."""
        import polars

        box = {name: self.xyxy[:, column] for column, name in enumerate(("x1", "y1", "x2", "y2"))}
        return polars.DataFrame(
            {
                "class_name": polars.Series(self.class_name, dtype=polars.String),
                "confidence": self.confidence,
                "level_name": polars.Series(self.level_name, dtype=polars.String),
                "row": self.row,
                "col": self.col,
                "anchor": self.anchor,
                **box,
                "class_id": self.class_id,
                "level": self.level,
                "stride": self.stride,
                "branch": polars.Series(self.branch, dtype=polars.String),
                "center_x": self.center[:, 0],
                "center_y": self.center[:, 1],
                "suppressed": np.asarray([len(rivals) for rivals in self.suppressed], dtype=np.int64),
            }
        )

    def __getstate__(self) -> dict[str, Any]:
        return without_trace(self.__dict__)

    def __deepcopy__(self, memo: dict) -> "Detections":
        copied = Detections(**copy.deepcopy(self.__getstate__(), memo))
        return bound(copied, self._trace, self._numbers)

    def _index(self, i: int) -> int:
        if not -len(self) <= i < len(self):
            count = f"{len(self)}, numbered from 0 to {len(self) - 1}" if len(self) else "none"
            raise IndexError(f"Detection {i} does not exist: this trace has {count}.")
        return i % len(self)

    def _rows(self, which: Any, given: Any = None) -> np.ndarray:
        """The rows of a mask (n,) or of indices, (k,) int64; ``given``: what a caller gave for these, if other."""
        rows = _array(which)
        if rows.ndim == 1 and rows.dtype == bool:
            if len(rows) != len(self):
                raise IndexError(
                    f"A mask says yes or no of each of {len(self)} detections, but has {len(rows)} entries."
                )
            return np.flatnonzero(rows)
        if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
            told = shown(which if given is None else given)
            raise TypeError(
                f"Detections are chosen by an index, a slice, a mask or indices, but {told} was given. "
                "Example: detections[0], detections[detections.confidence > 0.5]."
            )
        return np.array([self._index(i) for i in rows.tolist()], np.int64)

    def _one(self, i: int) -> Detection:
        one = Detection(
            number=int(self.numbers[i]),
            class_id=int(self.class_id[i]),
            class_name=self.class_name[i],
            confidence=float(self.confidence[i]),
            xyxy=self.xyxy[i],
            level=int(self.level[i]),
            level_name=self.level_name[i],
            stride=float(self.stride[i]),
            row=int(self.row[i]),
            col=int(self.col[i]),
            anchor=int(self.anchor[i]),
            branch=self.branch[i],
            center=self.center[i],
            logits=self.logits[i],
            rivals=self.suppressed[i],
            pooled_level=int(self.pooled_level[i]),
        )
        return bound(one, self._trace)

    def _title(self) -> str:
        return f"{len(self)}: {from_levels(self.level_name)}" if len(self) else "none"

    def _parts(self) -> Iterable[Part]:
        if not len(self):
            return []
        columns = ("", "class", "confidence", "level", "cell", "anchor", BOX, "rivals")
        return [Table(columns, map(_row, self), len(self), list(map(level_color, self.level_name)))]


def _array(values: Any) -> np.ndarray:
    """Values as an array; of what makes none an array of objects, and of an empty list one of indices."""
    values = values.detach().cpu() if isinstance(values, Tensor) else values
    try:
        made = np.asarray(values)
    except ValueError:  # lists of several lengths
        return np.empty((0, 0))
    return made.astype(np.int64) if made.shape == (0,) and made.dtype != bool else made


def _row(one: Detection) -> tuple:
    """The cells of one detection in the table of all."""
    return (
        one.number,
        one.class_name,
        share(one.confidence),
        one.level_name,
        cell(one.row, one.col),
        one.anchor,
        box_words(one.xyxy),
        len(one.rivals),
    )


def _taken(values: Any, rows: np.ndarray) -> Any:
    return tuple(values[row] for row in rows.tolist()) if isinstance(values, tuple) else values[rows]
