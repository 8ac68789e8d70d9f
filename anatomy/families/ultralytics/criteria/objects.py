"""The objects of a batch as its criterion counts them, image by image."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

TINY = 2  # px; v8OBBLoss leaves out rotated boxes that are narrower or lower


def objects_of(
    batch: Mapping[str, Tensor], shape: tuple[int, int], count: int, sides: int
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Of ``count`` images the boxes in px of an input of (height, width), (n, 4) xyxy, rotated ones (n, 5) xywhr; and
    the class ids (n,) int64."""
    height, width = shape
    boxes = batch["bboxes"].detach().float().reshape(-1, sides)
    placed = boxes[:, :4] * boxes.new_tensor((width, height, width, height))
    if sides == 5:
        placed = torch.cat((placed, boxes[:, 4:]), 1)
    else:
        centre, half = placed[:, :2], placed[:, 2:] / 2
        placed = torch.cat((centre - half, centre + half), 1)
    labels = batch["cls"].detach().reshape(-1).long()
    image = batch["batch_idx"].reshape(-1).long().cpu()  # the device is waited for here, and not for each image
    order = image.argsort(stable=True).to(placed.device)
    counts = image.bincount(minlength=count).tolist()
    return placed[order].split(counts), labels[order.to(labels.device)].split(counts)


def original_numbers(object_: Tensor, kept: Sequence[Tensor]) -> Tensor:
    """Objects (B, A), counted without those left out, counted with them; ``kept`` (n,) bool an image."""
    most = max(map(len, kept), default=0)
    numbers = torch.full((len(kept), most + 1), -1)  # the last column is that of the background
    flags = torch.cat(list(kept)).cpu().split(list(map(len, kept)))
    for row, flag in zip(numbers, flags, strict=True):
        found = flag.nonzero().view(-1)
        row[: len(found)] = found
    return numbers.to(object_.device).gather(1, torch.where(object_ < 0, most, object_))


def large_enough(boxes: Sequence[Tensor]) -> list[Tensor]:
    """Which rotated boxes (n, 5) xywhr px of each image take part in training, as ``v8OBBLoss`` chooses them."""
    return [(rotated[:, 2:4] >= TINY).all(1) for rotated in boxes]
