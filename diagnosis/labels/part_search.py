"""Which files another hypothesis explains better than what is held of the whole set: a mixture, and its chance."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

MOST = 10.0  # what one file adds to the evidence, at most: no single file proves a fault
PARTS = (0.02, 0.05, 0.1, 0.2, 0.4)  # of the files
PROVEN = 5.0  # log of the odds, after the cost of the search
BELONGS = 2.2  # log odds from which on a file is one of them: nine to one where a tenth are
FEWEST = 3  # files
LEAST = 0.03  # of the files, from which on a fault is called systematic


@dataclass(frozen=True)
class Group:
    """``files`` (n,) that hypothesis ``place`` explains better; ``score``, the log of its odds, the search paid for.

    ``against`` (m,): files that it explains worse than what is held, as surely; the others say neither.
    """

    place: int
    files: np.ndarray
    score: float
    against: np.ndarray


def groups(gains: np.ndarray, costs: np.ndarray, could: np.ndarray) -> Iterator[Group]:
    """The groups that are proven, the strongest first; files of one are not weighed for the next.

    ``gains`` (files, hypotheses): log likelihood of each file beyond that of what is held; ``costs`` (hypotheses,):
    the log of how many of its kind are searched; ``could`` (files,), which can tell.
    """
    free = could.copy()
    while free.any():
        found = _strongest(np.where(free[:, None], gains, -np.inf), costs, int(could.sum()))
        if found is None:
            return
        yield found
        free[found.files] = False


def _strongest(gains: np.ndarray, costs: np.ndarray, files: int) -> Group | None:
    """The most likely of the hypotheses that are proven."""
    scores = mixture(np.minimum(gains, MOST), files) - costs
    backing = (gains > BELONGS).sum(0)
    proven = (scores >= PROVEN) & (backing >= max(FEWEST, LEAST * files))
    if not proven.any():
        return None
    likelihood = np.where(proven, mixture(gains, files) - costs, -np.inf)
    place = int(likelihood.argmax())
    theirs = gains[:, place]
    return Group(
        place=place,
        files=np.flatnonzero(theirs > BELONGS),
        score=float(scores[place]),
        against=np.flatnonzero(np.isfinite(theirs) & (theirs < -BELONGS)),
    )


def mixture(gains: np.ndarray, files: int) -> np.ndarray:
    """The log likelihood ratio (hypotheses,) of a mixture of so many files, a part of which is of the hypothesis.

    Of the parts that are tried, the likeliest: log of the mean over the files of 1 - part + part × e^gain.
    """
    totals = []
    for part in PARTS:
        each = np.logaddexp(np.log(1 - part), np.log(part) + gains)
        each = np.where(np.isfinite(gains), each, 0)
        totals.append(each.sum(0) + (files - np.isfinite(gains).sum(0)) * np.log(1 - part))
    return np.max(totals, 0)
