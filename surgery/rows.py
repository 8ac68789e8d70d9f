"""The arithmetic of class rows of one convolution, for one anchor of a cell; nothing here knows a model or an edit.

Each function takes the rows, the class ids that are chosen and the values of its operation, and returns new rows. What
it does not change it hands back as it is. Where several rows feed a class they stand in an axis of their own, behind
that of the classes: weight (nc, rows, c, kh, kw), bias (nc, rows); what is done to a class is done to all of them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from anatomy.head.levels import SILENT_LOGIT

Rows = tuple[Tensor, Tensor | None]  # weight (nc, c, kh, kw), bias (nc,) or None
Chosen = tuple[int, ...]  # class ids


class NoBias(ValueError):
    """Rows without a bias, of which it would have to be changed."""


class Merged(ValueError):
    """A class whose logit is the highest of several rows, which could not be had by changing each of them."""


def shift(rows: Rows, chosen: Chosen, k: int) -> Rows:
    """Row c moves to (c + k) mod nc."""
    weight, bias = rows
    k = int(k) % len(weight)
    return weight.roll(k, 0), None if bias is None else bias.roll(k, 0)


def permute(rows: Rows, chosen: Chosen, order: Sequence[int]) -> Rows:
    """Row i becomes old row order[i]."""
    return _taken(rows, torch.tensor(order, device=rows[0].device))


def swap(rows: Rows, chosen: Chosen) -> Rows:
    """The two chosen rows change places."""
    order = torch.arange(len(rows[0]), device=rows[0].device)
    order[list(chosen)] = order[list(chosen[::-1])]
    return _taken(rows, order)


def zero(rows: Rows, chosen: Chosen, bias: str) -> Rows:
    """The chosen weights become 0; their biases are silenced ("silence"), left ("keep") or set to 0 ("zero")."""
    weight = rows[0].clone()
    weight[list(chosen)] = 0
    if bias == "keep":
        return weight, rows[1]
    biases = _own_bias(rows)
    biases[list(chosen)] = SILENT_LOGIT if bias == "silence" else 0.0
    return weight, biases


def scale(rows: Rows, chosen: Chosen, factor: float) -> Rows:
    """The chosen rows, weight and bias, are multiplied."""
    if factor < 0 and rows[0].ndim > 4:
        raise Merged("The highest of several rows is not the highest of their negatives.")
    weight, bias = rows[0].clone(), rows[1]
    weight[list(chosen)] *= factor
    if bias is not None:
        bias = bias.clone()
        bias[list(chosen)] *= factor
    return weight, bias


def offset(rows: Rows, chosen: Chosen, delta: float) -> Rows:
    """A number is added to the chosen biases."""
    bias = _own_bias(rows)
    bias[list(chosen)] += delta
    return rows[0], bias


def split(rows: Rows, anchors: int, each: int = 1) -> list[Rows]:
    """The rows of each of a cell's anchors, of which ``each`` feed a class."""
    weight, bias = rows
    biases = (None,) * anchors if bias is None else bias.chunk(anchors)
    parts = list(zip(weight.chunk(anchors), biases, strict=True))
    return parts if each == 1 else [by_class(part, each) for part in parts]


def by_class(rows: Rows, each: int) -> Rows:
    """Rows with an axis of their own for those of one class: weight (nc, each, c, kh, kw), bias (nc, each)."""
    weight, bias = rows
    return weight.unflatten(0, (-1, each)), None if bias is None else bias.unflatten(0, (-1, each))


def joined(parts: Sequence[Rows], each: int = 1) -> Rows:
    """The rows of all anchors, from those of each as ``split`` gives them."""
    if each > 1:
        parts = [(weight.flatten(0, 1), None if bias is None else bias.flatten(0, 1)) for weight, bias in parts]
    weights = [weight for weight, _ in parts]
    biases = [bias for _, bias in parts if bias is not None]
    return torch.cat(weights), torch.cat(biases) if biases else None


def _taken(rows: Rows, order: Tensor) -> Rows:
    weight, bias = rows
    return weight[order], None if bias is None else bias[order]


def _own_bias(rows: Rows) -> Tensor:
    if rows[1] is None:
        raise NoBias("These rows have no bias.")
    return rows[1].clone()
