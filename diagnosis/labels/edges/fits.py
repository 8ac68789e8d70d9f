"""How well the labels of many images lie on edges under each of several readings, compared image by image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

MOST = 8  # boxes from which on an image has no more weight


@dataclass(frozen=True)
class Comparison:
    """Readings against one of them: ``gain`` (r,) of the mean fit, its standard error ``se``, their ratio ``t``.

    ``t`` is Student's with ``freedom`` degrees, and 0 where the fits do not differ in any image. ``above`` is the t
    that one of r readings exceeds by chance once in a thousand sets.
    """

    gain: np.ndarray
    se: np.ndarray
    t: np.ndarray
    freedom: int
    above: float

    @property
    def better(self) -> np.ndarray:
        """(r,) bool: better than the reference, and not by chance."""
        return self.t > self.above


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
        shares = self._shares()[:, None]
        differences = self.fits - self.fits[:, [reference]]
        gain = (shares * differences).sum(0)
        count = len(self)
        se = np.sqrt((shares**2 * (differences - gain) ** 2).sum(0) * count / (count - 1))
        t = np.divide(gain, se, out=np.zeros_like(gain), where=se > 1e-12)
        readings = max(1, self.fits.shape[1] - 1)
        above = float(stats.t.isf(1e-3 / readings, count - 1))
        return Comparison(gain=gain, se=se, t=t, freedom=count - 1, above=above)

    def _shares(self) -> np.ndarray:
        """(images,) what part each has in a mean."""
        weights = np.minimum(self.counts, MOST).astype(np.float64)
        return weights / weights.sum()
