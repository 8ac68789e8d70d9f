"""Superpixels of one window taken away one by one, scale after scale, and what falls with them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..perturbation_frame import segments
from ..presence import CLASS
from ..subject import Subject
from ..windows import Window
from .fitting import Counted

LEAST = (
    1e-3  # of IoU times probability: the lowest confidence at which detectors are evaluated; below, nothing is there
)
QUIET = 0.05  # of the largest mean of a region by the coarser maps: where less moves, no finer region is tried


class Ablated:
    """A window, the subjects explained in it, and the maps of every scale so far.

    ``layers``: a map (n, h, w) a scale, of mean size 1, on the px that the network reads; ``number`` counts what it
    all costs; ``absent`` (n,): of which subjects the class is not there on the whole window, so that there is nothing
    to explain.
    """

    def __init__(self, subjects: Sequence[Subject], window: Window, frame: Tensor, empty: Tensor):
        self.subjects, self.window = subjects, window
        self.number = Numbers(subjects, window)
        self.frame, self.empty = window.cut(frame), window.cut(empty)
        self.layers: list[np.ndarray] = []
        self.full: np.ndarray | None = None
        self.absent = np.zeros(len(subjects), bool)

    def steps(self, count: int, batch: int, most: float, quiet: bool) -> Iterator[float]:
        """Take about ``count`` regions away, for ``most`` predicts at most; yields the predicts of every batch.

        The regions where the maps so far move most come first; those where they are ``quiet`` are left out. What was
        tried becomes a layer, also of an interrupted scale where there is one before.
        """
        start, share = self.number.spent, self.number.share
        if self.full is None:
            self.full = self.number(self.frame)
            self.absent = self.number.below(LEAST)
            yield share
        if self.absent.all():
            self.layers = self.layers or [np.zeros((len(self.subjects), *self.window.shape))]
            return
        if most < share:
            return
        regions = segments(self.frame[0], count)
        order = self._order(regions, quiet)
        fallen, spent = np.zeros((len(self.subjects), int(regions.max()) + 1)), self.number.spent - start
        tried = 0
        try:
            while tried < len(order) and spent + share <= most:
                affordable = max(int(min((most - spent) / share, batch)), 1)
                some = order[tried : tried + affordable]
                fallen[:, some] = self.full - self.number(self._without(regions, some))
                spent, tried = spent + len(some) * share, tried + len(some)
                yield len(some) * share
        finally:
            if tried == len(order) or (tried and self.layers):
                counted = np.where(self.absent[:, None], 0, fallen if self.signed else fallen.clip(0))
                self.layers.append(_sized(counted[:, regions]))

    @property
    def signed(self) -> bool:
        """Whether a number that rises counts: of all but a class, whose small rises are noise where the class falls."""
        return self.subjects[0].what not in ("logit", "score")

    def map(self, k: int) -> np.ndarray:
        """The sum of all scales for the k-th subject, (h, w) on the px that the network reads."""
        return np.sum([layer[k] for layer in self.layers], axis=0)

    def _order(self, regions: np.ndarray, quiet: bool) -> np.ndarray:
        """The regions by how much moves there, most first; all of them at first."""
        size = np.bincount(regions.ravel())
        if not self.layers:
            return np.arange(len(size))
        moves = np.zeros(len(size))
        for k in range(len(self.subjects)):
            found = np.bincount(regions.ravel(), weights=np.abs(self.map(k)).ravel()) / size
            moves = np.maximum(moves, found / max(found.max(), 1e-12))
        order = np.argsort(-moves, kind="stable")
        return order[moves[order] >= QUIET] if quiet else order

    def _without(self, regions: np.ndarray, some: np.ndarray) -> Tensor:
        """The window without each of some regions, (b, 3, h, w)."""
        gone = torch.from_numpy(regions[None] == some[:, None, None])[:, None].to(self.frame.device)
        return torch.where(gone, self.empty, self.frame)


class Numbers(Counted):
    """What is explained of subjects, (n, B): of a difference what is held of one class less that of the other."""

    def __init__(self, subjects: Sequence[Subject], window: Window):
        others = [replace(one, class_id=one.against) for one in subjects if one.against is not None]
        super().__init__([*subjects, *others], window)
        self.subjects = subjects
        self.count = len(subjects)
        self.last = np.zeros((0, 0))

    def __call__(self, frames: Tensor) -> np.ndarray:
        """As ``Counted``."""
        self.last = found = super().__call__(frames)
        return found[: self.count] - found[self.count :] if len(found) > self.count else found

    def below(self, least: float) -> np.ndarray:
        """Of which subjects (n,) the last frames held less, of either class; an edge or an entropy is always there."""
        if self.subjects[0].what not in CLASS:
            return np.zeros(self.count, bool)
        return self.last.reshape(-1, self.count, self.last.shape[1]).max((0, 2)) < least


def _sized(values: np.ndarray) -> np.ndarray:
    """Maps (n, h, w), each divided by the mean of its sizes; zeros stay."""
    size = np.abs(values).mean((1, 2), keepdims=True)
    return values / np.where(size > 0, size, 1)
