"""The last class convolution of each level run again, where its rows have changed; nothing before it is."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .head import Head, Pass, peak

Rows = tuple[Tensor, Tensor | None]

_same_bits: dict[tuple, bool] = {}  # kinds of work for which a quicker way was seen to give the same bits, or not


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
    if feature.device.type != "cpu":
        new = _convolve(conv, feature, now)
        return new, peak(new), rows
    kind = (feature.dtype, feature.shape, len(now[0]), torch.get_num_threads())
    order = _order(before, now)
    if order is not None:
        new = _quick(("move", kind), lambda: logits[order], lambda: _project(conv, feature, now, kind))
        return new, peaks, rows
    new = _project(conv, feature, now, kind)
    return new, peak(new), rows


def _project(conv: nn.Conv2d, feature: Tensor, rows: Rows, kind: tuple) -> Tensor:
    """The class logits (nc, h, w); a 1×1 convolution is a matrix product, whose result lies class by class."""
    plain = conv.kernel_size == (1, 1) == conv.stride and conv.padding == (0, 0) and conv.groups == 1
    if not plain or rows[1] is None:
        return _convolve(conv, feature, rows)
    cells = feature[0].flatten(1)
    return _quick(
        ("product", kind),
        lambda: torch.addmm(rows[1][:, None], rows[0].flatten(1), cells).view(-1, *feature.shape[2:]),
        lambda: _convolve(conv, feature, rows),
    )


def _convolve(conv: nn.Conv2d, feature: Tensor, rows: Rows) -> Tensor:
    return F.conv2d(feature, *rows, conv.stride, conv.padding, conv.dilation, conv.groups)[0]


def _quick(kind: tuple, quick: Callable[[], Tensor], slow: Callable[[], Tensor]) -> Tensor:
    """The quick result where it once was equal to the slow one, bit for bit, for work of this kind; else the slow one.

    The order of a kernel's sums depends on shapes and threads and not on the values, so that one comparison over
    thousands of values tells; it costs the first replay of each kind both ways.
    """
    if _same_bits.get(kind):
        return quick()
    result = slow()
    if kind not in _same_bits:
        _same_bits[kind] = torch.equal(quick(), result)
    return result


def _equal(a: Rows, b: Rows) -> bool:
    return all(x is y or torch.equal(x, y) for x, y in zip(a, b, strict=True))


def _order(before: Rows, now: Rows) -> Tensor | None:
    """The order in which the rows of now stood before, if they are the same rows: then nothing need be computed."""
    before_first, now_first = (rows[0].flatten(1)[:, 0] for rows in (before, now))
    if not (before_first == now_first[0]).any():
        return None
    order = torch.empty(len(now_first), dtype=torch.int64)
    order[_rank(now)] = _rank(before)
    moved = tuple(None if part is None else part[order] for part in before)
    return order if _equal(moved, now) else None


def _rank(rows: Rows) -> Tensor:
    return rows[0].flatten(1).sum(1).argsort(stable=True)
