"""The last class convolution of each level run again, where its rows have changed; nothing before it is."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .head import Head, Pass, peak

Rows = tuple[Tensor, Tensor | None]

_moves_bit_for_bit: dict[tuple, bool] = {}  # what a convolution of this kind was once seen to do


@torch.inference_mode()
def rerun(head: Head, run: Pass) -> Pass:
    """The pass with the class logits of the rows as they are now; its end is not done again yet.

    Raises RuntimeError when the branch is gone or the number of classes is another.
    """
    if run.branch not in head.branches:
        raise RuntimeError(f"The {run.branch} branch of this trace has been removed (by fuse?). Trace the image again.")
    levels = []
    for level, (feature, before) in enumerate(zip(run.features, run.rows, strict=True)):
        conv = head.class_conv(level, run.branch)
        now = tuple(None if part is None else part.detach().to(feature) for part in (conv.weight, conv.bias))
        if now[0].shape != before[0].shape:
            raise RuntimeError(
                f"This trace has {len(before[0])} class rows, the model now {len(now[0])}. Trace the image again."
            )
        levels.append(_level(conv, feature, before, now, run.logits[level], run.peaks[level]))
    logits, peaks, rows = zip(*levels, strict=True)
    return run.evolve(logits=logits, peaks=peaks, rows=rows)


def _level(conv: nn.Conv2d, feature: Tensor, before: Rows, now: Rows, logits: Tensor, peaks: Tensor):
    """Logits, peaks and rows of one level."""
    if _equal(before, now):
        return logits, peaks, before
    rows = tuple(None if part is None else part.clone() for part in now)
    order = _order(before, now) if feature.device.type == "cpu" else None
    kind = (feature.dtype, tuple(now[0].shape), torch.get_num_threads())
    if order is not None and _moves_bit_for_bit.get(kind):
        return logits[order], peaks, rows
    new = F.conv2d(feature, *now, conv.stride, conv.padding, conv.dilation, conv.groups)[0]
    if order is not None:
        _moves_bit_for_bit[kind] = _moves_bit_for_bit.get(kind, True) and torch.equal(new, logits[order])
    return new, peak(new), rows


def _equal(a: Rows, b: Rows) -> bool:
    return all(x is y or torch.equal(x, y) for x, y in zip(a, b, strict=True))


def _order(before: Rows, now: Rows) -> Tensor | None:
    """The order in which the rows of now stood before, if they are the same rows: then nothing need be computed.

    A convolution computes each output channel alike wherever it stands, to the bit on the kernels seen so far; the
    first replay of each kind computes both ways and remembers whether that holds.
    """
    place = {value: row for row, value in enumerate(before[0].flatten(1)[:, 0].tolist())}
    order = [place.get(value) for value in now[0].flatten(1)[:, 0].tolist()]
    if None in order or len(set(order)) < len(order):
        return None
    order = torch.tensor(order, device=now[0].device)
    return order if _equal(tuple(None if part is None else part[order] for part in before), now) else None
