"""Two traces of one image set side by side, joined by the anchor that made each detection."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .trace import Trace


@dataclass(frozen=True)
class Comparison:
    """Detections before and after a change, one row for each anchor that made a detection in either.

    Where an anchor makes detections of several classes, those of one class are joined first.

    ``before`` and ``after`` (n,) int64 are indices into the detections of the two traces, -1 where there is none;
    ``class_shift`` (n,) is (class after - class before) mod nc, -1 unless in both; ``freed_from`` (n,) is the
    detection before that had suppressed a new one, -1 otherwise. Rows stand in the order of ``before``, new ones last.
    """

    before: np.ndarray
    after: np.ndarray
    anchor: np.ndarray
    class_shift: np.ndarray
    freed_from: np.ndarray
    status: tuple[str, ...]  # "same", "class", "confidence", "gone", "new"

    names: Mapping[int, str]
    classes: np.ndarray  # (n, 2) class ids before and after, -1 where there is none
    levels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.anchor)

    def to_df(self):
        """One row an anchor, as a polars DataFrame; indices count from 0 and are null where there is none."""
        import polars

        index = {name: getattr(self, name) for name in ("before", "after", "class_shift", "freed_from")}
        named = [[self.names.get(class_id) for class_id in column] for column in self.classes.T.tolist()]
        table = {
            "before": index["before"],
            "after": index["after"],
            "anchor": self.anchor,
            "level_name": polars.Series(self.levels, dtype=polars.String),
            "class_before": polars.Series(named[0], dtype=polars.String),
            "class_after": polars.Series(named[1], dtype=polars.String),
            "class_shift": index["class_shift"],
            "status": polars.Series(self.status, dtype=polars.String),
            "freed_from": index["freed_from"],
        }
        return polars.DataFrame(table).with_columns(polars.when(polars.col(n) >= 0).then(polars.col(n)) for n in index)


def compare(before: Trace, after: Trace) -> Comparison:
    """Join two traces of the same image and input size by anchor; raises ValueError when the grids differ."""
    if before.shapes != after.shapes or before.image.shape != after.image.shape:
        raise ValueError(
            "Two traces can be joined by anchor only on the same image and input size, but the images are "
            f"{before.image.shape} and {after.image.shape}, the grids {before.shapes} and {after.shapes}."
        )
    old, new = before.detections, after.detections
    pairs = _joined(old, new)
    suppressor = {int(a): index for index, rivals in enumerate(old.suppressed) for a in rivals.anchor}
    anchors = [int(old.anchor[i] if i >= 0 else new.anchor[j]) for i, j in pairs]
    shift = [
        (int(new.class_id[j]) - int(old.class_id[i])) % len(before.names) if min(i, j) >= 0 else -1 for i, j in pairs
    ]
    column = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    return Comparison(
        before=column[:, 0],
        after=column[:, 1],
        anchor=np.asarray(anchors, dtype=np.int64),
        class_shift=np.asarray(shift, dtype=np.int64),
        freed_from=np.asarray(
            [suppressor.get(anchor, -1) if i < 0 else -1 for anchor, (i, _) in zip(anchors, pairs, strict=True)],
            dtype=np.int64,
        ),
        status=tuple(_status(old, new, i, j) for i, j in pairs),
        names=before.names,
        classes=np.asarray(
            [(old.class_id[i] if i >= 0 else -1, new.class_id[j] if j >= 0 else -1) for i, j in pairs], dtype=np.int64
        ).reshape(-1, 2),
        levels=tuple(old.level_name[i] if i >= 0 else new.level_name[j] for i, j in pairs),
    )


def _joined(old, new) -> list[tuple[int, int]]:
    """Indices (before, after) of detections that belong together, -1 for none: by anchor and class, then by anchor."""
    partner: dict[int, int] = {}
    for columns in (("anchor", "class_id"), ("anchor",)):
        before, after = (zip(*(getattr(found, name).tolist() for name in columns), strict=True) for found in (old, new))
        taken, free = set(partner.values()), {}
        for index, key in enumerate(after):
            if index not in taken:
                free.setdefault(key, []).append(index)
        for index, key in enumerate(before):
            if index not in partner and free.get(key):
                partner[index] = free[key].pop(0)
    fresh = sorted(set(range(len(new))) - set(partner.values()))
    return [(index, partner.get(index, -1)) for index in range(len(old))] + [(-1, index) for index in fresh]


def _status(old, new, i: int, j: int) -> str:
    if j < 0:
        return "gone"
    if i < 0:
        return "new"
    if old.class_id[i] != new.class_id[j]:
        return "class"
    return "same" if old.confidence[i] == new.confidence[j] else "confidence"
