"""Which cells of which levels training would make answer for each object, by the model's own assigner."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import anatomy
from anatomy import Targets, Trace
from anatomy.head.level_colors import level_color
from anatomy.shown import Bar, Part, Shown, Table
from anatomy.tracing.doors import check_trace

from .labelled import check_labelled

if TYPE_CHECKING:
    from polars import DataFrame

SPARED = {
    "": "",
    "no_cell": "no anchor point lies inside its box",
    "no_overlap": "no prediction inside its box overlaps it",
    "taken": "every cell it wanted went to another object",
    "too_small": "training leaves it out: a side is less than 2 px of the network's input",
}


@dataclass(frozen=True, repr=False)
class Assignment(Shown):
    """The positives of one image: n objects and the m cells that training would make answer for them.

    ``boxes`` (n, 4) xyxy px of the original, ``labels`` (n,) class ids; of rotated boxes the upright hulls, and
    ``corners`` (n, 4, 2) xy px. ``branch`` of the head whose training this is.

    One entry a positive cell, best aligned first: ``object`` (m,) index into ``boxes``, ``anchor``, ``level``, ``row``,
    ``col`` (m,), ``center`` (m, 2) its anchor point in px of the original; ``alignment`` (m,) the measure that ranked
    it, score^alpha · overlap^beta for a task-aligned assigner (TOOD, https://arxiv.org/abs/2108.07755); ``target`` (m,)
    what its class row is trained towards, in [0, 1]; ``overlap`` (m,) of its box with the object as the assigner
    measures it: IoU, of rotated boxes ProbIoU; in YOLO26 of key points their similarity (OKS), with masks the mean of
    the IoU of boxes and masks; ``score`` (m,) its probability of the class.

    ``counts`` (n, levels) positives, ``inside`` (n, levels) cells that might have been chosen, ``taken`` (n,) cells
    lost to other objects. ``why`` (n,) a key of ``SPARED``: why an object has no positive, or "". ``settings`` are the
    assigner's, by name.
    """

    trace: Trace
    boxes: np.ndarray
    labels: np.ndarray
    object: np.ndarray
    anchor: np.ndarray
    level: np.ndarray
    row: np.ndarray
    col: np.ndarray
    center: np.ndarray
    alignment: np.ndarray
    target: np.ndarray
    overlap: np.ndarray
    score: np.ndarray
    counts: np.ndarray
    inside: np.ndarray
    taken: np.ndarray
    why: tuple[str, ...]
    settings: Mapping[str, float]
    branch: str = ""
    corners: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def without(self) -> np.ndarray:
        """Indices of the objects that get no positive cell."""
        return np.flatnonzero(self.counts.sum(1) == 0)

    def names(self) -> tuple[str, ...]:
        """The class name of each object."""
        return tuple(self.trace.names[label] for label in self.labels.tolist())

    def _title(self) -> str:
        lost = f", {len(self.without)} objects without any" if len(self.without) else ""
        return f"{len(self)} objects, {len(self.anchor)} positive cells{lost}"

    def _parts(self) -> Iterable[Part]:
        levels = [level.name for level in self.trace.levels]
        totals = self.counts.sum(0).tolist()
        yield Bar([(name, count, level_color(name)) for name, count in zip(levels, totals, strict=True)])
        rows = ((i, name, *self.counts[i].tolist(), SPARED[self.why[i]] or "–") for i, name in enumerate(self.names()))
        if len(self):
            yield Table(("object", "class", *levels, "why none"), rows, len(self))

    def __str__(self) -> str:
        names = [level.name for level in self.trace.levels]
        levels = ", ".join(f"{count} on {name}" for name, count in zip(names, self.counts.sum(0), strict=True))
        lines = [f"{len(self)} objects, {len(self.anchor)} positive cells: {levels}"]
        lines += [f"  object {i} ({self.names()[i]}) gets none: {SPARED[self.why[i]]}" for i in self.without]
        return "\n".join(lines)

    def to_df(self) -> "DataFrame":
        """One row a positive cell, as a polars DataFrame; points in px of the original."""
        import polars

        names = self.names()
        levels = [level.name for level in self.trace.levels]
        return polars.DataFrame(
            {
                "object": self.object,
                "class_name": polars.Series([names[i] for i in self.object.tolist()], dtype=polars.String),
                "level": self.level,
                "level_name": polars.Series([levels[i] for i in self.level.tolist()], dtype=polars.String),
                "row": self.row,
                "col": self.col,
                "anchor": self.anchor,
                "center_x": self.center[:, 0],
                "center_y": self.center[:, 1],
                "alignment": self.alignment,
                "target": self.target,
                "overlap": self.overlap,
                "score": self.score,
            }
        )


def assign(
    model: Any,
    image: Any,
    boxes: Any,
    labels: Any = None,
    *,
    branch: str | None = None,
    segments: Any = None,
    keypoints: Any = None,
    imgsz: int | Sequence[int] = 640,
    **predict_args: Any,
) -> Assignment:
    """Which cells training would make positive for each object of one image, by the model as it is now.

    ``image`` as in ``anatomy.trace``, or a ``Trace`` of this model, and then no backbone is run; ``boxes`` (n, 4) xyxy
    px of the original, for a head of rotated boxes (n, 5) xywh and radians or (n, 4, 2) corners; ``labels`` class ids
    or names; or what ``read_labels`` reads in place of both. ``branch`` "one2many" or "one2one", by default the one
    that ``predict()`` runs. ``segments`` (of each object its polygons, (k, 2) px) and ``keypoints`` (n, K, 2 or 3): by
    these YOLO26 ranks cells in Segment and Pose. One forward pass, in the frame that ``predict()`` makes (scaled and
    padded, no augmentation). Raises UnsupportedModelError where what is given does not determine the assignment,
    SelectionError for a branch that is not there.

    >>> len(diagnosis.assign(model, trace, [[10, 10, 90, 100]], [0]))
    1
    """
    trace = image if isinstance(image, Trace) else anatomy.trace(model, image, imgsz=imgsz, **predict_args)
    return assign_trace(trace, boxes, labels, branch=branch, segments=segments, keypoints=keypoints)


def assign_trace(
    trace: Trace,
    boxes: Any,
    labels: Any = None,
    *,
    branch: str | None = None,
    segments: Any = None,
    keypoints: Any = None,
) -> Assignment:
    """``assign`` for a pass that has been traced; at most its head is run.

    >>> len(diagnosis.assign_trace(trace, labels))
    2
    """
    check_trace(trace, "diagnosis.assign_trace", ", boxes, labels")
    objects = check_labelled(trace, boxes, labels, segments=segments, keypoints=keypoints)
    boxes, labels = objects.boxes, objects.labels
    targets = objects.targets(trace, branch)
    owner = targets.object.cpu().numpy()
    anchors = np.flatnonzero(owner >= 0)
    ranks = {name: getattr(targets, name).cpu().numpy() for name in ("alignment", "overlap", "inside", "picked")}
    at = owner[anchors], anchors
    order = np.argsort(-ranks["alignment"][at], kind="stable")
    at = at[0][order], at[1][order]
    places = trace.places(at[1])
    counts = np.zeros((len(boxes), len(trace.levels)), np.int64)
    np.add.at(counts, (at[0], places.level), 1)
    inside = np.stack([ranks["inside"][:, here].sum(1) for here in trace.pyramid.slices], 1)
    wanted = ranks["picked"] & (ranks["alignment"] > 0)
    taken = (wanted & (owner[None] != np.arange(len(boxes))[:, None])).sum(1)
    spared = np.zeros(len(boxes), bool) if targets.spared is None else targets.spared.cpu().numpy()
    return Assignment(
        trace=trace,
        boxes=boxes,
        labels=labels,
        object=at[0],
        anchor=at[1],
        level=places.level,
        row=places.row,
        col=places.col,
        center=trace.letterbox.to_original(trace.points(at[1])),
        alignment=ranks["alignment"][at],
        target=targets.score.cpu().numpy()[at[1]],
        overlap=ranks["overlap"][at],
        score=_scores(trace, targets)[labels[at[0]], at[1]],
        counts=counts,
        inside=inside.astype(np.int64),
        taken=taken,
        why=tuple(map(_why, counts.sum(1), inside.sum(1), wanted.sum(1), spared)),
        settings=dict(targets.settings),
        branch=targets.branch or trace.run.branch,
        corners=objects.corners,
    )


def _scores(trace: Trace, targets: Targets) -> np.ndarray:
    """The probability of each class in each cell, (nc, A), in the branch that was asked for."""
    logits = trace.anchor_logits() if targets.logits is None else targets.logits
    return 1 / (1 + np.exp(-logits.float().cpu().numpy()))


def _why(positives: int, inside: int, wanted: int, spared: bool) -> str:
    """Why an object has no positive cell: a key of ``SPARED``."""
    if positives:
        return ""
    if spared:
        return "too_small"
    return "taken" if wanted else "no_overlap" if inside else "no_cell"
