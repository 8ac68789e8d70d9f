"""The last class convolution of each level run again, where its rows have changed; nothing before it is."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..head.forward import Pass, peak
from ..head.head import Head
from .same_bits import Kind, convolve, kind_of, multiply, part_size, product_is_equal, rows_can_move

Rows = tuple[Tensor, Tensor | None]


@torch.inference_mode()
def rerun(head: Head, run: Pass) -> Pass:
    """The pass with the class logits of the rows as they are now; its end is not done again yet.

    Raises RuntimeError when the model has another network, the branch is gone or the number of classes is another.
    """
    if head.replaced:
        raise RuntimeError(
            "The model was given another network since this trace (by train, load, or model = …), so its rows are not "
            "those of the network that made it. Trace the image again."
        )
    if run.branch not in head.branches:
        raise RuntimeError(f"The {run.branch} branch of this trace has been removed (by fuse?). Trace the image again.")
    levels = []
    for level, (feature, before) in enumerate(zip(run.features, run.rows, strict=True)):
        conv = head.class_conv(level, run.branch)
        now = conv.weight, conv.bias
        if conv.weight.dtype != feature.dtype or conv.weight.device != feature.device:
            now = tuple(None if part is None else part.to(feature) for part in now)
        if now[0].shape != before[0].shape:
            raise RuntimeError(
                f"This trace has {len(before[0])} class rows, the model now {len(now[0])}. Trace the image again."
            )
        if _equal(before, now):
            levels.append((run.logits[level], run.peaks[level], before))
        else:
            levels.append(_level(conv, feature, before, now, run.logits[level], run.peaks[level]))
    logits, peaks, rows = zip(*levels, strict=True)
    return run.evolve(logits=logits, peaks=peaks, rows=rows)


def _level(conv: nn.Conv2d, feature: Tensor, before: Rows, now: Rows, logits: Tensor, peaks: Tensor):
    """Logits, peaks and rows of one level whose rows have changed."""
    rows = tuple(None if part is None else part.clone() for part in now)
    kind = kind_of(conv, feature, *now)
    if kind is None:
        new = F.conv2d(feature, *now, conv.stride, conv.padding, conv.dilation, conv.groups)[0]
        return new, peak(new), rows
    order = _order(before, now)
    if order is not None and rows_can_move(kind):
        return logits[order], peaks, rows
    changed = _changed(before, now)
    size = part_size(kind, len(changed))
    if size is not None:
        new = _some_rows(kind, feature, now, changed, size, logits)
    else:
        new = (multiply if product_is_equal(kind) else convolve)(kind, feature, *now)
    return new, peak(new), rows


def _some_rows(kind: Kind, feature: Tensor, now: Rows, changed: Tensor, size: int, logits: Tensor) -> Tensor:
    """The logits of a level of which only these rows, (k,) indices, have changed; they are multiplied alone."""
    padded = changed.new_full((size,), int(changed[0]))
    padded[: len(changed)] = changed
    new = logits.clone()
    new[changed] = multiply(kind, feature, now[0][padded], now[1][padded])[: len(changed)]
    return new


def _changed(before: Rows, now: Rows) -> Tensor:
    """Indices (k,) of the rows that are not what they were."""
    differs = (before[0] != now[0]).flatten(1).any(1)
    if now[1] is not None:
        differs |= before[1] != now[1]
    return differs.nonzero().view(-1)


def _equal(a: Rows, b: Rows) -> bool:
    return all(x is y or torch.equal(x, y) for x, y in zip(a, b, strict=True))


def _order(before: Rows, now: Rows) -> Tensor | None:
    """The order in which the rows of now stood before, if they are the same rows: then nothing need be computed.

    None as well where a glance at the first weight of each row shows no move.
    """
    before_first, now_first = (rows[0].flatten(1)[:, 0] for rows in (before, now))
    if (before_first != now_first).sum() < 2 or not (before_first == now_first[0]).any():
        return None
    order = torch.empty(len(now_first), dtype=torch.int64)
    order[_rank(now)] = _rank(before)
    moved = tuple(None if part is None else part[order] for part in before)
    return order if _equal(moved, now) else None


def _rank(rows: Rows) -> Tensor:
    return rows[0].flatten(1).sum(1).argsort(stable=True)
