"""The rows of new classes, taken from a pool: those that a head has, and those that are new."""

from collections.abc import Mapping, Sequence
from itertools import chain

import torch
from torch import Tensor

from anatomy import Head
from anatomy.head.classes import Classes

from ..places import Place, all_rows
from ..rows import Rows
from ..standing import data
from .regrouping import Regrouping


def classes_of(head: Head, wanted: Regrouping, new: Mapping[Place, Rows] | None = None) -> Classes:
    """The classes that a regrouping makes of those of a head; ``new``: by place the rows of classes without members.

    Of rows that are the same at every place one is kept; classes with fewer rows than others repeat their last.
    """
    rows = all_rows(head)
    slots, means = _slots(rows, wanted, head.rows_per_class)
    width = max([*map(len, slots), -(-wanted.least_rows // len(slots))])
    slots = [[*entry, *[entry[-1]] * (width - len(entry))] for entry in slots]
    made = {place: _taken(own, slots, means, None if new is None else new[place]) for place, own in rows.items()}
    return Classes(
        names=wanted.names,
        rows=made,
        rows_per_class=width,
        extras={name: _of_members(value, wanted.members) for name, value in head.class_extras().items()},
        towers=head.class_towers,
    )


def _slots(rows: dict[Place, Rows], wanted: Regrouping, each: int) -> tuple[list[list[int]], list[list[int]]]:
    """Of each class its rows by number in the pool, and of which rows the means in the pool are.

    The pool: the rows there are, then the means, then new rows.
    """
    count = len(next(iter(rows.values()))[0])
    bits = _bits(rows) if each > 1 or any(len(ids) > 1 for ids in wanted.members) else None
    slots: list[list[int]] = []
    means: list[list[int]] = []
    for ids in wanted.members:
        chosen = ids[:1] if wanted.how == "first" else ids
        found = _distinct([index * each + turn for index in chosen for turn in range(each)], bits)
        if wanted.how == "mean" and len(ids) > 1:
            means.append(found)
            found = [-len(means)]
        slots.append(found)
    total = count + len(means)
    for place, entry in enumerate(slots):
        if not entry:
            slots[place], total = [total], total + 1
        slots[place] = [count - 1 - number if number < 0 else number for number in slots[place]]
    return slots, means


def _distinct(numbers: list[int], bits: list[bytes] | None) -> list[int]:
    """The rows without those that are, bit for bit, one before them."""
    if bits is None:
        return numbers
    first = {}
    for number in numbers:
        first.setdefault(bits[number], number)
    return list(first.values())


def _bits(rows: dict[Place, Rows]) -> list[bytes]:
    """Of each row its bits at all places."""
    count = len(next(iter(rows.values()))[0])
    found = [b""] * count
    for part in (part for pair in rows.values() for part in pair if part is not None):
        content = data(part)
        size = len(content) // count
        for number in range(count):
            found[number] += content[number * size : (number + 1) * size]
    return found


def _taken(own: Rows, slots: Sequence[Sequence[int]], means: list[list[int]], new: Rows | None) -> Rows:
    """The rows of all classes at one place."""
    order = list(chain.from_iterable(slots))
    weight, bias = own
    more, more_bias = new or (None, None)
    return _pool(weight, means, more)[order], None if bias is None else _pool(bias, means, more_bias)[order]


def _pool(part: Tensor, means: list[list[int]], new: Tensor | None) -> Tensor:
    more = [part[chosen].double().mean(0, keepdim=True).to(part.dtype) for chosen in means]
    return torch.cat([part, *more, *([] if new is None else [new.to(part)])])


def _of_members(value: Tensor, members: Sequence[tuple[int, ...]]) -> Tensor:
    """What has one row a class, for new classes: the mean of their members; of a class without, the mean of all."""
    found = []
    for ids in members:
        chosen = value[list(ids)] if ids else value
        found.append(chosen[0] if len(chosen) == 1 else chosen.double().mean(0).to(value.dtype))
    return torch.stack(found)
