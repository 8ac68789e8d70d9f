"""Predictions that are lost because the objectness, or the class, that they are given out with is another cell's."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..layout import TargetLayout
from .asking import Asker
from .predictions import HIGHEST
from .trials import Trial, ask, singly

LENT = {
    "objectness_wrong": "the objectness of other cells or anchors is taken for a prediction's own",
    "object_lost": "a prediction comes out by the classes of other cells or anchors, not by its own",
}


def lent(asker: Asker, trials: Sequence[Trial]) -> tuple[str, list[Trial]] | None:
    """A code of ``LENT``, and what comes out where every cell lends an objectness, or classes, to those that are lost.

    None where nearly as many are lost then.
    """
    if asker.layout.objectness is None:
        return None
    for code in LENT:
        found = [_lent(asker, trial, code) for trial in trials]
        came = np.concatenate([trial.came for trial in found])
        known = np.concatenate([trial.labels == trial.given.labels for trial in found])
        if came.mean() > 0.9 and known[came].mean() > 0.9:
            return code, found
    return None


def _lent(asker: Asker, trial: Trial, code: str) -> Trial:
    noise = _lit(asker.layout, trial.noise, trial.given.level, code)
    found = ask(asker, trial.size, noise, trial.given)
    found = found if found.came.all() else singly(asker, trial.size, noise, trial.given)
    if code == "object_lost":  # all classes are as likely: which of them comes out says nothing
        return replace(found, labels=np.where(found.came, found.given.labels, -1))
    return found


def _lit(layout: TargetLayout, noise: Sequence[np.ndarray], level: int, code: str) -> list[np.ndarray]:
    """The outputs without predictions, sure of an object, or of all classes, in every cell of a level."""
    found = list(noise)
    found[level] = noise[level].copy()
    objectness = [channel for channel in (layout.objectness,) if channel is not None]
    lit = objectness if code == "objectness_wrong" else list(layout.class_channels)
    if code == "objectness_wrong" or layout.class_values != "ids":
        found[level][:, :, lit] = HIGHEST
    return found
