"""A detector with a decoupled head as YOLOX has it (https://arxiv.org/abs/2107.08430): copy it to describe such a one.

Classes and boxes come from towers of their own, objectness stands beside the box, and boxes are measured from the
corners of cells. ``own_detector.py`` says the least that a head must; this one says as well how its network runs step
by step, for attribution and receptive fields.
"""

import torch
from torch import nn
from torchvision.ops import batched_nms, box_iou

from anatomy import Candidates, Head, Level, Limits, Outputs, Pass

BRANCH, STRIDES = "one2many", (8, 16)


class DecoupledNet(nn.Module):
    """Two levels; ``cls`` puts out class logits, ``box`` x, y, width, height and objectness."""

    def __init__(self, names: list[str], width: int = 8):
        super().__init__()
        self.names, self.stem, self.down = names, nn.Conv2d(3, width, 8, 8), nn.Conv2d(width, width, 2, 2)
        self.cls_tower = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in STRIDES)
        self.box_tower = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in STRIDES)
        self.cls = nn.ModuleList(nn.Conv2d(width, len(names), 1) for _ in STRIDES)
        self.box = nn.ModuleList(nn.Conv2d(width, 5, 1) for _ in STRIDES)

    def forward(self, images):
        """A level each: its map, what ``cls`` reads, class logits, box outputs and objectness, (B, c, h, w)."""
        fine = self.stem(images).relu()
        maps = fine, self.down(fine).relu()
        return [(x, *self.level(index, x)) for index, x in enumerate(maps)]

    def level(self, index, x):
        read = nn.functional.silu(self.cls_tower[index](x))
        return read, self.cls[index](read), self.box[index](nn.functional.silu(self.box_tower[index](x)))

    def describe_head(self) -> "DecoupledHead":
        return DecoupledHead(self)


class DecoupledHead(Head):
    branches, reg_max, grid_offset = (BRANCH,), 1, 0.0  # 0.0: the points are the corners of cells

    def __init__(self, net: DecoupledNet):
        self.net, self.names = net, dict(enumerate(net.names))
        self.levels = tuple(
            Level(index, f"P{3 + index}", float(stride), net.stem.out_channels, {BRANCH: f"cls.{index}"})
            for index, stride in enumerate(STRIDES)
        )

    def class_conv(self, level, branch):
        return self.net.cls[level]

    def twins(self, level, branch):
        return iter(())  # its prediction runs no copy of the network

    @torch.inference_mode()
    def passes(self, source, *, conf=0.25, iou=0.7, imgsz=640):
        frame = torch.from_numpy(source[..., ::-1].copy()).permute(2, 0, 1)[None] / 255  # (H, W, 3) uint8 BGR, unscaled
        maps, features, logits, raw = zip(*self.net(frame), strict=True)
        boxes = [self.level_boxes(level, part)[0].flatten(1) for level, part in enumerate(raw)]
        run = Pass(
            path="array",
            original=source,
            input_shape=source.shape[:2],
            branch=BRANCH,
            features=features,
            rows=tuple((conv.weight.clone(), conv.bias.clone()) for conv in self.net.cls),
            logits=tuple(level[0] for level in logits),
            box_logits=torch.cat([part[0, :4].flatten(1) for part in raw], 1),
            boxes=torch.cat(boxes, 1),
            anchors=torch.empty(0, dtype=torch.int64),
            result=None,
            private=(tuple(part[0, 4].sigmoid() for part in raw), conf, iou),
            frame=frame,
            inputs=maps,
        )
        return [self.finish(run)]

    def objectness(self, run):
        return run.private[0]  # the head's own

    def scores(self, run):
        return super().scores(run) * torch.cat([level.flatten() for level in run.private[0]])

    def candidates(self, run):
        best, label = self.scores(run).float().max(0)  # an anchor stands as its likeliest class
        anchor = (best > run.private[1]).nonzero().view(-1)
        boxes = self.xyxy(run, anchor)
        apart = float(boxes.max() + 1) if len(boxes) else 0.0  # px a class, as batched_nms shifts boxes
        return Candidates(anchor, label[anchor], best[anchor], boxes, run.private[2], apart, box_iou)

    @torch.inference_mode()
    def finish(self, run):
        stood = self.candidates(run)
        kept = batched_nms(stood.boxes, stood.confidence, stood.class_id, stood.iou_threshold)
        result = stood.boxes[kept], stood.confidence[kept], stood.class_id[kept]
        return run.evolve(anchors=stood.anchor[kept], result=result)

    def found(self, run):
        return run.result

    def xyxy(self, run, anchors):
        return run.boxes[:, anchors].T

    def limits(self, run):
        return Limits(conf=run.private[1])

    def forward(self, images, branch):
        maps, _, logits, raw = zip(*self.net(images), strict=True)
        return Outputs(maps, logits, raw)

    def level_outputs(self, level, x, branch):
        return self.net.level(level, x)[1:]

    def level_boxes(self, level, raw):
        rows, cols = (torch.arange(count, device=raw.device) for count in raw.shape[2:])
        corner = torch.stack(torch.meshgrid(cols, rows, indexing="xy"))  # column and row of each cell, (2, h, w)
        middle, size = (raw[:, :2] + corner) * STRIDES[level], raw[:, 2:4].exp() * STRIDES[level]
        return torch.cat((middle - size / 2, middle + size / 2), 1)
