"""The steps of the assigner that its answer no longer shows."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .notes import Note


@dataclass(frozen=True)
class Choice:
    """Of n objects with A cells, (n, A): ``inside``, may the cell be chosen; ``alignment`` that ranks it; ``overlap``;
    ``picked``, among the best before cells wanted by several were settled."""

    inside: Tensor
    alignment: Tensor
    overlap: Tensor
    picked: Tensor


def choice(note: Note, numbers: Tensor, count: int) -> Choice:
    """The steps for ``count`` objects, in a batch of one image; ``numbers`` (k,) are those that the assigner was asked
    for, all others have no part in it."""
    call = note.assigned
    scores, predicted, points, labels, boxes, mask = call.args
    none = torch.zeros((count, len(points)), device=points.device)
    if not len(numbers):
        return Choice(none.bool(), none, none, none.bool())
    extra = {name: value for name, value in call.more.items() if name != "anc_strides"}  # which it keeps itself
    with torch.no_grad():
        inside = call.again.select_candidates_in_gts(points, boxes, mask)
        picked, alignment, overlap = call.again.get_pos_mask(scores, predicted, labels, boxes, points, mask, **extra)
    return Choice(
        inside=none.bool().index_copy(0, numbers, inside[0].bool()),
        alignment=none.index_copy(0, numbers, alignment[0].to(none)),
        overlap=none.index_copy(0, numbers, overlap[0].to(none)),
        picked=none.bool().index_copy(0, numbers, picked[0].bool()),
    )
