"""What following says of every cell, against where its gradient is: operation by operation, no axis like the other."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from anatomy.network.field import Field
from anatomy.network.follow import Following
from anatomy.network.seen import Seen, mark, seen

HEIGHT, WIDTH = 12, 10
RANDOM = torch.Generator().manual_seed(0)


def positive(layer: nn.Module) -> nn.Module:
    """The layer with weights that cancel nowhere, in double precision."""
    layer = layer.double().eval()
    for value in layer.parameters():
        value.data = 0.1 + torch.rand(value.shape, generator=RANDOM, dtype=value.dtype)
    return layer


def conv(*args, **kwargs) -> nn.Module:
    return positive(nn.Conv2d(2, 2, *args, **kwargs))


TALL, WIDE = conv((3, 1), padding=(1, 0)), conv((1, 5), padding=(0, 2))
THREE = positive(nn.Conv2d(2, 3, (1, 3), padding=(0, 1)))
MATRIX = torch.rand(2, 3, generator=RANDOM, dtype=torch.float64)

# an operation on (1, 2, 12, 10); what it makes is (…, rows, columns) where nothing else is said
FOLLOWED = {
    "kernel, stride, padding and dilation": conv((3, 2), (2, 3), (2, 1), (1, 2)),
    "no padding": conv((4, 3)),
    "grouped": conv((3, 2), (1, 2), groups=2),
    "transposed": positive(nn.ConvTranspose2d(2, 2, (3, 4), (1, 3), (1, 2), dilation=(2, 1))),
    "transposed, after a stride": nn.Sequential(conv(3, (2, 3)), positive(nn.ConvTranspose2d(2, 2, (4, 5), (3, 2)))),
    "average": nn.AvgPool2d((2, 3), (1, 2), (1, 1)),
    "average by its kernel": nn.AvgPool2d((2, 3)),
    "padded": lambda x: F.pad(WIDE(F.pad(x, (3, 1, 2, 0))), (0, 1, 4, 0)),
    "padded in the width alone": lambda x: TALL(F.pad(x, (3, 1))),
    "cropped by padding": lambda x: conv((3, 2))(F.pad(x, (-2, 0, -1, -3))),
    "up by nearest": lambda x: F.interpolate(conv((3, 2), (2, 1))(x), scale_factor=(2.0, 3.0)),
    "up by nearest-exact": lambda x: F.interpolate(x, scale_factor=(3.0, 2.0), mode="nearest-exact"),
    "up bilinear": lambda x: F.interpolate(conv((2, 3), (2, 1))(x), scale_factor=(2.0, 4.0), mode="bilinear"),
    "up bicubic": lambda x: F.interpolate(x, scale_factor=(4.0, 2.0), mode="bicubic"),
    "up and looked at": lambda x: TALL(F.interpolate(conv(2, 2)(x), scale_factor=(2.0, 4.0))),
    "every second row": lambda x: WIDE(x[:, :, 1::2]),
    "columns from the end": lambda x: TALL(x[..., -7:]),
    "columns from 2 to 8, every third": lambda x: TALL(x[..., 2:8:3]),
    "narrowed": lambda x: WIDE(x.narrow(2, 3, 6)),
    "channels one by one": lambda x: TALL(x[:, :1].repeat_interleave(1, 1).expand(1, 2, -1, -1)),
    "joined by channel": lambda x: torch.cat([TALL(x), WIDE(x)], 1),
    "joined and cut again": lambda x: torch.cat([x, TALL(x), WIDE(x)], 1)[:, 1:5],
    "sum of two": lambda x: TALL(x) + WIDE(x),
    "times numbers that see nothing": lambda x: WIDE(x) * torch.rand(2, 1, 1, dtype=torch.float64) + 1,
    "mean over channels": lambda x: WIDE(x).mean(1, keepdim=True),
    "halves by channel": lambda x: TALL(x).chunk(2, 1)[1],
    "halves by row": lambda x: TALL(x).chunk(2, 2)[1],
    "parts by column": lambda x: WIDE(x).split([3, 5, 2], 3)[1],
    "in another order and back": lambda x: TALL(x.permute(0, 2, 3, 1).permute(0, 3, 1, 2)),
    "channels last through a matrix": lambda x: (WIDE(x).permute(0, 2, 3, 1) @ MATRIX).permute(0, 3, 1, 2),
    "layer norm of channels": lambda x: F.layer_norm(THREE(x).permute(0, 2, 3, 1), (3,)).permute(0, 3, 1, 2),
    "softmax of channels": lambda x: WIDE(x).softmax(1),
    "flat and back": lambda x: TALL(x.flatten(2).unflatten(2, (HEIGHT, WIDTH))),
    "flat, through single cells, and back": lambda x: positive(nn.Conv1d(2, 2, 1))(WIDE(x).flatten(2)).unflatten(
        2, (HEIGHT, WIDTH)
    ),
    "flat channels first": lambda x: TALL(x).flatten(0, 1)[None],
    "one image of two": lambda x: TALL(torch.cat([x, x * 2]))[:1],
    "batch norm": nn.Sequential(WIDE, nn.BatchNorm2d(2).double().eval()),
    "in place": lambda x: WIDE(x).add_(1).mul_(2),
}


def followed(operation, x: torch.Tensor) -> Seen | None:
    with torch.no_grad(), Following():
        return seen(operation(mark(x.clone(), Seen(Field(), dims=(2, 3)))))


def reached(made: torch.Tensor, x: torch.Tensor, row: int, col: int) -> tuple[int, int, int, int] | None:
    """The px (x1, y1, x2, y2) about all whose gradient into a cell is not zero; None where it answers to none."""
    cell = made.reshape(-1, *made.shape[-2:])[:, row, col]
    cell = (cell * torch.arange(1, len(cell) + 1)).sum()
    slope = torch.autograd.grad(cell, x, retain_graph=True)[0].abs().sum((0, 1))
    if not slope.any():
        return None
    rows, cols = (np.flatnonzero(slope.sum(axis).numpy()) for axis in (1, 0))
    return cols[0], rows[0], cols[-1] + 1, rows[-1] + 1


@pytest.mark.parametrize("name", FOLLOWED)
def test_every_cell_sees_what_its_gradient_reaches(name):
    operation = FOLLOWED[name]
    x = torch.rand(1, 2, HEIGHT, WIDTH, dtype=torch.float64, requires_grad=True)
    found, made = followed(operation, x.detach()), operation(x)
    assert found is not None and found.dims == (made.ndim - 2, made.ndim - 1) and not found.field.whole
    rows, cols = made.shape[-2:]
    exact = 0
    cells = {(row, col) for row in (0, 1, 2, rows // 2, rows - 1) for col in (0, 1, 2, cols // 2, cols - 1)}
    for row, col in sorted((row, col) for row, col in cells if row < rows and col < cols):
        wanted = reached(made, x, row, col)
        span = found.field.span(row, col)
        inside = span.clip(0, (WIDTH, HEIGHT, WIDTH, HEIGHT))
        if (span == inside).all():
            assert span.tolist() == list(wanted), (row, col)
            exact += 1
        elif wanted is not None:  # of a window over the edge, gaps may be all that lies at its end
            assert (inside[:2] <= wanted[:2]).all() and (inside[2:] >= wanted[2:]).all(), (row, col)
    assert exact


WHOLE = {  # operations after which every cell may see everything: are they still cells, and where?
    "up by no whole factor": (lambda x: F.interpolate(x, size=(18, 20)), (2, 3)),
    "up with corners aligned": (
        lambda x: F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True),
        (2, 3),
    ),
    "adaptive pooling": (lambda x: F.adaptive_avg_pool2d(x, (3, 5)), (2, 3)),
    "softmax of columns": (lambda x: x.softmax(-1), (2, 3)),
    "softmax of rows": (lambda x: x.softmax(2), (2, 3)),
    "layer norm of columns": (lambda x: F.layer_norm(x, (WIDTH,)), (2, 3)),
    "layer norm of channels and cells": (lambda x: F.layer_norm(x, (2, HEIGHT, WIDTH)), (2, 3)),
    "group norm": (lambda x: F.group_norm(x, 2), (2, 3)),
    "one column": (lambda x: x[..., 3], None),
    "one row": (lambda x: x[:, :, 3], None),
    "mean of rows": (lambda x: x.mean(2, keepdim=True), None),
    "mean of columns": (lambda x: x.mean(-1), None),
    "sum of all": (lambda x: x.sum(), None),
    "joined by row": (lambda x: torch.cat([x, x], 2), None),
    "joined by column": (lambda x: torch.cat([x, x], -1), None),
    "rolled": (lambda x: x.roll(1, 3), None),
    "a product over the columns": (lambda x: x @ torch.rand(WIDTH, 3, dtype=torch.float64), None),
    "a product of two that see": (lambda x: x @ x.transpose(2, 3), None),
    "a product of two that see, channels last": (lambda x: x.permute(0, 2, 3, 1) @ x.permute(0, 2, 1, 3), None),
    "a product from the left": (lambda x: torch.rand(3, HEIGHT, dtype=torch.float64) @ x, None),
    "repeated": (lambda x: x[:, :, :1] + torch.zeros(1, 2, HEIGHT, WIDTH, dtype=torch.float64), None),
    "rows and columns exchanged, then a sum": (lambda x: x[..., :10, :] + x[..., :10, :].transpose(2, 3), None),
    "a convolution over columns and channels": (lambda x: TALL(x.permute(0, 1, 3, 2)), None),
    "flat, with every second cell gone": (lambda x: x.flatten(2)[..., ::2], None),
    "stacked": (lambda x: torch.stack([x, x], 1), None),
    "columns apart": (lambda x: x.unbind(3)[0], None),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_mixes_or_loses_the_cells(name):
    operation, dims = WHOLE[name]
    found = followed(operation, torch.rand(1, 2, HEIGHT, WIDTH, dtype=torch.float64))
    assert found.field.whole and found.field.size == (math.inf, math.inf)
    assert found.dims == dims and found.flat is None


@pytest.mark.parametrize(
    ("operation", "dims", "flat"),
    [
        (lambda x: x.permute(2, 0, 3, 1), (0, 2), None),
        (lambda x: x.transpose(1, 2), (1, 3), None),
        (lambda x: x.transpose(-1, 0), (2, 0), None),
        (lambda x: x[0], (1, 2), None),
        (lambda x: x[:, 1], (1, 2), None),
        (lambda x: x.mean(1), (1, 2), None),
        (lambda x: x.mean((0, 1)), (0, 1), None),
        (lambda x: x.unbind(1)[1], (1, 2), None),
        (lambda x: x[None], (3, 4), None),
        (lambda x: x.flatten(2), None, (2, HEIGHT, WIDTH)),
        (lambda x: x.flatten(2).transpose(1, 2), None, (1, HEIGHT, WIDTH)),
        (lambda x: x.flatten(2).mean(1), None, (1, HEIGHT, WIDTH)),
        (lambda x: x.flatten(2)[0], None, (1, HEIGHT, WIDTH)),
        (lambda x: x.flatten(2).softmax(1), None, (2, HEIGHT, WIDTH)),
        (lambda x: x.flatten(1), None, (1, HEIGHT, WIDTH)),
        (lambda x: x.permute(0, 2, 3, 1).flatten(1, 2) @ MATRIX, None, (1, HEIGHT, WIDTH)),
        (lambda x: x[0].permute(1, 2, 0).flatten(0, 1) @ MATRIX, None, (0, HEIGHT, WIDTH)),
    ],
)
def test_where_the_cells_lie(operation, dims, flat):
    found = followed(operation, torch.rand(1, 2, HEIGHT, WIDTH, dtype=torch.float64))
    assert (found.dims, found.flat, found.field) == (dims, flat, Field())
    assert found.at == (dims or flat[:1])


def test_the_sum_of_two_fields_is_seen_along_each_axis():
    field = followed(lambda x: TALL(x) + WIDE(x), torch.rand(1, 2, HEIGHT, WIDTH, dtype=torch.float64)).field
    assert field.size == (3, 5) and field.stride == (1, 1) and field.center == (0.5, 0.5)
    assert field.span(4, 6).tolist() == [4, 3, 9, 6] and str(field) == "3 × 5"


def test_what_the_image_has_not_reached_is_not_marked():
    assert followed(lambda x: torch.ones(2) * 3, torch.rand(1, 2, 4, 4)) is None
