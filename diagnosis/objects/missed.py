"""Why an object was not found: its best candidate on every level, and the stage that stopped each."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anatomy import Trace, finite_number
from anatomy.head.level_colors import level_color
from anatomy.shown import Part, Picture, Shown, Table
from anatomy.tracing.doors import check_trace
from anatomy.tracing.overlap import pair_overlaps

from .candidates import STAGES, Candidate, Field
from .labels import check_objects
from .reach import Reach, ceiling, cut_words

if TYPE_CHECKING:
    from polars import DataFrame

LOST, FOUND = "#E8112D", "#FFFFFF"  # neither is the colour of a level
SHOWN = 10  # objects that are listed


@dataclass(frozen=True, repr=False)
class Missed(Shown):
    """What became of the n objects of one image.

    ``boxes`` (n, 4) xyxy px of the original, ``labels`` (n,) class ids; ``found`` (n,) the detection that found each
    object, or -1; ``candidates`` one tuple an object, a ``Candidate`` a level (empty where it was found); ``best`` (n,)
    the level whose candidate came nearest, -1 where found; ``positives`` (n,) cells that training would make answer for
    it, -1 where that was not asked. ``iou`` and ``conf`` are the thresholds used. ``beyond`` (n, 4) px of the network
    input: how far left, top, right and bottom of an object lie beyond the ceiling of the cell that found it, or that
    came nearest; 0 within reach, and for a head without a ceiling.
    """

    trace: Trace
    boxes: np.ndarray
    labels: np.ndarray
    found: np.ndarray
    candidates: tuple[tuple[Candidate, ...], ...]
    best: np.ndarray
    positives: np.ndarray
    iou: float
    conf: float
    beyond: np.ndarray

    @property
    def cut(self) -> np.ndarray:
        """(n,) bool: the ceiling cuts the object, found or missed, since a side of it lies beyond its level's reach."""
        return np.any(self.beyond > 0, axis=1)

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def objects(self) -> np.ndarray:
        """Indices of the objects that were not found."""
        return np.flatnonzero(self.found < 0)

    def stage(self, i: int) -> str:
        """The key of ``STAGES`` that stopped object i, "" where it was found."""
        return self.candidates[i][self.best[i]].stage if self.found[i] < 0 else ""

    def reason(self, i: int) -> str:
        """In words, why object i was not found, and whether the ceiling of its level cuts it, found or not."""
        if self.found[i] >= 0:
            words = f"found by detection {self.found[i]}"
            cut = cut_words(self.trace, int(self.trace.detections.level[self.found[i]]), self.beyond[i])
            return f"{words}; {cut}" if cut else words
        best = self.candidates[i][self.best[i]]
        words = _words(self, best)
        return f"{words}; training gives it no positive cell" if self.positives[i] == 0 else words

    def _title(self) -> str:
        stages = Counter(self.stage(i) for i in self.objects.tolist())
        told = ", ".join(f"{count} {stage}" for stage, count in stages.most_common())
        return f"{len(self.objects)} of {len(self)} objects missed{': ' * bool(told)}{told}"

    def _parts(self) -> Iterable[Part]:
        lost, names = self.objects.tolist(), self.trace.names
        boxes = [(box, LOST if i in set(lost) else FOUND) for i, box in enumerate(self.boxes.tolist())]
        yield Picture(self.trace.image, boxes)
        if lost:
            rows = ((i, names[int(self.labels[i])], STAGES[self.stage(i)], self.reason(i)) for i in lost)
            colors = [level_color(self.trace.levels[self.best[i]].name) for i in lost]
            yield Table(
                ("object", "class", "what stopped it", "the candidate that came nearest"), rows, len(lost), colors
            )

    def __str__(self) -> str:
        head = f"{len(self.objects)} of {len(self)} objects missed (IoU ≥ {self.iou:g}, confidence > {self.conf:g})"
        names = self.trace.names
        lines = [f"  object {i} ({names[int(self.labels[i])]}): {self.reason(i)}" for i in self.objects.tolist()]
        cut = np.flatnonzero(self.cut & (self.found >= 0)).tolist()
        if cut:
            lines.append(f"  found, but cut by the ceiling of their level: object{'s' * (len(cut) > 1)} {listed(cut)}")
        return "\n".join([head, *lines])

    def to_df(self) -> "DataFrame":
        """One row a level of every missed object, as a polars DataFrame.

        ``decisive``: this one came nearest; ``cut``: a side of the object lies beyond the ceiling of this level.
        """
        import polars

        rows = [
            {
                "object": i,
                "class_name": self.trace.names[int(self.labels[i])],
                "stage": candidate.stage,
                "decisive": level == self.best[i],
                "level_name": self.trace.levels[level].name,
                "row": candidate.row,
                "col": candidate.col,
                "anchor": candidate.anchor,
                "iou": candidate.iou,
                "score": candidate.score,
                "top_class": self.trace.names[candidate.top_class],
                "top_score": candidate.top_score,
                "suppressed_by": candidate.by,
                "reach": candidate.reach,
                "cut": candidate.cut,
                "positives": int(self.positives[i]),
                "reason": _words(self, candidate),
            }
            for i in self.objects.tolist()
            for level, candidate in enumerate(self.candidates[i])
        ]
        text = dict.fromkeys(("class_name", "stage", "level_name", "top_class", "reason"), polars.String)
        whole = dict.fromkeys(("object", "row", "col", "anchor", "suppressed_by", "positives"), polars.Int64)
        numbers = dict.fromkeys(("iou", "score", "top_score", "reach"), polars.Float64)
        kinds = {**text, **whole, **numbers, "decisive": polars.Boolean, "cut": polars.Boolean}
        order = rows[0] if rows else kinds
        return polars.DataFrame(rows, schema={name: kinds[name] for name in order})


def missed(
    trace: Trace,
    boxes: Any,
    labels: Any = None,
    *,
    iou: float = 0.5,
    conf: float | None = None,
    positives: bool = False,
) -> Missed:
    """Say of every object that was not found which stage stopped its best candidate on each level.

    ``boxes`` (n, 4) xyxy px of the original, ``labels`` class ids or names; or what ``read_labels`` reads in place of
    both. An object counts as found by a detection of its class with at least this ``iou``; a detection finds one
    object, confident ones first. ``conf`` is that of the trace, where its head says it. ``positives`` asks the model's
    assigner as well. A candidate is held against an object only if no other object of the class fits it better. Raises
    ValueError for rotated boxes.

    >>> len(diagnosis.missed(trace, labels))
    2
    """
    check_trace(trace, "diagnosis.missed", ", 'labels/photo.txt'")
    if trace.rotated:
        raise ValueError("missed compares upright boxes, but this head makes rotated ones.")
    iou = finite_number(iou, "iou")
    if not 0 < iou <= 1:
        raise ValueError(f"iou must be above 0 and at most 1, but {iou!r} was given.")
    boxes, labels = check_objects(trace, boxes, labels)
    conf = next((value for value in (conf, trace.limits.conf) if value is not None), None)
    if conf is None:
        conf = float(min(trace.detections.confidence, default=0.25))
    return examined(trace, boxes, labels, iou=iou, conf=float(conf), positives=positives)


def examined(
    trace: Trace, boxes: np.ndarray, labels: np.ndarray, *, iou: float, conf: float, positives: bool = False
) -> Missed:
    """As ``missed``, of ``boxes`` (n, 4) and ``labels`` (n,) that nothing is asked of: they may lie off the image."""
    found = _match(trace, boxes, labels, iou)
    candidates: tuple[tuple[Candidate, ...], ...] = ((),) * len(boxes)
    reach, lost = Reach(trace), np.flatnonzero(found < 0).tolist()
    if lost:
        field = Field(trace, boxes, labels, iou=iou, conf=conf, reach=reach, wanted=lost)
        candidates = tuple(field.candidates(i) if found[i] < 0 else () for i in range(len(boxes)))
    rank = list(STAGES).index
    best = [
        max(range(len(row)), key=lambda level: (rank(row[level].stage), row[level].iou * row[level].score))
        if row
        else -1
        for row in candidates
    ]
    seen = trace.detections.anchor
    cells = [
        int(seen[by]) if by >= 0 else row[at].anchor
        for by, row, at in zip(found.tolist(), candidates, best, strict=True)
    ]
    count = np.full(len(boxes), -1, np.int64)
    if positives:
        owner = trace.targets(boxes, labels).object.cpu().numpy()
        count = np.bincount(owner[owner >= 0], minlength=len(boxes)).astype(np.int64)
    return Missed(
        trace=trace,
        boxes=boxes,
        labels=labels,
        found=found,
        candidates=candidates,
        best=np.asarray(best, np.int64),
        positives=count,
        iou=float(iou),
        conf=conf,
        beyond=reach.beyond(boxes, cells),
    )


def _match(trace: Trace, boxes: np.ndarray, labels: np.ndarray, iou: float) -> np.ndarray:
    """The detection that found each object, -1 for none: confident ones choose first, each its best free object."""
    seen = trace.detections
    overlap = pair_overlaps(seen.xyxy, boxes) * (seen.class_id[:, None] == labels[None])
    found = np.full(len(boxes), -1, np.int64)
    for detection in np.argsort(-seen.confidence, kind="stable"):
        free = np.where(found < 0, overlap[detection], 0)
        if len(free) and free.max() >= iou:
            found[free.argmax()] = detection
    return found


def listed(numbers: list[int]) -> str:
    """The first of some numbers, in words."""
    return ", ".join(map(str, numbers[:SHOWN])) + " …" * (len(numbers) > SHOWN)


def _words(result: Missed, best: Candidate) -> str:
    """One sentence about the candidate that came nearest, and whether the ceiling of its level cuts the object."""
    cut = cut_words(result.trace, best.level, best.beyond)
    return f"{_stopped(result, best)}; {cut}" if cut and best.stage != "ceiling" else _stopped(result, best)


def _was_asked(trace: Trace, anchor: int) -> bool:
    """Whether the class rows were asked about this anchor: where a head chooses among cells, they were of some."""
    chosen = trace.run.chosen
    return chosen is None or bool((chosen == anchor).any())


def _stopped(result: Missed, best: Candidate) -> str:
    """What stopped a candidate."""
    trace, names = result.trace, result.trace.names
    where = f"{trace.levels[best.level].name} ({best.row}, {best.col})"
    top = f"{names[best.top_class]} {best.top_score:.2f}"
    found = trace.detections
    if best.stage == "ceiling":
        far = ceiling(trace, best.level)
        return (
            f"{where}: the ceiling: sides end {far:g} px from the cell, which allows an IoU of {best.reach:.2f} at most"
        )
    if best.stage == "localisation":
        return f"{where}: the best box has IoU {best.iou:.2f}"
    if best.stage == "confidence" and not _was_asked(trace, best.anchor):
        sure = float(trace.objectness()[best.level][best.row, best.col])
        return f"{where}: no query began there (the encoder was sure by {sure:.2f}; its box has IoU {best.iou:.2f})"
    if best.stage == "confidence":
        rest = "" if best.top_score <= best.score else f", {top} is likelier"
        score = f"{best.score:.2f}" if round(best.score, 2) < result.conf else f"{best.score:.4f}"
        return f"{where}: score {score}, below {result.conf:g}{rest} (IoU {best.iou:.2f})"
    if best.stage == "wrong_class":
        return f"{where}: seen as {top}, its own class {best.score:.2f} (IoU {best.iou:.2f})"
    if best.stage == "class_filter":
        return f"{where}: score {best.score:.2f}, but `classes` leaves its class out"
    if best.stage == "suppressed":
        other = f"detection {best.by} ({found.class_name[best.by]} {found.confidence[best.by]:.2f})"
        return f"{where}: score {best.score:.2f}, suppressed by {other}"
    if best.stage == "limit":
        most = trace.limits.most
        return f"{where}: score {best.score:.2f}, cut off by max_det{'' if most is None else f' = {most}'}"
    return f"{where}: score {best.score:.2f}, but this detection counts for another object"
