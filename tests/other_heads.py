"""Small random networks of Ultralytics' heads of queries and of text, that detect something.

Few strided convolutions stand before the head, so that a network is made in a moment; text is random.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from ultralytics.nn.tasks import RTDETRDetectionModel, WorldModel, YOLOEModel, YOLOESegModel

from anatomy.families.ultralytics.opening import wrap
from tests.class_rows import LOGIT, as_frame, unit_outputs
from tests.ultralytics_nets import stir

BODY = [[-1, 1, "Conv", [channels, 3, 2]] for channels in (16, 16, 16, 24, 32)]  # P1 to P5
NAMES = ("cat", "dog", "owl", "fox")
EMBED = 512  # Ultralytics' placeholders of text are so long
THRESHOLD = math.log(0.001 / 0.999)  # of YOLOE's filter of proposals, as a logit
TEXT = {
    "world": (WorldModel, ["WorldDetect", ["nc", EMBED, False]]),
    "worldv2": (WorldModel, ["WorldDetect", ["nc", EMBED, True]]),
    "yoloe": (YOLOEModel, ["YOLOEDetect", ["nc", EMBED, True]]),
    "yoloe-seg": (YOLOESegModel, ["YOLOESegment", ["nc", 8, 16, EMBED, True]]),
    "yoloe-26": (YOLOEModel, ["YOLOEDetect", ["nc", EMBED, True]]),
}


def rtdetr(seed: int = 0, queries: int = 40) -> Any:
    """An RTDETR object of three decoder layers and ``queries`` queries on P3, P4, P5, four classes."""
    torch.manual_seed(seed)
    decoder = ["RTDETRDecoder", ["nc", 32, queries, 2, 4, 3, 48]]
    plan = {"nc": len(NAMES), "backbone": BODY, "head": [[-1, 1, "AIFI", [32, 4]], [[2, 3, 5], 1, *decoder]]}
    net: Any = RTDETRDetectionModel(plan, verbose=False)
    net.task, net.names = "detect", dict(enumerate(NAMES))
    with torch.no_grad():
        for layer in net.model[-1].dec_score_head:
            layer.weight.normal_(0, 0.6)
            layer.bias.fill_(-1.0)
        for layer in net.model[-1].dec_bbox_head:
            layer.layers[-1].weight.normal_(0, 0.1)
        net.model[-1].enc_score_head.weight.normal_(0, 0.2)
        net.model[-1].enc_score_head.bias.fill_(-1.5)
        for layer in net.model[-1].decoder.layers:
            layer.cross_attn.attention_weights.weight.normal_(0, 0.3)
    return wrap(net.eval())


def of_text(kind: str, picture: np.ndarray, seed: int = 0) -> Any:
    """A YOLOWorld or YOLOE object of one of ``TEXT`` on P3, P4, P5, with a fixed vocabulary of four random texts."""
    torch.manual_seed(seed)
    model, head = TEXT[kind]
    plan = {"nc": len(NAMES), "backbone": BODY, "head": [[[2, 3, 4], 1, *head]], "end2end": kind == "yoloe-26"}
    net: Any = model(plan, nc=len(NAMES), verbose=False).eval()
    net.task = "segment" if model is YOLOESegModel else "detect"
    stir(net, torch.Generator().manual_seed(seed))
    text = torch.nn.functional.normalize(torch.randn(1, len(NAMES), EMBED), dim=-1)
    if model is WorldModel:
        net.txt_feats, net.names = text, list(NAMES)
    else:
        net.set_classes(list(NAMES), text)
    _spread_out(net, picture)
    if "seg" in kind:
        unit_outputs(net, picture, [stack[-1] for stack in net.model[-1].cv5], seed)
    return wrap(net)


@torch.no_grad()
def _spread_out(net: Any, picture: np.ndarray, share: float = 0.3) -> None:
    """Scale and bias of the comparisons such that in about ``share`` of the cells one exceeds the least confidence."""
    head = net.model[-1]
    raw = net(as_frame(picture))[1]
    for name in ("cv4", "one2one_cv4"):
        contrasts = getattr(head, name, None) or ()
        scores: Tensor = raw.get("one2one" if "one2one" in name else "one2many", raw)["scores"]
        cells = [level.shape[2] * level.shape[3] for level in raw.get("one2many", raw)["feats"]]
        for contrast, logits in zip(contrasts, scores.split(cells, 2), strict=bool(contrasts)):
            centred = (logits - contrast.bias) / logits.std()
            contrast.logit_scale.sub_(math.log(float(logits.std())))
            contrast.bias.fill_(float(LOGIT - centred.amax(1).quantile(1 - share)))


def prompt_free(kind: str, picture: np.ndarray, seed: int = 0) -> Any:
    """A YOLOE object of ``of_text`` made prompt-free: its filter leaves about half of the cells of P3 and P4 out."""
    model = of_text(kind, picture, seed)
    net, head = model.model, model.model.model[-1]
    head.fuse(net.pe)
    branches = [getattr(head, name) for name in ("cv3", "one2one_cv3") if hasattr(head, name)]
    vocabularies = [torch.nn.ModuleList(stack[-1] for stack in stacks) for stacks in branches]
    for stacks in branches:
        for stack in stacks:
            stack[-1] = torch.nn.Conv2d(stack[-1].in_channels, 1, 1)
    net.pe, head.nc, net.args = net.pe[:, :1], 1, {"imgsz": 64}
    for stacks in branches:
        for conv in (stack[-1] for stack in stacks):
            unit_outputs(net, picture, [conv], seed)
            with torch.no_grad():
                conv.bias.add_(THRESHOLD)
    net.set_vocab(vocabularies[0], list(NAMES), *vocabularies[1:])
    return model
