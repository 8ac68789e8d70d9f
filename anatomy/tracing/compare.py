"""Two traces of one image set side by side: joined by anchor within one model, by class and overlap between two."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..head.level_colors import level_color
from ..shown import Part, Shown, Table
from .detections import Detections
from .matching import by_anchor, by_overlap, check_one_image, check_traces, one_network
from .overlap import pair_overlaps
from .trace import Trace

if TYPE_CHECKING:
    from polars import DataFrame

TOLD_FIRST = ("class", "new", "gone", "level", "confidence", "less sure", "surer", "same")  # kinds of change, in order


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """Detections before and after a change, one row for each pair of them and for each that is in one trace alone.

    ``before`` and ``after`` (n,) int64 are indices into the detections of the two traces, -1 where there is none. Rows
    stand in the order of ``before``, new ones last. ``classes`` (n, 2) and ``anchors`` (n, 2) are those before and
    after, -1 where there is none; ``anchor`` (n,) the one before, or after where it is new, and likewise ``levels``
    their names; ``levels_after`` are None where there is none. ``confidence`` and ``iou`` of the two boxes are NaN
    where there is none. ``class_shift`` (n,) is (class after - class before) mod nc, -1 unless in both and the classes
    have the same names. ``cut`` (n, 2) bool: the ceiling of its level cuts the box before, after (``Trace.cut``).

    ``matched_by`` says which detections belong together. "anchor": those that one anchor made, of several at one anchor
    those of one class first; ``freed_from`` (n,) is then the detection before that had suppressed a new one, -1
    otherwise; ``status`` is "same", "class" (it changed), "confidence" (it changed), "gone" or "new". "iou": those of
    one class name whose boxes overlap by at least ``threshold``, each once, the best pair first, and then of what is
    left those of any class; ``status`` is "same", "class", "level" (found on another), "surer", "less sure", "gone" or
    "new" (found by the second model alone), the first of these that holds; nothing is said of who was freed.
    """

    before: np.ndarray
    after: np.ndarray
    anchor: np.ndarray
    class_shift: np.ndarray
    freed_from: np.ndarray
    status: tuple[str, ...]

    names: Mapping[int, str]
    classes: np.ndarray
    levels: tuple[str, ...]

    matched_by: str = "anchor"
    threshold: float | None = None
    names_after: Mapping[int, str] = field(default_factory=dict)
    levels_after: tuple[str | None, ...] = ()
    anchors: np.ndarray = field(default_factory=lambda: np.empty((0, 2), np.int64))
    confidence: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    iou: np.ndarray = field(default_factory=lambda: np.empty(0))
    cut: np.ndarray = field(default_factory=lambda: np.empty((0, 2), bool))

    def __len__(self) -> int:
        return len(self.anchor)

    def _title(self) -> str:
        how = "by anchor" if self.matched_by == "anchor" else f"by class and IoU of at least {self.threshold:g}"
        told = ", ".join(f"{count} {status}" for status, count in Counter(self.status).items())
        return f"{len(self)} detections matched {how}{': ' * bool(told)}{told}"

    def _parts(self) -> Iterable[Part]:
        if not len(self):
            return []
        rank = {status: place for place, status in enumerate(TOLD_FIRST)}
        rows = sorted(range(len(self)), key=lambda row: rank[self.status[row]])
        colors = [level_color(self.levels[row]) for row in rows]
        columns = ("row", "what became of it", "level", "class before", "class after", "confidence before", "after")
        return [Table(columns, map(self._row, rows), len(self), colors)]

    def _row(self, row: int) -> tuple:
        """One row in words, for a table in which changes stand first."""
        before, after = self.classes[row].tolist()
        was, now = ("" if np.isnan(value) else f"{value:.2f}" for value in self.confidence[row].tolist())
        freed = int(self.freed_from[row])
        status = self.status[row] if freed < 0 else f"{self.status[row]}, freed from detection {freed}"
        level = self.levels[row]
        later = self.levels_after[row] if self.levels_after else None
        if later not in (None, level):
            level = f"{level} → {later}"
        names_after = self.names_after or self.names
        return row, status, level, self.names.get(before, ""), names_after.get(after, ""), was, now

    def to_df(self) -> "DataFrame":
        """One row a detection or pair, as a polars DataFrame; indices count from 0; null where there is none."""
        import polars

        index = {name: getattr(self, name) for name in ("before", "after", "class_shift", "freed_from")}
        before, after = self.classes.T.tolist()
        names_after = self.names_after or self.names
        text = {
            "level_name": self.levels,
            "class_before": [self.names.get(class_id) for class_id in before],
            "class_after": [names_after.get(class_id) for class_id in after],
            "status": self.status,
            "level_after": self.levels_after,
        }
        numbers = {
            "confidence_before": self.confidence[:, 0],
            "confidence_after": self.confidence[:, 1],
            "iou": self.iou,
        }
        order = ("before", "after", "anchor", "level_name", "class_before", "class_after", "class_shift", "status")
        cut = {
            name: [bool(there) if i >= 0 else None for there, i in zip(column, rows, strict=True)]
            for name, column, rows in zip(
                ("cut_before", "cut_after"), self.cut.T, (self.before, self.after), strict=True
            )
        }
        table = index | {"anchor": self.anchor} | numbers
        table |= {name: polars.Series(values, dtype=polars.Boolean) for name, values in cut.items()}
        table |= {name: polars.Series(values, dtype=polars.String) for name, values in text.items()}
        table = {name: table[name] for name in (*order, "freed_from", "level_after", *numbers, *cut)}
        known = (polars.when(polars.col(name) >= 0).then(polars.col(name)) for name in index)
        return polars.DataFrame(table).with_columns(*known, *(polars.col(name).fill_nan(None) for name in numbers))


def compare(before: Trace, after: Trace, *, by: str | None = None, iou: float = 0.5) -> Comparison:
    """Say of every detection of two traces of one image what became of it.

    ``by`` "anchor" joins two passes of one model, edited in between or not, by the anchor that made each detection;
    "iou" matches those of two models (or of one model and itself retrained, or at two input sizes) one to one by class
    name and an IoU of at least ``iou``. None: "anchor" where both traces are of one network (``one_network``), else
    "iou". Rotated boxes overlap as their upright hulls. Raises ValueError for anchors on different grids, and for two
    images: they must have one shape, and for matching by IoU the same pixels.

    >>> anatomy.compare(trace, trace).status[0]
    'same'
    """
    check_traces(before, after)
    if by not in (None, "anchor", "iou"):
        raise ValueError(f'by must be "anchor", "iou" or None, but {by!r} was given.')
    if not 0 < iou <= 1:
        raise ValueError(f"iou must be above 0 and at most 1, but {iou!r} was given.")
    if by is None:
        by = "anchor" if one_network(before, after) else "iou"
    old, new = before.detections, after.detections
    if by == "anchor":
        _check_grids(before, after)
        partner = by_anchor(old, new)
    else:
        check_one_image(before, after)
        partner = by_overlap(old, new, iou)
    fresh = sorted(set(range(len(new))) - set(partner.values()))
    pairs = [(index, partner.get(index, -1)) for index in range(len(old))] + [(-1, index) for index in fresh]
    return _told(before, after, np.asarray(pairs, dtype=np.int64).reshape(-1, 2), by, iou)


def _check_grids(before: Trace, after: Trace) -> None:
    if before.shapes != after.shapes or before.image.shape != after.image.shape:
        raise ValueError(
            "Two traces can be joined by anchor only on the same image and input size, but the images are "
            f"{before.image.shape} and {after.image.shape}, the grids {before.shapes} and {after.shapes}. "
            'On one image, by="iou" matches detections by class and place instead.'
        )


def _told(before: Trace, after: Trace, pairs: np.ndarray, by: str, iou: float) -> Comparison:
    """The comparison of these (n, 2) pairs of detections, -1 where there is none."""
    old, new = before.detections, after.detections
    there = pairs >= 0
    both = there.all(1)
    classes, anchors = _columns(old, new, pairs, "class_id", -1), _columns(old, new, pairs, "anchor", -1)
    shift = np.full(len(pairs), -1, np.int64)
    if before.names == after.names:
        shift[both] = (classes[both, 1] - classes[both, 0]) % len(before.names)
    overlap = np.full(len(pairs), np.nan)
    overlap[both] = pair_overlaps(old.xyxy, new.xyxy)[pairs[both, 0], pairs[both, 1]]
    anchor = np.where(there[:, 0], anchors[:, 0], anchors[:, 1])
    freed = np.full(len(pairs), -1, np.int64)
    if by == "anchor":
        suppressor = {int(a): index for index, rivals in enumerate(old.suppressed) for a in rivals.anchor}
        freed[~there[:, 0]] = [suppressor.get(int(a), -1) for a in anchor[~there[:, 0]]]
    say = _status if by == "anchor" else _status_of_two
    return Comparison(
        before=pairs[:, 0],
        after=pairs[:, 1],
        anchor=anchor,
        class_shift=shift,
        freed_from=freed,
        status=tuple(say(old, new, i, j) for i, j in pairs.tolist()),
        names=before.names,
        classes=classes,
        levels=tuple(old.level_name[i] if i >= 0 else new.level_name[j] for i, j in pairs.tolist()),
        matched_by=by,
        threshold=iou if by == "iou" else None,
        names_after=after.names,
        levels_after=tuple(new.level_name[j] if j >= 0 else None for j in pairs[:, 1].tolist()),
        anchors=anchors,
        confidence=_columns(old, new, pairs, "confidence", np.nan),
        iou=overlap,
        cut=_cut(before, after, pairs),
    )


def _cut(before: Trace, after: Trace, pairs: np.ndarray) -> np.ndarray:
    """(n, 2) whether the box before, after is cut; False where there is none."""
    cut = np.zeros(pairs.shape, bool)
    for side, trace in enumerate((before, after)):
        there = pairs[:, side] >= 0
        cut[there, side] = trace.cut[pairs[there, side]]
    return cut


def _columns(old: Detections, new: Detections, pairs: np.ndarray, name: str, absent) -> np.ndarray:
    """A field of the detections before and after, (n, 2); ``absent`` where there is none."""
    values = np.full(pairs.shape, absent, dtype=np.float64 if np.isnan(absent) else np.int64)
    for side, found in enumerate((old, new)):
        there = pairs[:, side] >= 0
        values[there, side] = getattr(found, name)[pairs[there, side]]
    return values


def _status(old: Detections, new: Detections, i: int, j: int) -> str:
    """What became of a detection of one model."""
    if min(i, j) < 0:
        return "gone" if j < 0 else "new"
    if old.class_id[i] != new.class_id[j]:
        return "class"
    return "same" if old.confidence[i] == new.confidence[j] else "confidence"


def _status_of_two(old: Detections, new: Detections, i: int, j: int) -> str:
    """What a second model makes of a detection."""
    if min(i, j) < 0:
        return "gone" if j < 0 else "new"
    if old.class_name[i] != new.class_name[j]:
        return "class"
    if old.level_name[i] != new.level_name[j]:
        return "level"
    if old.confidence[i] == new.confidence[j]:
        return "same"
    return "surer" if new.confidence[j] > old.confidence[i] else "less sure"
