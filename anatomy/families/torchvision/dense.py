"""torchvision's FCOS and RetinaNet.

One class convolution serves all levels, so class edits take ``level="all"``. Anchor points stand at the corner of a
stride, (column, row) * step, where step is the input's side // grid: on an input whose sides are no multiples of the
coarsest stride it is smaller than the stride there. An anchor may become a detection of several classes.
"""

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS, RetinaNet
from torchvision.ops import clip_boxes_to_image

from ...errors import UnsupportedModelError
from ...head.forward import Candidates, Pass
from ...head.pyramid import Pyramid
from ...head.turns import turns
from .declared import Detector
from .head import Asked, TorchvisionHead, check_selection, class_names
from .measured import BRANCH, levels, measured
from .one_stage import OneStage
from .passes import overhear
from .selection import stood

CLASS_CONV = "head.classification_head.cls_logits"
PROBE = 256  # px: side of the image on which the strides are measured once, a multiple of every stride up to it


class DenseHead(OneStage, TorchvisionHead):
    """The head of an FCOS or a RetinaNet."""

    reads = (FCOS, RetinaNet)
    net: Detector
    grid_offset = 0.0

    def __init__(self, net: nn.Module):
        _check(net)
        self.net = net = cast(Detector, net)
        self.anchors_per_cell = net.head.classification_head.num_anchors
        self.names = class_names(net, net.head.classification_head.num_classes)
        shapes = measured(net, (PROBE, PROBE))
        strides = [float(PROBE // cols) for _, _, cols in shapes]
        self.levels = levels(strides, [net.backbone.out_channels] * len(shapes), [CLASS_CONV] * len(shapes))

    def class_conv(self, level: int, branch: str) -> nn.Conv2d:
        """The one class convolution of all levels."""
        return self.net.head.classification_head.cls_logits

    def run(self, path: str, image: np.ndarray, asked: Asked) -> Pass:
        """The model's own forward pass of one (H, W, 3) uint8 BGR image; its end is not done yet."""
        net, conv = self.net, self.class_conv(0, BRANCH)
        with turns(net).passes.held():
            heard = overhear(net, image, asked.imgsz, [conv])
            rows = conv.weight.detach().clone(), None if conv.bias is None else conv.bias.detach().clone()
        return Pass(
            path=path,
            original=image,
            input_shape=(heard.frame.shape[2], heard.frame.shape[3]),
            branch=BRANCH,
            features=heard.features,
            rows=(rows,) * len(heard.logits),
            logits=heard.logits,
            box_logits=heard.regression.T,
            boxes=self._decode(heard.regression, heard.priors).T,
            anchors=torch.empty(0, dtype=torch.int64),
            result=None,
            private=self.made(heard, asked),
            frame=heard.frame,
            inputs=heard.inputs,
        )

    @torch.inference_mode()
    def candidates(self, run: Pass) -> Candidates:
        """Of each level the best pairs of anchor and class above the threshold; boxes are clipped, as NMS sees them."""
        raw, asked, parts = run.private.heard, run.private.asked, []
        for score, here in zip(self._scores(run), self.pyramid(run).slices, strict=True):
            over = (score.flatten() > asked.conf).nonzero().view(-1)
            confidence, order = score.flatten()[over].topk(min(len(over), self.net.topk_candidates))
            anchor = here.start + over[order] // len(self.names)
            boxes = self._decode(raw.regression[anchor], raw.priors[anchor])
            parts.append((anchor, over[order] % len(self.names), confidence, clip_boxes_to_image(boxes, raw.resized)))
        anchor, class_id, confidence, boxes = map(torch.cat, zip(*parts, strict=True))
        return stood(anchor, class_id, confidence, boxes, asked.iou)

    def scores(self, run: Pass) -> Tensor:
        """Class probabilities (nc, anchors) float64; those of FCOS weighed with its centerness."""
        return torch.cat(self._scores(run, torch.float64)).T

    def objectness(self, run: Pass) -> tuple[Tensor, ...]:
        """The largest score, centerness included where the head has it, as it is what the threshold is held against."""
        by_level = zip(self._scores(run), run.shapes, strict=True)
        return tuple(scores.view(*shape, -1).amax(2) for scores, shape in by_level)

    def level_outputs(self, level: int, x: Tensor, branch: str) -> tuple[Tensor, Tensor]:
        """Of several anchors of a cell the largest logit of each class, and the box outputs of them all."""
        classify, regress = self.net.head.classification_head, self.net.head.regression_head
        logits = classify.cls_logits(classify.conv(x)).unflatten(1, (classify.num_anchors, -1)).amax(1)
        raw = regress.bbox_reg(regress.conv(x))
        return logits, (raw.relu() if isinstance(self.net, FCOS) else raw)

    def _decode(self, regression: Tensor, priors: Tensor) -> Tensor:
        coder = self.net.box_coder
        return getattr(coder, "decode_single", coder.decode)(regression, priors)

    def _scores(self, run: Pass, dtype: torch.dtype | None = None) -> list[Tensor]:
        """What the threshold is held against, (anchors, nc) a level."""
        pyramid: Pyramid = self.pyramid(run)
        logits = [pyramid.flatten_level(level).T.contiguous() for level in run.logits]
        scores = [level.to(dtype or level.dtype).sigmoid() for level in logits]
        centerness: Tensor | None = run.private.heard.centerness
        if centerness is None:
            return scores
        centers = centerness.split(pyramid.counts)
        return [(score * center.to(score).sigmoid()).sqrt() for score, center in zip(scores, centers, strict=True)]


def _check(net: nn.Module) -> None:
    """Refuse what selects or classifies in a way of its own (UnsupportedModelError)."""
    check_selection(net, FCOS if isinstance(net, FCOS) else RetinaNet, "postprocess_detections")
    part = cast(Detector, net).head.classification_head
    conv = part.cls_logits
    if not isinstance(conv, nn.Conv2d) or conv.out_channels != part.num_anchors * part.num_classes:
        raise UnsupportedModelError(
            f"{CLASS_CONV} is {conv}, where a Conv2d with {part.num_anchors} × {part.num_classes} channels (anchors of "
            "a cell × classes) is needed. Set num_classes of the classification head to what the convolution puts out."
        )
