"""How sure the difference of two recalls is that were counted on the same images."""

from collections.abc import Iterator

import numpy as np

AT_ONCE = 2**22  # numbers held in one array


def paired_difference(
    objects: np.ndarray, before: np.ndarray, after: np.ndarray, *, n: int = 2000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The lower and upper end (groups,) of the 95 % interval of recall after less recall before.

    ``objects``, ``before`` and ``after`` (images, groups) count objects and those found. Whole images are drawn with
    replacement, ``n`` times, the same ones for both sides (percentile bootstrap, Efron and Tibshirani 1993). NaN for a
    group that has its objects in fewer than two images: one image says nothing of the others.
    """
    gained = after.astype(np.float64) - before
    counts = objects.astype(np.float64)
    drawn = []
    for weights in _draws(len(objects), n, np.random.default_rng(seed)):
        there = weights @ counts
        with np.errstate(invalid="ignore"):
            drawn.append(np.where(there > 0, weights @ gained / there, np.nan))
    differences = np.concatenate(drawn) if drawn else np.full((1, objects.shape[1]), np.nan)
    empty = (objects > 0).sum(0) < 2
    low, high = np.nanpercentile(np.where(empty, 0.0, differences), (2.5, 97.5), axis=0)
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)


def _draws(images: int, n: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each image was drawn, (draws, images) at a time."""
    step = max(1, AT_ONCE // max(images, 1))
    for start in range(0, n if images else 0, step):
        draws = min(step, n - start)
        picked = rng.integers(0, images, (draws, images)) + np.arange(draws)[:, None] * images
        yield np.bincount(picked.ravel(), minlength=draws * images).reshape(draws, images).astype(np.float64)
