"""How well the labels of many images lie on edges under each of several readings, compared image by image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MOST = 8  # boxes from which on an image has no more weight
FLIPS = 2000  # of the signs of all images' differences, to see what chance alone makes of the best of many readings
CHANCE = 0.005  # how often chance may exceed ``above``


@dataclass(frozen=True)
class Comparison:
    """Readings against one of them: ``gain`` (r,) of the mean fit, its standard error ``se`` over images, and ``t``.

    ``t`` is gain by standard error, 0 where the fits differ in no image. ``above``: the t that the best of all these
    readings exceeds in one of 200 sets where none is better, correlations among them heeded (the maximum over readings
    under random signs of the images' differences; Westfall and Young, Resampling-Based Multiple Testing, 1993).
    """

    gain: np.ndarray
    se: np.ndarray
    t: np.ndarray
    above: float

    @property
    def better(self) -> np.ndarray:
        """(r,) bool: better than the reference, and not by chance."""
        return self.t > self.above

    @property
    def not_worse(self) -> np.ndarray:
        """(r,) bool: not to be told from the reference, if that is the best: within two standard errors of it."""
        return self.gain >= -2 * self.se


@dataclass(frozen=True)
class EdgeFits:
    """``fits`` (images, readings): mean of ``EdgeField.scores`` over an image's boxes under each reading.

    ``counts`` (images,): how many boxes. An image with more boxes says more, up to eight of them.
    """

    fits: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, scores: Sequence[np.ndarray]) -> "EdgeFits":
        """From the scores of each image, (readings, n); images without boxes are left out."""
        kept = [entry for entry in scores if entry.shape[-1]]
        readings = scores[0].shape[0] if len(scores) else 0
        fits = np.array([entry.mean(-1) for entry in kept]).reshape(len(kept), readings)
        return cls(fits=fits, counts=np.array([entry.shape[-1] for entry in kept], np.int64))

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def mean(self) -> np.ndarray:
        """(readings,) the mean fit over images; 0 is chance."""
        return self._shares() @ self.fits

    def against(self, reference: int = 0) -> Comparison:
        """Every reading against one of them, paired by image. Raises ValueError for fewer than two images."""
        if len(self) < 2:
            raise ValueError(f"A comparison needs at least two images with boxes, but there are {len(self)}.")
        shares = self._shares()
        differences = self.fits - self.fits[:, [reference]]
        gain = shares @ differences
        se = _standard_error(differences, gain, shares)
        return Comparison(gain=gain, se=se, t=_ratio(gain, se), above=_chance(differences, shares))

    def _shares(self) -> np.ndarray:
        """(images,) what part each has in a mean."""
        weights = np.minimum(self.counts, MOST).astype(np.float64)
        return weights / weights.sum()


def _standard_error(differences: np.ndarray, mean: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Of a weighted mean over images, (r,)."""
    count = len(shares)
    return np.sqrt(shares**2 @ (differences - mean) ** 2 * count / (count - 1))


def _ratio(gain: np.ndarray, se: np.ndarray) -> np.ndarray:
    return np.divide(gain, se, out=np.zeros_like(gain), where=se > 1e-12)


def _chance(differences: np.ndarray, shares: np.ndarray) -> float:
    """The t that the best of all readings exceeds by chance in one of 200 sets."""
    rng = np.random.default_rng(0)
    signs = rng.choice((-1.0, 1.0), (FLIPS, len(shares)))
    gain = (signs * shares) @ differences
    # sum of w² (s d − m)², written out: signs fall out of the square
    squares = shares**2 @ differences**2 - 2 * gain * ((signs * shares**2) @ differences) + gain**2 * (shares**2).sum()
    se = np.sqrt(np.maximum(squares, 0) * len(shares) / (len(shares) - 1))
    return float(np.quantile(_ratio(gain, se).max(1), 1 - CHANCE))
