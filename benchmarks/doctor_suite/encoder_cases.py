"""Every question about target encoders: the correct ones, and one, two or three faults planted in them."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from .base import Encoder
from .combinations import PAIRS, TRIPLES
from .faults import borders, cells, classes, conduct, forms, levels, places, presence, priors, storage, units
from .faults.fault import Fault
from .schemes import SCHEMES

HOMES = (units, priors, forms, places, cells, borders, storage, levels, classes, presence, conduct)


@dataclass(frozen=True)
class Case:
    """A scheme with faults, none for a correct one; ``make()`` is a fresh encoder.

    ``expected``: for each fault the names that are equally right and whether "error", "warning" or "any" is.
    """

    scheme: str
    faults: tuple[str, ...]
    expected: tuple[tuple[frozenset[str], str], ...]
    make: Callable[[], Encoder]

    @property
    def key(self) -> str:
        return " + ".join((self.scheme, *self.faults))


@cache
def all_faults() -> dict[str, type[Fault]]:
    """Every fault by its name, in the order of the files."""
    found = {}
    for home in HOMES:
        for name, kind in vars(home).items():
            planted = inspect.isclass(kind) and issubclass(kind, Fault) and kind.codes
            if planted and kind.__module__ == home.__name__:
                found[name] = kind
    return found


def plant(scheme: str, faults: tuple[str, ...]) -> Case:
    """A case; KeyError for names that there are not."""
    kinds = [all_faults()[name] for name in faults]
    made = type("Planted", (*kinds, SCHEMES[scheme]), {})
    return Case(scheme, faults, tuple((kind.codes, kind.severity) for kind in kinds), made)


def correct() -> list[Case]:
    return [plant(scheme, ()) for scheme in SCHEMES]


def singles() -> list[Case]:
    found = []
    for name, kind in all_faults().items():
        found += [plant(scheme, (name,)) for scheme in kind.suits]
    return found


def pairs() -> list[Case]:
    return [plant(case[0], case[1:]) for case in PAIRS]


def triples() -> list[Case]:
    return [plant(case[0], case[1:]) for case in TRIPLES]
