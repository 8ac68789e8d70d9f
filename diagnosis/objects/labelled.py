"""Labelled objects with all that training reads of them: boxes, upright or rotated, classes, outlines, key points."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from anatomy import Targets, Trace, UnsupportedModelError
from anatomy.head.rotated import FORMS, corners_of

from .label_sources import SourceObjects, is_label_source, labelled_objects
from .labels import check_objects


@dataclass(frozen=True)
class Objects:
    """n objects of one image, in px of the original: ``boxes`` (n, 4) xyxy, of rotated ones the upright hulls, and then
    ``corners`` (n, 4, 2) xy; ``labels`` (n,) class ids. ``segments``, of each object its polygons, and ``keypoints``
    (n, K, 2 or 3), where they are known of all."""

    boxes: np.ndarray
    labels: np.ndarray
    corners: np.ndarray | None = None
    segments: Any = None
    keypoints: Any = None

    @property
    def areas(self) -> np.ndarray:
        """The area of each box, (n,) px²."""
        if self.corners is None:
            return (self.boxes[:, 2:] - self.boxes[:, :2]).prod(1)
        one, two = self.corners[:, 1] - self.corners[:, 0], self.corners[:, 3] - self.corners[:, 0]
        return np.abs(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0])

    def targets(self, trace: Trace, branch: str | None) -> Targets:
        """What training makes of them, as ``Trace.targets`` says."""
        return trace.targets(
            self.boxes if self.corners is None else self.corners,
            self.labels,
            branch=branch,
            segments=self.segments,
            keypoints=self.keypoints,
        )


def check_labelled(
    trace: Trace, boxes: Any, labels: Any = None, *, segments: Any = None, keypoints: Any = None
) -> Objects:
    """Objects as they are given, checked at the door as ``check_objects`` does; rotated where the head's boxes are.

    ``boxes`` may stand for labels too, and then for outlines and key points. Raises UnsupportedModelError for upright
    boxes where rotated ones are wanted, ValueError where outlines or key points are given twice.
    """
    if is_label_source(boxes) and labels is None:
        if segments is not None or keypoints is not None:
            raise ValueError(
                "Labels that are read bring their outlines and key points. Leave segments and keypoints out."
            )
        return _from_source(trace, labelled_objects(trace, boxes))
    if not trace.rotated:
        checked = check_objects(trace, boxes, labels)
        return Objects(*checked, segments=segments, keypoints=keypoints)
    corners = corners_of(boxes)
    hulls = hulls_of(corners)
    return Objects(*check_objects(trace, hulls, labels), corners=corners)


def hulls_of(corners: np.ndarray) -> np.ndarray:
    """The upright boxes (n, 4) xyxy around corners (n, 4, 2)."""
    return np.concatenate((corners.min(1), corners.max(1)), 1)


def _from_source(trace: Trace, found: SourceObjects) -> Objects:
    """Objects as they were read; rotated ones from their outlines."""
    if trace.rotated:
        return _rotated(trace, found)
    whole = all(found.segments)
    boxes, labels = check_objects(trace, found.boxes, found.ids)
    return Objects(boxes, labels, segments=found.segments if whole else None, keypoints=found.keypoints)


def _rotated(trace: Trace, found: SourceObjects) -> Objects:
    """The smallest rotated box around the outline of each object, as training takes it."""
    for index, polygons in enumerate(found.segments):
        if not polygons:
            raise UnsupportedModelError(
                f"This head is trained with rotated boxes, but object {index} of the labels of {trace.path} is an "
                f"upright box. Its line needs four corners. Or give boxes as {FORMS}."
            )
    outlines = [np.concatenate(polygons).astype(np.float32) for polygons in found.segments]
    corners = np.array([cv2.boxPoints(cv2.minAreaRect(outline)) for outline in outlines], np.float64).reshape(-1, 4, 2)
    boxes, labels = check_objects(trace, hulls_of(corners), found.ids)
    return Objects(boxes, labels, corners=corners)
