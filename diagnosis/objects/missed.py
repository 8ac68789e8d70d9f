"""Why an object was not found: its best candidate on every level, and the stage that stopped each."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anatomy import Trace, finite_number
from anatomy.tracing.overlap import pair_overlaps

from .labels import check_objects
from .overlap import reachable_overlap

if TYPE_CHECKING:
    from polars import DataFrame

# in the order in which a candidate passes them: the later the stage, the nearer it came
STAGES = {
    "ceiling": "its box cannot reach so far",
    "localisation": "no box fits",
    "confidence": "not confident enough",
    "wrong_class": "another class is more likely",
    "class_filter": "its class was not asked for",
    "suppressed": "suppressed by another detection",
    "limit": "cut off by the largest number of detections",
    "taken": "its detection counts for another object",
}


@dataclass(frozen=True)
class Candidate:
    """The cell of one level that came nearest to finding an object.

    ``stage`` (a key of ``STAGES``) stopped it; ``iou`` of its box with the object, ``score`` its probability of the
    object's class, ``top_class`` and ``top_score`` of its most likely class; ``xyxy`` (4,) px of the original, clipped;
    ``by`` the detection that suppressed it, or -1; ``reach`` the best IoU that this cell's box could express.
    """

    level: int
    row: int
    col: int
    anchor: int
    stage: str
    iou: float
    score: float
    top_class: int
    top_score: float
    xyxy: np.ndarray
    by: int
    reach: float


@dataclass(frozen=True)
class Missed:
    """What became of the n objects of one image.

    ``boxes`` (n, 4) xyxy px of the original, ``labels`` (n,) class ids; ``found`` (n,) the detection that found each
    object, or -1; ``candidates`` one tuple an object, a ``Candidate`` a level (empty where it was found); ``best`` (n,)
    the level whose candidate came nearest, -1 where found; ``positives`` (n,) cells that training would make answer for
    it, -1 where that was not asked. ``iou`` and ``conf`` are the thresholds used.
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
        """In words, why object i was not found."""
        if self.found[i] >= 0:
            return f"found by detection {self.found[i]}"
        best = self.candidates[i][self.best[i]]
        words = _words(self, best)
        return f"{words}; training gives it no positive cell" if self.positives[i] == 0 else words

    def __str__(self) -> str:
        head = f"{len(self.objects)} of {len(self)} objects missed (IoU ≥ {self.iou:g}, confidence > {self.conf:g})"
        names = self.trace.names
        lines = [f"  object {i} ({names[int(self.labels[i])]}): {self.reason(i)}" for i in self.objects.tolist()]
        return "\n".join([head, *lines])

    def to_df(self) -> "DataFrame":
        """One row a level of every missed object, as a polars DataFrame; ``decisive``: this one came nearest."""
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
                "positives": int(self.positives[i]),
                "reason": _words(self, candidate),
            }
            for i in self.objects.tolist()
            for level, candidate in enumerate(self.candidates[i])
        ]
        text = dict.fromkeys(("class_name", "stage", "level_name", "top_class", "reason"), polars.String)
        whole = dict.fromkeys(("object", "row", "col", "anchor", "suppressed_by", "positives"), polars.Int64)
        numbers = dict.fromkeys(("iou", "score", "top_score", "reach"), polars.Float64)
        kinds = {**text, **whole, **numbers, "decisive": polars.Boolean}
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
    """
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
    if (found < 0).any():
        field = _Field(trace, boxes, labels, iou, conf)
        candidates = tuple(field.candidates(i) if found[i] < 0 else () for i in range(len(boxes)))
    rank = list(STAGES).index
    best = [
        max(range(len(row)), key=lambda level: (rank(row[level].stage), row[level].iou * row[level].score))
        if row
        else -1
        for row in candidates
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


class _Field:
    """Every cell of one pass against every object: overlap, scores, and how far each cell came."""

    def __init__(self, trace: Trace, boxes: np.ndarray, labels: np.ndarray, iou: float, conf: float):
        self.trace, self.boxes, self.labels, self.iou = trace, boxes, labels, iou
        self.count, self.places = trace.pyramid.count, trace.places()
        height, width = trace.image.shape[:2]
        decoded = trace.letterbox.to_original(trace.decode(np.arange(self.count)))
        self.decoded = np.nan_to_num(decoded).clip(0, (width, height, width, height))
        self.scores = trace.scores().cpu().numpy()
        self.top = self.scores.argmax(0)
        self.peak = self.scores.max(0)
        self.conf, self.passed = conf, self._passed(conf)
        self._gather()

    def _gather(self) -> None:
        """By class the best overlap of each cell with an object of it, (A,), and the cells that find one of theirs."""
        self.best = {label: np.zeros(self.count) for label in {*self.labels.tolist()}}
        self.finds = np.zeros(self.count, bool)  # an object of the cell's likeliest class
        for i, label in enumerate(self.labels.tolist()):
            overlap = self._overlap(i)
            np.maximum(self.best[label], overlap, out=self.best[label])
            self.finds |= (overlap >= self.iou) & (self.top == label)

    def _overlap(self, i: int) -> np.ndarray:
        """(A,) the IoU of each cell's box with object i."""
        return pair_overlaps(self.boxes[i : i + 1], self.decoded)[0]

    def _passed(self, conf: float) -> np.ndarray:
        """Cells whose best class is confident enough; a detection is, whatever rounding says."""
        passed = self.peak > conf
        passed[self.trace.detections.anchor] = True
        return passed

    def candidates(self, i: int) -> tuple[Candidate, ...]:
        """The candidate of each level that came nearest to finding object i."""
        label = int(self.labels[i])
        right, detected, by = self._fates(label)
        overlap, reach = self._overlap(i), self._reach(i)
        stage = self._stages(label, overlap, reach, right, detected, by)
        near = 0.01 * overlap + overlap * self.scores[label]
        worth = stage + np.where(stage < 2, overlap, near) / 2
        picks = [here.start + int(worth[here].argmax()) for here in self.trace.pyramid.slices]
        return tuple(
            self._candidate(
                label=label,
                anchor=anchor,
                stage=list(STAGES)[stage[anchor]],
                by=int(by[anchor]),
                iou=float(overlap[anchor]),
                reach=float(reach[anchor]),
            )
            for anchor in picks
        )

    def _fates(self, label: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(A,) each: does a cell stand for this class, is it a detection of it, and which one suppressed it, or -1."""
        seen, every_class = self.trace.detections, self.trace.limits.every_class
        detected, by = np.zeros(self.count, bool), np.full(self.count, -1)
        detected[seen.anchor[(seen.class_id == label) | (not every_class)]] = True
        for index, rivals in enumerate(seen.suppressed):
            by[rivals.anchor[(rivals.class_id == label) | (not every_class)]] = index
        right = detected | (self.scores[label] > self.conf) if every_class else self.top == label
        return right, detected, by

    def _stages(
        self,
        label: int,
        overlap: np.ndarray,
        reach: np.ndarray,
        right: np.ndarray,
        detected: np.ndarray,
        by: np.ndarray,
    ) -> np.ndarray:
        """(A,) the index into ``STAGES`` of what stopped each cell."""
        allowed = self.trace.limits.classes
        mine = overlap >= self.best[label]  # no other object of the class fits the cell better
        fits = (overlap >= self.iou) & mine
        stage = np.where(reach < self.iou, 0, 1)
        stage[fits] = 2
        stage[fits & self.passed & ~right & ~self.finds] = 3
        last = fits & self.passed & right
        if allowed is not None and label not in allowed:
            stage[last] = 4
        else:
            stage[last] = np.where(detected[last], 7, np.where(by[last] >= 0, 5, 6))
        return stage

    def _reach(self, i: int) -> np.ndarray:
        """(A,) the best IoU with object i that each cell's box can express; 1 where a head has no ceiling."""
        if self.trace.reg_max <= 1:
            return np.ones(self.count)
        strides = np.asarray([level.stride for level in self.trace.levels])
        box = self.trace.letterbox.to_input(self.boxes[i])
        far = (self.trace.reg_max - 1) * strides[self.places.level]
        return reachable_overlap(box, self.trace.points(), far)

    def _candidate(self, *, label: int, anchor: int, stage: str, by: int, iou: float, reach: float) -> Candidate:
        place = self.places
        return Candidate(
            level=int(place.level[anchor]),
            row=int(place.row[anchor]),
            col=int(place.col[anchor]),
            anchor=anchor,
            stage=stage,
            iou=iou,
            score=float(self.scores[label, anchor]),
            top_class=int(self.top[anchor]),
            top_score=float(self.peak[anchor]),
            xyxy=self.decoded[anchor],
            by=by,
            reach=reach,
        )


def _words(result: Missed, best: Candidate) -> str:
    """One sentence about the candidate that came nearest."""
    trace, names = result.trace, result.trace.names
    where = f"{trace.levels[best.level].name} ({best.row}, {best.col})"
    top = f"{names[best.top_class]} {best.top_score:.2f}"
    found = trace.detections
    if best.stage == "ceiling":
        far = (trace.reg_max - 1) * trace.levels[best.level].stride
        return f"{where}: sides end {far:g} px from the cell, which allows an IoU of {best.reach:.2f} at most"
    if best.stage == "localisation":
        return f"{where}: the best box has IoU {best.iou:.2f}"
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
