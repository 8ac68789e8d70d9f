"""Which anchors a Faster R-CNN's region proposal network kept, and from which level each proposal was pooled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.ops import batched_nms, clip_boxes_to_image, remove_small_boxes

from ...head.evaluating import evaluation_mode
from ...head.levels import SILENT_LOGIT
from .declared import Detector, Pooling, Proposing, TwoStages
from .passes import Calls, listen


@dataclass(frozen=True)
class Proposed:
    """What one pass of a Faster R-CNN left behind: ``frame`` (1, 3, H, W) the network input, ``resized`` (h, w) of the
    image within it.

    A level each: ``inputs`` the maps (1, c, h, w), ``objectness`` (h, w) in [0, 1], the largest of a cell's anchors. Of
    all A anchors: ``deltas`` (A, 4) the box outputs, ``boxes`` (A, 4) the proposals that they make, unclipped. Of the k
    kept, in their order: ``anchor`` (k,), ``proposals`` (k, 4) clipped, ``pooled`` (k,) the level that each was pooled
    from, ``features`` (k, c) what the class rows read, ``logits`` (k, nc), ``regression`` (k, 4 * nc).
    """

    frame: Tensor
    resized: tuple[int, int]
    inputs: tuple[Tensor, ...]
    objectness: tuple[Tensor, ...]
    deltas: Tensor
    boxes: Tensor
    anchor: Tensor
    proposals: Tensor
    pooled: Tensor
    features: Tensor
    logits: Tensor
    regression: Tensor


def overhear_proposals(net: TwoStages, image: np.ndarray, imgsz: int | None) -> Proposed:
    """Call the model, in evaluation mode, on one (H, W, 3) uint8 BGR image, its longer side ``imgsz`` px if given."""
    roi = net.roi_heads
    modules: dict[str, Sequence[nn.Module]] = {
        "transform": [net.transform],
        "anchors": [net.rpn.anchor_generator],
        "rpn head": [net.rpn.head],
        "rpn": [net.rpn],
        "pool": [roi.box_roi_pool],
        "classes": [roi.box_predictor.cls_score],
        "boxes": [roi.box_predictor.bbox_pred],
    }
    heard = listen(cast(Detector, net), image, imgsz, modules)
    [(_, (frames, _))] = heard["transform"]
    [((maps, proposals, *_), _)] = heard["pool"]
    [((features,), logits)] = heard["classes"]
    [(_, regression)] = heard["boxes"]
    [(_, (objectness, _))] = heard["rpn head"]
    resized = tuple(frames.image_sizes[0])
    deltas, boxes, anchor = _chosen(net, heard, resized)
    return Proposed(
        frame=frames.tensors,
        resized=resized,
        inputs=tuple(maps.values()),
        objectness=tuple(level[0].sigmoid().amax(0) for level in objectness),
        deltas=deltas,
        boxes=boxes,
        anchor=anchor,
        proposals=proposals[0],
        pooled=_pooled(roi.box_roi_pool, maps, proposals),
        features=features,
        logits=logits,
        regression=regression,
    )


def _chosen(net: TwoStages, heard: dict[str, Calls], size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """The box outputs (A, 4), the proposals that they make (A, 4), and the anchors (k,) whose proposals were kept."""
    [(_, (objectness, deltas))] = heard["rpn head"]
    [(_, anchors)] = heard["anchors"]
    [(_, ([proposals], _))] = heard["rpn"]
    counts = [level[0].numel() for level in objectness]
    scores, deltas = concat_box_prediction_layers(list(objectness), list(deltas))
    boxes = net.rpn.box_coder.decode(deltas, anchors).view(-1, 4)
    with evaluation_mode(net):
        anchor = kept(net.rpn, scores.flatten(), boxes, counts, size)
    if not torch.equal(clip_boxes_to_image(boxes[anchor], size), proposals):
        raise RuntimeError(
            "The proposals of this pass could not be followed back to their anchors: chosen again from the same "
            "outputs, they are others. Trace on the CPU, where equal outputs choose equally."
        )
    return deltas, boxes, anchor


def kept(rpn: Proposing, scores: Tensor, boxes: Tensor, counts: Sequence[int], size: tuple[int, int]) -> Tensor:
    """The anchors (k,), best first, whose proposals a region proposal network keeps, as its ``filter_proposals`` does.

    ``scores`` (A,) objectness logits, ``boxes`` (A, 4) px; ``counts`` anchors a level; ``size`` (h, w) px of the image.
    """
    first, best, level = 0, [], []
    for index, part in enumerate(scores[None].split(list(counts), 1)):
        _, order = part.topk(min(rpn.pre_nms_top_n(), part.shape[1]), dim=1)
        best.append(order[0] + first)
        level.append(torch.full_like(order[0], index))
        first += part.shape[1]
    anchor, group = torch.cat(best), torch.cat(level)
    clipped, chance = clip_boxes_to_image(boxes[anchor], size), scores[anchor].sigmoid()
    large = remove_small_boxes(clipped, rpn.min_size)
    keep = large[chance[large] >= rpn.score_thresh]
    survivors = batched_nms(clipped[keep], chance[keep], group[keep], rpn.nms_thresh)
    return anchor[keep[survivors[: rpn.post_nms_top_n()]]]


def _pooled(pool: Pooling, maps: dict[str, Tensor], proposals: list[Tensor]) -> Tensor:
    """(k,) the level from whose map each proposal was pooled, as the pooling itself chooses it."""
    used = [index for index, name in enumerate(maps) if name in pool.featmap_names]
    place = torch.zeros(len(proposals[0]), dtype=torch.int64, device=proposals[0].device)
    if len(used) > 1 and pool.map_levels is not None:
        place = pool.map_levels(proposals)
    return torch.tensor(used, device=place.device)[place]


def laid_out(logits: Tensor, anchor: Tensor, counts: Sequence[int], shapes: Sequence[Any]) -> tuple[Tensor, ...]:
    """Class logits (k, nc) of these anchors on the grids of all, (anchors of a cell * nc, h, w) a level.

    Elsewhere all but the background, class 0, are silent. ``counts`` anchors a level, ``shapes`` (h, w).
    """
    every = logits.new_full((sum(counts), logits.shape[1]), SILENT_LOGIT)
    every[:, 0] = 0
    every[anchor] = logits
    levels = zip(every.split(list(counts)), shapes, strict=True)
    return tuple(part.reshape(*shape, -1).permute(2, 0, 1) for part, shape in levels)


def gathered(levels: Sequence[Tensor], anchor: Tensor, nc: int) -> Tensor:
    """The class logits (k, nc) of these anchors, from the grids of all."""
    rows = [level.permute(1, 2, 0).reshape(-1, nc) for level in levels]
    starts = np.cumsum([0, *map(len, rows)])
    found = rows[0].new_empty(len(anchor), nc)
    for start, part in zip(starts.tolist(), rows, strict=False):
        here = (anchor >= start) & (anchor < start + len(part))
        found[here] = part[anchor[here] - start]
    return found


def linear(features: Tensor, layer: nn.Linear) -> Tensor:
    """The class logits (k, nc) of pooled features (k, c), with the rows as they are now."""
    bias = None if layer.bias is None else layer.bias.to(features)
    return F.linear(features, layer.weight.to(features), bias)
