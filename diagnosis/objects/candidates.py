"""The cell of each level that came nearest to finding an object, and what stopped it."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from anatomy import Trace
from anatomy.shown import Record
from anatomy.tracing.overlap import pair_overlaps

from .reach import Reach

TOGETHER = 16  # objects whose overlaps with all cells are computed at once
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


@dataclass(frozen=True, repr=False)
class Candidate(Record):
    """The cell of one level that came nearest to finding an object.

    ``stage`` (a key of ``STAGES``) stopped it; ``iou`` of its box with the object, ``score`` its probability of the
    object's class, ``top_class`` and ``top_score`` of its most likely class; ``xyxy`` (4,) px of the original, clipped;
    ``by`` the detection that suppressed it, or -1; ``reach`` the best IoU that this cell's box could express;
    ``beyond`` (4,) how many px of the input left, top, right and bottom of the object lie beyond its reach, 0 within.
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
    beyond: np.ndarray

    @property
    def cut(self) -> bool:
        """Whether a side of the object lies beyond the ceiling of this level."""
        return bool((self.beyond > 0).any())


class Field:
    """Every cell of one pass against every object: overlap, scores, and how far each cell came."""

    def __init__(
        self,
        trace: Trace,
        boxes: np.ndarray,
        labels: np.ndarray,
        *,
        iou: float,
        conf: float,
        reach: Reach,
        wanted: Iterable[int],
    ):
        self.trace, self.boxes, self.labels, self.iou = trace, boxes, labels, iou
        self.count, self.places = trace.pyramid.count, trace.places()
        height, width = trace.image.shape[:2]
        self.corner = (width, height, width, height)
        self._decoded: dict[int, np.ndarray] = {}
        self.scores = trace.scores().cpu().numpy()
        self.top = self.scores.argmax(0)
        self.peak = self.scores.max(0)
        self.conf, self.passed = conf, self._passed(conf)
        self.reach = reach
        self._fate: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
        self._gather(set(wanted))

    def _gather(self, wanted: set[int]) -> None:
        """By class the best overlap of each cell with an object of it, (A,), and the cells that find one of theirs.

        ``overlap`` keeps that of the ``wanted`` objects.
        """
        self.best = {label: np.zeros(self.count) for label in {*self.labels.tolist()}}
        self.finds = np.zeros(self.count, bool)  # an object of the cell's likeliest class
        self.overlap: dict[int, np.ndarray] = {}
        for start in range(0, len(self.boxes), TOGETHER):
            for i, overlap in enumerate(self._overlaps(slice(start, start + TOGETHER)), start):
                label = int(self.labels[i])
                np.maximum(self.best[label], overlap, out=self.best[label])
                self.finds |= (overlap >= self.iou) & (self.top == label)
                if i in wanted:
                    self.overlap[i] = overlap

    def _overlaps(self, objects: slice) -> Iterable[np.ndarray]:
        """(A,) of each of these objects, with every cell's box."""
        boxes, labels = self.boxes[objects], self.labels[objects].tolist()
        if self.trace.run.refined is None:
            return pair_overlaps(boxes, self.decoded(0))
        return [pair_overlaps(boxes[i : i + 1], self.decoded(label))[0] for i, label in enumerate(labels)]

    def decoded(self, label: int) -> np.ndarray:
        """(A, 4) the boxes of all cells, px of the original, clipped; as this class where a second stage moves them."""
        label = label if self.trace.run.refined is not None else 0
        if label not in self._decoded:
            boxes = self.trace.decode(np.arange(self.count), np.full(self.count, label))
            boxes = np.nan_to_num(self.trace.letterbox.to_original(boxes))
            self._decoded[label] = boxes.clip(0, self.corner)
        return self._decoded[label]

    def _passed(self, conf: float) -> np.ndarray:
        """Cells whose best class is confident enough; a detection is, whatever rounding says."""
        passed = self.peak > conf
        passed[self.trace.detections.anchor] = True
        return passed

    def candidates(self, i: int) -> tuple[Candidate, ...]:
        """The candidate of each level that came nearest to finding object i."""
        label = int(self.labels[i])
        if label not in self._fate:
            self._fate[label] = self._fates(label)
        right, detected, by = self._fate[label]
        overlap, box = self.overlap[i], self.boxes[i]
        stage = self._stages(label, overlap, right, detected, by)
        near = 0.01 * overlap + overlap * self.scores[label]
        worth = stage + np.where(stage < 2, overlap, near) / 2
        picks = [here.start + int(worth[here].argmax()) for here in self.trace.pyramid.slices]
        reach = self.reach.overlap(box, picks)
        for at, here in enumerate(self.trace.pyramid.slices):
            if stage[picks[at]] == 1 and reach[at] < self.iou:  # does another cell reach far enough?
                short = (stage[here] == 1) & (self.reach.overlap(box, here) < self.iou)
                stage[here][short], worth[here][short] = 0, worth[here][short] - 1
                picks[at] = here.start + int(worth[here].argmax())
        reach = self.reach.overlap(box, picks)
        beyond = self.reach.beyond(np.repeat(self.boxes[i : i + 1], len(picks), 0), picks)
        return tuple(
            self._candidate(
                label=label,
                anchor=anchor,
                stage=list(STAGES)[stage[anchor]],
                by=int(by[anchor]),
                iou=float(overlap[anchor]),
                reach=float(most),
                beyond=far,
            )
            for anchor, most, far in zip(picks, reach, beyond, strict=True)
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
        right: np.ndarray,
        detected: np.ndarray,
        by: np.ndarray,
    ) -> np.ndarray:
        """(A,) the index into ``STAGES`` of what stopped each cell; "localisation" also where the ceiling does."""
        allowed = self.trace.limits.classes
        mine = overlap >= self.best[label]  # no other object of the class fits the cell better
        fits = (overlap >= self.iou) & mine
        stage = np.ones(self.count, np.int64)
        stage[fits] = 2
        stage[fits & self.passed & ~right & ~self.finds] = 3
        last = fits & self.passed & right
        if allowed is not None and label not in allowed:
            stage[last] = 4
        else:
            stage[last] = np.where(detected[last], 7, np.where(by[last] >= 0, 5, 6))
        return stage

    def _candidate(
        self, *, label: int, anchor: int, stage: str, by: int, iou: float, reach: float, beyond: np.ndarray
    ) -> Candidate:
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
            xyxy=self.decoded(label)[anchor],
            by=by,
            reach=reach,
            beyond=beyond,
        )
