"""The training loss of a detector, split by the level whose cells pay it and by the size of the objects."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import anatomy
from anatomy import Trace

from .label_sources import is_label_source, labelled_images
from .labels import check_objects

if TYPE_CHECKING:
    from polars import DataFrame

SIZES = ("small", "medium", "large", "background")
SMALL, MEDIUM = 32**2, 96**2  # px² of the original: COCO's bounds, https://cocodataset.org/#detection-eval


@dataclass(frozen=True)
class LossByLevel:
    """Loss of one image, or the mean over several, taken apart; sums over levels and sizes are the loss items.

    ``values`` (levels, 4, items): by level, by ``SIZES`` of the object that a cell answers for (its box, in px of the
    original; background cells pay class loss alone), by item of ``items`` ("box", "cls", "dfl", or "l1" for a head
    without bins), gains included. ``cells`` (levels, 4) counts the cells, ``objects`` (3,) the objects of each size;
    both are totals over ``images``.
    """

    level_names: tuple[str, ...]
    items: tuple[str, ...]
    values: np.ndarray
    cells: np.ndarray
    objects: np.ndarray
    images: int

    @property
    def totals(self) -> dict[str, float]:
        """The loss items, as training reports them for batches of one image."""
        return dict(zip(self.items, self.values.sum((0, 1)).tolist(), strict=True))

    def __str__(self) -> str:
        head = ", ".join(f"{name} {value:.4f}" for name, value in self.totals.items())
        lines = [f"loss over {self.images} image(s): {head}"]
        for name, values in zip(self.level_names, self.values.sum(1), strict=True):
            parts = ", ".join(f"{item} {value:.4f}" for item, value in zip(self.items, values, strict=True))
            lines.append(f"  {name}: {parts}")
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
    imgsz: int | Sequence[int] = 640,
    **predict_args: Any,
) -> LossByLevel:
    """Split the model's own training loss by level and object size.

    ``image`` as in ``anatomy.trace`` (or a ``Trace`` of this model) with ``boxes`` (n, 4) xyxy px of the original and
    ``labels``, or with what ``read_labels`` reads in place of both; or, alone, an iterable of (image, boxes, labels) or
    a ``LabelledSet``, whose losses are averaged, each image a batch of its own. In the frame that ``predict()`` makes,
    without augmentation. Of segment and pose heads: box, class and DFL loss alone. Raises UnsupportedModelError
    for heads whose assigner boxes alone do not determine.
    """
    if (boxes is None) != (labels is None) and not is_label_source(boxes):
        raise ValueError("Give boxes and labels with an image, or neither with an iterable of (image, boxes, labels).")
    if boxes is None and (isinstance(image, str | np.ndarray | Trace) or not isinstance(image, Iterable)):
        raise ValueError("An image needs its boxes and labels. Or give an iterable of (image, boxes, labels).")
    parts = []
    for picture, objects, names in labelled_images([(image, boxes, labels)] if boxes is not None else image):
        ready = isinstance(picture, Trace)
        trace = picture if ready else anatomy.trace(model, picture, imgsz=imgsz, **predict_args)
        parts.append(_split(trace, objects, names))
    if not parts:
        raise ValueError("At least one labelled image is needed, but the iterable was empty.")
    return LossByLevel(
        level_names=parts[0].level_names,
        items=parts[0].items,
        values=np.mean([part.values for part in parts], 0),
        cells=np.sum([part.cells for part in parts], 0),
        objects=np.sum([part.objects for part in parts], 0),
        images=len(parts),
    )


def _split(trace: Trace, boxes: Any, labels: Any) -> LossByLevel:
    boxes, labels = check_objects(trace, boxes, labels)
    targets = trace.targets(boxes, labels)
    sizes = np.digitize((boxes[:, 2:] - boxes[:, :2]).prod(1), (SMALL, MEDIUM))
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
    )
