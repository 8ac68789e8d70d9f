"""What a decoder makes of the scores of cells that hold no object."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor
from torch.utils._pytree import tree_leaves

from .asking import Asker
from .found import Unreadable
from .predictions import HIGHEST, LOW, laid
from .trials import Trial

LOUD = 0.2
"""A score of a cell whose probabilities are 0.002 that no product or mean of them explains."""
SURE = 0.9
"""A score of most cells without an object that stands for sureness the wrong way round."""
HALF = 0.6
"""A lower objectness of a prediction, that hardly any threshold leaves out."""
TWICE = 1.5
"""The power of objectness in a score from which on it counts twice."""
CLOSE = 0.25
"""Of the highest score, a share that such cells reach after two activations alone."""


def loud(trial: Trial) -> bool:
    """Whether cells without an object come out nearly as sure as those with one."""
    return trial.floor >= LOUD or trial.floor > CLOSE * trial.top > 0


def quiet(trial: Trial) -> str:
    """Words, where cells without an object come out with a score that is no small one; else empty."""
    if not loud(trial):
        return ""
    twice = 1 / (1 + np.exp(-LOW))
    hint = (
        ", as after a sigmoid of probabilities" if min(abs(trial.floor - p) for p in (twice, twice**2)) < 0.02 else ""
    )
    return f"cells without an object come out with a score of {trial.floor:.3g}{hint}"


def doubled(trial: Trial) -> str:
    """Words, where another class than the one given comes out nearly as sure as it; else empty."""
    if trial.second < LOUD:
        return ""
    return f"another class comes out with a score of {trial.second:.3g} beside the one that is given"


def beyond(asker: Asker, noise: Sequence[np.ndarray]) -> tuple[int, float] | None:
    """The class that is sure of most cells without an object, and its score there, where there is one too many.

    None of what is no list of all cells, or cannot be read.
    """
    layout = asker.layout
    if layout.objectness is not None or layout.class_values == "ids":
        return None
    try:
        found = asker(noise)
    except Unreadable:
        return None
    labels = np.concatenate([one.labels for one in found])
    score = float(np.median(np.concatenate([one.scores for one in found]))) if len(labels) else 0.0
    if any(not one.dense or one.classes != layout.class_count + 1 for one in found) or score < SURE:
        return None
    usual = int(np.median(labels))
    return (usual, score) if (labels == usual).mean() >= SURE else None


def power(asker: Asker, trial: Trial) -> float | None:
    """The power of objectness in a score: 1 of a product, a half of a geometric mean. None where that is not asked."""
    channel = asker.layout.objectness
    if channel is None or not len(trial.given.boxes) or loud(trial):
        return None
    one, tops = trial.given.take(np.arange(1)), []
    a, r, c = one.cells.T
    for value in (HIGHEST, HALF):
        outputs = laid(asker.layout, trial.size, trial.noise, one)
        outputs[one.level][one.images, a, channel, r, c] = value
        tops.append(max(float(found.scores.max(initial=0.0)) for found in asker(outputs)))
    return None if min(tops) < 2 * LOW else float(np.log(tops[0] / tops[1]) / np.log(HIGHEST / HALF))


def impossible(asker: Asker, trial: Trial) -> Unreadable | None:
    """Why scores cannot be read where no class of any cell has a probability above 0, if they cannot."""
    layout, outputs = asker.layout, [level.copy() for level in trial.noise]
    channels = [] if layout.class_values == "ids" else list(layout.class_channels)
    for level in outputs:
        level[:, :, channels + ([] if layout.objectness is None else [layout.objectness])] = 0.0
    if not all(bool(part.isfinite().all()) for part in tree_leaves(asker.given(outputs)) if isinstance(part, Tensor)):
        return None
    try:
        asker(outputs)
    except Unreadable as error:
        return error
    return None


def class_alone(asker: Asker, trial: Trial) -> bool:
    """Whether predictions come out as sure whose classes are likely and whose objectness is not."""
    channel = asker.layout.objectness
    if channel is None or asker.layout.class_values == "ids":
        return False
    given = trial.given
    outputs = laid(asker.layout, trial.size, trial.noise, given)
    before = [level.copy() for level in outputs]
    a, r, c = given.cells.T
    outputs[given.level][given.images, a, channel, r, c] = LOW
    if asker.alike(before, outputs):
        return False
    found = asker(outputs)
    return any(len(one.sure(LOUD).boxes) for one in found)
