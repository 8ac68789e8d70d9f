"""Which files are written otherwise than the rest: each votes for the reading that fits it, and chance is reckoned."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GAIN = 0.1  # of the fit of an image, by which another reading must be better for its file to vote
LEAST = 0.3  # and the fit that it must reach
ALIKE = 0.02  # readings within it fit equally well
FEWEST = 3  # files
LEVEL = 1e-4  # probability up to which votes are not for chance


@dataclass(frozen=True)
class Vote:
    """``place`` of what the files vote for among the hypotheses; ``files`` (n,), the images; of so many that ``could``.

    ``probability`` that clean files give as many votes by chance.
    """

    place: int
    files: np.ndarray
    could: int
    probability: float


def vote(
    fits: np.ndarray,
    chosen: np.ndarray,
    candidates: Sequence[int],
    gain: float = GAIN,
    least: float = LEAST,
    alike: float = ALIKE,
) -> list[Vote]:
    """The hypotheses that more files vote for than chance has it, the strongest first.

    ``fits`` (images, hypotheses); ``chosen`` (images,), the fit of what is held of the whole set; ``candidates``,
    places of hypotheses, the likelier first.
    """
    known = np.flatnonzero(np.isfinite(fits).all(1) & np.isfinite(chosen))
    found: list[Vote] = []
    if not len(known) or not len(candidates):
        return found
    table = fits[known][:, list(candidates)]
    best = table.max(1)
    free = (best - chosen[known] >= gain) & (best >= least)
    backing = (table >= best[:, None] - alike) & free[:, None]
    while backing.any():
        counts = backing.sum(0)
        place = int(counts.argmax())
        others = int((backing.any(1) & ~backing[:, place]).sum())
        rate = (1 + others) / (len(known) * len(candidates))
        probability = _tail(int(counts[place]), len(known), rate)
        if counts[place] < FEWEST or probability > LEVEL:
            break
        files = known[backing[:, place]]
        found.append(Vote(place=candidates[place], files=files, could=len(known), probability=probability))
        backing[backing[:, place]] = False
    return found


def _tail(count: int, files: int, rate: float) -> float:
    """The probability of at least so many votes of files that give one by chance at a rate."""
    from scipy.stats import binom

    return float(binom.sf(count - 1, files, min(rate, 1.0)))
