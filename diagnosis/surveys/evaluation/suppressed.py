"""Selection by NMS with several labels a box, as validation runs it, and what it keeps with each level muted."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .table import PLAIN, EvaluationRows

# of ultralytics.utils.nms.non_max_suppression
CLASS_SHIFT = 7680  # px a class: `max_wh`
MOST = 30_000  # candidates that it takes: `max_nms`


@dataclass(frozen=True)
class Candidates:
    """n pairs of anchor and class: ``anchor`` and ``class_id`` (n,) int64, ``confidence`` (n,) float32."""

    anchor: Tensor
    class_id: Tensor
    confidence: Tensor

    def __len__(self) -> int:
        return len(self.anchor)

    def __getitem__(self, index: Tensor | slice) -> "Candidates":
        return Candidates(self.anchor[index], self.class_id[index], self.confidence[index])


def choose_by_nms(
    boxes: Tensor, scores: Tensor, level: Tensor, *, conf: float, iou: float, max_det: int, ablation: bool
) -> EvaluationRows:
    """See ``evaluation_rows``. NMS acts within a class, so the row (level, class) silenced is that class's column of
    the muted level; only the cut at ``max_det`` couples classes, and rows that it drops are kept where they may return.

    Raises ValueError with ``ablation`` where NMS couples classes too: boxes so far apart that shifted classes overlap,
    or more candidates than it takes and too few survivors to fill the cut.
    """
    found = candidates(scores, conf)
    plain = survivors(boxes, found, iou)
    if not ablation:
        return _rows([(PLAIN, plain[:max_det], np.zeros(min(max_det, len(plain)), bool))], boxes, level)
    _check_classes_apart(boxes[found.anchor])
    above = _counts_above(plain, len(scores))
    _check_enough(len(found), above, max_det)
    parts = [_part(PLAIN, plain, _needed_of_plain(above, max_det), max_det)]
    for index in range(int(level.max()) + 1):
        muted = survivors(boxes, found[level[found.anchor] != index], iou)
        parts.append(_part(index, muted, _needed_of_muted(muted, plain, above, max_det), max_det))
    return _rows(parts, boxes, level)


def candidates(scores: Tensor, conf: float) -> Candidates:
    """Every pair of anchor and class above ``conf``, in Ultralytics' order."""
    anchor, class_id = torch.where(torch.gt(scores.T, conf))
    return Candidates(anchor, class_id, scores[class_id, anchor])


def survivors(boxes: Tensor, found: Candidates, iou: float) -> Candidates:
    """What NMS keeps of the candidates, confidence descending, before the cut."""
    from torchvision.ops import nms

    if len(found) > MOST:
        found = found[found.confidence.argsort(descending=True)[:MOST]]
    shift = found.class_id[:, None].float() * CLASS_SHIFT
    return found[nms(boxes[found.anchor] + shift, found.confidence, iou)]


def _counts_above(chosen: Candidates, nc: int) -> np.ndarray:
    """(n + 1, nc) how many of the first 0, 1 … n are of each class."""
    counts = np.zeros((len(chosen) + 1, nc), np.int32)
    counts[np.arange(1, len(chosen) + 1), chosen.class_id.numpy()] = 1
    return counts.cumsum(0)


def _needed_of_plain(above: np.ndarray, max_det: int) -> np.ndarray:
    """(n,) whether a row could be within the cut if the rows of any one class were gone."""
    return np.arange(len(above) - 1) - above[:-1].max(1) < max_det


def _needed_of_muted(muted: Candidates, plain: Candidates, above: np.ndarray, max_det: int) -> np.ndarray:
    """(n,) whether a row is within the cut where its class alone is as the muted level leaves it."""
    class_id = muted.class_id.numpy()
    higher = np.searchsorted(-plain.confidence.numpy(), -muted.confidence.numpy())  # plain rows of more confidence
    others = higher - above[higher, class_id]
    own = _counts_above(muted, above.shape[1])[np.arange(len(muted)), class_id]
    return others + own < max_det


def _part(variant: int, chosen: Candidates, needed: np.ndarray, max_det: int) -> tuple[int, Candidates, np.ndarray]:
    """A variant's rows with the flag ``cut``: those within the cut, and those that are needed beyond it."""
    cut = np.arange(len(chosen)) >= max_det
    stay = ~cut | needed
    return variant, chosen[torch.from_numpy(stay)], cut[stay]


def _rows(parts: list[tuple[int, Candidates, np.ndarray]], boxes: Tensor, level: Tensor) -> EvaluationRows:
    anchor = torch.cat([chosen.anchor for _, chosen, _ in parts])
    return EvaluationRows(
        variant=np.repeat([variant for variant, _, _ in parts], [len(cut) for _, _, cut in parts]).astype(np.int16),
        class_id=torch.cat([chosen.class_id for _, chosen, _ in parts]).numpy().astype(np.int32),
        confidence=torch.cat([chosen.confidence for _, chosen, _ in parts]).numpy(),
        level=level[anchor].numpy().astype(np.int16),
        anchor=anchor.numpy().astype(np.int32),
        xyxy=boxes[anchor].numpy(),
        cut=np.concatenate([cut for _, _, cut in parts]),
    )


def _check_classes_apart(boxes: Tensor) -> None:
    """Boxes of two classes meet after the shift only if both axes span more than it."""
    if not len(boxes):
        return
    span = boxes[:, 2:].amax(0) - boxes[:, :2].amin(0)
    if span.min() >= CLASS_SHIFT:
        raise ValueError(
            f"The boxes of an image must span less than {CLASS_SHIFT} px for an ablation, as NMS holds classes "
            f"apart by that much, but these span {span[0]:.0f} × {span[1]:.0f} px. Consider ablation=False; such boxes "
            "come from a model that is not trained."
        )


def _check_enough(found: int, above: np.ndarray, max_det: int) -> None:
    """Of more candidates than NMS takes, silencing a row admits new ones; harmless where others fill the cut anyway."""
    others = len(above) - 1 - above[-1].max()
    if found > MOST and others < max_det:
        raise ValueError(
            f"NMS takes {MOST} candidates of an image, but {found} were given and only {others} boxes survive beside "
            f"those of the commonest class, fewer than max_det={max_det}: what a silent row would let in cannot be "
            "known. Consider a higher conf, a lower max_det, or ablation=False."
        )
