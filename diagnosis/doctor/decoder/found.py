"""What a decoder gives out, read in the forms in which it may answer."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

FORMS = "boxes (B, N, 4) with scores (B, N, classes), or a (n, 6) tensor or a mapping for each image, are needed"


class Unreadable(Exception):
    """An output, or its lack, that ends the questions at a size; ``code`` names the fault."""

    def __init__(self, code: str, what: str):
        super().__init__(what)
        self.code = code


@dataclass(frozen=True, eq=False)
class Found:
    """All that comes out for one image: boxes (n, 4), the highest score of each, its class.

    ``second``: the second highest score of each, 0 where that is not told. ``dense``: one for each cell, unselected,
    with scores of so many ``classes``.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    second: np.ndarray
    dense: bool
    classes: int = 0

    def sure(self, least: float) -> "Found":
        """What has a higher score than this, the surest first."""
        picked = np.flatnonzero(self.scores > least)
        picked = picked[np.argsort(-self.scores[picked], kind="stable")]
        return Found(
            boxes=self.boxes[picked],
            scores=self.scores[picked],
            labels=self.labels[picked],
            second=self.second[picked],
            dense=self.dense,
        )


def read(out: object, batch: int, cells: int, left_out: int | None) -> list[Found]:
    """Each image's boxes, scores and labels; Unreadable where the output is none of the forms or is not finite."""
    if isinstance(out, (tuple, list)) and len(out) == 2 and all(isinstance(p, Tensor) and p.dim() == 3 for p in out):
        found = _dense(out, batch, cells, left_out)
    elif isinstance(out, (tuple, list, Tensor)) and len(out) == batch:
        found = [selected(one) for one in cast("Iterable[Any]", out)]
    else:
        raise Unreadable("wrong_output", f"{FORMS}, but {type(out).__name__} came")
    for one in found:
        if not np.isfinite(one.boxes).all() or not np.isfinite(one.scores).all():
            raise Unreadable("non_finite", "boxes or scores hold NaN or infinity")
    return found


def _dense(out: Any, batch: int, cells: int, left_out: int | None) -> list[Found]:
    boxes, scores = (part.detach().cpu().double().numpy() for part in out)
    if boxes.shape[-1] != 4 or boxes.shape[:2] != scores.shape[:2] or len(boxes) != batch or not scores.shape[2]:
        raise Unreadable("wrong_output", f"{FORMS}, but {boxes.shape} and {scores.shape} came for {batch} images")
    full, classes = scores.shape[1] == cells, scores.shape[2]
    scores = scores if left_out is None else np.delete(scores, left_out, 2)
    found = []
    for box, score in zip(boxes, scores, strict=True):
        ranked = np.sort(score, 1)
        second = ranked[:, -2] if ranked.shape[1] > 1 else np.zeros(len(box))
        found.append(Found(box, ranked[:, -1], score.argmax(1), second, full, classes))
    return found


def selected(one: Any) -> Found:
    """The detections of one image."""
    if isinstance(one, Tensor) and one.dim() == 2 and one.shape[1] >= 6:
        table = one.detach().cpu().double().numpy()
        return Found(table[:, :4], table[:, 4], table[:, 5].astype(int), np.zeros(len(table)), False)
    if not isinstance(one, Tensor) and hasattr(one, "keys") and {"boxes", "scores", "labels"} <= set(one.keys()):
        named: Any = one
        parts = [np.asarray(torch.as_tensor(named[name]).detach().cpu()) for name in ("boxes", "scores", "labels")]
        if parts[0].ndim == 2 and parts[0].shape[1] == 4 and len(parts[0]) == len(parts[1]) == len(parts[2]):
            boxes, scores = (part.astype(float) for part in parts[:2])
            return Found(boxes, scores, parts[2].astype(int), np.zeros(len(boxes)), False)
    raise Unreadable("wrong_output", f"{FORMS}, but {getattr(one, 'shape', type(one).__name__)} came for an image")
