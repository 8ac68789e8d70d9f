"""A trace whose boxes and scores are those that a test says: nothing before the selection is computed."""

from types import SimpleNamespace

import numpy as np
import torch
from torchvision.ops import nms

from anatomy import Head, Level, Pass, Trace

STRIDES, SIDE = (8, 16, 32), 64
GRIDS = [(SIDE // stride, SIDE // stride) for stride in STRIDES]
AWAY = (1000.0, 1000.0, 1001.0, 1001.0)  # where the boxes of all other anchors lie


class GivenHead(Head):
    """Selects by NMS at IoU 0.6 over all classes; what exceeds ``conf`` stands for it."""

    reg_max, names, branches = 1, {0: "bird", 1: "cat", 2: "dog"}, ("only",)

    def __init__(self, conf: float):
        self.conf, self.net = conf, torch.nn.Module()
        self.levels = tuple(Level(i, f"P{i + 3}", stride, 1, {"only": f"head.{i}"}) for i, stride in enumerate(STRIDES))

    def class_conv(self, level, branch):
        raise NotImplementedError

    def twins(self, level, branch):
        return iter(())

    def passes(self, source, **predict_args):
        raise NotImplementedError

    def finish(self, run):
        confidence, _ = _best(run)
        anchors = (confidence > self.conf).nonzero().view(-1)
        return run.evolve(anchors=anchors[nms(run.boxes.T[anchors], confidence[anchors], 0.6)])

    def found(self, run):
        confidence, class_id = _best(run)
        return run.boxes.T[run.anchors], confidence[run.anchors], class_id[run.anchors]

    def candidates(self, run):
        return None

    def xyxy(self, run, anchors):
        return run.boxes[:, anchors].T


def given_trace(cells, conf: float = 0.25) -> Trace:
    """A trace of 64 × 64 px; ``cells``: {(level, row, col): (xyxy box, {class: probability})}, all else is silent."""
    logits = [torch.full((3, *grid), -float("inf")) for grid in GRIDS]
    boxes = [torch.tensor(AWAY).view(4, 1, 1).repeat(1, *grid) for grid in GRIDS]
    for (level, row, col), (box, scores) in cells.items():
        boxes[level][:, row, col] = torch.tensor(box)
        for class_id, probability in scores.items():
            logits[level][class_id, row, col] = torch.logit(torch.tensor(probability))
    run = Pass(
        path="given.png",
        original=np.zeros((SIDE, SIDE, 3), np.uint8),
        input_shape=(SIDE, SIDE),
        branch="only",
        features=(),
        rows=(),
        logits=tuple(logits),
        box_logits=torch.zeros(4, sum(rows * cols for rows, cols in GRIDS)),
        boxes=torch.cat([level.flatten(1) for level in boxes], 1),
        anchors=torch.empty(0, dtype=torch.int64),
        result=SimpleNamespace(obb=None),
    )
    head = GivenHead(conf)
    return Trace(head, head.finish(run))


def _best(run):
    return torch.cat([level.flatten(1) for level in run.logits], 1).sigmoid().max(0)
