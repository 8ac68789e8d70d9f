"""What a step draws: a network and a way to reach it, and edits said in the many ways that a caller can say them."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

import surgery

from .arithmetic import Wanted
from .heads import Kind

WHICH = st.integers(0, 5)
SEEDS = st.integers(0, 2**16)
NUMBERS = st.lists(st.integers(0, 9), min_size=1, max_size=3)
LEVELS = st.tuples(st.sampled_from(("all", "index", "name", "list", "names", "numpy")), NUMBERS)
CLASSES = st.tuples(st.sampled_from(("all", "id", "name", "ids", "mixed", "numpy")), NUMBERS)
BRANCHES = st.sampled_from(
    ((), (), (), "one2many", ("one2many",), ("one2one",), ("one2many", "one2one"), ("one2one", "one2many"))
)
FACTORS = st.one_of(st.sampled_from((0.0, -0.0, 1.0, -1.7, 0.5, 3, 1e30, 1e-30)), st.floats(-4, 4))
DELTAS = st.one_of(st.sampled_from((0.0, 1.0, -3.0, 2, 1e5, 3e38)), st.floats(-5, 5))


@dataclass(frozen=True)
class Call:
    """A function of surgery with its arguments after the model, and the edit that is meant by them."""

    function: str
    arguments: tuple
    branches: object
    edit: Wanted

    def run(self, model) -> surgery.Edit:
        given = {"branches": self.branches} if self.branches else {}
        return getattr(surgery, self.function)(model, *self.arguments, **given)


@dataclass(frozen=True)
class Draft:
    """An edit before the head is known: numbers are taken modulo the classes and levels that there are."""

    operation: str
    level: tuple
    classes: tuple
    branches: object
    number: float = 0
    kind: str = ""
    seed: int = 0

    def call(self, kind: Kind) -> Call:
        levels, level = _levels(kind, *self.level)
        classes, chosen = _classes(kind, *self.classes)
        made = (level,), (), {}
        if self.operation == "shift_classes":
            made = (level, int(self.number)), (), {"k": int(self.number)}
        elif self.operation == "permute_classes":
            order, given = _order(kind, self.seed)
            made = (level, given), (), {"order": order}
        elif self.operation == "swap_classes":
            first, second = self.seed % kind.classes, (self.seed // 7) % kind.classes
            second = (first + 1) % kind.classes if first == second else second
            made = (level, kind.names[first], second), tuple(sorted((first, second))), {}
        elif self.operation == "zero_classes":
            made = (level, chosen, self.kind), classes, {"bias": self.kind}
        elif self.operation == "scale_classes":
            made = (level, chosen, self.number), classes, {"factor": float(self.number)}
        elif self.operation == "bias_classes":
            made = (level, chosen, self.number), classes, {"delta": float(self.number)}
        elif self.operation == "mute_level":
            made = (level,), tuple(range(kind.classes)), {"bias": "silence"}
        arguments, edited, parameters = made
        branches = (self.branches,) if isinstance(self.branches, str) else tuple(self.branches)
        return Call(
            self.operation, arguments, self.branches, Wanted(self.operation, levels, edited, parameters, branches)
        )


def _draft(operation: str, **more):
    return st.builds(Draft, st.just(operation), LEVELS, CLASSES, BRANCHES, **more)


MOVES = st.one_of(
    _draft("shift_classes", number=st.integers(-7, 7)),
    _draft("permute_classes", seed=SEEDS),
    _draft("swap_classes", seed=st.integers(0, 48)),
)
SILENCES = st.one_of(_draft("zero_classes", kind=st.sampled_from(("silence", "keep", "zero"))), _draft("mute_level"))
CHANGES = st.one_of(_draft("scale_classes", number=FACTORS), _draft("bias_classes", number=DELTAS))
DRAFTS = st.one_of(MOVES, SILENCES, CHANGES)


def _levels(kind: Kind, form: str, numbers: list[int]) -> tuple[tuple[int, ...], object]:
    """Indices of levels, and one way of saying them."""
    count = len(kind.levels)
    if form == "all" or (kind.shared and form != "index"):
        return tuple(range(count)), "all"
    indices = sorted({number % count for number in numbers})
    if form in ("index", "name", "numpy"):
        first = indices[0]
        return (first,), {"index": first, "name": kind.levels[first].lower(), "numpy": np.int64(first)}[form]
    return tuple(indices), [kind.levels[i] for i in indices] if form == "names" else indices[::-1]


def _classes(kind: Kind, form: str, numbers: list[int]) -> tuple[tuple[int, ...], object]:
    """Class ids, and one way of saying them."""
    if form == "all":
        return tuple(range(kind.classes)), "all"
    ids = sorted({number % kind.classes for number in numbers})
    if form in ("id", "name"):
        return (ids[0],), ids[0] if form == "id" else kind.names[ids[0]]
    if form == "mixed":
        return tuple(ids), [kind.names[i] if i % 2 else i for i in ids]
    return tuple(ids), np.asarray(ids) if form == "numpy" else tuple(ids)


def _order(kind: Kind, seed: int) -> tuple[list[int], object]:
    """An order of all classes: as ids, as names, or as a mapping {old: new}."""
    order = np.random.default_rng(seed).permutation(kind.classes).tolist()
    if seed % 3 == 0:
        return order, order
    if seed % 3 == 1:
        return order, [kind.names[i] for i in order]
    return order, {old: kind.names[new] for new, old in enumerate(order) if old != new}
