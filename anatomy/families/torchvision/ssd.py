"""torchvision's SSD and SSDlite (https://arxiv.org/abs/1512.02325).

Each level has class rows of its own, nc for each default box of a cell, and levels differ in how many those are. Class
0 is the background: scores are a softmax over all classes. Default boxes stand at the middle of cells. Every image is
scaled to one fixed size, for which the default boxes are made: no other can be asked for.
"""

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD
from torchvision.ops import clip_boxes_to_image

from ...errors import UnsupportedModelError
from ...head.forward import Candidates, Pass
from ...head.turns import turns
from .declared import SingleShot
from .head import Asked, TorchvisionHead, check_selection, class_names
from .measured import BRANCH, levels, measured
from .one_stage import OneStage
from .passes import overhear
from .selection import stood

CLASSES, BOXES = "head.classification_head.module_list", "head.regression_head.module_list"


class SSDHead(OneStage, TorchvisionHead):
    """The head of an SSD or an SSDlite; ``imgsz`` is None, or the longer side of the size that the model has fixed."""

    reads = (SSD,)
    net: SingleShot
    background = 0

    def __init__(self, net: nn.Module):
        _check(net)
        self.net = net = cast(SingleShot, net)
        self.anchors_per_cell = tuple(net.anchor_generator.num_anchors_per_location())
        self.names = class_names(net, net.head.classification_head.num_columns)
        self.fixed_size = size = _fixed_size(net)
        shapes = measured(net, size)
        own = size[1] / np.array([cols for _, _, cols in shapes])
        self.levels = levels(
            strides=[float(step) for step in net.anchor_generator.steps or own],
            channels=[channels for channels, _, _ in shapes],
            paths=[_last(part, f"{CLASSES}.{index}")[1] for index, part in enumerate(_branches(net))],
        )

    def class_conv(self, level: int, branch: str) -> nn.Conv2d:
        """The class convolution of a level: in an SSDlite the last one of its block."""
        return cast(nn.Conv2d, _last(_branches(self.net)[level])[0])

    def stacks(self, level: int, branch: str) -> dict[str, tuple[str, ...]]:
        """All of a level's block is for classes, and all of the block beside it for boxes."""
        return {"class": (f"{CLASSES}.{level}",), "box": (f"{BOXES}.{level}",)}

    def sized(self, imgsz: Any) -> int | None:
        """None, or the model's own size, checked; raises TypeError and ValueError."""
        height, width = _fixed_size(self.net)
        asked = super().sized(imgsz)
        if asked not in (None, max(height, width)):
            raise ValueError(
                f"An SSD scales every image to its own size, here {width} × {height} px, and its default boxes are "
                f"made for that, but imgsz={imgsz} was given. Give imgsz={max(height, width)} or imgsz=None."
            )
        return None

    def run(self, path: str, image: np.ndarray, asked: Asked) -> Pass:
        """The model's own forward pass of one (H, W, 3) uint8 BGR image; its end is not done yet."""
        convs = [self.class_conv(level.index, BRANCH) for level in self.levels]
        with turns(self.net).passes.held():
            heard = overhear(cast(Any, self.net), image, asked.imgsz, convs)
            rows = tuple(_rows(conv) for conv in convs)
        return Pass(
            path=path,
            original=image,
            input_shape=(heard.frame.shape[2], heard.frame.shape[3]),
            branch=BRANCH,
            features=heard.features,
            rows=rows,
            logits=heard.logits,
            box_logits=heard.regression.T,
            boxes=cast(Any, self.net.box_coder).decode_single(heard.regression, heard.priors).T,
            anchors=torch.empty(0, dtype=torch.int64),
            result=None,
            private=self.made(heard, asked),
            frame=heard.frame,
            inputs=heard.inputs,
        )

    @torch.inference_mode()
    def candidates(self, run: Pass) -> Candidates:
        """Of each class but the background the best anchors above the threshold, of all levels together."""
        raw, asked = run.private.heard, run.private.asked
        scores = F.softmax(self.pyramid(run).flatten(run.logits).T.contiguous(), dim=-1)
        boxes = clip_boxes_to_image(run.boxes.T, raw.resized)
        anchors, confidence, class_id = [], [], []
        for label in range(1, len(self.names)):
            over = (scores[:, label] > asked.conf).nonzero().view(-1)
            best, order = scores[over, label].topk(min(len(over), self.net.topk_candidates))
            anchors.append(over[order])
            confidence.append(best)
            class_id.append(torch.full_like(order, label))
        anchor = torch.cat(anchors)
        return stood(anchor, torch.cat(class_id), torch.cat(confidence), boxes[anchor], asked.iou)

    def steps(self, run: Pass) -> tuple[tuple[float, float], ...]:
        """(x, y) px of the network input a level: the generator's own steps, else the input's side by the grid."""
        if self.net.anchor_generator.steps is not None:
            return tuple((float(step), float(step)) for step in self.net.anchor_generator.steps)
        return tuple((run.input_shape[1] / cols, run.input_shape[0] / rows) for rows, cols in run.shapes)

    def level_outputs(self, level: int, x: Tensor, branch: str) -> tuple[Tensor, Tensor]:
        """Of several anchors of a cell the largest logit of each class, and the box outputs of them all."""
        logits = self.net.head.classification_head.module_list[level](x).unflatten(1, (-1, len(self.names)))
        return logits.amax(1), self.net.head.regression_head.module_list[level](x)


def _branches(net: SingleShot) -> nn.ModuleList:
    return net.head.classification_head.module_list


def _last(part: nn.Module, path: str = "") -> tuple[nn.Module, str]:
    """The last module of a block, or the module itself, and its path."""
    return (part[-1], f"{path}.{len(part) - 1}") if isinstance(part, nn.Sequential) else (part, path)


def _rows(conv: nn.Conv2d) -> tuple[Tensor, Tensor | None]:
    return conv.weight.detach().clone(), None if conv.bias is None else conv.bias.detach().clone()


def _fixed_size(net: SingleShot) -> tuple[int, int]:
    """(height, width) px to which every image is scaled; the transform holds it the other way round if not square."""
    size = net.transform.fixed_size
    if size is None:
        raise UnsupportedModelError(
            f"The transform of {type(net).__name__} has no fixed_size, but the default boxes of an SSD are made for "
            "one. Set model.transform.fixed_size = (width, height)."
        )
    return size[1], size[0]


def _check(net: nn.Module) -> None:
    """Refuse what selects, classifies or tiles in a way of its own (UnsupportedModelError)."""
    check_selection(net, SSD, "postprocess_detections")
    ssd = cast(SingleShot, net)
    if not isinstance(ssd.anchor_generator, DefaultBoxGenerator):
        raise UnsupportedModelError(
            f"The anchor_generator is a {type(ssd.anchor_generator).__name__}, where the DefaultBoxGenerator is needed "
            "to know where anchors stand."
        )
    classes, anchors = ssd.head.classification_head.num_columns, ssd.anchor_generator.num_anchors_per_location()
    for index, (part, many) in enumerate(zip(_branches(ssd), anchors, strict=True)):
        conv, path = _last(part, f"{CLASSES}.{index}")
        if not isinstance(conv, nn.Conv2d) or conv.out_channels != many * classes:
            raise UnsupportedModelError(
                f"{path} is {conv}, where a Conv2d with {many} × {classes} channels (anchors of a cell × classes) is "
                "needed. Set num_columns of the classification head to what the convolution puts out."
            )
