"""What validation would keep if a level, or one class row of a level, were silent: recombined, and cut anew."""

from typing import Any

import numpy as np

from .pairs import Images, Pairs
from .table import PLAIN, POOL


class Selections:
    """The selections of a survey's pairs, each a (P,) mask of what validation keeps.

    ``limit`` (I,) boxes an image: ``max_det``, of a one-to-one head at most the number of its anchors.
    Equal confidences go by anchor, then class, as NMS orders them; how a top-k orders equals is torch's own affair.
    """

    def __init__(self, pairs: Pairs, images: Images, levels: tuple[Any, ...], max_det: int):
        self.pairs = pairs
        self.limit = np.full(len(images), max_det)
        self._starts = np.searchsorted(pairs.image, np.arange(len(images) + 1))
        if pairs.pooled:
            self.limit = np.minimum(max_det, _anchors(images, levels))
            cell = pairs.image * (pairs.anchor.max(initial=0) + 1) + pairs.anchor
            self._cell = np.unique(cell, return_inverse=True)[1].reshape(-1)

    def plain(self) -> np.ndarray:
        """The model as it is."""
        return self._among(self.pairs.listed[POOL if self.pairs.pooled else PLAIN])

    def without_level(self, level: int) -> np.ndarray:
        """With all scores of a level at 0."""
        if self.pairs.pooled:
            return self._among(self.pairs.listed[POOL] & (self.pairs.level != level))
        return self._among(self._muted(level))

    def without_row(self, level: int, class_id: int) -> np.ndarray:
        """With the scores of one class at 0 on one level."""
        mine = self.pairs.class_id == class_id
        if self.pairs.pooled:
            return self._among(self.pairs.listed[POOL] & ~(mine & (self.pairs.level == level)))
        listed = np.where(mine, self._muted(level), self.pairs.listed[PLAIN])
        added, removed = self.pairs.changed.get((level, class_id), ([], []))
        listed[added], listed[removed] = True, False
        return self._among(listed)

    def _muted(self, level: int) -> np.ndarray:
        """The list of a muted level; it has no rows where nothing stands on the other levels."""
        return self.pairs.listed.get(level, np.zeros(len(self.pairs), bool))

    def _among(self, listed: np.ndarray) -> np.ndarray:
        """The best of each image among those listed."""
        rows = np.flatnonzero(listed)
        if self.pairs.pooled:
            rows = rows[self._anchor_ranks(rows) < self.limit[self.pairs.image[rows]]]
        rows = rows[self._ranks(rows) < self.limit[self.pairs.image[rows]]]
        kept = np.zeros(len(self.pairs), bool)
        kept[rows] = True
        return kept

    def _ranks(self, rows: np.ndarray) -> np.ndarray:
        """(n,) the place of each row among those of its image, from 0."""
        return np.arange(len(rows)) - np.searchsorted(rows, self._starts)[self.pairs.image[rows]]

    def _anchor_ranks(self, rows: np.ndarray) -> np.ndarray:
        """(n,) the place of each row's anchor among the anchors of its image, by the best of their classes."""
        cell = self._cell[rows]
        first = np.empty(cell.max(initial=0) + 1, np.int64)
        first[cell[::-1]] = np.arange(len(rows))[::-1]  # the last to be written is the first row of its anchor
        leads = np.zeros(len(rows) + 1, np.int64)
        leads[first[cell] + 1] = 1
        before = leads.cumsum()  # anchors that lead off before each row, over all images
        start = np.searchsorted(rows, self._starts)[self.pairs.image[rows]]
        return before[first[cell]] - before[start]


def _anchors(images: Images, levels: tuple[Any, ...]) -> np.ndarray:
    """(I,) cells of all levels, one anchor each, as one-to-one heads have them."""
    cells = [np.ceil(images.input_size / level.stride).prod(1) for level in levels]
    return np.sum(cells, axis=0).astype(np.int64)
