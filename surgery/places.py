"""Where class rows stand in a network, and in the copies that ``predict()`` runs: read, compared, written."""

import torch
from torch import Tensor, nn

from anatomy import Head

from .bits import in_step
from .rows import Rows

Place = tuple[str, int]  # branch, level


def places(head: Head) -> list[Place]:
    """Every level of every live branch."""
    return [(branch, level.index) for branch in head.branches for level in head.levels]


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


def standing(conv: nn.Conv2d) -> Rows:
    """The rows of a convolution as they are: its own tensors, not copies."""
    return conv.weight.detach(), None if conv.bias is None else conv.bias.detach()


def here(head: Head, place: Place) -> Rows:
    """The rows at a place as they are: the network's own tensors, not copies."""
    return standing(head.class_conv(place[1], place[0]))


def clone(head: Head, place: Place) -> Rows:
    return cloned(here(head, place))


def cloned(rows: Rows) -> Rows:
    weight, bias = rows
    return weight.clone(), None if bias is None else bias.clone()


def all_rows(head: Head) -> dict[Place, Rows]:
    """A clone of every class row, by distinct place."""
    return {place: clone(head, place) for place in distinct(head)}


def write(head: Head, rows: dict[Place, Rows]) -> None:
    """Copy rows into the network and into the copies that ``predict()`` runs, keeping every tensor's identity."""
    head.settle()
    for (branch, level), kept in rows.items():
        for conv in (head.class_conv(level, branch), *head.twins(level, branch)):
            put(conv, kept)


def out_of_step(head: Head, rows: dict[Place, Rows]) -> list[tuple[nn.Conv2d, Rows]]:
    """Convolutions that predictors run in place of these, but with rows of their own, and a clone of those."""
    found = []
    for (branch, level), kept in rows.items():
        theirs = ((conv, standing(conv)) for conv in head.twins(level, branch))
        found += [(conv, cloned(own)) for conv, own in theirs if not in_step(kept, own)]
    return found


def put(conv: nn.Conv2d, rows: Rows) -> None:
    """Copy rows into one convolution, keeping the identity of its tensors."""
    weight, bias = rows
    _copy(conv.weight, weight)
    if bias is not None:
        _copy(conv.bias, bias)


def fits(conv: nn.Conv2d, rows: Rows) -> bool:
    """Whether rows have the shape of a convolution's."""
    now = standing(conv)
    return all((a is None) == (b is None) and (a is None or a.shape == b.shape) for a, b in zip(now, rows, strict=True))


def _copy(target: Tensor, source: Tensor) -> None:
    with torch.inference_mode(target.is_inference()), torch.no_grad():
        target.copy_(source)
