"""A network against a file: every weight and buffer that is no class row, and the precision of both."""

from collections.abc import Mapping

from torch import Tensor

from anatomy import Head

from .bits import identical
from .places import distinct, here


def differing_tensors(head: Head, theirs: Head) -> tuple[str, ...]:
    """Names of weights and buffers, class rows left out, that differ, or that one of the two alone has."""
    ours, other = _tensors(head), _tensors(theirs)
    different = set(ours) ^ set(other)
    different |= {name for name in set(ours) & set(other) if not identical(ours[name], other[name])}
    return tuple(sorted(different))


def precision(head: Head, theirs: Head) -> str | None:
    """A sentence where class rows of network and file differ in dtype, with what rounding explains; else None."""
    pairs = [
        (here(head, place)[0], here(theirs, place)[0])
        for place in distinct(head)
        if place[0] in theirs.branches and place[1] < len(theirs.levels)
    ]
    pairs = [(ours, other) for ours, other in pairs if ours.dtype != other.dtype and ours.shape == other.shape]
    if not pairs:
        return None
    ours, other = pairs[0]
    rounded = all(identical(a, b.to(a.dtype)) for a, b in pairs)
    explained = "the file's rounded to it" if rounded else "not the file's, rounded or not"
    return f"precision: the network holds {ours.dtype}, the file {other.dtype}; its class weights are {explained}"


def _tensors(head: Head) -> Mapping[str, Tensor]:
    rows = set()
    for level in head.levels:
        for branch in level.paths:
            rows |= set(head.class_tensors(level.index, branch))
    return {name: value for name, value in head.net.state_dict().items() if name not in rows}
