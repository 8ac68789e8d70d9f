"""Which classes a head gets, and which of its rows feed each: what every operation on whole classes comes down to.

Rows are numbered over a pool: those that the head has, class by class, and behind them those that are new.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Names = Mapping[int, str]
HOW = ("highest", "mean", "first")
ENOUGH_ROWS = 16  # from 12 on torch's CPU kernels multiply channels-last maps as they do for 80; measured with 2.14


@dataclass(frozen=True)
class Regrouping:
    """``names`` in the order of their new ids, and of each the ids of the classes that it comes from, ``members``.

    Several become one by ``how``: "highest", the logit is the highest of theirs; "mean", one row, the mean of theirs;
    "first", the rows of the first. Without members a class is new: its rows are given with the edit, in the order of
    such classes. ``least_rows``: rows are repeated until all classes together have as many.
    """

    names: tuple[str, ...]
    members: tuple[tuple[int, ...], ...]
    how: str = "highest"
    least_rows: int = 1


def kept(names: Names, values: Mapping[str, Any]) -> Regrouping:
    """The classes that are kept, in their order."""
    return Regrouping(
        names=tuple(name for _, name in values["kept"]),
        members=tuple((index,) for index, _ in values["kept"]),
        least_rows=ENOUGH_ROWS if values.get("exact") else 1,
    )


def renamed(names: Names, values: Mapping[str, Any]) -> Regrouping:
    """The same classes, some by other names."""
    new = dict(names) | {index: name for index, _, name in values["renamed"]}
    return Regrouping(names=tuple(new.values()), members=tuple((index,) for index in names))


def permuted(names: Names, values: Mapping[str, Any]) -> Regrouping:
    """All classes in another order, names with them."""
    order = tuple(values["order"])
    return Regrouping(names=tuple(names[index] for index in order), members=tuple((index,) for index in order))


def merged(names: Names, values: Mapping[str, Any]) -> Regrouping:
    """Each group stands where its first member by id stood; the other classes keep their order."""
    first, inside = {}, set()
    for name, members in values["groups"]:
        ids = tuple(index for index, _ in members)
        first[min(ids)] = name, ids
        inside |= set(ids)
    places = [index for index in names if index in first or index not in inside]
    found = [first.get(index, (names[index], (index,))) for index in places]
    return Regrouping(names=tuple(name for name, _ in found), members=tuple(ids for _, ids in found), how=values["how"])


def added(names: Names, values: Mapping[str, Any]) -> Regrouping:
    """The same classes, and new ones behind them: with the rows of another, or with rows that are given."""
    source = values.get("source")
    new = values["names"]
    more = ((),) * len(new) if source is None else ((source[0],),)
    return Regrouping(names=(*names.values(), *new), members=(*((index,) for index in names), *more))
