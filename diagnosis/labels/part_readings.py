"""Files whose labels are likelier under another reading than under that of the whole set."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .by_model import ByModel
from .grammar import weight
from .likelihood import Deviation, log_likelihoods, row_log_likelihoods, usual_deviation
from .matched import Matched
from .part_fit import fitted, grid
from .part_search import groups
from .reading import Reading
from .rows import Rows
from .seen import Seen

FITTED = {"shift", "scale", "size"}
TOGETHER = 2  # departures of what files may be read by
ODD = 0.3  # fit to what the model sees, below which a file is asked about two departures at once
TELLS = 1.0  # log likelihood from which on a single box says anything
DOUBLE = 2.0  # log odds against them
HABIT = 3.0  # and those against a fit: what errs within a file errs alike, so that it is less sure than it looks


@dataclass(frozen=True)
class ReadingGroup:
    """``files`` (n,), of so many that ``could`` tell, and the ``reading`` of all of them; ``score``: log odds.

    ``against`` (m,): files that fit as they are held to be read. Of the boxes of the files so many fit ``better`` by
    the reading, and so many ``worse``.
    """

    files: np.ndarray
    could: int
    reading: Reading
    score: float
    against: np.ndarray
    better: int
    worse: int


def reading_groups(
    rows: Rows, seen: Sequence[Seen], model: ByModel, matched: Matched, polygons: bool
) -> list[ReadingGroup]:
    """Readings of one departure, of two, and fitted ones that some files share, the most likely first."""
    held, could = model.reading, np.isfinite(model.own)
    usual = usual_deviation(matched, len(rows))
    candidates, costs, gains = _weighed(rows, seen, model, usual, polygons)
    found = []
    for group in groups(gains, costs, could):
        chosen = candidates[group.place]
        base = held if set(chosen.departures) <= FITTED else chosen
        theirs = [seen[place] for place in group.files.tolist()]
        reading = fitted(rows.of_images(group.files), theirs, base, usual, not polygons)
        if reading != held:
            likely = row_log_likelihoods(rows.of_images(group.files), theirs, (held, reading), usual)
            gain = likely[:, 1] - likely[:, 0]
            entry = ReadingGroup(
                files=group.files,
                could=int(could.sum()),
                reading=reading,
                score=group.score,
                against=group.against,
                better=int((gain > TELLS).sum()),
                worse=int((gain < -TELLS).sum()),
            )
            found.append(entry)
    return found


def _weighed(
    rows: Rows, seen: Sequence[Seen], model: ByModel, usual: Deviation, polygons: bool
) -> tuple[list[Reading], np.ndarray, np.ndarray]:
    """Candidates, the cost of each, and what each file gains by it; two departures only where a file fits badly."""
    held = model.reading
    single = [reading for reading in model.hypotheses if weight(reading) < TOGETHER and reading != held]
    coarse = [] if held.departures else list(grid(held, not polygons))
    simple = [*single, *(reading for reading, _ in coarse)]
    costs = [*[np.log(len(single) + 1)] * len(single), *(cost + HABIT for _, cost in coarse)]
    gains = _gains(rows, seen, held, simple, usual)
    odd = np.flatnonzero(np.nan_to_num(model.own, nan=1.0) < ODD)
    double = [reading for reading in model.hypotheses if weight(reading) == TOGETHER and reading != held]
    if not len(odd):
        return simple, np.array(costs), gains
    further = np.zeros((len(seen), len(double)))
    further[odd] = _gains(rows.of_images(odd), [seen[place] for place in odd.tolist()], held, double, usual)
    cost = np.log(len(simple) + len(double)) + DOUBLE
    return [*simple, *double], np.array([*costs, *[cost] * len(double)]), np.concatenate((gains, further), 1)


def _gains(
    rows: Rows, seen: Sequence[Seen], held: Reading, candidates: Sequence[Reading], usual: Deviation
) -> np.ndarray:
    """Log likelihood (images, candidates) of each image's labels beyond that under the reading that is held."""
    found = log_likelihoods(rows, seen, (held, *candidates), usual)
    return found[:, 1:] - found[:, :1]
