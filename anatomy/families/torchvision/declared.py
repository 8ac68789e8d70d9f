"""torchvision's detectors as their sources declare them to a reader: to torch every attribute is a tensor or a module.

Nothing is made of these classes; a network that was checked is cast to ``Detector``, ``SingleShot`` or ``TwoStages``.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor, nn


class ClassificationHead(nn.Module):
    """The convolutions that all levels share, the last of which puts out ``num_anchors * num_classes`` channels."""

    conv: nn.Sequential
    cls_logits: nn.Conv2d
    num_anchors: int
    num_classes: int


class RegressionHead(nn.Module):
    """The box convolutions that all levels share."""

    conv: nn.Sequential
    bbox_reg: nn.Conv2d


class BothHeads(nn.Module):
    """Classification and regression."""

    classification_head: ClassificationHead
    regression_head: RegressionHead


class Backbone(nn.Module):
    """Backbone and neck: a map, or several by name, of ``out_channels`` channels each."""

    out_channels: int


class Transform(nn.Module):
    """Scales and pads images; sizes in px."""

    min_size: tuple[int, ...]
    max_size: int
    fixed_size: tuple[int, int] | None


class BoxCoder(Protocol):
    """Boxes (n, 4) xyxy px from regression outputs and anchor boxes, (n, 4) each."""

    def decode(self, rel_codes: Tensor, boxes: Tensor) -> Tensor:
        """Boxes of these outputs."""
        ...


class Selecting(Protocol):
    """What holds the thresholds, in [0, 1], and the largest number of detections of a selection."""

    score_thresh: float
    nms_thresh: float
    detections_per_img: int


class Detector(nn.Module):
    """An FCOS or a RetinaNet; the thresholds and counts are those of its selection."""

    backbone: Backbone
    head: BothHeads
    transform: Transform
    anchor_generator: nn.Module
    box_coder: BoxCoder
    score_thresh: float
    nms_thresh: float
    detections_per_img: int
    topk_candidates: int


class PriorGenerator(nn.Module):
    """The default boxes of an SSD; ``steps`` px between their centres a level, None: the input's side by the grid."""

    steps: Sequence[int] | None

    def num_anchors_per_location(self) -> list[int]:
        """Anchors of a cell, a level."""
        raise NotImplementedError


class Branches(nn.Module):
    """The convolutions of each level, one module a level, which put out ``num_columns`` channels an anchor."""

    module_list: nn.ModuleList
    num_columns: int


class BranchHeads(nn.Module):
    """Classification and regression of an SSD."""

    classification_head: Branches
    regression_head: Branches


class SingleShot(nn.Module):
    """An SSD or SSDlite; the thresholds and counts are those of its selection."""

    backbone: nn.Module
    head: BranchHeads
    transform: Transform
    anchor_generator: PriorGenerator
    box_coder: BoxCoder
    score_thresh: float
    nms_thresh: float
    detections_per_img: int
    topk_candidates: int


class ListCoder(Protocol):
    """Boxes from regression outputs (n, 4 * c) and the boxes that they refine, in a list of one an image: (n, c, 4)."""

    def decode(self, rel_codes: Tensor, boxes: list[Tensor]) -> Tensor:
        """Boxes of these outputs."""
        ...


class Proposing(nn.Module):
    """The region proposal network; ``min_size`` px of a side, thresholds in [0, 1]."""

    anchor_generator: nn.Module
    head: nn.Module
    box_coder: ListCoder
    min_size: float
    score_thresh: float
    nms_thresh: float

    def pre_nms_top_n(self) -> int:
        """The most proposals of a level before NMS."""
        raise NotImplementedError

    def post_nms_top_n(self) -> int:
        """The most proposals after it."""
        raise NotImplementedError


class Predictor(nn.Module):
    """Class logits and box outputs of each pooled proposal."""

    cls_score: nn.Linear
    bbox_pred: nn.Linear


class Pooling(nn.Module):
    """Pools proposals from the maps of these names; ``map_levels`` says from which of them, once it was called."""

    featmap_names: list[str]
    scales: list[float] | None
    map_levels: Callable[[list[Tensor]], Tensor] | None


class Regions(nn.Module):
    """The second stage; thresholds and counts are those of its selection."""

    box_roi_pool: Pooling
    box_head: nn.Module
    box_predictor: Predictor
    box_coder: ListCoder
    score_thresh: float
    nms_thresh: float
    detections_per_img: int


class TwoStages(nn.Module):
    """A Faster R-CNN."""

    backbone: Backbone
    transform: Transform
    rpn: Proposing
    roi_heads: Regions
