"""Theoretical receptive fields: by hand on small stacks, and where the gradient is in whole detectors."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from ultralytics.nn.modules import block as blocks

import anatomy
from anatomy.network.field import PIXELS, Axis
from anatomy.network.run import shadow
from tests.ultralytics_nets import narrow


class OverColumns(nn.Module):
    """A 1 × 1 convolution whose channels are the columns of the image: it reads all of a row."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(32, 32, 1)

    def forward(self, x):
        return self.conv(x.permute(0, 3, 2, 1)).permute(0, 3, 2, 1)


STACKS = {  # name: (a network, (size, stride, centre of cell 0) by hand)
    "one pixel": (nn.Conv2d(1, 1, 1), (1, 1, 0.5)),
    "3 x 3": (nn.Conv2d(1, 1, 3, padding=1), (3, 1, 0.5)),
    "no padding": (nn.Conv2d(1, 1, 3), (3, 1, 1.5)),
    "dilated": (nn.Conv2d(1, 1, 3, padding=2, dilation=2), (5, 1, 0.5)),
    "strided twice": (nn.Sequential(*(nn.Conv2d(1, 1, 3, 2, 1) for _ in range(2))), (7, 4, 0.5)),
    "patches": (nn.Conv2d(1, 1, 4, 4), (4, 4, 2.0)),
    "pooled": (nn.Sequential(nn.MaxPool2d(2), nn.AvgPool2d(3, 1, 1)), (6, 2, 1.0)),
    "padded apart": (nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(1, 1, 4)), (4, 1, 2.0)),
    "up by nearest": (nn.Sequential(nn.Conv2d(1, 1, 2, 2), nn.Upsample(scale_factor=2)), (2, 1, 0.5)),
    "up and looked at": (
        nn.Sequential(nn.Conv2d(1, 1, 2, 2), nn.Upsample(scale_factor=2), nn.Conv2d(1, 1, 3, padding=1)),
        (4, 1, 0.5),
    ),
    "up bilinear": (nn.Sequential(nn.Conv2d(1, 1, 2, 2), nn.Upsample(scale_factor=2, mode="bilinear")), (4, 1, 0.5)),
    "transposed": (nn.Sequential(nn.Conv2d(1, 1, 2, 2), nn.ConvTranspose2d(1, 1, 2, 2)), (2, 1, 0.5)),
    "1 x 1 on flat cells": (
        nn.Sequential(nn.Conv2d(1, 1, 2, 2), nn.Flatten(2), nn.Conv1d(1, 1, 1), nn.Unflatten(2, (8, 16))),
        (2, 2, 1.0),
    ),
    "cells cut in halves": (  # and put together again: where they stood is not followed through it
        nn.Sequential(nn.Flatten(2), nn.Unflatten(2, (2, 256)), nn.Flatten(2), nn.Unflatten(2, (16, 32))),
        (math.inf, 1, None),
    ),
    "1 x 1 over columns": (OverColumns(), (math.inf, 1, None)),
    "mean": (nn.AdaptiveAvgPool2d(1), (math.inf, None, None)),
    "group norm": (nn.GroupNorm(1, 1), (math.inf, 1, None)),
    "batch norm": (nn.BatchNorm2d(1), (1, 1, 0.5)),
}


@pytest.mark.parametrize("name", STACKS)
def test_receptive_fields_by_hand(name):
    net, (size, stride, center) = STACKS[name]
    layer = anatomy.layers(net, (1, 1, 16, 32))[""]
    assert layer.field.size == (size, size)
    assert layer.stride == stride
    if center is None:
        assert layer.field.whole and math.isnan(layer.field.center[0])
    else:
        assert layer.field.center == pytest.approx((center, center))


def test_padding_along_the_width_moves_columns_alone():
    net = nn.Sequential(nn.ConstantPad1d((3, 1), 0.0), nn.Conv2d(1, 1, 1))
    field = anatomy.layers(net, (1, 1, 16, 32))[""].field
    assert field.size == (1, 1)
    assert field.center == (-2.5, 0.5)


class LayerNorm(nn.Module):
    """Normalizes channels last, as ConvNeXt does, then a linear layer there."""

    def __init__(self):
        super().__init__()
        self.norm, self.linear = nn.LayerNorm(4), nn.Linear(4, 4)

    def forward(self, x):
        return self.linear(self.norm(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)


class Focus(nn.Module):
    def forward(self, x):
        return torch.cat([x[..., i::2, j::2] for i in (0, 1) for j in (0, 1)], 1)


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        return x * self.gate(F.adaptive_avg_pool2d(x, 1)).sigmoid()


class Mixed(nn.Module):
    """Positions are put in another order by an operation that nobody follows."""

    def forward(self, x):
        return x.roll(1, -1)


@pytest.mark.parametrize(
    ("between", "size", "stride"),
    [
        (LayerNorm(), 5, 1),
        (Focus(), 6, 2),
        (Gate(), math.inf, 1),
        (Mixed(), math.inf, 1),
        (blocks.SPPF(4, 4), 5 + 3 * 4, 1),
    ],
    ids=["channels last", "focus", "gate", "unknown", "sppf"],
)
def test_receptive_fields_through_plain_operations(between, size, stride):
    after = nn.Conv2d(16 if isinstance(between, Focus) else 4, 4, 3, padding=1)
    made = anatomy.layers(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), between, after), 16)
    if isinstance(between, Focus):
        size = 3 + 1 + 2 * 2  # two windows side by side, then two more to each end
    assert made[""].field.size == (size, size)
    assert made[""].stride == stride


def support(net: nn.Module, path: str, shape: tuple[int, ...], cols: list[int]) -> list[tuple[int, int]]:
    """The columns of px whose gradient into a row of cells is not zero, with positive weights and nothing but sums."""
    net = shadow(net, lambda value: value.double() if value.is_floating_point() else value.clone())
    for name, module in list(net.named_modules()):
        plain = nn.Identity() if isinstance(module, nn.SiLU) else None
        if isinstance(module, nn.MaxPool2d):
            plain = nn.AvgPool2d(module.kernel_size, module.stride, module.padding)
        if plain is not None:
            plain.__dict__.update({key: value for key, value in vars(module).items() if key in ("f", "i", "type")})
            above, _, last = name.rpartition(".")
            setattr(net.get_submodule(above), last, plain)
    for parameter in net.parameters():
        if parameter.ndim == 4:
            parameter.data = torch.rand_like(parameter) / parameter[0].numel() + 1e-3
    made = []
    net.get_submodule(path).register_forward_hook(lambda module, inputs, output: made.append(output))
    x = torch.rand(shape, dtype=torch.float64, requires_grad=True)
    net(x)
    found = []
    for col in cols:
        reached = (
            torch.autograd.grad(made[0][0, :, 0, col].sum(), x, retain_graph=True)[0].abs().sum((0, 1, 2)).nonzero()
        )
        found.append((int(reached.min()), int(reached.max()) + 1))
    return found


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("yolov8n", "model.9"),
        ("yolov8n", "model.15"),
        ("yolov8n", "model.22.cv3.2.2"),
        ("yolov8n-ghost", "model.15"),
        ("yolov5n", "model.9"),
        ("yolov6n", "model.16"),
        ("yolo11n", "model.8"),
        ("yolo11n", "model.16"),
    ],
)
def test_receptive_fields_are_where_the_gradient_is(name, path):
    """A strip one cell of P5 high and wide enough; neighbouring cells, since they differ after an upsampling."""
    shape = (1, 3, 32, 2560)
    net = narrow(name, 80, 1 / 8).model.eval()
    layer = anatomy.layers(net, shape)[path]
    middle = layer.output[3] // 2
    cols = [middle, middle + 1, middle + 2, middle + 3]
    expected = [
        (max(0, int(start)), min(shape[3], int(end))) if math.isfinite(start) else (0, shape[3])
        for start, end in (layer.field.x.span(col) for col in cols)
    ]
    assert support(net, path, shape, cols) == expected


def test_a_span_is_the_place_of_a_cell():
    field = anatomy.layers(nn.Conv2d(1, 1, 3, 2, 1), (1, 1, 8, 8)).field("")
    assert field.span(0, 0).tolist() == [-1, -1, 2, 2]
    assert field.span(1, 3).tolist() == [5, 1, 8, 4]
    assert str(field) == "3" and field.stride == (2, 2)


def test_axes_join_only_where_their_cells_lie_alike():
    twice = PIXELS.through(lambda cell: (cell * 2,), inputs=2)
    assert twice == Axis((0.0,), (1.0,), 2.0)
    assert PIXELS.union(twice).whole
    wide = PIXELS.through(lambda cell: (cell - 1, cell + 1))
    assert PIXELS.union(wide) == wide
