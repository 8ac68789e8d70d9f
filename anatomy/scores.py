"""Class probabilities from logits, bit for bit as a whole forward pass computes them, for the few cells that matter.

On the CPU torch computes the sigmoid of a long vector in SIMD blocks and what is left at the end of each thread's share
one by one, with another exponential: the two differ in the last bit for about one value in twelve. So values taken out
of their place are computed in blocks, and the few that stand in such a rest are computed in place.
"""

import math

import torch
from torch import Tensor

BLOCK = 64  # a multiple of every SIMD step of torch's vectorised loops (8 to 32 float32 values)
GRAIN = 32768  # at::internal::GRAIN_SIZE: the smallest share that torch gives to a thread


def all_scores(logits: tuple[Tensor, ...]) -> Tensor:
    """Probabilities of every anchor, (nc, A), from (nc, h, w) logits a level."""
    return torch.cat([level.flatten(1) for level in logits], 1).sigmoid()


def column_scores(logits: tuple[Tensor, ...], columns: tuple[Tensor, ...]) -> Tensor:
    """Probabilities (nc, m) of chosen cells: ``columns`` holds (k,) flat cell indices a level; m is their sum."""
    chosen = torch.cat([level.flatten(1)[:, cells] for level, cells in zip(logits, columns, strict=True)], 1)
    if chosen.device.type == "cpu":
        rest = anchors_in_rest(logits)
        if rest:
            anchors = flat_anchors(logits, columns)
            if torch.isin(anchors, torch.tensor(sorted(rest))).any():
                return all_scores(logits)[:, anchors]
    step = BLOCK * torch.get_num_threads()
    padded = chosen.new_zeros(math.ceil(chosen.numel() / step) * step)
    padded[: chosen.numel()] = chosen.flatten()
    return padded.sigmoid()[: chosen.numel()].view(chosen.shape)


def flat_anchors(logits: tuple[Tensor, ...], columns: tuple[Tensor, ...]) -> Tensor:
    """Flat indices over all levels of per-level cell indices, (m,) int64."""
    starts, start = [], 0
    for level in logits:
        starts.append(start)
        start += level[0].numel()
    return torch.cat([cells + first for cells, first in zip(columns, starts, strict=True)])


def anchors_in_rest(logits: tuple[Tensor, ...]) -> set[int]:
    """Anchors of which torch may compute a value outside its SIMD blocks, in a (nc, A) sigmoid on these threads."""
    anchors = sum(level[0].numel() for level in logits)
    total = logits[0].shape[0] * anchors
    shares = min(torch.get_num_threads(), math.ceil(total / GRAIN))
    share = math.ceil(total / shares)
    rest: set[int] = set()
    for start in range(0, total, share):
        end = min(start + share, total)
        rest.update(flat % anchors for flat in range(end - (end - start) % BLOCK, end))
    return rest


def candidate_cells(peaks: tuple[Tensor, ...], conf: float) -> tuple[Tensor, ...]:
    """Flat cells a level, (k,), whose best probability may exceed ``conf``; none that does is left out.

    ``peaks`` are the largest class logits, (h * w,) a level. The threshold is taken on the logits, lower by more than
    the rounding of the sigmoid in their precision; who exceeds it exactly is decided on the probabilities.
    """
    floor = conf - 8 * torch.finfo(peaks[0].dtype).eps
    threshold = math.log(floor / (1 - floor)) if 0 < floor < 1 else -math.inf
    return tuple((level > threshold).nonzero().view(-1) for level in peaks)
