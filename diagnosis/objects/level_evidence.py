"""Does a detection need its level? Silence the level, or the class row that made it, and see who takes its place."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anatomy import Trace, finite_number
from anatomy.head.level_colors import level_color
from anatomy.shown import Part, Record, Shown, Table
from anatomy.tracing.doors import check_trace
from anatomy.tracing.overlap import pair_overlaps

if TYPE_CHECKING:
    from polars import DataFrame

VERDICTS = {
    "necessary": "nothing takes its place",
    "redundant": "its class is found there all the same",
    "contested": "another class takes its place",
}
SILENCED = ("row", "level")


@dataclass(frozen=True, repr=False)
class Successor(Record):
    """What is most confident at a place when what was there is silenced.

    ``detected``: it becomes a detection, and was none before; otherwise it is the best candidate of the silenced class
    and stays below the threshold, or the box is another detection's. ``iou`` with the silenced detection's box;
    ``xyxy`` (4,) px of the original; ``confidence`` in [0, 1].
    """

    detected: bool

    anchor: int
    level: int
    row: int
    col: int
    class_id: int
    confidence: float
    iou: float
    xyxy: np.ndarray


@dataclass(frozen=True, repr=False)
class LevelEvidence(Shown):
    """What remains of each detection without its class row, and without its level. Made by ``level_evidence``.

    ``detections`` (n,) indices into the trace's; ``successors``: for each, what is left when its "row" and when its
    "level" is silenced (None: nothing speaks there); ``verdicts`` likewise, keys of ``VERDICTS``. ``iou``: the least
    overlap with the box that counts as the same place.
    """

    trace: Trace
    detections: tuple[int, ...]
    successors: tuple[dict[str, Successor | None], ...]
    verdicts: tuple[dict[str, str], ...]
    iou: float

    def _title(self) -> str:
        told = Counter(verdicts["level"] for verdicts in self.verdicts)
        words = ", ".join(f"{count} {verdict}" for verdict, count in told.most_common())
        return f"{len(self.detections)} detections without their level: {words}" if words else "no detections"

    def _parts(self) -> Iterable[Part]:
        columns = ("", "class", "confidence", "level", "without its row", "without its level", "then")
        colors = [level_color(self.trace.detections.level_name[i]) for i in self.detections]
        if self.detections:
            yield Table(columns, map(self._row, range(len(self.detections))), len(self.detections), colors)

    def _row(self, k: int) -> tuple:
        found, i, verdicts = self.trace.detections, self.detections[k], self.verdicts[k]
        then = self._words(self.successors[k]["level"])
        what = found.class_name[i], f"{found.confidence[i]:.2f}", found.level_name[i]
        return i, *what, verdicts["row"], verdicts["level"], then

    def __str__(self) -> str:
        found, lines = self.trace.detections, []
        for i, successors, verdicts in zip(self.detections, self.successors, self.verdicts, strict=True):
            who = f"{i} {found.class_name[i]} {found.confidence[i]:.2f} on {found.level_name[i]}"
            lines += [
                f"{who}, without its {part}: {verdicts[part]}; {self._words(successors[part])}" for part in SILENCED
            ]
        return "\n".join(lines or ["no detections"])

    def _words(self, successor: Successor | None) -> str:
        if successor is None:
            return "nothing is left there"
        level = self.trace.levels[successor.level].name
        name = self.trace.names[successor.class_id]
        who = f"{name} {successor.confidence:.2f} from {level} ({successor.row}, {successor.col})"
        return f"then {who}" if successor.detected else f"what is left, {who}, is no detection"

    def strongest(self) -> np.ndarray:
        """The best score in [0, 1] of each detection's class at its place on every level, (n, levels).

        Of the anchors whose boxes overlap that of the detection by at least ``iou``; 0 where a level has none.
        """
        trace, found = self.trace, self.trace.detections
        boxes = trace.letterbox.to_original(trace.decode(np.arange(trace.pyramid.count if self.detections else 0)))
        scores = trace.scores().cpu().numpy()
        best = np.zeros((len(self.detections), len(trace.levels)))
        for n, i in enumerate(self.detections):
            there = pair_overlaps(found.xyxy[i : i + 1], boxes)[0] >= self.iou
            here = np.where(there, scores[int(found.class_id[i])], 0)
            best[n] = [here[anchors].max(initial=0) for anchors in trace.pyramid.slices]
        return best

    def to_df(self) -> "DataFrame":
        """Two rows a detection, as a polars DataFrame: without its class row, and without its level."""
        import polars

        found, rows = self.trace.detections, []
        for i, successors, verdicts in zip(self.detections, self.successors, self.verdicts, strict=True):
            for part in SILENCED:
                then = successors[part]
                rows.append(
                    {
                        "detection": i,
                        "class_name": found.class_name[i],
                        "level_name": found.level_name[i],
                        "confidence": float(found.confidence[i]),
                        "silenced": part,
                        "verdict": verdicts[part],
                        "detected": bool(then and then.detected),
                        "then_class": then and self.trace.names[then.class_id],
                        "then_level": then and self.trace.levels[then.level].name,
                        "then_row": then and then.row,
                        "then_col": then and then.col,
                        "then_confidence": then and then.confidence,
                        "iou": then and then.iou,
                    }
                )
        text = ("class_name", "level_name", "silenced", "verdict", "then_class", "then_level")
        whole = ("detection", "then_row", "then_col")
        kinds = dict.fromkeys(text, polars.String) | dict.fromkeys(whole, polars.Int64)
        kinds |= dict.fromkeys(("confidence", "then_confidence", "iou"), polars.Float64) | {"detected": polars.Boolean}
        order = rows[0] if rows else kinds
        return polars.DataFrame(rows, schema={name: kinds[name] for name in order})


def level_evidence(trace: Trace, detections: Any = None, *, iou: float = 0.5) -> LevelEvidence:
    """For each detection, who takes its place without its class row, and without its level.

    ``detections``: None (all), an index or several, a ``Detection`` or ``Detections``.

    A successor is a detection that was not there before and overlaps the box by at least ``iou``: of the same class
    ("redundant") or else of another ("contested"), the most confident. With none the detection was "necessary", and
    the best candidate of its class that is left at its place is told instead.
    The last step of the pass is done again with silent logits; the model is neither run nor changed.
    Raises IndexError for a detection that does not exist, ValueError for an overlap outside (0, 1].

    >>> diagnosis.level_evidence(trace, 0).detections
    (0,)
    """
    check_trace(trace, "diagnosis.level_evidence")
    iou = finite_number(iou, "iou")
    if not 0 < iou <= 1:
        raise ValueError(f"iou must lie in (0, 1], but {iou!r} was given.")
    found = trace.detections
    chosen = found.where(detections)
    after: dict[tuple, Trace] = {}
    successors, verdicts = [], []
    boxes: dict[int, np.ndarray] = {}  # by class, where a second stage moves them; else alike for all
    for i in chosen:
        level, class_id = int(found.level[i]), int(found.class_id[i])
        key = class_id if trace.run.refined is not None else 0
        if key not in boxes:
            boxes[key] = _boxes_of_all(trace, key)
        overlap = pair_overlaps(found.xyxy[i : i + 1], boxes[key])[0]
        near = np.flatnonzero(overlap >= iou)
        then = {}
        for part, silent in zip(SILENCED, ((level, class_id), (level, "all")), strict=True):
            if silent not in after:
                after[silent] = trace.silenced(*silent)
            then[part] = _successor(trace, after[silent], i, iou) or _left(trace, after[silent], i, near, overlap[near])
        successors.append(then)
        verdicts.append({part: _verdict(who, class_id) for part, who in then.items()})
    return LevelEvidence(
        trace=trace, detections=tuple(chosen), successors=tuple(successors), verdicts=tuple(verdicts), iou=iou
    )


def _boxes_of_all(trace: Trace, class_id: int) -> np.ndarray:
    """The boxes of all anchors, as detections of this class, (A, 4) px of the original."""
    every = np.arange(trace.pyramid.count)
    return trace.letterbox.to_original(trace.decode(every, np.full(len(every), class_id)))


def _successor(before: Trace, after: Trace, i: int, iou: float) -> Successor | None:
    old, new = before.detections, after.detections
    known = set(zip(old.anchor.tolist(), old.class_id.tolist(), strict=True))
    fresh = np.array([pair not in known for pair in zip(new.anchor.tolist(), new.class_id.tolist(), strict=True)], bool)
    overlap = pair_overlaps(old.xyxy[i : i + 1], new.xyxy)[0]
    there = np.flatnonzero(fresh & (overlap >= iou))
    if not len(there):
        return None
    same = there[new.class_id[there] == old.class_id[i]]
    j = max(same if len(same) else there, key=lambda at: new.confidence[at])
    return Successor(
        detected=True,
        anchor=int(new.anchor[j]),
        level=int(new.level[j]),
        row=int(new.row[j]),
        col=int(new.col[j]),
        class_id=int(new.class_id[j]),
        confidence=float(new.confidence[j]),
        iou=float(overlap[j]),
        xyxy=new.xyxy[j],
    )


def _left(before: Trace, after: Trace, i: int, near: np.ndarray, overlap: np.ndarray) -> Successor | None:
    """The best candidate of the silenced class among the anchors ``near`` the box that speak, with their overlaps."""
    class_id = int(before.detections.class_id[i])
    scores = after.scores()[class_id].cpu().numpy()[near]
    if not scores.any():
        return None
    at = int(scores.argmax())
    anchor = near[at : at + 1]
    place = after.places(anchor)
    return Successor(
        detected=False,
        anchor=int(anchor[0]),
        level=int(place.level[0]),
        row=int(place.row[0]),
        col=int(place.col[0]),
        class_id=class_id,
        confidence=float(scores[at]),
        iou=float(overlap[at]),
        xyxy=after.letterbox.to_original(after.decode(anchor, [class_id]))[0],
    )


def _verdict(successor: Successor | None, class_id: int) -> str:
    if successor is None or not successor.detected:
        return "necessary"
    return "redundant" if successor.class_id == class_id else "contested"
