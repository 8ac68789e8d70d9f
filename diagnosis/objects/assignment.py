"""Which cells of which levels training would make answer for each object, by the model's own assigner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import anatomy
from anatomy import Trace

from .labels import check_objects

if TYPE_CHECKING:
    from polars import DataFrame

SPARED = {
    "": "",
    "no_cell": "no anchor point lies inside its box",
    "no_overlap": "no prediction inside its box overlaps it",
    "taken": "every cell it wanted went to another object",
}


@dataclass(frozen=True)
class Assignment:
    """The positives of one image: n objects and the m cells that training would make answer for them.

    ``boxes`` (n, 4) xyxy px of the original, ``labels`` (n,) class ids. One entry a positive cell, best aligned first:
    ``object`` (m,) index into ``boxes``, ``anchor``, ``level``, ``row``, ``col`` (m,), ``center`` (m, 2) its anchor
    point in px of the original; ``alignment`` (m,) the measure that ranked it, score^alpha · IoU^beta for a
    task-aligned assigner (TOOD, https://arxiv.org/abs/2108.07755); ``target`` (m,) what its class row is trained
    towards, in [0, 1]; ``overlap`` (m,) the assigner's IoU of its box with the object, ``score`` (m,) its probability
    of the class. ``counts`` (n, levels) positives, ``inside`` (n, levels) cells that might have been chosen, ``taken``
    (n,) cells lost to other objects. ``why`` (n,) a key of ``SPARED``: why an object has no positive, or "".
    ``settings`` are the assigner's, by name.
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

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def without(self) -> np.ndarray:
        """Indices of the objects that get no positive cell."""
        return np.flatnonzero(self.counts.sum(1) == 0)

    def names(self) -> tuple[str, ...]:
        """The class name of each object."""
        return tuple(self.trace.names[label] for label in self.labels.tolist())

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
    imgsz: int | Sequence[int] = 640,
    **predict_args: Any,
) -> Assignment:
    """Which cells training would make positive for each object of one image, by the model as it is now.

    ``image`` as in ``anatomy.trace``, or a ``Trace`` of this model, and then nothing is run; ``boxes`` (n, 4) xyxy px
    of the original, ``labels`` class ids or names; or what ``read_labels`` reads in place of both. One forward pass, in
    the frame that ``predict()`` makes (scaled and padded, no augmentation). Raises UnsupportedModelError for a
    head whose assigner boxes alone do not determine.
    """
    trace = image if isinstance(image, Trace) else anatomy.trace(model, image, imgsz=imgsz, **predict_args)
    return assign_trace(trace, boxes, labels)


def assign_trace(trace: Trace, boxes: Any, labels: Any = None) -> Assignment:
    """``assign`` for a pass that has been traced; nothing is run."""
    boxes, labels = check_objects(trace, boxes, labels)
    targets = trace.targets(boxes, labels)
    owner = targets.object.cpu().numpy()
    anchors = np.flatnonzero(owner >= 0)
    ranks = {name: getattr(targets, name).cpu().numpy() for name in ("alignment", "overlap", "inside", "picked")}
    at = owner[anchors], anchors
    order = np.argsort(-ranks["alignment"][at], kind="stable")
    at = at[0][order], at[1][order]
    places = trace.places(at[1])
    logits = trace.anchor_logits().float().cpu().numpy()
    counts = np.zeros((len(boxes), len(trace.levels)), np.int64)
    np.add.at(counts, (at[0], places.level), 1)
    inside = np.stack([ranks["inside"][:, here].sum(1) for here in trace.pyramid.slices], 1)
    wanted = ranks["picked"] & (ranks["alignment"] > 0)
    taken = (wanted & (owner[None] != np.arange(len(boxes))[:, None])).sum(1)
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
        score=1 / (1 + np.exp(-logits[labels[at[0]], at[1]])),
        counts=counts,
        inside=inside.astype(np.int64),
        taken=taken,
        why=tuple(map(_why, counts.sum(1), inside.sum(1), wanted.sum(1))),
        settings=dict(targets.settings),
    )


def _why(positives: int, inside: int, wanted: int) -> str:
    """Why an object has no positive cell: a key of ``SPARED``."""
    if positives:
        return ""
    return "taken" if wanted else "no_overlap" if inside else "no_cell"
