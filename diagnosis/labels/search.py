"""Which reading fits best, and whether it is proven: paired by image, against simpler rivals, with its own error."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .grammar import weight
from .reading import Reading

LEVEL = 0.003  # one-sided probability up to which a difference is taken for proven
MARGIN = 0.02  # how much of the fit each departure must bring beyond it
FEWEST = 4  # images below which nothing is proven


@dataclass(frozen=True)
class Difference:
    """A mean over ``images`` of paired differences, its standard error ``se``."""

    mean: float
    se: float
    images: int

    def proven(self, margin: float = 0.0) -> bool:
        """Whether it is above a margin, and by more than chance."""
        if self.images < FEWEST or not self.mean > margin:
            return False
        return self.mean > critical(self.images) * self.se

    def least(self, margin: float = 0.0) -> float:
        """What the mean must exceed to be proven above a margin."""
        return max(margin, critical(max(self.images, FEWEST)) * self.se)

    def needed(self) -> int | None:
        """With how many images of this kind it would be proven; None where it points the other way."""
        if not self.mean > 0:
            return None
        spread = self.se * self.images**0.5
        count = FEWEST
        while self.mean <= critical(count) * spread / count**0.5 and count < 10_000:
            count += max(1, count // 8)
        return count


@dataclass(frozen=True)
class Choice:
    """The reading that one kind of evidence chooses: its ``place`` in the list, ``gain`` over the labels as written.

    ``best``: the place of the highest mean, which the choice is not proven to be worse than; ``rivals``: places of
    readings as simple that fit as well as far as these images tell; ``lead``: the least of its gains over the others
    of its weight that differ.
    """

    place: int
    best: int
    means: np.ndarray
    gain: Difference
    missed: Difference
    rivals: tuple[int, ...]


def critical(images: int) -> float:
    """How many standard errors a mean of so many differences must be above 0."""
    from scipy.stats import t

    return float(t.isf(LEVEL, images - 1)) if images > 1 else float("inf")


def difference(values: np.ndarray) -> Difference:
    """Mean and standard error of differences (n,), one an image; NaN is left out."""
    values = values[np.isfinite(values)]
    count = len(values)
    if count < 2:
        return Difference(float(values.sum()), float("inf"), count)
    return Difference(float(values.mean()), float(values.std(ddof=1)) / count**0.5 + 1e-9, count)


def choose(fits: np.ndarray, readings: Sequence[Reading]) -> Choice:
    """The simplest reading that none is proven to beat by enough for its further departures.

    ``fits`` (images, readings) of one kind of evidence, the first reading being the labels as written.
    """
    known = fits[np.isfinite(fits).all(1)]
    means = known.mean(0) if len(known) else np.zeros(len(readings))
    best = int(means.argmax())
    weights = np.array([weight(reading) for reading in readings])
    order = np.lexsort((-means, weights))
    place = next(int(i) for i in order if not _beaten(known, int(i), best, weights))
    alike = [int(i) for i in order if weights[i] == weights[place] and i != place]
    return Choice(
        place=place,
        best=best,
        means=means,
        gain=difference(known[:, place] - known[:, 0]),
        missed=difference(known[:, best] - known[:, place]),
        rivals=tuple(i for i in alike if not difference(known[:, place] - known[:, i]).proven()),
    )


def _beaten(fits: np.ndarray, place: int, best: int, weights: np.ndarray) -> bool:
    """Whether the best reading is proven to beat another, by enough for what it takes more."""
    more = int(weights[best] - weights[place])
    return more > 0 and difference(fits[:, best] - fits[:, place]).proven(MARGIN * more)
