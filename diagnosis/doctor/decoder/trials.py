"""What comes of predictions that are laid into outputs: together, or one by one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..boxes.writing import Size
from .asking import Asker
from .found import Found
from .predictions import Given, laid


@dataclass(frozen=True, eq=False)
class Trial:
    """What came of predictions: ``boxes`` (n, 4), NaN where nothing came, ``labels`` (n,), -1 there.

    ``noise``: the outputs without the predictions. ``strays``: how often something came that was not given, in an
    image with predictions and in one ``elsewhere``; ``floor``: the score of most cells without object; ``second``: the
    highest score of a class that was not given, beside one that was; ``fewer``: how many too few came out together.
    ``top``: the highest score.
    """

    size: Size
    given: Given
    noise: tuple[np.ndarray, ...]
    boxes: np.ndarray
    labels: np.ndarray
    strays: int = 0
    elsewhere: int = 0
    floor: float = 0.0
    second: float = 0.0
    fewer: int = 0
    top: float = 0.0

    @property
    def came(self) -> np.ndarray:
        """(n,) bool: the predictions of which something came."""
        return np.asarray(np.isfinite(self.boxes).all(1))


def ask(asker: Asker, size: Size, noise: Sequence[np.ndarray], given: Given) -> Trial:
    """What comes of predictions that are given together."""
    return heard(asker(laid(asker.layout, size, noise, given)), size, noise, given)


def heard(found: Sequence[Found], size: Size, noise: Sequence[np.ndarray], given: Given) -> Trial:
    """What has come of predictions that were given together, known again by the order of their scores."""
    boxes, labels = np.full((len(given.boxes), 4), np.nan), np.full(len(given.boxes), -1)
    strays = elsewhere = fewer = 0
    second = 0.0
    least = _threshold(found)
    for image, one in enumerate(found):
        mine = np.flatnonzero(given.images == image)
        sure = one.sure(least)
        if not len(mine):
            elsewhere += len(sure.boxes)
        elif len(sure.boxes) == len(mine):
            at = mine[np.argsort(-given.scores[mine], kind="stable")]
            boxes[at], labels[at] = sure.boxes, sure.labels
            second = max(second, float(sure.second.max()))
        else:
            strays += max(len(sure.boxes) - len(mine), 0)
            fewer += max(len(mine) - len(sure.boxes), 0)
            if len(mine) == 1 and len(sure.boxes):
                boxes[mine[0]], labels[mine[0]] = sure.boxes[0], sure.labels[0]
    return Trial(
        size=size,
        given=given,
        noise=tuple(noise),
        boxes=boxes,
        labels=labels,
        strays=strays,
        elsewhere=elsewhere,
        floor=_floor(found),
        second=second,
        fewer=fewer,
        top=max(float(one.scores.max(initial=0.0)) for one in found),
    )


def _floor(found: Sequence[Found]) -> float:
    """The median of the scores of all cells, or of a hundred detections and more: most are of no object."""
    scores = np.concatenate([one.scores for one in found if one.dense or len(one.scores) >= 100] or [np.zeros(1)])
    return float(np.median(scores))


def _threshold(found: Sequence[Found]) -> float:
    """A half; of unselected scores that are squeezed to one side of it, the middle between most and the highest."""
    scores = np.concatenate([one.scores for one in found])
    if not len(scores) or not all(one.dense for one in found):
        return 0.5
    usual, top = float(np.median(scores)), float(scores.max())
    if usual < 0.5 < top or top - usual < 0.005 or top < 1.5 * usual:
        return 0.5
    return usual + 0.4 * (top - usual)


def _by_image(given: Given, picked: np.ndarray) -> list[np.ndarray]:
    """The indices picked, one of each image at a time, but for the first of each, which are by themselves."""
    images = [picked[given.images[picked] == image] for image in np.unique(given.images[picked])]
    rows = [np.array([row[i] for row in images if len(row) > i]) for i in range(1, max(map(len, images)))]
    return [*(row[:1] for row in images), *rows]


def singly(asker: Asker, size: Size, noise: Sequence[np.ndarray], given: Given, most: int = 12) -> Trial:
    """What comes of predictions that are given one by one, or one in each image."""
    picked = np.unique(np.linspace(0, len(given.boxes) - 1, min(most, len(given.boxes))).round().astype(int))
    trials = [ask(asker, size, noise, given.take(index)) for index in _by_image(given, picked)]
    picked = np.concatenate(_by_image(given, picked))
    return Trial(
        size=size,
        given=given.take(picked),
        noise=tuple(noise),
        boxes=np.concatenate([trial.boxes for trial in trials]),
        labels=np.concatenate([trial.labels for trial in trials]),
        strays=sum(trial.strays for trial in trials),
        elsewhere=sum(trial.elsewhere for trial in trials),
        floor=max(trial.floor for trial in trials),
        second=max(trial.second for trial in trials),
        top=max(trial.top for trial in trials),
    )
