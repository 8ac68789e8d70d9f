"""Where class rows stand in a network, and in the copies that ``predict()`` runs: read, compared, written."""

from itertools import product

import torch
from torch import Tensor

from anatomy import Head
from anatomy.head.head import ClassRows

from .bits import in_step
from .rows import Rows

Place = tuple[str, int]  # branch, level
Apart = list[tuple[ClassRows, Rows]]  # convolutions of predictors with rows of their own


def places(head: Head) -> list[Place]:
    """Every level of every live branch; none of a head without class rows."""
    return [] if head.no_rows else list(product(head.branches, (level.index for level in head.levels)))


def distinct(head: Head) -> list[Place]:
    """The places without those that share their convolution with an earlier level."""
    return [place for place in places(head) if first(head, place) == place]


def first(head: Head, place: Place) -> Place:
    """The first of the places that share the convolution of this one."""
    return place[0], head.sharing(place[1], place[0])[0]


def alive(head: Head, rows: dict[Place, Rows]) -> dict[Place, Rows]:
    """Only the places whose branch has not been removed since (``fuse()`` drops one of two)."""
    live = set(head.branches)
    return {place: kept for place, kept in rows.items() if place[0] in live}


def standing(conv: ClassRows) -> Rows:
    """The rows of a convolution as they are: its own tensors, not copies."""
    return conv.weight.detach(), None if conv.bias is None else conv.bias.detach()


def here(head: Head, place: Place) -> Rows:
    """The rows at a place as they are: the network's own tensors, not copies."""
    return standing(head.class_conv(place[1], place[0]))


def clone(head: Head, place: Place) -> Rows:
    """A copy of the rows at a place, which later edits leave alone."""
    return cloned(here(head, place))


def cloned(rows: Rows) -> Rows:
    """A copy of rows."""
    weight, bias = rows
    return weight.clone(), None if bias is None else bias.clone()


def sets(head: Head, rows: Rows) -> int:
    """How many sets of nc rows these are: one for each anchor of a cell, or one that speaks for all."""
    return len(rows[0]) // len(head.names)


def all_rows(head: Head) -> dict[Place, Rows]:
    """A clone of every class row, by distinct place."""
    return {place: clone(head, place) for place in distinct(head)}


def write(head: Head, rows: dict[Place, Rows]) -> None:
    """Copy rows into the network and into the copies that ``predict()`` runs, keeping every tensor's identity."""
    head.settle()
    for (branch, level), kept in rows.items():
        for conv in (head.class_conv(level, branch), *head.twins(level, branch)):
            put(conv, kept)


def out_of_step(head: Head, rows: dict[Place, Rows]) -> Apart:
    """Convolutions that predictors run in place of these, but with rows of their own, and a clone of those."""
    found = []
    for (branch, level), kept in rows.items():
        theirs = ((conv, standing(conv)) for conv in head.twins(level, branch))
        found += [(conv, cloned(own)) for conv, own in theirs if not in_step(kept, own)]
    return found


def put(conv: ClassRows, rows: Rows) -> None:
    """Copy rows into one convolution, keeping the identity of its tensors."""
    weight, bias = rows
    _copy(conv.weight, weight)
    if bias is not None:
        _copy(conv.bias, bias)  # pyright: ignore[reportArgumentType]  # these rows fit, so there is a bias


def fits(conv: ClassRows, rows: Rows) -> bool:
    """Whether rows have the shape of a convolution's."""
    return all(_same_shape(now, other) for now, other in zip(standing(conv), rows, strict=True))


def _same_shape(a: Tensor | None, b: Tensor | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.shape == b.shape


def _copy(target: Tensor, source: Tensor) -> None:
    with torch.inference_mode(target.is_inference()), torch.no_grad():
        target.copy_(source)
