"""Labelled images as features: which cells show the objects, which show none, and what class rows read there."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from anatomy import Head, Trace, trace
from anatomy.arguments import shown
from anatomy.head.evaluating import evaluation_mode
from anatomy.tracing.overlap import pair_overlaps

from ..places import Place, places

FITS, FITS_NONE = 0.5, 0.3  # IoU of a cell's own box with a labelled one: of positives at least, of background below
MOST = 10  # positive cells a box, the best; one at least, however it fits


@dataclass(frozen=True)
class Cells:
    """Of one image: ``boxes`` labelled; by (branch, level) ``features`` (cells, c) float32; by level ``owner`` (cells,)
    int64, the box whose positive a cell is, -1 for none, and ``background`` (cells,) bool. ``branch``: that ran.
    """

    boxes: int
    branch: str
    features: Mapping[Place, Tensor]
    owner: tuple[Tensor, ...]
    background: tuple[Tensor, ...]


def cells_of(
    model: object, examples: Iterable[tuple[Any, Any]], *, imgsz: int, progress: bool, **predict_args: Any
) -> Iterator[Cells]:
    """The cells of each example in turn; ValueError and TypeError for what is none."""
    from tqdm.auto import tqdm

    if not isinstance(examples, Iterable) or isinstance(examples, str | Mapping):
        raise TypeError(f"Examples are pairs (image, boxes), one an image, but {shown(examples)} was given.")
    pairs = [_pair(entry) for entry in examples]
    for image, boxes in tqdm(pairs, desc="prototype", unit="image", disable=not progress, delay=3):
        traced = trace(model, image, imgsz=imgsz, **predict_args)
        yield _cells(traced, boxes)


def _pair(entry: Any) -> tuple[Any, np.ndarray]:
    if not isinstance(entry, tuple | list) or len(entry) != 2:
        raise TypeError(f"An example is a pair (image, boxes), but {shown(entry)} was given.")
    try:
        boxes = np.asarray(entry[1], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"Boxes must be (n, 4) numbers, xyxy px, but {shown(entry[1])} was given.") from error
    boxes = boxes.reshape(-1, 4) if not boxes.size else boxes
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
        raise ValueError(f"Boxes must be (n, 4) finite xyxy px of the image, but they have the shape {boxes.shape}.")
    if (boxes[:, 2:] <= boxes[:, :2]).any():
        raise ValueError("Boxes are xyxy: the right side must be right of the left, the lower below the upper.")
    return entry[0], boxes


def _cells(traced: Trace, boxes: np.ndarray) -> Cells:
    height, width = traced.image.shape[:2]
    outside = (boxes[:, :2] >= (width, height)).any(1) | (boxes[:, 2:] <= 0).any(1)
    if outside.any():
        raise ValueError(
            f"Boxes are xyxy px of their image, which is {width} × {height} px, but {boxes[outside][0].tolist()} lies "
            "outside of it."
        )
    wanted = traced.letterbox.to_input(boxes).reshape(-1, 4)
    own = traced.decode(np.arange(traced.pyramid.count))
    overlap = pair_overlaps(own, wanted)
    owner = _owners(overlap, traced.points(), wanted)
    background = overlap.max(1, initial=0) < FITS_NONE
    counts = [height * width for height, width in traced.shapes]
    return Cells(
        boxes=len(boxes),
        branch=traced.branch,
        features=_features(traced),
        owner=torch.from_numpy(owner).split(counts),
        background=torch.from_numpy(background & (owner < 0)).split(counts),
    )


def _owners(overlap: np.ndarray, points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The box whose positive a cell is, (cells,), -1 for none: cells within it, whose own boxes fit it best.

    A box that no cell within it fits, or that has none within it, has the one whose point is nearest to its centre.
    """
    owner = np.full(len(overlap), -1, np.int64)
    inside = ((points[:, None] >= boxes[None, :, :2]) & (points[:, None] <= boxes[None, :, 2:])).all(2)
    fit = np.where(inside, overlap, 0.0)
    away = np.linalg.norm(points[:, None] - (boxes[None, :, :2] + boxes[None, :, 2:]) / 2, axis=2)
    for box in range(len(boxes)):
        order = np.lexsort((away[:, box], -fit[:, box]))[:MOST]  # by fit; of those that fit alike the nearest
        chosen = order[fit[order, box] >= FITS]
        owner[chosen if len(chosen) else order[:1]] = box
    return owner


def _features(traced: Trace) -> dict[Place, Tensor]:
    """What the class convolutions read at every cell, (cells, c); of the branch that did not run, by its own tower."""
    head = traced.head
    found = {}
    for branch, level in places(head):
        if branch == traced.branch:
            feature = traced.features[level]
        else:
            feature = _through_tower(head, level, branch, traced.inputs[level])
        found[branch, level] = feature.detach().flatten(1).T.float().cpu().clone()
    return found


def _through_tower(head: Head, level: int, branch: str, given: Tensor) -> Tensor:
    tower = nn.Sequential(*list(head.class_stack(level, branch).children())[:-1])
    with torch.inference_mode(False), torch.no_grad(), head.undisturbed(), evaluation_mode(head.net):
        return tower(given[None].clone())[0]
