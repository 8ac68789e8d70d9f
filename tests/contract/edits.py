"""Edits that every family takes: of one level where it has class rows of its own, of all where levels share them."""

from collections.abc import Callable

import anatomy
import surgery
from tests.contract.rows import Family


def at(family: Family, level):
    """A level, or all where they share one class convolution."""
    return "all" if family.shared else level


def edit_everything(model, family: Family) -> None:
    """One edit of every kind; the last mutes a level."""
    names = anatomy.describe(model).names
    surgery.shift_classes(model, level="all", k=-3)
    surgery.permute_classes(model, at(family, 0), list(names)[::-1])
    if len(names) > 1:
        surgery.swap_classes(model, at(family, [0, 1]), 0, 1)
    surgery.scale_classes(model, "all", 0, -1.7)
    surgery.bias_classes(model, at(family, 1), "all", 0.3)
    for bias, level in zip(("silence", "keep", "zero"), (0, 1, 0), strict=True):
        surgery.zero_classes(model, at(family, level), list(names)[-1], bias=bias)
    surgery.mute_level(model, at(family, 1))


def single_edits(model, family: Family) -> dict[str, Callable[[], object]]:
    """One edit of every kind, by what it does; each leaves something to be seen."""
    names = list(anatomy.describe(model).names)
    last = len(family.levels) - 1
    found = {
        "bias one class": lambda: surgery.bias_classes(model, "all", 0, 3.0),
        "scale all classes": lambda: surgery.scale_classes(model, "all", "all", 1.3),
        "zero the finest level": lambda: surgery.zero_classes(model, at(family, 0), "all", bias="keep"),
        "silence two classes": lambda: surgery.zero_classes(model, list(family.levels), names[:2]),
        "scale one class": lambda: surgery.scale_classes(model, "all", names[-1], 1.5),
        "mute a level": lambda: surgery.mute_level(model, at(family, 1)),
    }
    if len(names) == 1:
        return found
    return found | {
        "shift the coarsest level": lambda: surgery.shift_classes(model, at(family, last), 1),
        "reverse the classes": lambda: surgery.permute_classes(model, "all", names[::-1]),
        "swap two classes": lambda: surgery.swap_classes(model, "all", 0, names[-1]),
    }
