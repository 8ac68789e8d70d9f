"""Decoders of a few layouts, right and with one fault each: those that the check of decoders was developed with."""

from collections.abc import Callable

import torch
from torch import Tensor

from diagnosis import TargetLayout

STRIDES = (8, 16, 32)
CENTRES = TargetLayout(format="cxcywh", unit="stride", relative=True, classes=slice(5, 9), grid_offset=0.0)
SIDES = TargetLayout(format="ltrb", unit="stride", objectness=None, classes=slice(4, 8))


def grid(rows: int, columns: int, fault: str) -> Tensor:
    """(2, h, w): x and y of each cell, in cells."""
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    flat = torch.arange(rows * columns)
    made = {
        "grid column by column": (flat // rows, flat % rows),
        "grid counts with the height": (flat % rows, flat // rows),
        "grid from the bottom": (x, rows - 1 - y),
        "grid viewed": torch.stack((x, y), -1).view(2, rows, columns),
    }.get(fault, (x, y))
    return torch.stack((made[0].reshape(rows, columns), made[1].reshape(rows, columns))).float()


RAW: dict[str, Callable] = {
    "sigmoid of offsets once more": lambda v, s: torch.cat((v[:, :2].sigmoid(), v[:, 2:]), 1),
    "exponential of sizes once more": lambda v, s: torch.cat((v[:, :2], v[:, 2:].exp()), 1),
    "sizes without stride": lambda v, s: torch.cat((v[:, :2], v[:, 2:] / s), 1),
    "x and y exchanged": lambda v, s: v[:, [1, 0, 3, 2]],
    "sides in pairs exchanged": lambda v, s: v[:, [2, 3, 0, 1]],
    "half of sizes": lambda v, s: torch.cat((v[:, :2], v[:, 2:] / 2), 1),
    "sizes cut at three strides": lambda v, s: torch.cat((v[:, :2], v[:, 2:].clamp(max=3)), 1),
}
SHOWN: dict[str, Callable] = {
    "cut to the image": lambda b, whole: torch.minimum(b.clamp(min=0), whole),
    "cut to the exchanged sides": lambda b, whole: torch.minimum(b.clamp(min=0), whole[:, [1, 0, 3, 2]]),
    "in shares of the image": lambda b, whole: b / whole,
    "scaled by the exchanged sides": lambda b, whole: b / whole * whole[:, [1, 0, 3, 2]],
    "y before x": lambda b, whole: b[:, [1, 0, 3, 2]],
    "corner and size given out": lambda b, whole: torch.cat((b[:, :2], b[:, 2:] - b[:, :2]), 1),
    "centre and size in shares given out": lambda b, whole: (
        torch.cat(((b[:, :2] + b[:, 2:]) / 2, b[:, 2:] - b[:, :2]), 1) / whole
    ),
    "in whole px": lambda b, whole: b.round(),
}


def decoder(layout: TargetLayout, fault: str = "") -> Callable:
    """Boxes (B, N, 4) and scores (B, N, classes) of tensors in ``layout``."""
    kept: dict[int, Tensor] = {}

    def decode(outputs):
        boxes, scores = [], []
        for index, level in enumerate(outputs):
            rows, columns = level.shape[2:]
            whole = torch.tensor([columns, rows, columns, rows]).view(1, 4, 1, 1) * STRIDES[index]
            stride = STRIDES[2 - index] if fault == "strides in the opposite order" else STRIDES[index]
            points = grid(rows, columns, fault) + layout.grid_offset + 0.5 * (fault == "half a cell off")
            points = kept.setdefault(index, points) if fault == "grid of the first image kept" else points
            raw = RAW.get(fault, lambda v, s: v)(level[:, :4], stride) * stride
            if fault == "changes what it is given":
                level[:, :4] *= 1.001
            box = SHOWN.get(fault, lambda b, whole: b)(as_corners(raw, points * stride, layout), whole)
            box = box.transpose(2, 3) if fault == "boxes listed column by column" else box
            boxes.append(box.flatten(2))
            score = level[:, list(layout.class_channels)]
            score = score.sigmoid() if fault == "sigmoid of classes once more" else score
            sure = layout.objectness is not None and fault != "objectness left out"
            scores.append((score * level[:, 4:5] if sure else score).flatten(2))
        return listed(boxes, scores, fault)

    return decode


def as_corners(raw: Tensor, points: Tensor, layout: TargetLayout) -> Tensor:
    """(B, 4, h, w) xyxy px."""
    if layout.format == "ltrb":
        return torch.cat((points - raw[:, :2], points + raw[:, 2:]), 1)
    centre, size = points + raw[:, :2], raw[:, 2:]
    return torch.cat((centre - size / 2, centre + size / 2), 1)


def listed(boxes: list[Tensor], scores: list[Tensor], fault: str) -> tuple[Tensor, Tensor]:
    """All levels in one list."""
    if fault == "boxes listed from the last level on":
        boxes.reverse()
    box, score = torch.cat(boxes, 2), torch.cat(scores, 2).permute(0, 2, 1)
    box = box.reshape(len(box), -1, 4) if fault == "boxes viewed" else box.permute(0, 2, 1)
    if fault == "boxes of the next image":
        box = box.roll(1, 0)
    if fault == "five at most":
        best = score.amax(2).topk(5).indices[..., None]
        return box.gather(1, best.expand(-1, -1, 4)), score.gather(1, best.expand(-1, -1, score.shape[2]))
    return box, score


RIGHT = ("", "cut to the image")
FAULTS = (
    (CENTRES, "grid column by column", "axes_swapped"),
    (CENTRES, "grid counts with the height", "image_size_swapped"),
    (CENTRES, "grid from the bottom", "wrong_cell"),
    (SIDES, "grid viewed", "scrambled_layout"),
    (CENTRES, "grid of the first image kept", "state_leak"),
    (CENTRES, "sigmoid of offsets once more", "saturated_offset"),
    (CENTRES, "exponential of sizes once more", "wrong_box_unit"),
    (CENTRES, "sizes without stride", "wrong_box_unit"),
    (CENTRES, "x and y exchanged", "axes_swapped"),
    (SIDES, "sides in pairs exchanged", "wrong_box_format"),
    (CENTRES, "half of sizes", "wrong_box_format"),
    (CENTRES, "sizes cut at three strides", "range_ceiling"),
    (SIDES, "cut to the exchanged sides", "image_size_swapped"),
    (CENTRES, "in shares of the image", "wrong_box_unit"),
    (CENTRES, "scaled by the exchanged sides", "image_size_swapped"),
    (SIDES, "y before x", "axes_swapped"),
    (CENTRES, "corner and size given out", "wrong_box_format"),
    (SIDES, "strides in the opposite order", "levels_reversed"),
    (CENTRES, "half a cell off", "half_cell_offset"),
    (CENTRES, "boxes listed column by column", "axes_swapped"),
    (CENTRES, "boxes listed from the last level on", "levels_reversed"),
    (CENTRES, "boxes viewed", "scrambled_layout"),
    (CENTRES, "boxes of the next image", "mixed_batch"),
    (CENTRES, "five at most", "object_lost"),
    (SIDES, "sigmoid of classes once more", "class_leak"),
    (CENTRES, "objectness left out", "objectness_wrong"),
    (CENTRES, "changes what it is given", "state_leak"),
)
