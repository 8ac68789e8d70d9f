"""Where detections come from: the level and the cell that made each, and the candidates that lost to it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..head.forward import Pass
from ..head.head import Head
from ..head.letterbox import Letterbox
from ..head.pyramid import Cells, Pyramid
from .detections import Detections, Rivals
from .suppression import losers


@dataclass(frozen=True)
class Provenance:
    """One finished pass of a head, with its ``pyramid`` and ``letterbox``, as detections are read from it.

    ``names``: what the classes are called.
    """

    head: Head
    pass_: Pass
    names: Mapping[int, str]
    pyramid: Pyramid
    letterbox: Letterbox

    def detections(self) -> Detections:
        """The detections of the pass, in the source's order."""
        head = self.head
        xyxy, confidence, class_id = (part.cpu().numpy() for part in head.found(self.pass_))
        anchors = self.pass_.anchors.cpu().numpy()
        places = self.pyramid.cells(anchors)
        return Detections(
            xyxy=xyxy,
            confidence=confidence,
            class_id=class_id,
            class_name=tuple(self.names[index] for index in class_id.tolist()),
            level=places.level,
            level_name=tuple(head.levels[index].name for index in places.level.tolist()),
            stride=np.asarray([level.stride for level in head.levels])[places.level],
            row=places.row,
            col=places.col,
            anchor=anchors,
            branch=(self.pass_.branch,) * len(anchors),
            center=self.letterbox.to_original(self.pyramid.points(anchors)),
            logits=self._logits_at(places),
            suppressed=self._suppressed(torch.from_numpy(class_id)),
            pooled_level=self._pooled_level(places.level),
        )

    def _pooled_level(self, level: np.ndarray) -> np.ndarray:
        """The level from which a second stage pooled each detection, (n,); where there is none, that of its cell."""
        refined = self.pass_.refined
        return level if refined is None else refined.pooled[refined.rows(self.pass_.anchors)].cpu().numpy()

    def _logits_at(self, places: Cells) -> np.ndarray:
        """The class logits of these n anchors, (n, nc) float32."""
        found = np.zeros((len(places.level), len(self.names)), np.float32)
        for level, logits in enumerate(self.pass_.logits):
            here = np.flatnonzero(places.level == level)
            if len(here):
                turns = logits.unflatten(0, (-1, len(self.names)))  # (anchors a cell, nc, h, w)
                place = (torch.from_numpy(part[here]) for part in (places.turn, places.row, places.col))
                turn, row, col = (index.to(logits.device) for index in place)
                found[here] = turns[turn, :, row, col].float().cpu().numpy()
        return found

    def _suppressed(self, class_id: Tensor) -> tuple[Rivals, ...]:
        """The candidates that NMS removed in favour of each detection, whose classes are ``class_id`` (n,)."""
        candidates = self.head.candidates(self.pass_)
        if candidates is None:
            none = torch.empty(0, dtype=torch.int64)
            rivals = self._rivals(anchor=none, class_id=none, confidence=none.float(), overlap=none)
            return (rivals,) * len(class_id)
        lost, winner, overlap = (part.cpu() for part in losers(candidates, self.pass_.anchors, class_id))
        rivals = self._rivals(
            anchor=candidates.anchor.cpu()[lost],
            class_id=candidates.class_id.cpu()[lost],
            confidence=candidates.confidence.cpu()[lost],
            overlap=overlap,
        )
        winners = winner.numpy()
        return tuple(rivals.chosen(winners == index) for index in range(len(class_id)))

    def _rivals(self, *, anchor: Tensor, class_id: Tensor, confidence: Tensor, overlap: Tensor) -> Rivals:
        """Candidates as rivals, (k,) each; ``overlap`` is the IoU with the detection that each lost to."""
        places = self.pyramid.cells(anchor)
        height, width = self.pass_.original.shape[:2]
        boxes = self.letterbox.to_original(decoded(self.head, self.pass_, anchor, class_id))
        return Rivals(
            anchor=anchor.numpy(),
            level=places.level,
            level_name=np.asarray([level.name for level in self.head.levels])[places.level],
            row=places.row,
            col=places.col,
            class_id=class_id.numpy(),
            confidence=confidence.float().numpy(),
            iou=overlap.float().numpy(),
            xyxy=boxes.clip(0, (width, height, width, height)).astype(np.float32),
        )


def decoded(
    head: Head, pass_: Pass, anchors: np.ndarray | Tensor, classes: np.ndarray | Tensor | None = None
) -> np.ndarray:
    """The boxes of anchors (n,) of a pass, as detections of ``classes`` (n,) if given, (n, 4) float32 xyxy px of the
    network input, unclipped."""
    index = torch.as_tensor(anchors, device=pass_.boxes.device)
    if classes is None or pass_.refined is None:
        return head.xyxy(pass_, index).float().cpu().numpy()
    return head.class_xyxy(pass_, index, torch.as_tensor(classes).to(index)).float().cpu().numpy()
