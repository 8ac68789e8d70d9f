"""The classes of another model put beside one's own, where backbone and neck of both are the same bit for bit."""

import hashlib
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from anatomy import Head, describe
from anatomy.head.classes import Classes

from ..bits import cast, identical
from ..edit import Edit
from ..places import Place, all_rows, here, places
from ..rows import Rows
from ..standing import data
from ..table import operation_of
from .applying import put, require_classes
from .same_body import equal_parts, first_difference


def stack_heads(model: object, other: object) -> Edit:
    """Put the classes of ``other`` behind those of ``model``, in one head; returns the recorded edit.

    Backbone and neck must be equal bit for bit. The class towers stand side by side, so that each row reads the
    features that it read before, and zeros of the other's (a row is as long as both); where the towers are equal too,
    rows alone are put together. Boxes, masks and key points are those of ``model``; the edit says whether the other's
    box branch is the same. ``other`` stays as it is. Names of both must differ.

    Raises ValueError naming the first layer that differs, and for heads of other levels, branches or rows;
    UnsupportedModelError where the family does not say how classes are added.

    >>> other = surgery.load(checkpoint)
    >>> _ = surgery.rename_classes(other, {0: "a", 1: "b", 2: "c"})
    >>> surgery.stack_heads(model, other).parameters["boxes"]
    "boxes are this model's, those of the other are the same"
    """
    head, donor = describe(model), describe(other)
    require_classes(head)
    return stack(head, donor, {})


def stack(head: Head, donor: Head, recorded: dict) -> Edit:
    """As ``stack_heads``; ``recorded``: what an edit of a recipe says of the donor, which must be this one."""
    _check_fits(head, donor)
    values = {
        "names": list(donor.names.values()),
        "donor": fingerprint_of(donor),
        "path": recorded.get("path") or _path(donor),
        "boxes": _whose_boxes(head, donor),
    }
    edit = Edit("stack_heads", levels=(), parameters=operation_of("stack_heads").read(values, head.names))
    with head.undisturbed(), donor.undisturbed():
        return put(head, edit, _together(head, donor))


def fingerprint_of(donor: Head) -> str:
    """SHA-256 over names, class towers and rows of a head: by it a recipe knows its donor again."""
    digest = hashlib.sha256("\n".join(donor.names.values()).encode())
    for branch, level in places(donor):
        for value in donor.class_stack(level, branch).state_dict().values():
            digest.update(data(value.float() if value.is_floating_point() else value))
    return digest.hexdigest()


def _check_fits(head: Head, donor: Head) -> None:
    if donor.net is head.net:
        raise ValueError("A model cannot be put beside itself. Give another, or add_class(…, from_=class).")
    if type(head).class_stack is Head.class_stack or type(head) is not type(donor):
        raise ValueError(
            f"Heads of one family can be stacked, but a {type(head.net).__name__} and a {type(donor.net).__name__} "
            "were given."
        )
    told = first_difference(head, donor)
    if told is not None:
        raise ValueError(
            "Heads can be stacked where backbone and neck of both models are equal bit for bit, but the first layer "
            f"that differs is {told}. Train the second from the weights of the first, with backbone and neck frozen."
        )
    ours, theirs = ([(level.name, level.in_channels) for level in entry.levels] for entry in (head, donor))
    if ours != theirs:
        raise ValueError(f"Levels and their channels must be the same, but they are {ours} and {theirs}.")
    missing = set(head.branches) - set(donor.branches)
    if missing:
        raise ValueError(f"The other model has no branch {', '.join(sorted(missing))}, which this one runs.")
    for place in places(head):
        mine, its = here(head, place)[0], here(donor, place)[0]
        if mine.shape[2:] != its.shape[2:]:
            raise ValueError(f"The kernels of class rows are {tuple(mine.shape[2:])} and {tuple(its.shape[2:])} cells.")
        if not identical(its, its.to(mine.dtype)):
            raise ValueError(f"The rows of the other model do not fit into {mine.dtype}. Give this one in {its.dtype}.")


def _whose_boxes(head: Head, donor: Head) -> str:
    """A sentence on whose boxes the classes have."""
    for branch, level in places(head):
        for path in head.stacks(level, branch)["box"]:
            mine, its = head.net.get_submodule(path), _submodule(donor, path)
            if its is None or not equal_parts(mine, its):
                name = head.levels[level].name
                return f"boxes are this model's, those of the other differ from {name} ({branch}) on"
    return "boxes are this model's, those of the other are the same"


def _submodule(donor: Head, path: str):
    try:
        return donor.net.get_submodule(path)
    except AttributeError:
        return None


def _together(head: Head, donor: Head) -> Classes:
    """The classes of both; rows of either read features of the other's tower with zeros, unless the towers are one."""
    shared = all(
        equal_parts(head.class_stack(level, branch)[:-1], donor.class_stack(level, branch)[:-1])
        for branch, level in places(head)
    )
    each = max(head.rows_per_class, donor.rows_per_class)
    ours, theirs = all_rows(head), all_rows(donor)
    rows: dict[Place, Rows] = {}
    for place, mine in ours.items():
        its = cast(theirs[place], mine[0].dtype)
        its = its[0].to(mine[0].device), None if its[1] is None else its[1].to(mine[0].device)
        width, their_width = (0, 0) if shared else (mine[0].shape[1], its[0].shape[1])
        first = _widened(_repeated(mine, head.rows_per_class, each), after=their_width)
        second = _widened(_repeated(its, donor.rows_per_class, each), before=width)
        rows[place] = _joined(first, second)
    extras = {name: _with_means(value, len(donor.names)) for name, value in head.class_extras().items()}
    theirs_too = donor.class_extras()
    for name, value in head.class_extras().items():
        if name in theirs_too and theirs_too[name].shape[1:] == value.shape[1:]:
            extras[name] = torch.cat([value, theirs_too[name].to(value)])
    return Classes(
        names=(*head.names.values(), *donor.names.values()),
        rows=rows,
        rows_per_class=each,
        extras=extras,
        towers=head.class_towers + (not shared),
        beside=None if shared else donor,
    )


def _repeated(rows: Rows, each: int, wanted: int) -> Rows:
    """Rows of which ``wanted`` feed a class: the last of each is repeated."""
    if each == wanted:
        return rows
    order: list[int] = []
    for first in range(0, len(rows[0]), each):
        order += [*range(first, first + each), *[first + each - 1] * (wanted - each)]
    return rows[0][order], None if rows[1] is None else rows[1][order]


def _widened(rows: Rows, before: int = 0, after: int = 0) -> Rows:
    """Rows that read more features, with zeros."""
    return F.pad(rows[0], (0, 0, 0, 0, before, after)), rows[1]


def _joined(first: Rows, second: Rows) -> Rows:
    weight = torch.cat([first[0], second[0]])
    if first[1] is None or second[1] is None:
        return weight, None
    return weight, torch.cat([first[1], second[1]])


def _with_means(value: Tensor, count: int) -> Tensor:
    """What has one row a class, with ``count`` more that are the mean of all."""
    mean = value.double().mean(0, keepdim=True).to(value.dtype)
    return torch.cat([value, mean.expand(count, *value.shape[1:])])


def _path(donor: Head) -> str | None:
    """The file that the donor came from, where it says so."""
    found = getattr(donor.net, "pt_path", None)
    return str(Path(found)) if isinstance(found, str) and found else None
