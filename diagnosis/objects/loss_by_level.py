"""The training loss of a detector, split by the level whose cells pay it and by the size of the objects."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

import anatomy
from anatomy import Trace
from anatomy.head.level_colors import level_color
from anatomy.shown import Part, Shown, Table, Words

from .label_sources import is_label_source, labelled_images
from .labelled import Objects, check_labelled

if TYPE_CHECKING:
    from polars import DataFrame

SIZES = ("small", "medium", "large", "background")
SMALL, MEDIUM = 32**2, 96**2  # px² of the original: COCO's bounds, https://cocodataset.org/#detection-eval


@dataclass(frozen=True, repr=False)
class LossByLevel(Shown):
    """Loss of one image, or the mean over several, taken apart; sums over levels and sizes are the loss items.

    ``values`` (levels, 4, items): by level, by ``SIZES`` of the object that a cell answers for (its box, in px of the
    original; background cells pay class loss alone), by item of ``items`` ("box", "cls", "dfl", or "l1" for a head
    without bins; "seg"; "pose", "kobj", "rle"; "angle"), gains included. ``cells`` (levels, 4) counts the cells,
    ``objects`` (3,) the objects of each size; both are totals over ``images``. ``unplaced``: what an item holds that no
    cell pays, such as the loss of classes of pixels, "sem"; ``left_out``: items that could not be had, each with the
    reason; ``branch`` of the head whose training this is.
    """

    level_names: tuple[str, ...]
    items: tuple[str, ...]
    values: np.ndarray
    cells: np.ndarray
    objects: np.ndarray
    images: int
    unplaced: Mapping[str, float] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    branch: str = ""

    @property
    def totals(self) -> dict[str, float]:
        """The loss items, as training reports them for batches of one image."""
        return dict(zip(self.items, self.values.sum((0, 1)).tolist(), strict=True)) | dict(self.unplaced)

    def _title(self) -> str:
        told = ", ".join(f"{name} {value:.4g}" for name, value in self.totals.items())
        return f"{self.images} image(s): {told}"

    def _parts(self) -> Iterable[Part]:
        rows = (
            (name, *(f"{value:.4f}" for value in values), int(cells))
            for name, values, cells in zip(
                self.level_names, self.values.sum(1), self.cells[:, :-1].sum(1).tolist(), strict=True
            )
        )
        colors = [level_color(name) for name in self.level_names]
        yield Table(("level", *self.items, "positive cells"), rows, len(self.level_names), colors)
        told = [f"no level pays {item}: {value:.4f}" for item, value in self.unplaced.items()]
        told += [f"without {item}: {why}" for item, why in self.left_out.items()]
        if told:
            yield Words(told)

    def __str__(self) -> str:
        head = ", ".join(f"{name} {value:.4f}" for name, value in self.totals.items())
        lines = [f"loss over {self.images} image(s): {head}"]
        for name, values in zip(self.level_names, self.values.sum(1), strict=True):
            parts = ", ".join(f"{item} {value:.4f}" for item, value in zip(self.items, values, strict=True))
            lines.append(f"  {name}: {parts}")
        lines += [f"  no level pays {item}: {value:.4f}" for item, value in self.unplaced.items()]
        lines += [f"  without {item}: {why}" for item, why in self.left_out.items()]
        return "\n".join(lines)

    def to_df(self) -> "DataFrame":
        """One row a level and size, as a polars DataFrame."""
        import polars

        rows = [(level, size) for level in range(len(self.level_names)) for size in range(len(SIZES))]
        columns: dict[str, list] = {
            "level_name": [self.level_names[level] for level, _ in rows],
            "size": [SIZES[size] for _, size in rows],
            "cells": [int(self.cells[place]) for place in rows],
        }
        for index, item in enumerate(self.items):
            columns[item] = [float(self.values[place][index]) for place in rows]
        return polars.DataFrame(columns)


def loss_by_level(
    model: Any,
    image: Any,
    boxes: Any = None,
    labels: Any = None,
    *,
    branch: str | None = None,
    segments: Any = None,
    keypoints: Any = None,
    imgsz: int | Sequence[int] = 640,
    **predict_args: Any,
) -> LossByLevel:
    """Split the model's own training loss by level and object size.

    ``image`` as in ``anatomy.trace`` (or a ``Trace`` of this model) with ``boxes`` and ``labels``, or with what
    ``read_labels`` reads in place of both; or, alone, an iterable of (image, boxes, labels) or a ``LabelledSet``, whose
    losses are averaged, each image a batch of its own. Boxes, ``branch``, ``segments`` and ``keypoints`` as in
    ``assign``; the last two go with one image. In the frame that ``predict()`` makes, without augmentation. Items that
    need outlines or key points are left out where those are not known, and the result says so. Raises
    UnsupportedModelError where what is given does not determine the assignment.

    >>> diagnosis.loss_by_level(model, trace, labels).level_names
    ('P3', 'P4', 'P5')
    """
    more = {"segments": segments, "keypoints": keypoints}
    if (boxes is None) != (labels is None) and not is_label_source(boxes):
        raise ValueError("Give boxes and labels with an image, or neither with an iterable of (image, boxes, labels).")
    if boxes is None and (isinstance(image, str | np.ndarray | Trace) or not isinstance(image, Iterable)):
        raise ValueError("An image needs its boxes and labels. Or give an iterable of (image, boxes, labels).")
    if boxes is None and (segments is not None or keypoints is not None):
        raise ValueError(
            "segments and keypoints go with one image, its boxes and labels; for several give ImageLabels."
        )
    parts = []
    for picture, objects, names in labelled_images([(image, boxes, labels)] if boxes is not None else image):
        ready = isinstance(picture, Trace)
        trace = picture if ready else anatomy.trace(model, picture, imgsz=imgsz, **predict_args)
        parts.append(_split(trace, check_labelled(trace, objects, names, **more), branch))
    if not parts:
        raise ValueError("At least one labelled image is needed, but the iterable was empty.")
    return _mean(parts)


def _mean(parts: list[LossByLevel]) -> LossByLevel:
    """The mean over images; an item that one of them lacks is left out of all."""
    left_out = {item: why for part in parts for item, why in part.left_out.items()}
    items = tuple(item for item in parts[0].items if item not in left_out)
    values = [part.values[..., [part.items.index(item) for item in items]] for part in parts]
    unplaced = dict.fromkeys(item for part in parts for item in part.unplaced)
    return LossByLevel(
        level_names=parts[0].level_names,
        items=items,
        values=np.mean(values, 0),
        cells=np.sum([part.cells for part in parts], 0),
        objects=np.sum([part.objects for part in parts], 0),
        images=len(parts),
        unplaced={item: float(np.mean([part.unplaced.get(item, 0.0) for part in parts])) for item in unplaced},
        left_out=left_out,
        branch=parts[0].branch,
    )


def _split(trace: Trace, objects: Objects, branch: str | None) -> LossByLevel:
    targets = objects.targets(trace, branch)
    sizes = np.digitize(objects.areas, (SMALL, MEDIUM))
    owner = targets.object.cpu().numpy()
    group = np.append(sizes, len(SIZES) - 1)[owner]  # -1, the background, is the last
    level = trace.places().level
    shares = np.stack([share.double().cpu().numpy() for share in targets.losses.values()], 1)
    values = np.zeros((len(trace.levels), len(SIZES), shares.shape[1]))
    np.add.at(values, (level, group), shares)
    cells = np.zeros(values.shape[:2], np.int64)
    np.add.at(cells, (level, group), 1)
    names = tuple(entry.name for entry in trace.levels)
    return LossByLevel(
        level_names=names,
        items=tuple(targets.losses),
        values=values,
        cells=cells,
        objects=np.bincount(sizes, minlength=3)[:3],
        images=1,
        unplaced=dict(targets.unplaced),
        left_out=dict(targets.left_out),
        branch=targets.branch or trace.run.branch,
    )
