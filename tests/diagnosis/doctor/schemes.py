"""Right encoders of well-known schemes, from their papers, each with the layout that it writes.

``cells(…)`` of a scheme gives for every anchor of every level the object that it belongs to (-1 none, -2 left out).
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from diagnosis import TargetLayout
from tests.diagnosis.doctor.anchors import (
    Places,
    away,
    centred,
    centres,
    farther,
    in_cell,
    overlaps,
    places,
    reach_of,
    sides,
)

CLASSES = 5
LEAST = 1e-3
"""The smallest side, in its unit, that a logarithm is taken of."""


def last_wins(mask: Tensor) -> Tensor:
    """(m,): the last object that takes each anchor."""
    return torch.where(mask.any(0), len(mask) - 1 - mask.flip(0).int().argmax(0), -1)


def smallest_wins(mask: Tensor, boxes: Tensor) -> Tensor:
    area = (boxes[:, 2:] - boxes[:, :2]).prod(-1)[:, None]
    return torch.where(mask.any(0), torch.where(mask, area, torch.inf).argmin(0), -1)


def one_cell(boxes, at, layout):
    """YOLOv1: the cell of the centre."""
    return last_wins(in_cell(boxes, at))


def best_prior(boxes, at, layout, ignore=True, every_scale=False, also=None):
    """YOLOv2, v3: in the cell of the centre the prior most like the box; others that overlap it are left out."""
    size = boxes[:, 2:] - boxes[:, :2]
    table = torch.tensor(layout.anchors, dtype=torch.float32)
    alike = overlaps(centred(size), centred(table.reshape(-1, 2))).reshape(len(boxes), *table.shape[:2])
    chosen = alike == alike.amax(-1 if every_scale else (1, 2), keepdim=True)
    if also is not None:
        chosen = chosen | (alike > also)
    mask = in_cell(boxes, at) & chosen[:, at.levels, at.which]
    owner = last_wins(mask)
    if ignore:
        near = overlaps(at.boxes, boxes).amax(1) > 0.5
        owner = torch.where((owner < 0) & near, -2, owner)
    return owner


def with_neighbours(boxes, at, layout):
    """YOLOv5, v7: priors within a factor of 4; the cell of the centre and the two nearest beside it."""
    ratios = [size[:, None] / prior for size, prior in zip((boxes[:, 2:] - boxes[:, :2]).T, at.priors.T, strict=True)]
    wide, high = (torch.maximum(ratio, 1 / ratio) < 4 for ratio in ratios)
    fits = wide & high
    x, y = (
        middle[:, None] / at.stride - corner / at.stride
        for middle, corner in zip(centres(boxes).T, at.corners.T.contiguous(), strict=True)
    )
    own = (x >= 0) & (x < 1) & (y >= 0) & (y < 1)
    beside_x = (y >= 0) & (y < 1) & (((x >= 1) & (x < 1.5)) | ((x < 0) & (x > -0.5)))
    beside_y = (x >= 0) & (x < 1) & (((y >= 1) & (y < 1.5)) | ((y < 0) & (y > -0.5)))
    return last_wins((own | beside_x | beside_y) & fits)


def by_range(boxes, at, layout, radius=None):
    """FCOS: points in the box (near its centre) whose farthest side lies in the level's range."""
    least, most = reach_of(boxes, at.points)
    limits = torch.tensor([0.0, *(8.0 * s for s in layout.strides[:-1]), 1e9])
    mask = (least > 0) & (most > limits[at.levels]) & (most <= limits[at.levels + 1])
    if radius:
        mask &= farther(centres(boxes), at.points) < radius * at.stride
    return smallest_wins(mask, boxes)


def near_centre(boxes, at, layout):
    """YOLOX before SimOTA: points within 2.5 strides of the centre."""
    middle = at.corners + at.stride[:, None] / 2
    return smallest_wins(farther(centres(boxes), middle) < 2.5 * at.stride, boxes)


def guesses(boxes: Tensor, at: Places, trained: float) -> Tensor:
    """Predictions of a network: boxes at the points, drawn ``trained`` of the way to the nearest object."""
    plain = torch.cat((at.points - 2 * at.stride[:, None], at.points + 2 * at.stride[:, None]), 1)
    x, y = away(at.points, centres(boxes))
    nearest = (x.square_() + y.square_()).argmin(1)
    return plain + trained * (boxes[nearest] - plain)


def dynamic(boxes, at, layout, trained=0.5, middle=True):
    """SimOTA: of the points near the centre and in the box the dynamic k of least cost."""
    points = at.corners + at.stride[:, None] / 2 if middle else at.points
    near = farther(centres(boxes), points) < 2.5 * at.stride
    inner = reach_of(boxes, points)[0] > 0
    alike = overlaps(boxes, guesses(boxes, at, trained))
    cost = -3 * (alike + 1e-8).log() + 1e5 * ~(near & inner) + 1e8 * ~(near | inner)
    best = alike.masked_fill(~(near | inner), 0).topk(min(10, alike.shape[1]), 1).values
    mask = torch.zeros_like(near)
    for i, count in enumerate(best.sum(1).int().clamp(min=1)):
        mask[i, cost[i].topk(int(count), largest=False).indices] = True
    return torch.where(mask.any(0), torch.where(mask, cost, torch.inf).argmin(0), -1)


def adaptive(boxes, at, layout):
    """ATSS: of the nine nearest anchors a level those above the mean plus the deviation of their overlaps."""
    alike, apart = overlaps(boxes, at.boxes), (centres(boxes)[:, None] - at.points[None]).norm(dim=-1)
    chosen = torch.zeros_like(alike, dtype=torch.bool)
    for level in range(len(layout.strides)):
        here = torch.nonzero(at.level == level)[:, 0]
        near = apart[:, here].topk(min(9, len(here)), 1, largest=False).indices
        chosen.scatter_(1, here[near], True)
    few = torch.where(chosen, alike, torch.nan)
    mean = few.nanmean(1)
    spread = ((few - mean[:, None]) ** 2).nansum(1).div((chosen.sum(1) - 1).clamp(min=1)).sqrt()
    mask = chosen & (alike >= (mean + spread)[:, None]) & (reach_of(boxes, at.points)[0] > 0.01)
    return torch.where(mask.any(0), torch.where(mask, alike, -1.0).argmax(0), -1)


def by_overlap(boxes, at, layout):
    """RetinaNet: anchors that overlap by a half; each object's best one as well, ties and all; between, left out."""
    alike = overlaps(boxes, at.boxes)
    best, owner = alike.max(0)
    owner = torch.where(best >= 0.5, owner, torch.where(best >= 0.4, -2, -1))
    for i in range(len(boxes)):
        owner[alike[i] == alike[i].max()] = i
    return owner


def uniform(boxes, at, layout):
    """YOLOF: the four nearest anchors of every object, those that overlap too little left out."""
    alike = overlaps(boxes, at.boxes)
    apart = (
        torch.cat((centres(boxes), boxes[:, 2:] - boxes[:, :2]), 1)[:, None]
        - torch.cat((at.points, at.priors), 1)[None]
    )
    near = apart.abs().sum(-1).topk(4, 1, largest=False).indices
    owner = torch.full((len(at.points),), -1)
    owner[alike.amax(0) > 0.7] = -2
    for i in range(len(boxes)):
        owner[near[i]] = i
    return owner


def aligned(boxes, at, layout, trained=0.5):
    """YOLOv8: Ultralytics' own task-aligned assigner."""
    from ultralytics.utils.tal import TaskAlignedAssigner

    assigner = TaskAlignedAssigner(topk=10, num_classes=CLASSES, alpha=0.5, beta=6.0, stride=list(layout.strides))
    scores = torch.full((1, len(at.points), CLASSES), 0.5)
    guess = guesses(boxes, at, trained)[None]
    labels, ones = torch.zeros(1, len(boxes), 1), torch.ones(1, len(boxes), 1)
    *_, positive, index = assigner(scores, guess, at.points, labels, boxes[None], ones)
    return torch.where(positive[0], index[0], -1)


@dataclass(frozen=True)
class Scheme:
    """A right encoder: called as ``scheme(boxes, labels, image_size)``."""

    name: str
    layout: TargetLayout
    cells: Callable
    soft: bool = False
    chance: str = "one"

    def __call__(self, boxes, labels, image_size):
        layout = self.layout
        at = places(layout, image_size)
        flat = torch.zeros(len(at.points), layout.channels)
        if layout.class_values == "ids":
            flat[:, layout.class_channels[0]] = layout.background
        if len(boxes):
            owner = self.cells(boxes, at, layout)
            self.write(flat, owner, boxes, labels, at, image_size)
        return stored(flat, layout, image_size)

    def write(self, flat, owner, boxes, labels, at, image_size):
        layout = self.layout
        held, out = torch.nonzero(owner >= 0)[:, 0], torch.nonzero(owner == -2)[:, 0]
        mine = boxes[owner[held]]
        few = Places(*(getattr(at, field.name)[held] for field in fields(at)))
        flat[held[:, None], torch.tensor(layout.box)] = channels(mine, few, layout, image_size)
        value = torch.ones(len(held))
        if self.soft:
            value = 0.3 + 0.65 * torch.diagonal(overlaps(mine, guesses(boxes, few, 0.6))) if len(held) else value
        if layout.class_values == "ids":
            flat[held, layout.class_channels[0]] = labels[owner[held]].float()
        else:
            flat[held, layout.class_channels[0] + labels[owner[held]]] = value
        if layout.objectness is not None:
            far = sides(mine, few.points).diagonal().T if len(held) else torch.zeros(0, 4)
            pairs = [far[:, [0, 2]], far[:, [1, 3]]]
            ratio = [pair.amin(-1) / pair.amax(-1).clamp(min=1e-9) for pair in pairs]
            central = (ratio[0].clamp(min=0) * ratio[1].clamp(min=0)).sqrt()
            flat[held, layout.objectness] = central if self.chance == "centreness" else 1.0
        if layout.ignore is not None:
            marked = [*layout.class_channels] if layout.objectness is None else [layout.objectness]
            flat[out[:, None], torch.tensor(marked)] = layout.ignore


def channels(boxes: Tensor, at: Places, layout: TargetLayout, image_size) -> Tensor:
    """(k, 4) box channels, as each scheme's paper has them."""
    centre, size, stride = centres(boxes), boxes[:, 2:] - boxes[:, :2], at.stride[:, None]
    whole = torch.tensor([image_size[1], image_size[0]], dtype=torch.float32)
    if layout.format == "ltrb":
        far = torch.cat((at.points - boxes[:, :2], boxes[:, 2:] - at.points), 1)
        return far / stride if layout.unit == "stride" else far
    if layout.format == "xyxy":
        return boxes
    if layout.unit == "px":
        return torch.cat((centre, size), 1)
    if layout.unit == "prior":
        return torch.cat(((centre - at.points) / at.priors, (size / at.priors).clamp(min=LEAST).log()), 1)
    length = {"prior": at.priors, "normalized": whole, None: stride}[layout.size_unit]
    shown = size / length
    if layout.size_function != "identity":
        shown = shown.clamp(min=LEAST).log() if layout.size_function == "log" else shown.sqrt()
    return torch.cat(((centre - at.corners) / stride, shown), 1)


def stored(flat: Tensor, layout: TargetLayout, image_size):
    """The flat (N, C) as the layout stores it."""
    if layout.axes == "NC":
        return flat
    grids = [(-(-image_size[0] // s), -(-image_size[1] // s)) for s in layout.strides]
    parts = flat.split([layout.anchor_count * h * w for h, w in grids])
    order = {"CHW": "chw", "HWC": "hwc", "ACHW": "achw", "AHWC": "ahwc", "HWAC": "hwac", "AC,H,W": "(ac)hw"}
    found = []
    for part, (h, w) in zip(parts, grids, strict=True):
        full = part.view(h, w, layout.anchor_count, -1)
        axes = order[layout.axes.removeprefix("B")]
        if axes == "(ac)hw":
            level = full.permute(2, 3, 0, 1).reshape(-1, h, w)
        else:
            full = full if "a" in axes else full[:, :, 0]
            names = "hwac" if "a" in axes else "hwc"
            level = full.permute(*(names.index(letter) for letter in axes)).contiguous()
        found.append(level[None] if layout.axes.startswith("B") else level)
    return found


@dataclass(frozen=True)
class Gaussians:
    """CenterNet: heat that falls around each object's cell; sizes and offsets at the cell alone."""

    name: str
    layout: TargetLayout

    def __call__(self, boxes, labels, image_size):
        stride = self.layout.strides[0]
        rows, columns = image_size[0] // stride, image_size[1] // stride
        out = torch.zeros(self.layout.channels, rows, columns)
        first = self.layout.class_channels[0]
        for box, label in zip(boxes, labels, strict=True):
            x, y = ((box[:2] + box[2:]) / 2 / stride).tolist()
            i, j = min(max(int(y), 0), rows - 1), min(max(int(x), 0), columns - 1)
            w, h = ((box[2:] - box[:2]) / stride).tolist()
            sigma = max(min(w, h) * 0.3, 0.6) / 3 + 0.2
            v, u = torch.meshgrid(torch.arange(rows) - i, torch.arange(columns) - j, indexing="ij")
            heat = torch.exp(-(u**2 + v**2) / (2 * sigma**2))
            heat[heat < 1e-4] = 0
            out[first + label] = torch.maximum(out[first + label], heat)
            out[:4, i, j] = torch.tensor([x - j, y - i, w, h])
        return [out]


def schemes() -> dict[str, Callable]:
    """Name: a right encoder with its ``layout``."""
    of = lambda name, **changes: TargetLayout.of(name, classes=CLASSES, **changes)  # noqa: E731
    every = lambda *a: best_prior(*a, ignore=False, every_scale=True)  # noqa: E731
    several = lambda *a: best_prior(*a, also=0.213)  # noqa: E731
    untrained = lambda *a: dynamic(*a, trained=0.0)  # noqa: E731
    corners = lambda *a: dynamic(*a, trained=0.3, middle=False)  # noqa: E731
    central = lambda *a: by_range(*a, radius=1.5)  # noqa: E731
    ids = {"class_values": "ids", "classes": (4,), "num_classes": CLASSES, "background": -1.0, "axes": "NC"}
    found = [
        Scheme("yolov1", of("yolov1"), one_cell),
        Scheme("yolov2", of("yolov2"), best_prior_plain),
        Scheme("yolov3", of("yolov3"), best_prior),
        Scheme("yolov3, every scale", replace(of("yolov3"), ignore=None, axes="ACHW"), every),
        Scheme("yolov4", of("yolov4"), several),
        Scheme("yolov5", of("yolov5"), with_neighbours),
        Scheme("yolov7", of("yolov7", axes="BAHWC"), with_neighbours),
        Scheme("yolov8", of("yolov8"), aligned, soft=True),
        Scheme("yolox", of("yolox"), near_centre),
        Scheme("yolox, simota", of("yolox"), dynamic, soft=True),
        Scheme("yolox, simota untrained", of("yolox", axes="HWC"), untrained, soft=True),
        Scheme("fcos", of("fcos"), by_range, chance="centreness"),
        Scheme("fcos, centre sampling", of("fcos", axes="BCHW"), central, chance="centreness"),
        Scheme("nanodet", of("nanodet", anchors=[[(5.0 * s, 5.0 * s)] for s in (8, 16, 32)]), adaptive, soft=True),
        Scheme("nanodet-plus", of("nanodet-plus"), corners, soft=True),
        Scheme("rtmdet", of("rtmdet"), corners, soft=True),
        Scheme("atss", of("atss"), adaptive, chance="centreness"),
        Scheme("yolof", of("yolof"), uniform),
        Scheme("retinanet", of("retinanet"), by_overlap),
        Scheme("retinanet, ids", replace(of("retinanet"), **ids), by_overlap_ids),
        Scheme("efficientdet", of("efficientdet", axes="AC,H,W"), by_overlap),
        Gaussians("centernet", of("centernet")),
    ]
    return {scheme.name: scheme for scheme in found}


def best_prior_plain(boxes, at, layout):
    """YOLOv2."""
    return best_prior(boxes, at, layout, ignore=False)


def by_overlap_ids(boxes, at, layout):
    """RetinaNet with ids: what lies between is left out by an id of -1."""
    return by_overlap(boxes, at, replace(layout))


SCHEMES_BY_NAME = schemes()
