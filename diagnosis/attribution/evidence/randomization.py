"""The randomization test: does a map change when the weights that it claims to explain are no longer theirs?"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from anatomy.shown import Record

from ..methods import again, explain_others
from ..presence import CLASS
from ..result import Attribution
from ..subject import Subject, subjects
from .weights import shuffled

OTHERS = 5  # boxes of the image whose maps say how alike unrelated maps of a method are
LOOKED = 2000  # anchors, the surest of the image, among which they are looked for
APART = 0.3  # IoU below which two boxes are of different things
SAMPLES = 48  # a side of the square of box and surroundings that maps are compared on
AROUND = 1.0  # sides of the box around it that are compared
FAINT = 0.01  # of the largest size of a map: what is below counts as nothing
MOST = 0.9  # what has a rank correlation above this has not changed, however alike unrelated maps are


@dataclass(frozen=True, repr=False)
class Randomization(Record):
    """Sanity Checks for Saliency Maps, https://arxiv.org/abs/1810.03292: weights shuffled from the class rows down.

    ``stages`` what was shuffled last; ``correlation`` (k,) the size of Spearman's rank correlation of the map then with
    the map before, over the box and one side around it: the mean over several shuffles at the ``asked`` stages, and of
    one shuffle at the others; of those alone that left something to explain. ``null`` (m,): the same of the map with
    the method's own maps of other boxes of the image, each laid box upon box: how alike unrelated maps of this method
    are. ``blank`` (k,): in what share of the shuffles the method found nothing left to explain and made a map of zeros;
    where it did so in all, the correlation is 0. Such a map has changed, but only by knowing whether the detection is
    there.
    """

    stages: tuple[str, ...]
    correlation: np.ndarray
    null: np.ndarray
    asked: tuple[str, ...]
    blank: np.ndarray

    @property
    def gone(self) -> bool:
        """Whether nothing was left to explain at any ``asked`` stage, so that nothing is known of the map's shape."""
        asked = [share for stage, share in zip(self.stages, self.blank, strict=True) if stage in self.asked]
        return bool(min(asked) == 1)

    @property
    def threshold(self) -> float:
        """The most that the map may be like itself: as much as any unrelated map is, and no more than ``MOST``."""
        return float(min(self.null.max(initial=0.0), MOST))

    @property
    def passes(self) -> bool:
        """Whether the map is no more itself at any ``asked`` stage: with the class rows shuffled, if it is of a class,
        and with all weights."""
        asked = [value for stage, value in zip(self.stages, self.correlation, strict=True) if stage in self.asked]
        return bool(max(asked) < self.threshold)


def randomize(attribution: Attribution, seed: int, shuffles: int) -> Randomization:
    """Shuffle class rows, head, neck and backbone in turn, each on top of the last, and explain again each time.

    All of it ``shuffles`` times, of which the later ones explain at the stages asked alone. Afterwards the network has
    its weights back, bit for bit, whatever happened.
    """
    subject, asked = attribution.subject, ()
    found: dict[str, list[float]] = {}
    blank: dict[str, list[bool]] = {}
    before = in_box(attribution.map, subject.box)
    null = [rank_correlation(before, in_box(one.map, one.subject.box)) for one in _of_others(attribution)]
    for more in range(shuffles):
        with shuffled(subject, seed + more) as cascade:
            for stage in cascade:
                if more == 0 or stage in asked:
                    now = _now(attribution)
                    found.setdefault(stage, []).append(rank_correlation(before, in_box(now, subject.box)))
                    blank.setdefault(stage, []).append(bool(attribution.map.any() and not now.any()))
        asked = _asked(subject, tuple(found))
    return Randomization(
        stages=tuple(found),
        correlation=np.array([_mean_of_left(found[stage], blank[stage]) for stage in found]),
        null=np.abs(null),
        asked=asked,
        blank=np.array([np.mean(values) for values in blank.values()]),
    )


def _mean_of_left(correlation: list[float], blank: list[bool]) -> float:
    """The mean size over the shuffles that left something to explain: one same map is not excused by two blank ones."""
    left = [abs(value) for value, gone in zip(correlation, blank, strict=True) if not gone]
    return float(np.mean(left)) if left else 0.0


def without_weights(attribution: Attribution, seed: int = 0) -> np.ndarray:
    """The map (H, W) that the same method makes when all weights are shuffled, which are then as they were."""
    with shuffled(attribution.subject, seed) as cascade:
        list(cascade)
        return _now(attribution)


def _now(attribution: Attribution) -> np.ndarray:
    """The map of the same subject by the same method with the weights as they are now."""
    subject = attribution.subject
    other = replace(subject, trace=subject.trace.recomputed())
    with torch.inference_mode(False), torch.no_grad():
        value = float(other.of_inputs(other.trace.inputs[subject.level][None])[0])
    return again(attribution, replace(other, value=value)).map


def _asked(subject: Subject, stages: tuple[str, ...]) -> tuple[str, ...]:
    """The stages at which a map must be another: class rows make no edge, so only maps of a class answer for them."""
    first = [stage for stage in stages if stage == "class row" and subject.what in CLASS]
    return tuple(dict.fromkeys((*first, stages[-1])))


def _of_others(attribution: Attribution) -> tuple[Attribution, ...]:
    """The method's maps of the surest boxes of the image that are of other things than the one explained."""
    from torchvision.ops import box_iou

    subject = attribution.subject
    trace = subject.trace
    order = trace.head.scores(trace.run).amax(0).argsort(descending=True)[:LOOKED]
    boxes = torch.as_tensor(trace.decode(order.tolist()))
    taken = torch.as_tensor(trace.letterbox.to_input(subject.box))[None].to(boxes)
    chosen: list[dict] = []
    for anchor, box in zip(order.tolist(), boxes, strict=True):
        if len(chosen) < OTHERS and float(box_iou(box[None], taken).max()) < APART:
            chosen.append({"anchor": anchor})
            taken = torch.cat((taken, box[None]))
    what = subject.what if subject.what != "difference" else "logit"
    return explain_others(attribution, subjects(trace, chosen, what)) if chosen else ()


def in_box(values: np.ndarray, box: np.ndarray) -> np.ndarray:
    """A map (H, W) seen from a box (4,) xyxy px: samples of it and one side around, NaN beyond the photograph."""
    import cv2

    x1, y1, x2, y2 = np.asarray(box, dtype=np.float64)
    place = (np.arange(SAMPLES) + 0.5) / SAMPLES * (1 + 2 * AROUND) - AROUND
    x, y = (x1 + place * (x2 - x1) - 0.5).astype(np.float32), (y1 + place * (y2 - y1) - 0.5).astype(np.float32)
    cols, rows = np.meshgrid(x, y)
    strong = np.where(np.abs(values) < FAINT * np.abs(values).max(), 0, values).astype(np.float32)
    smooth = cv2.blur(strong, _pixels(values.shape, (x2 - x1, y2 - y1)))  # of what a sample stands for
    return cv2.remap(smooth, cols, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=np.nan)


def _pixels(shape: tuple[int, ...], sides: tuple[float, float]) -> tuple[int, int]:
    """Columns and rows of the photograph that one sample stands for."""
    cols, rows = (max(round(side * (1 + 2 * AROUND) / SAMPLES), 1) for side in sides)
    return min(cols, shape[1]), min(rows, shape[0])


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's, over the values known in both where either is not zero; 1 where both are constant there, 0 where one
    is."""
    from scipy.stats import spearmanr

    used = np.isfinite(first) & np.isfinite(second) & ((first != 0) | (second != 0))
    constant = [not used.any() or np.ptp(values[used]) == 0 for values in (first, second)]
    if any(constant):
        return float(all(constant))
    found: Any = spearmanr(first[used], second[used])
    return float(found.statistic)
