"""FCOS and RetinaNet as their sources declare them to a reader: to torch every attribute is a tensor or a module.

Nothing is made of these classes; a network that was checked is cast to ``Detector``.
"""

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
