"""Shifts, scales and sizes of some files: a coarse grid to find them on, and the simplest fit to their labels."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from .likelihood import Deviation, log_likelihoods
from .reading import Reading
from .rows import Rows
from .seen import Seen

SHIFTS = (-0.13, -0.075, -0.04, -0.018, 0.0, 0.018, 0.04, 0.075, 0.13)
FACTORS = (0.5, 0.7, 0.83, 0.92, 1.0, 1.08, 1.2, 1.4, 2.0)
SIZES = (0.33, 0.5, 0.7, 0.8, 0.88, 1.14, 1.25, 1.45, 2.0, 3.0)
LEAST_SHIFT, LEAST_SCALE, LEAST_SIZE = 0.01, 0.03, 0.12  # less is a habit of whoever drew the boxes
BEYOND = 6.0  # log likelihood that a departure fitted to another reading must bring


@dataclass(frozen=True)
class Kind:
    """Departures of a kind: ``made`` of ``numbers`` (k,), and where to begin to look for them."""

    made: Callable[..., dict]
    starts: Sequence[tuple[float, ...]]

    @property
    def numbers(self) -> int:
        """How many are fitted."""
        return len(self.starts[0])


def _about_middle(x: float, y: float) -> dict:
    return {"scale": (x, y), "shift": ((1 - x) / 2, (1 - y) / 2)}


_MOVED = [(x,) for x in SHIFTS if x]
_SCALED = [(x,) for x in FACTORS if x != 1]
_BOTH_MOVED = [pair for pair in product(SHIFTS, SHIFTS) if any(pair)]
_ABOUT_A_CORNER = [(f, (1 - f) * x, (1 - f) * y) for f in FACTORS if f != 1 for x in (0, 1) for y in (0, 1) if x or y]
_BOTH_SCALED = [pair for pair in product(FACTORS, FACTORS) if pair != (1, 1)]
KINDS = (
    Kind(lambda x: {"shift": (x, 0.0)}, _MOVED),
    Kind(lambda y: {"shift": (0.0, y)}, _MOVED),
    Kind(lambda size: {"size": size}, [(size,) for size in SIZES]),
    Kind(lambda x: {"scale": (x, x)}, _SCALED),
    Kind(lambda x: {"scale": (x, 1.0)}, _SCALED),
    Kind(lambda y: {"scale": (1.0, y)}, _SCALED),
    Kind(lambda x: _about_middle(x, x), _SCALED),
    Kind(lambda x, y: {"shift": (x, y)}, _BOTH_MOVED),
    Kind(lambda x, y: {"scale": (x, y)}, _BOTH_SCALED),
    Kind(_about_middle, _BOTH_SCALED),
    Kind(lambda factor, x, y: {"scale": (factor, factor), "shift": (x, y)}, _ABOUT_A_CORNER),
)
"""The simplest first."""
GENERAL = [kind for kind in KINDS if kind.numbers > 1 or "size" in kind.made(*kind.starts[0])]


def grid(base: Reading, boxes_alone: bool) -> Iterator[tuple[Reading, float]]:
    """Departures from a base, coarsely, and the log of how many of each kind there are.

    ``boxes_alone``: sizes of boxes too, which polygons do not have.
    """
    for kind in GENERAL:
        for start in kind.starts:
            departures = kind.made(*start)
            if boxes_alone or "size" not in departures:
                yield departing(base, departures), float(np.log(len(kind.starts) * len(GENERAL)))


def departing(base: Reading, departures: dict) -> Reading:
    """A base with further departures."""
    size = departures.get("size", 1.0) * base.size
    return replace(base, **{**departures, "size": size})


def fitted(rows: Rows, seen: Sequence[Seen], base: Reading, usual: Deviation, boxes_alone: bool) -> Reading:
    """The simplest departure from a base that explains the labels of some files, fitted to all of them together.

    Each number that is fitted costs half the log of the number of labels (Schwarz 1978).
    """
    cost = np.log(max(len(rows), 2)) / 2

    def worth(reading: Reading) -> float:
        return float(log_likelihoods(rows, seen, (reading,), usual).sum())

    best, most = base, worth(base) + BEYOND
    for kind in KINDS:
        if not boxes_alone and "size" in kind.made(*kind.starts[0]):
            continue
        departures = _polished(kind, base, worth)
        found = worth(departing(base, departures)) - cost * kind.numbers
        if found > most and _matters(departures):
            best, most = _rounded(departing(base, departures)), found
    return best


def _polished(kind: Kind, base: Reading, worth: Callable[[Reading], float]) -> dict:
    """The likeliest departure of a kind: the best of its starts, then Nelder and Mead's simplex."""
    from scipy.optimize import minimize

    values = [worth(departing(base, kind.made(*start))) for start in kind.starts]
    start = np.array(kind.starts[int(np.argmax(values))])

    def loss(numbers: np.ndarray) -> float:
        departures = kind.made(*numbers.tolist())
        proper = min(departures.get("size", 1.0), *departures.get("scale", (1.0,))) > 0
        return -worth(departing(base, departures)) if proper else np.inf

    simplex = np.vstack([start, start + 0.02 * np.eye(len(start))])
    found = minimize(loss, start, method="Nelder-Mead", options={"initial_simplex": simplex, "maxfev": 60 * len(start)})
    return kind.made(*found.x.tolist())


def _matters(departures: dict) -> bool:
    """Whether one of the departures is above what people who draw boxes differ by."""
    scale = np.abs(np.log(departures.get("scale", (1.0, 1.0)))).max()
    shift = np.abs(departures.get("shift", (0.0, 0.0))).max()
    size = abs(float(np.log(departures.get("size", 1.0))))
    return bool(scale > LEAST_SCALE or size > LEAST_SIZE or (shift > LEAST_SHIFT and "scale" not in departures))


def _rounded(reading: Reading) -> Reading:
    """As many digits as such a fit has, and a size near a half or the double as that."""
    size = next((half for half in (0.5, 2.0) if abs(np.log(reading.size / half)) < 0.06), round(reading.size, 3))
    shift, scale = ((round(x, 4), round(y, 4)) for x, y in (reading.shift, reading.scale))
    return replace(reading, size=size, shift=shift, scale=scale)
