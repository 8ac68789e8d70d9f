"""Label files that belong to the images so many places further on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .fit import image_fits
from .reading import Reading
from .rows import Rows
from .search import Difference, difference
from .seen import Seen

PLACES = (1, -1, 2, -2, 3, -3)
GAIN = 0.1  # of the fit, by which the other images must be better
FEWEST = 4  # files in a run


@dataclass(frozen=True)
class Pairing:
    """Files ``begin`` to ``end`` belong to the images ``places`` further on; ``gain`` of their fit there."""

    places: int
    begin: int
    end: int
    gain: Difference


def find_pairing(rows: Rows, seen: Sequence[Seen], readings: Sequence[Reading], looked: np.ndarray) -> Pairing | None:
    """The run of label files, all of them perhaps, that fits other images than their own, whatever the reading.

    ``looked`` (n,): the places of the images in the whole list; only those that follow each other there are compared.
    """
    at_home = image_fits(rows, seen, readings)
    best: tuple[float, Pairing] | None = None
    for places in PLACES:
        gains = _fits_elsewhere(rows, seen, readings, places, looked) - at_home
        for column in range(len(readings)):
            begin, end, total = _best_run(np.nan_to_num(gains[:, column]))
            level = total + np.nansum(at_home[:, column])
            gain = difference(gains[begin:end, column])
            if gain.images >= FEWEST and gain.proven(GAIN) and (best is None or level > best[0]):
                best = level, Pairing(places=places, begin=begin, end=end, gain=gain)
    if best is None or best[0] < np.nansum(at_home, 0).max() + GAIN * best[1].gain.images:
        return None
    return best[1]


def _fits_elsewhere(
    rows: Rows, seen: Sequence[Seen], readings: Sequence[Reading], places: int, looked: np.ndarray
) -> np.ndarray:
    """The fit (files, readings) of each file's rows on the image so many places further on; NaN where there is none."""
    count = len(seen)
    elsewhere = image_fits(rows.moved(places, count), seen, readings)
    found = np.full_like(elsewhere, np.nan)
    home = np.arange(max(0, -places), min(count, count - places))
    follows = looked[home + places] - looked[home] == places
    found[home[follows]] = elsewhere[home[follows] + places]
    return found


def _best_run(gains: np.ndarray) -> tuple[int, int, float]:
    """Begin and end of the run of the largest sum, and the sum (Kadane)."""
    best, best_begin, best_end = 0.0, 0, 0
    total, begin = 0.0, 0
    for place, gain in enumerate(gains.tolist()):
        total += gain
        if total <= 0:
            total, begin = 0.0, place + 1
        elif total > best:
            best, best_begin, best_end = total, begin, place + 1
    return best_begin, best_end, best


def moved(rows: Rows, pairing: Pairing, images: int) -> Rows:
    """The rows with those of the run as rows of the images that they belong to; the others stay."""
    run = (rows.image >= pairing.begin) & (rows.image < pairing.end)
    image = np.where(run, rows.image + pairing.places, rows.image)
    taken = np.isin(image, np.unique(image[run])) & ~run  # rows that another file takes the place of
    inside = (image >= 0) & (image < images) & ~taken
    order = np.argsort(image[inside], kind="stable")
    return Rows(**{**vars(rows.chosen(inside).chosen(order)), "image": image[inside][order]})
