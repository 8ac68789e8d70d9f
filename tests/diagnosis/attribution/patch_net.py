"""A detector that sees red alone: where its heat must lie is known, whatever the shape of the photograph."""

import math

import cv2
import numpy as np
import torch
from torch import nn

from anatomy import Head, Letterbox, Level, Outputs, Pass, Trace

STRIDES = (8, 16, 32)


class RedNet(nn.Module):
    """Mean redness of each cell on three levels; class 0 answers to red in 3 × 3 cells, class 1 to nothing."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 2, 8, 8, bias=False)
        self.down = nn.ModuleList(nn.Conv2d(2, 2, 2, 2, bias=False) for _ in STRIDES[1:])
        self.head = nn.ModuleList(nn.Conv2d(2, 2, 3, padding=1) for _ in STRIDES)
        with torch.no_grad():
            for weight in self.parameters():
                weight.zero_()
            for channel, share in enumerate((1.0, -0.5, -0.5)):
                self.stem.weight[0, channel] = share / 64
            for conv in self.down:
                conv.weight[0, 0] = 0.25
            for conv in self.head:
                conv.weight[0, 0] = torch.tensor([[1.0, 2, 1], [2, 8, 2], [1, 2, 1]])
                conv.bias.fill_(-1.0)

    def maps(self, images):
        found = [self.stem(images).relu()]
        for conv in self.down:
            found.append(conv(found[-1]).relu())
        return tuple(found)


class RedHead(Head):
    reg_max, names, branches = 1, {0: "red", 1: "nothing"}, ("only",)

    def __init__(self, net: RedNet):
        self.net = net
        self.levels = tuple(Level(i, f"P{i + 3}", stride, 2, {"only": f"head.{i}"}) for i, stride in enumerate(STRIDES))

    def class_conv(self, level, branch):
        return self.net.head[level]

    def forward(self, images, branch):
        maps = self.net.maps(images)
        made = [self.level_outputs(level, x, branch) for level, x in enumerate(maps)]
        return Outputs(maps, *zip(*made, strict=True))

    def level_outputs(self, level, x, branch):
        return self.net.head[level](x), x.new_full((len(x), 4, *x.shape[2:]), 1.5)

    def level_boxes(self, level, raw):
        rows, cols = raw.shape[2:]
        y, x = torch.meshgrid(torch.arange(rows) + 0.5, torch.arange(cols) + 0.5, indexing="ij")
        centre = torch.stack((x, y, x, y))
        return (centre + raw * torch.tensor([-1.0, -1, 1, 1]).view(1, 4, 1, 1)) * STRIDES[level]

    def found(self, run):
        scores = torch.cat([level.flatten(1) for level in run.logits], 1)[:, run.anchors].sigmoid()
        confidence, class_id = scores.max(0)
        boxes = self.letterbox(run).to_original(self.xyxy(run, run.anchors).numpy())
        return torch.from_numpy(boxes).float().view(-1, 4), confidence, class_id

    def xyxy(self, run, anchors):
        return run.boxes[:, anchors].T

    def candidates(self, run):
        return None

    def twins(self, level, branch):
        return iter(())

    def finish(self, run):
        return run

    def passes(self, source, **predict_args):
        raise NotImplementedError


def red_trace(image: np.ndarray, level: int, imgsz: int = 256, net: RedNet | None = None) -> Trace:
    """A trace of an (H, W, 3) RGB image whose one detection is the reddest cell of a level."""
    head = RedHead(net or RedNet())
    gain = imgsz / max(image.shape[:2])
    shape = tuple(math.ceil(round(side * gain) / 32) * 32 for side in image.shape[:2])
    box = Letterbox.fit(image.shape[:2], shape)
    width, height = (round(side * part) for side, part in zip(image.shape[1::-1], box.gain, strict=True))
    frame = np.full((*shape, 3), 114, np.uint8)
    frame[box.pad[1] : box.pad[1] + height, box.pad[0] : box.pad[0] + width] = cv2.resize(
        image, (width, height), interpolation=cv2.INTER_AREA if gain < 1 else cv2.INTER_NEAREST
    )
    with torch.inference_mode():  # as predict() does
        frame = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255
        made = head.forward(frame, "only")
        boxes = torch.cat([head.level_boxes(i, raw)[0].flatten(1) for i, raw in enumerate(made.raw)], 1)
    place = int(made.logits[level][0, 0].argmax())
    start = sum(rows.shape[2] * rows.shape[3] for rows in made.logits[:level])
    logits = tuple(one[0] for one in made.logits)
    run = Pass(
        path="red.png",
        original=image[..., ::-1],
        input_shape=shape,
        branch="only",
        features=made.inputs,
        rows=tuple((conv.weight, conv.bias) for conv in head.net.head),
        logits=logits,
        box_logits=torch.zeros(4, boxes.shape[1]),
        boxes=boxes,
        anchors=torch.tensor([start + place]),
        result=None,
        frame=frame,
        inputs=made.inputs,
    )
    return Trace(head, run)


def red_patch(shape: tuple[int, int], centre: tuple[float, float], side: float) -> tuple[np.ndarray, np.ndarray]:
    """A grey-blue noise image (H, W, 3) with a red square, and the square as xyxy px."""
    image = np.random.default_rng(1).integers(90, 120, (*shape, 3)).astype(np.uint8)
    image[..., 2] += 60
    x1, y1 = (round(place - side / 2) for place in centre)
    x2, y2 = x1 + round(side), y1 + round(side)
    image[y1:y2, x1:x2] = (230, 20, 20)
    return image, np.array([x1, y1, x2, y2])
