"""Every reading that is worth weighing: single departures, and those that come together."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import combinations, product

import numpy as np

from .forms import FORMATS, TURNS, XXYY
from .reading import Reading

CONSTANTS = (100.0, 1000.0, 1024.0, 640.0, 320.0, 416.0, 512.0, 1280.0)
"""Wholes that coordinates are counted in, where not in shares: percent, thousandths, the sides of usual inputs."""
SHARES_UP_TO = 3.0  # a number above it is no share, however the box may leave its image
SHARES_FROM = 0.02  # numbers that all are below it are no shares of an image, but of a pixel
WHOLE_USED = 0.6  # of a constant whole, the largest coordinates are at least so much
FEW_AND_MANY = (0.01, 0.95)  # parts of the rows from which on, and up to which, a kind of unit counts
DEPARTURES = 3  # how many come together at most
PROBE = np.random.default_rng(0).uniform(0.2, 0.6, (12, 4))
PROBE_SIZES = np.array([(640, 480), (480, 640), (500, 333), (333, 500)] * 3, np.float64)
"""Rows on which two readings that are the same show it."""


def readings(quads: np.ndarray, polygons: bool = False) -> tuple[Reading, ...]:
    """What is worth weighing for rows (n, 4) as written: the simplest first, none twice.

    ``polygons``: the rows are hulls of polygons, which have no format and no size of their own.
    """
    return _distinct(_units(quads), polygons)


def simpler(reading: Reading, other: Reading) -> bool:
    """Whether a reading takes fewer departures than another."""
    return weight(reading) < weight(other)


def weight(reading: Reading) -> int:
    """How many departures a reading takes; a format in px is one, since such boxes are written so by other formats."""
    departures = set(reading.departures)
    return len(departures) - ({"unit", "format"} <= departures and reading.unit == "px")


@lru_cache(maxsize=32)
def _distinct(units: tuple[str | float, ...], polygons: bool) -> tuple[Reading, ...]:
    values = _alternatives(units, polygons)
    found: dict[bytes, Reading] = {}
    for count in range(DEPARTURES + 1):
        for reading in sorted(_departing(values, count), key=_quarter_turned):
            found.setdefault(_identity(reading), reading)
    return tuple(found.values())


def _units(quads: np.ndarray) -> tuple[str | float, ...]:
    """The units that come into question: of shares where some rows may be such, of larger numbers where some are."""
    far = np.abs(quads).max(1) > SHARES_UP_TO
    found: list[str | float] = []
    if len(far) and np.quantile(np.abs(quads).max(1), FEW_AND_MANY[1]) < SHARES_FROM:
        found.append("per_px")
    if far.mean() < FEW_AND_MANY[1] if len(far) else True:
        found += ["wrong_side", "width", "height"]
    if len(far) and far.mean() > FEW_AND_MANY[0]:
        largest = float(np.quantile(np.abs(quads[far]).max(1), 0.95))
        found += ["px", *(whole for whole in CONSTANTS if WHOLE_USED * whole <= largest <= 1.1 * whole)]
    return tuple(found)


def _alternatives(units: Sequence[str | float], polygons: bool) -> dict[str, Sequence]:
    """The departures of each field."""
    turns = [turn for turn in TURNS if turn not in ("", "transposed")]
    found: dict[str, Sequence] = {"unit": units, "frame": ("letterbox", "letterbox_end"), "turn": turns}
    if polygons:
        return {**found, "order": ("axes_swapped",)}
    formats = [form for form in (*FORMATS, XXYY) if form != "cxcywh"]
    orders = ("axes_swapped", "xy_swapped", "wh_swapped")
    return {"order": orders, "format": formats, **found, "size": (0.5, 2.0)}


def _departing(values: dict[str, Sequence], count: int) -> Iterator[Reading]:
    """The readings of a weight, the likely ones first."""
    right = Reading()
    for fields_ in (combo for more in (count, count + 1) for combo in combinations(values, more)):
        for chosen in product(*(values[name] for name in fields_)):
            reading = replace(right, **dict(zip(fields_, chosen, strict=True)))
            if weight(reading) == count:
                yield reading


def _quarter_turned(reading: Reading) -> bool:
    """Of two readings that are the same, that without a quarter turn is likelier: a flip, sides exchanged."""
    return TURNS[reading.turn][0]


def _identity(reading: Reading) -> bytes:
    """The same for readings that make the same boxes of every row."""
    return np.round(reading.boxes(PROBE, PROBE_SIZES), 9).tobytes()
