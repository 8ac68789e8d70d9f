"""A foreign detector of other habits: anchor points at cell corners, two anchors a cell, passes by a plain iterator."""

from functools import partial

import torch
from torch import nn

from anatomy import Head, Level, Limits, Outputs, Pass, Targets

STRIDES, BINS, ANCHORS = (8, 16), 6, 2


class CornerNet(nn.Module):
    """Two levels; each of two anchors of a cell has its own classes and its own six bins a side, in strides."""

    def __init__(self, classes: int = 4, seed: int = 0):
        super().__init__()
        torch.manual_seed(seed)
        self.stem, self.down = nn.Conv2d(3, 12, 8, 8), nn.Conv2d(12, 12, 2, 2)
        self.cls = nn.ModuleList(nn.Conv2d(12, ANCHORS * classes, 1) for _ in STRIDES)
        self.box = nn.ModuleList(nn.Conv2d(12, ANCHORS * 4 * BINS, 1) for _ in STRIDES)
        self.names = {index: f"thing {index}" for index in range(classes)}
        with torch.no_grad():
            for conv, scale in zip(self.cls, (20, 28), strict=True):
                conv.weight.mul_(scale)
            for conv in self.box:
                conv.weight.mul_(8)

    def forward(self, images):
        fine = self.stem(images).relu()
        maps = fine, self.down(fine).relu()
        made = ((cls(x), box(x)) for cls, box, x in zip(self.cls, self.box, maps, strict=True))
        return maps, *zip(*made, strict=True)

    def describe_head(self) -> "CornerHead":
        return CornerHead(self)


class CornerHead(Head):
    branches = ("only",)
    reg_max, anchors_per_cell, grid_offset = BINS, ANCHORS, 0.0

    def __init__(self, net: CornerNet):
        self.net, self.names = net, net.names
        self.levels = tuple(
            Level(index, name, float(stride), 12, {"only": f"cls.{index}"})
            for index, (name, stride) in enumerate(zip(("P3", "P4"), STRIDES, strict=True))
        )

    def class_conv(self, level, branch):
        return self.net.cls[level]

    def twins(self, level, branch):
        return iter(())

    def passes(self, source, conf=0.25, iou=0.7, imgsz=640):
        images = source if isinstance(source, list) else [source]
        return map(partial(self._pass, conf=conf), images)  # no generator: it has no close()

    @torch.inference_mode()
    def _pass(self, image, conf: float) -> Pass:
        frame = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)[None] / 255
        maps, logits, raw = self.net(frame)
        run = Pass(
            path="array",
            original=image,
            input_shape=tuple(frame.shape[2:]),
            branch="only",
            features=maps,
            rows=tuple((conv.weight.clone(), conv.bias.clone()) for conv in self.net.cls),
            logits=tuple(level[0] for level in logits),
            box_logits=self._one_after_another([level[0] for level in raw]),
            boxes=torch.empty(4, 0),
            anchors=torch.empty(0, dtype=torch.int64),
            result=None,
            private=conf,
            frame=frame,
            inputs=maps,
        )
        bins = run.box_logits.unflatten(0, (4, BINS)).softmax(1)
        sides = (bins * torch.arange(BINS).view(-1, 1)).sum(1) * self._by_hand(run)[1]
        point = self._by_hand(run)[0]
        return self.finish(run.evolve(boxes=torch.cat((point - sides[:2], point + sides[2:]))))

    @staticmethod
    def _one_after_another(levels):
        """(2 * c, h, w) a level as (c, A): both anchors of a cell, then those of the next, spelled out by loops."""
        columns = []
        for level in levels:
            for row in range(level.shape[1]):
                for col in range(level.shape[2]):
                    columns += level[:, row, col].chunk(ANCHORS)
        return torch.stack(columns, 1)

    @staticmethod
    def _by_hand(run):
        """Points (2, A) xy and strides (A,) px, spelled out by loops: the upper left corners of the cells."""
        points, strides = [], []
        for (rows, cols), stride in zip(run.shapes, STRIDES, strict=True):
            for row in range(rows):
                for col in range(cols):
                    points += [(col * stride, row * stride)] * ANCHORS
                    strides += [stride] * ANCHORS
        return torch.tensor(points, dtype=torch.float32).T, torch.tensor(strides)

    @torch.inference_mode()
    def finish(self, run):
        confidence, class_id = self._one_after_another(run.logits).sigmoid().max(0)
        anchors = (confidence > run.private).nonzero().view(-1)
        anchors = anchors[confidence[anchors].argsort(descending=True, stable=True)]
        height, width = run.original.shape[:2]
        boxes = self.xyxy(run, anchors).clamp(min=0).minimum(torch.tensor([width, height, width, height]))
        return run.evolve(anchors=anchors, result=(boxes, confidence[anchors], class_id[anchors]))

    def found(self, run):
        return run.result

    def candidates(self, run):
        return None

    def xyxy(self, run, anchors):
        return run.boxes[:, anchors].T

    def limits(self, run):
        return Limits(conf=run.private)

    def forward(self, images, branch):
        maps, logits, raw = self.net(images)
        return Outputs(maps, tuple(level.unflatten(1, (ANCHORS, -1)).amax(1) for level in logits), raw)

    def level_outputs(self, level, x, branch):
        return self.net.cls[level](x).unflatten(1, (ANCHORS, -1)).amax(1), self.net.box[level](x)

    def targets(self, run, boxes, labels):
        """The second anchor of each cell of the finer level whose point lies in a box is its positive."""
        points, strides = self._by_hand(run)
        low, high = boxes[:, :2, None], boxes[:, 2:, None]
        inside = ((points[None] >= low) & (points[None] < high)).all(1) & (strides == STRIDES[0])
        picked = inside & (torch.arange(len(strides)) % ANCHORS == 1)
        owner = torch.where(picked.any(0), picked.int().argmax(0), -1)
        share = (owner >= 0).float()
        return Targets(
            object=owner,
            score=share,
            inside=inside,
            alignment=picked.float(),
            overlap=inside.float(),
            picked=picked,
            losses={"cls": share + strides / 1000},
            settings={},
        )
