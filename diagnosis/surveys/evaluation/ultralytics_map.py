"""mAP50 and mAP50-95 as Ultralytics' ``model.val()`` says them, by its own functions."""

import numpy as np

from anatomy.families.ultralytics.scoring import IOU_THRESHOLDS, average_precision, matched

from .pairs import Labels, Pairs


def right_at(pairs: Pairs, kept: np.ndarray, labels: Labels, groups: np.ndarray | None = None) -> np.ndarray:
    """(P, 10) bool: is a kept pair right at each IoU threshold; matched in px of the network input, unclipped.

    ``groups`` (g, 2): the images and classes to look at, all without; what lies elsewhere is False. Matching acts
    within the class of an image, and without labels there all is wrong.
    """
    right = np.zeros((len(pairs), IOU_THRESHOLDS), bool)
    classes = 1 + max(pairs.class_id.max(initial=0), labels.class_id.max(initial=0))
    rows = np.flatnonzero(kept)
    row_group = pairs.image[rows] * classes + pairs.class_id[rows]
    order = np.argsort(row_group, kind="stable")
    rows, row_group = rows[order], row_group[order]
    label_group = labels.image * classes + labels.class_id
    asked = np.unique(label_group)
    if groups is not None:
        asked = np.intersect1d(asked, groups[:, 0] * classes + groups[:, 1])
    starts, ends = np.searchsorted(row_group, asked), np.searchsorted(row_group, asked, side="right")
    for group, start, end in zip(asked, starts, ends, strict=True):
        mine, objects = rows[start:end], label_group == group
        seen = pairs.in_input[mine], pairs.class_id[mine]
        right[mine] = matched(*seen, labels.in_input[objects], labels.class_id[objects])
    return right


def map_by_class(pairs: Pairs, kept: np.ndarray, right: np.ndarray, labels: Labels, classes: np.ndarray) -> np.ndarray:
    """(k, 2) mAP50 and mAP50-95 of each of ``classes`` (k,), nan for one without labels.

    Equal confidences stand in the order in which Ultralytics sorts all that is kept, of whatever class.
    """
    rows = np.flatnonzero(kept)
    rows = rows[np.argsort(-pairs.confidence[rows])]  # as `ap_per_class` sorts, which need not be stable
    rows = rows[np.isin(pairs.class_id[rows], classes)]
    true = labels.class_id[np.isin(labels.class_id, classes)]
    descending = -np.arange(len(rows), dtype=np.float64)  # no ties, so that this order stays
    known, precision = average_precision(right[rows], descending, pairs.class_id[rows], true)
    scores = np.full((len(classes), 2), np.nan)
    place = np.searchsorted(classes, known)
    scores[place, 0] = precision[:, 0]
    scores[place, 1] = precision.mean(1)
    return scores


def classes_with_ties(pairs: Pairs) -> np.ndarray:
    """Ids of the classes in which two confidences are equal: their order may depend on what else is kept."""
    alike = np.stack((pairs.class_id, pairs.confidence.view(np.int32)), 1)
    found, count = np.unique(alike, axis=0, return_counts=True)
    return np.unique(found[count > 1, 0])
