"""Comparison of tensors by their bits: 0 and -0 are different, a NaN equals itself and no other NaN."""

from itertools import compress

import torch
from torch import Tensor

from .rows import Rows

WHOLE = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # a whole number of so many bytes
COARSE = (torch.float16, torch.bfloat16)  # what a network may have passed through on its way


def unlike(a: Tensor, b: Tensor) -> Tensor:
    """Bool, of the shape of both: where the bits differ. Both have one shape, one dtype and one device."""
    width = WHOLE.get(a.element_size())
    if a.dtype == torch.bool or a.is_complex() or width is None:
        return a != b
    return a.detach().view(width) != b.detach().view(width)


def identical(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors have one shape and the same values, bit for bit, in the dtype that holds both exactly."""
    if a.shape != b.shape:
        return False
    a, b = together(a, b)
    return not bool(unlike(a, b).any())


def together(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both in the dtype that holds the values of both exactly (float16 and bfloat16: float32), on the first device."""
    dtype = torch.promote_types(a.dtype, b.dtype)
    return a.detach().to(dtype), b.detach().to(a.device, dtype)


def differing(now: Rows, kept: Rows) -> Tensor:
    """(rows,) bool: which rows are not those that were kept, in the dtype of ``now``; all, where shapes differ."""
    if equal(now, kept):
        return torch.zeros(len(now[0]), dtype=torch.bool, device=now[0].device)
    weight, bias = kept
    return _differing(now, (weight.to(now[0]), None if bias is None else bias.to(now[0])))


def exact_differing(ours: Rows, theirs: Rows) -> Tensor:
    """(rows,) bool: which rows differ in the dtype that can hold both exactly; all, where shapes differ."""
    dtype, device = torch.promote_types(ours[0].dtype, theirs[0].dtype), ours[0].device
    weight, bias = theirs
    there = weight.to(device), None if bias is None else bias.to(device)
    return _differing(cast(ours, dtype), cast(there, dtype))


def rounding(now: Rows, kept: Rows) -> torch.dtype | None:
    """The coarser dtype through which the kept rows went to become those of now; None if none explains them all."""
    for dtype in COARSE:
        if not differing(now, cast(kept, dtype)).any():
            return dtype
    return None


def rounded(rows: Rows, dtype: torch.dtype | None) -> Rows:
    """The rows as they are after a way through ``dtype``; None leaves them."""
    return rows if dtype is None else cast(rows, dtype)


def in_step(ours: Rows, theirs: Rows) -> bool:
    """Whether a copy carries these rows: bit for bit, in its dtype or in ours, whichever is the coarser."""
    return equal(ours, theirs) or not differing(theirs, ours).any() or not differing(ours, theirs).any()


def equal(a: Rows, b: Rows) -> bool:
    """Whether rows agree bit for bit and in dtype; quick."""
    return all(_equal(mine, other) for mine, other in zip(a, b, strict=True))


def _equal(a: Tensor | None, b: Tensor | None) -> bool:
    if a is None or b is None:
        return a is b
    if a is b:
        return True
    if a.dtype != b.dtype or a.device != b.device:
        return False
    width = WHOLE[a.element_size()]
    return torch.equal(a.view(width), b.view(width))


def cast(rows: Rows, dtype: torch.dtype) -> Rows:
    """The rows in another dtype."""
    weight, bias = rows
    return weight.detach().to(dtype), None if bias is None else bias.detach().to(dtype)


def _differing(now: Rows, kept: Rows) -> Tensor:
    count = len(now[0])
    found = torch.zeros(count, dtype=torch.bool, device=now[0].device)
    for mine, other in zip(now, kept, strict=True):
        if mine is None and other is None:
            continue
        if mine is None or other is None or mine.shape != other.shape:
            return torch.ones_like(found)
        found |= unlike(mine, other).reshape(count, -1).any(1)
    return found


def ids(rows: Tensor, classes: int) -> tuple[int, ...]:
    """Class ids of (sets * classes,) bool, a set for each anchor of a cell: those of which any row is chosen."""
    chosen = rows.view(-1, classes).any(0).tolist()
    return tuple(compress(range(len(chosen)), chosen))
