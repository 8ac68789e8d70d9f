"""A detector of one's own, as short as the contract allows: copy this file to describe another.

The head says the least that it must. What it leaves out is refused with the method that is wanting: how the network
runs step by step, how it is trained, how a file of it is opened. ``tests/corner_net.py`` says more.
"""

import torch
from torch import nn
from torch.nn.functional import softplus

from anatomy import Head, Level, Pass


class TwoLevels(nn.Module):
    """In the style of FCOS: two levels, softplus distances from the middle of a cell in strides, no suppression."""

    def __init__(self, classes: int = 5):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=8, padding=1)
        self.down = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.cls = nn.ModuleList(nn.Conv2d(8, classes, 1) for _ in range(2))
        self.box = nn.ModuleList(nn.Conv2d(8, 4, 1) for _ in range(2))
        self.names = {index: f"thing {index}" for index in range(classes)}

    def forward(self, frame):
        return self.look(frame)

    def look(self, frame):
        """Of a frame (1, 3, H, W), a level each: features (1, 8, h, w), logits (nc, h, w), sides (4, h, w)."""
        fine = self.stem(frame).relu()
        features = (fine, self.down(fine).relu())
        logits = tuple(conv(x)[0] for conv, x in zip(self.cls, features, strict=True))
        sides = tuple(softplus(conv(x))[0] for conv, x in zip(self.box, features, strict=True))
        return features, logits, sides

    def describe_head(self) -> "TwoLevelsHead":
        return TwoLevelsHead(self)


class TwoLevelsHead(Head):
    branches = ("one2many",)
    reg_max = 1

    def __init__(self, net: TwoLevels):
        self.net, self.names = net, net.names
        self.levels = (
            Level(index=0, name="P3", stride=8.0, in_channels=8, paths={"one2many": "cls.0"}),
            Level(index=1, name="P4", stride=16.0, in_channels=8, paths={"one2many": "cls.1"}),
        )

    def class_conv(self, level, branch):
        return self.net.cls[level]

    def twins(self, level, branch):
        return iter(())  # its prediction runs no copy of the network

    @torch.inference_mode()
    def passes(self, source, conf, iou, imgsz):
        frame = torch.from_numpy(source[..., ::-1].copy()).permute(2, 0, 1)[None] / 255  # (H, W, 3) uint8 BGR
        features, logits, sides = self.net.look(frame)
        scaled = [side.flatten(1) * level.stride for side, level in zip(sides, self.levels, strict=True)]
        boxes = torch.cat(scaled, 1)
        run = Pass(
            path="array",
            original=source,
            input_shape=source.shape[:2],
            branch="one2many",
            features=features,
            rows=tuple((conv.weight.clone(), conv.bias.clone()) for conv in self.net.cls),
            logits=logits,
            box_logits=boxes,
            boxes=boxes,
            anchors=torch.empty(0, dtype=torch.int64),
            result=None,
            private=conf,
        )
        return [self.finish(run)]

    def finish(self, run):
        scores = torch.cat([level.flatten(1) for level in run.logits], 1).sigmoid()
        confidence, class_id = scores.max(0)
        anchors = (confidence > run.private).nonzero().view(-1)
        anchors = anchors[confidence[anchors].argsort(descending=True)]
        return run.evolve(anchors=anchors, result=(self.xyxy(run, anchors), confidence[anchors], class_id[anchors]))

    def found(self, run):
        return run.result

    def candidates(self, run):
        return None

    def xyxy(self, run, anchors):
        centre = torch.from_numpy(self.pyramid(run).points(anchors)).float()
        sides = run.boxes[:, anchors].T
        return torch.cat((centre - sides[:, :2], centre + sides[:, 2:]), 1)

    def objectness(self, run):
        return tuple(level.sigmoid().mean(0) for level in run.logits)
