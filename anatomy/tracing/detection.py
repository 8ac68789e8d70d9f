"""One detection, and the rivals that lost to it."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from ..head.level_colors import level_color
from ..shown import Part, Picture, Shown, Table
from .questions import ask

BOX = "box x1 y1 x2 y2, px"


@dataclass(frozen=True, repr=False)
class Rivals(Shown):
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

    def _title(self) -> str:
        return f"{len(self)} suppressed: {from_levels(self.level_name.tolist())}" if len(self) else "none suppressed"

    def _parts(self) -> Iterable[Part]:
        if not len(self):
            return []
        columns = ("rival", "class id", "confidence", "IoU", "level", "cell", "anchor", BOX)
        colors = [level_color(name) for name in self.level_name.tolist()]
        return [Table(columns, map(self._row, range(len(self))), len(self), colors)]

    def _row(self, k: int) -> tuple:
        return (
            k,
            int(self.class_id[k]),
            share(self.confidence[k]),
            share(self.iou[k]),
            str(self.level_name[k]),
            cell(self.row[k], self.col[k]),
            int(self.anchor[k]),
            box_words(self.xyxy[k]),
        )


@dataclass(frozen=True, repr=False, eq=False)
class Detection(Shown):
    """One detection: ``detections[number]``; fields as in ``Detections``, ``rivals`` what was suppressed for it.

    ``number`` is its index in its trace's detections, from 0. It may stand wherever a detection is asked for, as in
    ``diagnosis.attribute(trace, detection)``.
    """

    number: int
    class_id: int
    class_name: str
    confidence: float
    xyxy: np.ndarray
    level: int
    level_name: str
    stride: float
    row: int
    col: int
    anchor: int
    branch: str
    center: np.ndarray
    logits: np.ndarray
    rivals: Rivals
    pooled_level: int
    _trace: ClassVar[Any] = None

    @property
    def trace(self) -> Any:
        """The trace that it was found in; RuntimeError where it travelled without."""
        if self._trace is None:
            raise RuntimeError(
                "This detection is without its trace (it was pickled, or built from arrays), which holds the "
                "photograph and the network. Take it from a trace: trace.detections[i]."
            )
        return self._trace

    @property
    def crop(self) -> np.ndarray:
        """What its box holds of the photograph, (h, w, 3) uint8 RGB: whole px, at least one."""
        image = self.trace.image
        height, width = image.shape[:2]
        x1, y1 = np.floor(self.xyxy[:2]).astype(int).clip(0, (width - 1, height - 1)).tolist()
        x2, y2 = np.ceil(self.xyxy[2:]).astype(int).clip((x1 + 1, y1 + 1), (width, height)).tolist()
        return image[y1:y2, x1:x2].copy()

    def why(self, **options: Any) -> Any:
        """Which part of the photograph made it: ``diagnosis.attribute`` with these ``options``."""
        return ask("why", self.trace, self, **options)

    def evidence(self, **options: Any) -> Any:
        """Whether it needs its level and its class row: ``diagnosis.level_evidence`` with these ``options``."""
        return ask("evidence", self.trace, self, **options)

    def __getstate__(self) -> dict[str, Any]:
        return without_trace(self.__dict__)

    def __deepcopy__(self, memo: dict) -> "Detection":
        return bound(Detection(**copy.deepcopy(self.__getstate__(), memo)), self._trace)

    def _title(self) -> str:
        where = f"{self.level_name} {cell(self.row, self.col)}"
        return f"{self.number}: {self.class_name} {share(self.confidence)} from {where}, anchor {self.anchor}"

    def _parts(self) -> Iterable[Part]:
        if self._trace is not None:
            yield Picture(self.crop)
        cells = (BOX, box_words(self.xyxy)), ("stride", f"{self.stride:g}"), ("rivals", self.rivals._title())
        yield Table(("what", "value"), cells, len(cells), [level_color(self.level_name)] * len(cells))


def bound(made: Any, trace: Any, numbers: np.ndarray | None = None, **values: Any) -> Any:
    """A frozen value that knows its trace, and its numbers in it."""
    made.__dict__.update(values)
    if trace is not None:
        made.__dict__["_trace"] = trace
    if numbers is not None:
        made.__dict__["_numbers"] = numbers
    return made


def without_trace(values: dict[str, Any]) -> dict[str, Any]:
    """The fields alone, as they travel."""
    return {name: value for name, value in values.items() if name not in ("_trace", "_numbers")}


def from_levels(names: Iterable[str]) -> str:
    """How many from which level, in words."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return ", ".join(f"{counts[name]} from {name}" for name in sorted(counts))


def share(value: Any) -> str:
    """A number from 0 to 1 to two places."""
    return f"{float(value):.2f}"


def cell(row: Any, col: Any) -> str:
    """Row and column of a cell, from 0."""
    return f"({row}, {col})"


def box_words(xyxy: np.ndarray) -> str:
    """A box in whole px."""
    return " ".join(f"{float(value):.0f}" for value in xyxy)
