"""Objects that a model is sure of and the labels lack."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .fit import overlaps, pairs
from .part_search import groups
from .reading import Reading
from .rows import Rows
from .search import Difference, difference
from .seen import Seen, sizes

SURE = 0.5  # confidence of a detection that speaks
APART = 0.3  # IoU with every label below which it has none
SHARE = 0.25  # part of the sure detections without a label from which labels are missing
LEAST = 0.15  # and the part that it is proven to be above
FEWEST = 8  # detections without a label
USUALLY, ALIKE = 0.04, 8.0  # lacks in right files, at least; and how alike files are in it (of a beta law)
EMPTY = 0.05  # part of the files that are empty although the model is sure of objects

NONE = np.empty(0, np.int64)


@dataclass(frozen=True)
class Missing:
    """``share`` of the ``sure`` detections that have no label; ``lacking``, how many; ``proven``.

    ``empty`` (n,): images without any label where the model is sure of an object; ``too_many`` of them. ``partly``
    (n,): images that lack about half of their labels, as the rest do not, and the ``probability`` that it is chance.
    """

    share: float
    sure: int
    lacking: int
    proven: bool
    empty: np.ndarray
    too_many: bool
    excess: Difference
    partly: np.ndarray
    probability: float


def find_missing(rows: Rows, seen: Sequence[Seen], reading: Reading, others: np.ndarray = NONE) -> Missing:
    """Count what the model is sure of and no label covers under a reading, image by image.

    ``others`` (n,): images whose labels are read otherwise.
    """
    paired = pairs(rows, seen)
    boxes = reading.boxes(rows.quads, sizes(seen)[rows.image])
    best = np.zeros(len(paired.boxes))
    np.maximum.at(best, paired.detection, overlaps(boxes[paired.row], paired.boxes[paired.detection]))
    confidence = np.concatenate([np.empty(0), *(one.confidence for one in seen)])
    sure = confidence >= SURE
    labelled = np.bincount(rows.image, minlength=len(seen)) > 0
    counts = np.bincount(paired.of[sure], minlength=len(seen))
    lacking = np.bincount(paired.of[sure & (best < APART)], minlength=len(seen))
    some = labelled & (counts > 0)
    share = float(lacking[some].sum() / max(counts[some].sum(), 1))
    # of a ratio, by images: what each adds beyond the least share
    excess = difference((lacking[some] - LEAST * counts[some]) / max(counts[some].mean() if some.any() else 1, 1e-9))
    empty = np.flatnonzero(~labelled & (counts > 0))
    apart = np.isin(np.arange(len(seen)), others) | (lacking == counts)  # labels that cover nothing lie elsewhere
    partly, probability = _partly(lacking, counts, some & ~apart)
    return Missing(
        share=share,
        sure=int(counts[some].sum()),
        lacking=int(lacking[some].sum()),
        proven=share >= SHARE and int(lacking[some].sum()) >= FEWEST and excess.proven(),
        empty=empty,
        too_many=len(empty) >= max(3, EMPTY * len(seen)),
        excess=excess,
        partly=partly,
        probability=probability,
    )


def _partly(lacking: np.ndarray, sure: np.ndarray, some: np.ndarray) -> tuple[np.ndarray, float]:
    """Images of a mixture that lack far more than the others: beta-binomial laws, whose means are the half and few."""
    from scipy.stats import betabinom

    rest = some & (lacking <= sure / 4)
    few = (lacking[rest].sum() + 1) / (sure[rest].sum() + 1 / USUALLY)
    mean = max(float(few), USUALLY)
    gains = betabinom.logpmf(lacking, sure, 2, 2) - betabinom.logpmf(lacking, sure, ALIKE * mean, ALIKE * (1 - mean))
    group = next(groups(gains[:, None], np.zeros(1), some & (sure > 0)), None)
    if group is None:
        return np.empty(0, np.int64), 1.0
    return group.files, float(np.exp(-group.score))
