"""Small random SSDs and Faster R-CNNs of torchvision that detect something; FCOS and RetinaNet: torchvision_nets."""

from functools import partial

import torch
from torch import nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.ssd import SSD
from torchvision.models.detection.ssdlite import SSDLiteHead
from torchvision.ops import MultiScaleRoIAlign

from tests.torchvision_nets import CHANNELS, TinyBackbone

SIDE = 128  # px


def noise(side: int = SIDE) -> torch.Tensor:
    """A picture of blocks, (1, 3, side, side)."""
    blocks = torch.rand(1, 3, side // 16, side // 16)
    return blocks.repeat_interleave(16, 2).repeat_interleave(16, 3)


@torch.no_grad()
def spread(layer: nn.Conv2d | nn.Linear, made: torch.Tensor, by: float) -> None:
    """Scale a layer that makes ``made`` now so that its outputs spread by so much about 0."""
    layer.weight.mul_(by / made.std())
    layer.bias.normal_(0, 0.3)


def tiny_ssd(classes: int = 5, seed: int = 0, *, lite: bool = False, steps: bool = False, size=None, **arguments):
    """A random SSD, or SSDlite, of three levels, P3 to P5, with 4, 6 and 4 default boxes a cell; 128 px."""
    torch.manual_seed(seed)
    backbone = TinyBackbone(3)
    generator = DefaultBoxGenerator([[2], [2, 3], [2]], steps=[8, 16, 32] if steps else None)
    many = generator.num_anchors_per_location()
    head = SSDLiteHead([CHANNELS] * 3, many, classes, partial(nn.GroupNorm, 4)) if lite else None
    backbone.out_channels = [CHANNELS] * 3
    arguments = {"score_thresh": 0.5, **arguments}
    net = SSD(backbone, generator, size or (SIDE, SIDE), classes, head=head, **arguments).eval()
    with torch.no_grad():
        maps = list(net.backbone(noise()).values())
        for part, by in ((net.head.classification_head, 1.5), (net.head.regression_head, 1.0)):
            for index, block in enumerate(part.module_list):
                last = block[-1] if isinstance(block, nn.Sequential) else block
                spread(last, block(maps[index]), by)
        for block, boxes in zip(net.head.classification_head.module_list, many, strict=True):
            last = block[-1] if isinstance(block, nn.Sequential) else block
            last.bias.view(boxes, classes)[:, 0] += 2.5  # most are background
    return net


def tiny_faster_rcnn(classes: int = 5, seed: int = 0, **arguments):
    """A random Faster R-CNN of five levels, P3 to P7, which pools from P3 to P5; sides of 128 to 256 px."""
    torch.manual_seed(seed)
    sizes = ((16,), (32,), (64,), (96,), (128,))
    arguments = {"min_size": 128, "max_size": 256, "box_score_thresh": 0.5, "rpn_post_nms_top_n_test": 150} | arguments
    pool = MultiScaleRoIAlign(["2", "3", "4"], output_size=3, sampling_ratio=2, canonical_scale=24)
    net = FasterRCNN(
        TinyBackbone(5),
        rpn_anchor_generator=AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * 5),
        box_roi_pool=pool,
        box_head=TwoMLPHead(CHANNELS * 9, 24),
        box_predictor=FastRCNNPredictor(24, classes),
        **arguments,
    ).eval()
    with torch.no_grad():
        maps = list(net.backbone(noise(256)).values())
        objectness, deltas = net.rpn.head(maps)
        spread(net.rpn.head.cls_logits, torch.cat([level.flatten() for level in objectness]), 1.0)
        spread(net.rpn.head.bbox_pred, torch.cat([level.flatten() for level in deltas]), 0.3)
        spread_predictor(net)
    return net


def spread_predictor(net) -> None:
    """Class logits of a spread of 1.5 over proposals, box outputs of 0.5; most are background."""
    read = []
    hook = net.roi_heads.box_predictor.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    net([noise(256)[0]])
    hook.remove()
    predictor = net.roi_heads.box_predictor
    logits = predictor.cls_score(read[0])
    spread(predictor.cls_score, logits - logits.mean(0), 1.5)
    predictor.cls_score.bias.sub_(predictor.cls_score(read[0]).mean(0))
    predictor.cls_score.bias[0] += 0.7
    spread(predictor.bbox_pred, predictor.bbox_pred(read[0]), 0.5)
