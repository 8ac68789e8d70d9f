"""The scores of every class under a selection; what a variant leaves as it was is not counted again."""

import warnings

import numpy as np

from .coco import coco_by_class
from .pairs import Surveyed, read_images, read_labels, read_pairs
from .ultralytics_map import classes_with_ties, map_by_class, right_at
from .variants import Selections

COCO_SCORES = ("AP", "AP50", "AP75", "APs", "APm", "APl")
ULTRALYTICS_SCORES = ("mAP50", "mAP50_95")
SCORES = COCO_SCORES + ULTRALYTICS_SCORES


class Scoreboard:
    """The scores of a survey's selections, by class.

    ``classes`` (K,) ids ascending; ``objects`` (K,) labels of each; ``selections``: what the variants keep; ``plain``
    (K, 8) the ``SCORES`` of the model as it is, nan where a class has no object (of that size).
    """

    def __init__(self, survey: Surveyed, engine: str):
        self._engine = engine
        self._images = read_images(survey)
        self._labels = read_labels(survey, self._images)
        self.pairs = read_pairs(survey, self._images)
        self.selections = Selections(self.pairs, self._images, survey.levels, int(survey.settings["max_det"]))
        self.classes = np.array(sorted(survey.names), np.int64)
        self.objects = (self._labels.class_id[:, None] == self.classes).sum(0)
        self._kept = self.selections.plain()
        self._tied = classes_with_ties(self.pairs)
        self._right = right_at(self.pairs, self._kept, self._labels)
        self.plain = np.full((len(self.classes), len(SCORES)), np.nan)
        self._fill(self.plain, self._kept, self._right, self.classes[self.objects > 0])

    def of(self, kept: np.ndarray) -> np.ndarray:
        """(K, 8) the scores of another selection, counted for the classes that it changes."""
        changed = np.flatnonzero(kept != self._kept)
        groups = np.unique(np.stack((self.pairs.image[changed], self.pairs.class_id[changed]), 1), axis=0)
        touched = np.union1d(groups[:, 1], self._tied) if len(groups) else groups[:, 1]
        classes = np.intersect1d(touched, self.classes[self.objects > 0])
        scores = self.plain.copy()
        if len(classes):
            anew = self._in_groups(groups)
            right = np.where(anew[:, None], right_at(self.pairs, kept, self._labels, groups), self._right)
            self._fill(scores, kept, right, classes)
        return scores

    def _in_groups(self, groups: np.ndarray) -> np.ndarray:
        """(P,) whether a pair is of one of these images and classes."""
        count = 1 + int(self.pairs.class_id.max(initial=0))
        touched = np.zeros((1 + int(self.pairs.image.max(initial=0))) * count, bool)
        touched[groups[:, 0] * count + groups[:, 1]] = True
        return touched[self.pairs.image * count + self.pairs.class_id]

    def _fill(self, scores: np.ndarray, kept: np.ndarray, right: np.ndarray, classes: np.ndarray) -> None:
        """Write the scores of ``classes`` into the rows that are theirs."""
        rows = np.searchsorted(self.classes, classes)
        coco = coco_by_class(self.pairs, kept, self._labels, self._images, classes, engine=self._engine)
        scores[rows, : len(COCO_SCORES)] = coco
        scores[rows, len(COCO_SCORES) :] = map_by_class(self.pairs, kept, right, self._labels, classes)


def over_classes(by_class: np.ndarray) -> np.ndarray:
    """(8,) the mean over the classes that have a number, as COCO and Ultralytics take it; nan where none has."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of an empty mean
        return np.nanmean(by_class, 0) if len(by_class) else np.full(len(SCORES), np.nan)
