"""The labelled objects of one image as Ultralytics' data loader hands them to a criterion."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from ultralytics.data.converter import merge_multi_segment
from ultralytics.data.utils import polygons2masks, polygons2masks_overlap
from ultralytics.utils.ops import xyxyxyxy2xywhr

Polygons = Sequence[Sequence[np.ndarray]]  # of each object its polygons, (k, 2) xy px of the network input


@dataclass(frozen=True)
class Given:
    """n objects, px of the network input: ``boxes`` (n, 4) xyxy, or (n, 4, 2) corners of rotated ones; ``labels`` (n,).

    ``segments`` and ``keypoints`` (n, K, 2 or 3), None where they are not given.
    """

    boxes: Tensor
    labels: Tensor
    segments: Polygons | None = None
    keypoints: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class OneImage:
    """A batch of one image, and which object stands at each place of it, ``order`` (n,): masks sort them by area."""

    batch: dict[str, Tensor]
    order: Tensor


def batch_of(given: Given, shape: tuple[int, int], settings: Any) -> OneImage:
    """The objects in an input of (height, width) px, normalized; masks as ``settings`` of the training have them."""
    size = given.boxes.new_tensor((shape[1], shape[0]))
    batch = {
        "batch_idx": given.boxes.new_zeros(len(given)),
        "cls": given.labels.to(given.boxes),
        "bboxes": _normalized(given.boxes, size),
    }
    order = torch.arange(len(given), device=given.boxes.device)
    if given.keypoints is not None:
        points = given.keypoints.to(given.boxes)
        batch["keypoints"] = torch.cat((points[..., :2] / size, points[..., 2:]), -1)
    if given.segments is None:
        return OneImage(batch, order)
    masks = _masks(given.segments, shape, settings)
    order = masks["order"].to(order)
    batch = {name: value[order] for name, value in batch.items()}
    batch["masks"] = masks["masks"].to(order.device)
    drawn = masks["drawn"].to(order.device)  # counted from 1, 0 where there is none
    batch["sem_masks"] = torch.cat((batch["cls"].new_zeros(1), batch["cls"]))[drawn]
    return OneImage(batch, order)


def _normalized(boxes: Tensor, size: Tensor) -> Tensor:
    """Centres and sides as shares of the input's, and the angle of rotated boxes in radians."""
    if boxes.ndim == 3:
        rotated = torch.as_tensor(xyxyxyxy2xywhr(boxes)).reshape(-1, 5).to(boxes)
        return torch.cat((rotated[:, :2] / size, rotated[:, 2:4] / size, rotated[:, 4:]), 1)
    centre, side = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    return torch.cat((centre, side), 1) / size.repeat(2)


def _masks(segments: Polygons, shape: tuple[int, int], settings: Any) -> dict[str, Tensor]:
    """``masks`` (1, h, w) of all objects one over another, or (n, h, w) of each; ``order`` of the objects in them;
    ``drawn`` (1, h, w) which one is on top, counted from 1."""
    ratio = settings.mask_ratio
    outlines = [_outline(polygons) for polygons in segments]
    if not outlines:
        none = torch.zeros((1, shape[0] // ratio, shape[1] // ratio))
        return {"masks": none, "order": torch.zeros(0), "drawn": none.long()}
    drawn, order = polygons2masks_overlap(shape, outlines, ratio)
    drawn = torch.from_numpy(drawn.astype(np.int64))[None]
    if settings.overlap_mask:
        return {"masks": drawn.float(), "order": torch.from_numpy(order), "drawn": drawn}
    each = polygons2masks(shape, [outlines[i].reshape(-1) for i in order], color=1, downsample_ratio=ratio)
    return {"masks": torch.from_numpy(each).float(), "order": torch.from_numpy(order), "drawn": drawn}


def _outline(polygons: Sequence[np.ndarray]) -> np.ndarray:
    """One polygon (k, 2) of an object; several are joined as Ultralytics' converter of COCO joins them."""
    if len(polygons) == 1:
        return np.asarray(polygons[0])
    joined: Any = [np.asarray(polygon) for polygon in polygons]
    return np.concatenate(merge_multi_segment(joined))
