"""How the classes of a head stand: what undo must bring back beside the rows themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from anatomy import Head
from anatomy.head.classes import Classes

from ..places import Place
from ..rows import Rows


@dataclass(frozen=True, eq=False)
class ClassState:
    """Names in the order of ids, rows a class, towers side by side, and what else has one row a class (clones)."""

    names: tuple[str, ...]
    rows_per_class: int
    towers: int
    extras: Mapping[str, Tensor] = field(default_factory=dict)


States = tuple[ClassState, ClassState]  # before an edit and after it


def state_of(head: Head) -> ClassState:
    """The classes of a head as they are described."""
    return ClassState(
        names=tuple(head.names.values()),
        rows_per_class=head.rows_per_class,
        towers=head.class_towers,
        extras={name: value.clone() for name, value in head.class_extras().items()},
    )


def stand_again(head: Head, state: ClassState, rows: dict[Place, Rows], kept: object) -> None:
    """Bring back a state: the very objects where they were kept of this network, else others of the same numbers."""
    if kept is None or not head.put_classes_back(kept):
        made = Classes(
            names=state.names,
            rows=rows,
            rows_per_class=state.rows_per_class,
            extras=state.extras,
            towers=state.towers,
        )
        head.give_classes(made)
