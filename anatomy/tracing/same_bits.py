"""Which quicker ways of running a class convolution give the same bits as the convolution itself.

Which kernel runs, and in which order it sums, follows from shapes, strides, threads and settings; at the edge of a grid
or of the rows it may be another one than in the middle. So each kind of work is decided once, on values that can tell:
random numbers of which half are the negatives of the other half, so that an exact sum would be the bias and the last
bits of what is computed are the order of the sum and nothing else. The caller's own values decide nothing.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DRAWS = 4  # another order of the sum leaves about one value in twenty unchanged: 4 draws tell for every single cell
ALIGNED = 64  # bytes: where torch's own tensors begin; elsewhere a kernel may begin in another way
PARTS = (4, 8, 16, 32, 64)  # how many rows are computed together when only some have changed


class Kind(NamedTuple):
    """All that decides which kernels a class convolution takes on the CPU."""

    dtype: torch.dtype
    feature: tuple[tuple[int, ...], tuple[int, ...]]  # shape and strides, as of the weight
    weight: tuple[tuple[int, ...], tuple[int, ...]]
    biased: bool
    geometry: tuple  # stride, padding, dilation of the convolution
    threads: int
    settings: tuple

    @property
    def plain(self) -> bool:
        """Whether the convolution is a matrix product of rows and cells with a bias added."""
        return self.biased and self.weight[0][2:] == (1, 1) and self.geometry == ((1, 1), (0, 0), (1, 1))


def kind_of(conv: nn.Conv2d, feature: Tensor, weight: Tensor, bias: Tensor | None) -> Kind | None:
    """The kind of this work, or None where nothing quicker than the convolution itself is sure."""
    parts = (feature, weight) if bias is None else (feature, weight, bias)
    if conv.groups != 1 or isinstance(conv.padding, str) or conv.padding_mode != "zeros":
        return None
    if torch.is_autocast_enabled("cpu"):
        return None
    if any(part.device.type != "cpu" or part.data_ptr() % ALIGNED for part in parts):
        return None
    return Kind(
        dtype=feature.dtype,
        feature=(tuple(feature.shape), feature.stride()),
        weight=(tuple(weight.shape), weight.stride()),
        biased=bias is not None,
        geometry=(conv.stride, conv.padding, conv.dilation),
        threads=torch.get_num_threads(),
        settings=(torch.get_float32_matmul_precision(), torch.backends.mkldnn.enabled),
    )


def convolve(kind: Kind, feature: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """What the convolution itself computes, (rows, h, w)."""
    return F.conv2d(feature, weight, bias, *kind.geometry)[0]


def multiply(kind: Kind, feature: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A plain convolution as a matrix product, (rows, h, w): its result lies row by row."""
    product = torch.addmm(bias[:, None], weight.flatten(1), feature[0].flatten(1))
    return product.view(-1, *feature.shape[2:])


@lru_cache(maxsize=1024)
def rows_can_move(kind: Kind) -> bool:
    """Whether a row gives the same bits wherever it stands among the others."""
    made = (convolve(kind, feature, weight, bias) for feature, weight, bias in _draws(kind))
    return all(bool((logits == logits[:1]).all()) for logits in made)


@lru_cache(maxsize=1024)
def product_is_equal(kind: Kind) -> bool:
    """Whether the matrix product of all rows gives the bits of the convolution."""
    if not kind.plain:
        return False
    for feature, weight, bias in _draws(kind):
        if bias is None or not torch.equal(
            multiply(kind, feature, weight, bias), convolve(kind, feature, weight, bias)
        ):
            return False
    return True


@lru_cache(maxsize=1024)
def part_size(kind: Kind, rows: int) -> int | None:
    """How many rows to multiply together so that ``rows`` of them get the bits that they have among all; None: all."""
    if not (kind.plain and rows_can_move(kind)):
        return None
    sizes = (size for size in PARTS if rows <= size <= kind.weight[0][0] // 2)
    return next((size for size in sizes if _part_is_equal(kind, size)), None)


@lru_cache(maxsize=1024)
def _part_is_equal(kind: Kind, size: int) -> bool:
    for feature, weight, bias in _draws(kind):
        if bias is None:
            return False
        some = multiply(kind, feature, weight[:size].contiguous(), bias[:size].contiguous())
        if not torch.equal(some, convolve(kind, feature, weight, bias)[:size]):
            return False
    return True


def _draws(kind: Kind) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """Feature, weight and bias of this kind, all rows equal; the terms of every sum cancel, in no order."""
    generator = torch.Generator().manual_seed(0)
    channels = kind.weight[0][1]
    for _ in range(DRAWS):
        feature = torch.empty_strided(*kind.feature, dtype=kind.dtype).normal_(generator=generator)
        row = torch.randn(kind.weight[0][1:], generator=generator).to(kind.dtype)
        some, others = torch.randperm(channels, generator=generator)[: channels // 2 * 2].chunk(2)
        feature[:, others], row[others] = feature[:, some], -row[some]
        weight = torch.empty_strided(*kind.weight, dtype=kind.dtype).copy_(row.expand(kind.weight[0]))
        value = torch.randn(1, generator=generator).to(kind.dtype)
        yield feature, weight, value.repeat(len(weight)) if kind.biased else None
