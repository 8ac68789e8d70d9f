"""Who removed whom: the anchors that non-maximum suppression dropped, beside the detection that they lost to."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ..head.forward import Candidates


def losers(candidates: Candidates, kept: Tensor, class_id: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Pair every suppressed candidate with the detection in whose favour it was removed.

    ``kept`` and ``class_id`` (n,) are anchors and classes of the detections, best first. Returns three (k,) tensors,
    best candidate first: its row in ``candidates``, the index of the detection, and their IoU. The overlap is computed
    as the source does it, on boxes shifted by class. Left out are candidates cut off by the limit of detections, which
    lost to nobody, and those that lost to a survivor of NMS that is no detection.
    """
    nobody = kept.new_empty(0)
    if not len(kept):
        return nobody, nobody, candidates.confidence.new_empty(0)
    row_of = {pair: row for row, pair in enumerate(_pairs(candidates.anchor, candidates.class_id))}
    detected = torch.tensor([row_of[pair] for pair in _pairs(kept, class_id)], device=kept.device)
    winners = detected if candidates.survivors is None else candidates.survivors
    boxes = candidates.boxes.clone()
    boxes[:, : 2 if candidates.chained else 4] += candidates.class_id[:, None] * (candidates.shift or 0.0)
    find = _chained if candidates.chained else _greedy
    loser, winner = find(candidates, boxes, winners)
    index_of = kept.new_full((len(candidates.anchor),), -1)
    index_of[detected] = torch.arange(len(detected), device=kept.device)
    detection = index_of[winners[winner]]
    loser, detection = loser[detection >= 0], detection[detection >= 0]
    overlap = candidates.pairwise_iou(boxes[detected], boxes)[detection, loser]
    order = candidates.confidence[loser].argsort(descending=True, stable=True)
    return loser[order], detection[order], overlap[order]


def _pairs(anchor: Tensor, class_id: Tensor) -> Iterator[tuple[int, int]]:
    return zip(anchor.tolist(), class_id.tolist(), strict=True)


def _greedy(candidates: Candidates, boxes: Tensor, winners: Tensor) -> tuple[Tensor, Tensor]:
    """Greedy NMS: the first winner that overlaps a candidate too much removed it."""
    overlaps = candidates.pairwise_iou(boxes[winners], boxes) > candidates.iou_threshold  # (n, m)
    if candidates.shift is None:
        overlaps &= candidates.class_id[winners, None] == candidates.class_id
    overlaps[:, winners] = False
    loser = overlaps.any(0).nonzero().view(-1)
    return loser, overlaps[:, loser].int().argmax(0)


def _chained(candidates: Candidates, boxes: Tensor, winners: Tensor) -> tuple[Tensor, Tensor]:
    """Fast NMS: any better candidate removes; the chain is followed to the winner at its end."""
    order = candidates.confidence.argsort(descending=True)
    overlaps = candidates.pairwise_iou(boxes[order], boxes[order]).triu_(diagonal=1) > candidates.iou_threshold
    removed, by = overlaps.any(0).tolist(), overlaps.int().argmax(0).tolist()
    rows = order.tolist()
    index_of = {row: index for index, row in enumerate(winners.tolist())}
    end = {}
    for place, row in enumerate(rows):
        end[row] = end[rows[by[place]]] if removed[place] else index_of.get(row)
    pairs = [(row, end[row]) for place, row in enumerate(rows) if removed[place] and end[row] is not None]
    pairs = torch.tensor(pairs, dtype=torch.int64, device=boxes.device).view(-1, 2)
    return pairs[:, 0], pairs[:, 1]
