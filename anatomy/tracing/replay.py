"""The last class convolution of each level run again, where its rows have changed; nothing before it is."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..head.classes import Rows, highest
from ..head.forward import Pass, peak
from ..head.head import Head
from .same_bits import Kind, convolve, kind_of, multiply, part_size, product_is_equal, rows_can_move


@torch.inference_mode()
def rerun(head: Head, pass_: Pass) -> Pass:
    """The pass with the class logits of the rows as they are now; its end is not done again yet.

    Where classes were kept, merged or added since, the logits are of the classes that there are now. Raises
    RuntimeError when the model has another network, the branch is gone or the class convolution reads something else.
    """
    if head.replaced:
        raise RuntimeError(
            "The model was given another network since this trace (by train, load, or model = …), or another head (by "
            "fold_text), so its rows are not those that made it. Trace the image again."
        )
    if pass_.branch not in head.branches:
        raise RuntimeError(
            f"The {pass_.branch} branch of this trace has been removed (by fuse?). Trace the image again."
        )
    anew = head.classified(pass_)
    if anew is not None:
        return anew
    levels = [_level(head, pass_, level) for level in range(len(pass_.features))]
    return pass_.evolve(
        logits=tuple(level.logits for level in levels),
        peaks=tuple(level.peaks for level in levels),
        rows=tuple(level.rows for level in levels),
    )


@dataclass(frozen=True)
class _Level:
    """What a pass holds of one level: ``logits`` (rows, h, w), their ``peaks`` (h * w,), and the class rows."""

    logits: Tensor
    peaks: Tensor
    rows: Rows


def _level(head: Head, pass_: Pass, level: int) -> _Level:
    """One level with the rows as they are now. Raises RuntimeError where they read other features."""
    feature, before = pass_.features[level], pass_.rows[level]
    made = _Level(logits=pass_.logits[level], peaks=pass_.peaks[level], rows=before)
    conv = cast("nn.Conv2d", head.class_conv(level, pass_.branch))  # who has another overrides ``classified``
    now = conv.weight, conv.bias
    if conv.weight.dtype != feature.dtype or conv.weight.device != feature.device:
        now = conv.weight.to(feature), None if conv.bias is None else conv.bias.to(feature)
    if now[0].shape[1:] != before[0].shape[1:]:
        raise RuntimeError(
            f"The class rows of this trace are {tuple(before[0].shape[1:])}, those of the model now "
            f"{tuple(now[0].shape[1:])}: they read other features. Trace the image again."
        )
    each = head.rows_per_class
    if len(now[0]) != head.pyramid(pass_).anchors_at(level) * len(head.names) * each:
        raise RuntimeError(
            f"This trace has {len(before[0])} class rows, the model now {len(now[0])}. Trace the image again."
        )
    if len(now[0]) != len(before[0]) or len(now[0]) != each * len(made.logits):
        return _other_classes(conv, feature, now, each)
    if _equal(before, now):
        return made
    own = head.rerun_level(pass_, level, now)
    if own is not None:
        return _Level(logits=own, peaks=peak(own), rows=_cloned(now))
    return _changed_level(conv, feature, made, now) if each == 1 else _other_classes(conv, feature, now, each)


def _other_classes(conv: nn.Conv2d, feature: Tensor, now: Rows, each: int) -> _Level:
    """One level of which all logits are made anew, of classes that ``each`` rows feed."""
    weight, bias = now
    padding = cast("tuple[int, ...]", conv.padding)  # or the name of one, which torch takes as well
    made = F.conv2d(feature, weight, bias, conv.stride, padding, conv.dilation, conv.groups)
    new = highest(made, each)[0]
    return _Level(logits=new, peaks=peak(new), rows=_cloned(now))


def _changed_level(conv: nn.Conv2d, feature: Tensor, made: _Level, now: Rows) -> _Level:
    """One level whose rows have changed; ``made`` is what it was."""
    weight, bias = now
    rows = _cloned(now)
    kind = kind_of(conv, feature, weight, bias)
    if kind is None:
        padding = cast("tuple[int, ...]", conv.padding)  # or the name of one, which torch takes as well
        new = F.conv2d(feature, weight, bias, conv.stride, padding, conv.dilation, conv.groups)[0]
        return _Level(logits=new, peaks=peak(new), rows=rows)
    order = _order(made.rows, now)
    if order is not None and rows_can_move(kind):
        return _Level(logits=made.logits[order], peaks=made.peaks, rows=rows)
    changed = _changed(made.rows, now)
    size = part_size(kind, len(changed))
    if size is not None and bias is not None:  # as every kind has one that can be multiplied in part
        new = _some_rows(kind, feature, (weight, bias), changed, size, made.logits)
    elif product_is_equal(kind) and bias is not None:
        new = multiply(kind, feature, weight, bias)
    else:
        new = convolve(kind, feature, weight, bias)
    return _Level(logits=new, peaks=peak(new), rows=rows)


def _cloned(rows: Rows) -> Rows:
    return rows[0].clone(), None if rows[1] is None else rows[1].clone()


def _some_rows(
    kind: Kind, feature: Tensor, now: tuple[Tensor, Tensor], changed: Tensor, size: int, logits: Tensor
) -> Tensor:
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
    return _same(a[0], b[0]) and _same(a[1], b[1])


def _same(a: Tensor | None, b: Tensor | None) -> bool:
    return a is b or (a is not None and b is not None and torch.equal(a, b))


def _order(before: Rows, now: Rows) -> Tensor | None:
    """The order in which the rows of now stood before, if they are the same rows: then nothing need be computed.

    None as well where a glance at the first weight of each row shows no move.
    """
    before_first, now_first = (rows[0].flatten(1)[:, 0] for rows in (before, now))
    if (before_first != now_first).sum() < 2 or not (before_first == now_first[0]).any():
        return None
    order = torch.empty(len(now_first), dtype=torch.int64)
    order[_rank(now)] = _rank(before)
    moved = before[0][order], None if before[1] is None else before[1][order]
    return order if _equal(moved, now) else None


def _rank(rows: Rows) -> Tensor:
    return rows[0].flatten(1).sum(1).argsort(stable=True)
