"""torchvision's Faster R-CNN with a feature pyramid (https://arxiv.org/abs/1506.01497, https://arxiv.org/abs/1612.03144).

A cell proposes, and a second stage decides: the proposal of one of its anchors is pooled from a level that its size
chooses, then classified and moved, by a box of its own for each class. ``level``, ``row``, ``col`` and ``anchor`` are
those of the proposing cell, ``pooled_level`` stands beside them. One set of class rows serves every anchor of every
level, so class edits take ``level="all"``; a replay runs these rows alone. Class 0 is the background.
"""

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import AnchorGenerator, RegionProposalNetwork
from torchvision.ops import MultiScaleRoIAlign, clip_boxes_to_image, remove_small_boxes

from ...errors import UnsupportedModelError
from ...head.forward import Candidates, Outputs, Pass, Refined
from ...head.turns import turns
from .declared import Regions, Selecting, TwoStages
from .head import Asked, Made, TorchvisionHead, check_selection, class_names
from .measured import BRANCH, levels, maps, measured
from .proposals import Proposed, gathered, laid_out, linear, overhear_proposals
from .selection import stood

CLASS_ROWS = "roi_heads.box_predictor.cls_score"
PROBE = 256  # px: side of the image on which the strides are measured once
LEAST = 1e-2  # px: sides of detections that torchvision drops as empty


class TwoStageHead(TorchvisionHead):
    """The head of a Faster R-CNN; its objectness is that of the region proposal network."""

    reads = (FasterRCNN,)
    net: TwoStages
    grid_offset = 0.0
    background = 0
    second_stage = True

    def __init__(self, net: nn.Module):
        _check(net)
        self.net = net = cast(TwoStages, net)
        self.anchors_per_cell = cast(AnchorGenerator, net.rpn.anchor_generator).num_anchors_per_location()[0]
        self.names = class_names(net, net.roi_heads.box_predictor.cls_score.out_features)
        shapes = measured(net, (PROBE, PROBE))
        strides = [float(PROBE // cols) for _, _, cols in shapes]
        self.levels = levels(strides, [channels for channels, _, _ in shapes], [CLASS_ROWS] * len(shapes))

    @property
    def selecting(self) -> Selecting:
        """The second stage."""
        return self.net.roi_heads

    def class_conv(self, level: int, branch: str) -> nn.Linear:
        """The one linear layer whose rows classify every proposal."""
        return self.net.roi_heads.box_predictor.cls_score

    def run(self, path: str, image: np.ndarray, asked: Asked) -> Pass:
        """The model's own forward pass of one (H, W, 3) uint8 BGR image; its end is not done yet."""
        with turns(self.net).passes.held():
            heard = overhear_proposals(self.net, image, asked.imgsz)
            rows = self._rows()
        boxes = self.net.roi_heads.box_coder.decode(heard.regression, [heard.proposals])
        return Pass(
            path=path,
            original=image,
            input_shape=(heard.frame.shape[2], heard.frame.shape[3]),
            branch=BRANCH,
            features=heard.inputs,
            rows=(rows,) * len(heard.inputs),
            logits=self._laid_out(heard, heard.logits),
            box_logits=heard.deltas.T,
            boxes=heard.boxes.T,
            anchors=torch.empty(0, dtype=torch.int64),
            result=None,
            private=self.made(heard, asked),
            frame=heard.frame,
            inputs=heard.inputs,
            refined=Refined(anchor=heard.anchor, boxes=boxes, pooled=heard.pooled),
        )

    @torch.inference_mode()
    def classified(self, run: Pass) -> Pass:
        """The proposals of this pass classified by the rows as they are now; RuntimeError where there are others."""
        heard, rows = cast(Made, run.private).heard, self._rows()
        if len(rows[0]) != len(run.rows[0][0]):
            raise RuntimeError(
                f"This trace has {len(run.rows[0][0])} class rows, the model now {len(rows[0])}. Trace the image again."
            )
        logits = self._laid_out(heard, linear(heard.features, self.class_conv(0, BRANCH)))
        return run.evolve(logits=logits, rows=(rows,) * len(logits))

    @torch.inference_mode()
    def candidates(self, run: Pass) -> Candidates:
        """Every pair of proposal and class, but the background, above the threshold; boxes are clipped."""
        made, refined, objects = cast(Made, run.private), cast(Refined, run.refined), len(self.names) - 1
        logits = gathered(run.logits, refined.anchor, len(self.names))
        scores = torch.softmax(logits, -1)[:, 1:].reshape(-1)
        boxes = clip_boxes_to_image(refined.boxes, made.heard.resized)[:, 1:].reshape(-1, 4)
        over = torch.where(scores > made.asked.conf)[0]
        over = over[remove_small_boxes(boxes[over], LEAST)]
        anchor = refined.anchor[over // objects]
        return stood(anchor, over % objects + 1, scores[over], boxes[over], made.asked.iou)

    def objectness(self, run: Pass) -> tuple[Tensor, ...]:
        """How sure the region proposal network is of any object, the largest of a cell's anchors."""
        return cast(Made, run.private).heard.objectness

    @staticmethod
    def call(net: nn.Module, images: Tensor) -> Any:
        """Class logits and box outputs of the proposals of a batch (B, 3, H, W)."""
        model, pool = cast(Any, net), cast(TwoStages, net).roi_heads.box_roi_pool
        kept = pool.scales, pool.map_levels  # the pooling keeps those of the first image that it sees
        try:
            named, size = maps(net, images), (images.shape[2], images.shape[3])
            sized = ImageList(images, [size] * len(images))
            proposals, _ = model.rpn(sized, named)
            return model.roi_heads.box_predictor(model.roi_heads.box_head(pool(named, proposals, sized.image_sizes)))
        finally:
            pool.scales, pool.map_levels = kept

    def forward(self, images: Tensor, branch: str) -> Outputs:
        """Refused: class rows read pooled proposals, and no cell has class logits before it has proposed."""
        raise _no_steps(self.net)

    def level_outputs(self, level: int, x: Tensor, branch: str) -> tuple[Tensor, Tensor]:
        """Refused as ``forward``."""
        raise _no_steps(self.net)

    def level_boxes(self, level: int, raw: Tensor) -> Tensor:
        """Refused as ``forward``."""
        raise _no_steps(self.net)

    def _rows(self) -> tuple[Tensor, Tensor | None]:
        layer = self.class_conv(0, BRANCH)
        return layer.weight.detach().clone(), None if layer.bias is None else layer.bias.detach().clone()

    def _laid_out(self, heard: Proposed, logits: Tensor) -> tuple[Tensor, ...]:
        shapes = [(level.shape[2], level.shape[3]) for level in heard.inputs]
        many = cast(int, self.anchors_per_cell)
        return laid_out(logits, heard.anchor, [rows * cols * many for rows, cols in shapes], shapes)


def _no_steps(net: nn.Module) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"The class rows of a {type(net).__name__} read pooled proposals, not cells, so its head cannot be run level "
        "by level, which attribution and receptive fields need. trace, replay and trace.silenced work."
    )


def _check(net: nn.Module) -> None:
    """Refuse what proposes, pools, selects or classifies in a way of its own (UnsupportedModelError)."""
    model = cast(TwoStages, net)
    check_selection(model.rpn, RegionProposalNetwork, "filter_proposals")
    check_selection(model.roi_heads, RoIHeads, "postprocess_detections")
    heads = cast(Any, model.roi_heads)
    if heads.has_mask() or heads.has_keypoint():
        raise UnsupportedModelError(
            f"{type(net).__name__} makes masks or key points of its boxes in a third stage, which a replay would have "
            "to run anew. Trace a FasterRCNN of the same backbone, rpn, box_head and box_predictor."
        )
    if not isinstance(model.roi_heads.box_roi_pool, MultiScaleRoIAlign):
        raise UnsupportedModelError(
            f"The box_roi_pool is a {type(model.roi_heads.box_roi_pool).__name__}, where a MultiScaleRoIAlign is "
            "needed to know which level a proposal is pooled from."
        )
    _check_predictor(model.roi_heads)


def _check_predictor(heads: Regions) -> None:
    classes, boxes = (getattr(heads.box_predictor, name, None) for name in ("cls_score", "bbox_pred"))
    if (
        isinstance(classes, nn.Linear)
        and isinstance(boxes, nn.Linear)
        and boxes.out_features == 4 * len(classes.weight)
    ):
        return
    raise UnsupportedModelError(
        f"The box_predictor is {heads.box_predictor}, where a linear cls_score with a row for each class and a linear "
        "bbox_pred with four for each are needed, as FastRCNNPredictor has them."
    )
