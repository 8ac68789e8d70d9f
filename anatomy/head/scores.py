"""Class probabilities from logits, bit for bit as a whole forward pass computes them, for the few cells that matter.

On the CPU torch computes the sigmoid of a long vector in SIMD blocks and what is left at the end of each thread's share
one by one, with another exponential: the two differ in the last bit for about one value in twelve. So values taken out
of their place are computed in blocks, and the few that stand in such a rest are computed in place.
"""

import math
from functools import lru_cache
from itertools import accumulate

import torch
from torch import Tensor

BLOCK = 64  # a multiple of every SIMD step of torch's vectorised loops (8 to 32 float32 values)
GRAIN = 32768  # at::internal::GRAIN_SIZE: the smallest share that torch gives to a thread


def all_scores(logits: tuple[Tensor, ...]) -> Tensor:
    """Probabilities of every anchor, (nc, A), from (nc, h, w) logits a level."""
    return torch.cat([level.flatten(1) for level in logits], 1).sigmoid()


def column_scores(logits: tuple[Tensor, ...], anchors: Tensor) -> Tensor:
    """Probabilities (nc, m) of chosen anchors (m,), flat indices over all levels in ascending order."""
    grids = tuple(level[0].numel() for level in logits)
    if anchors.device.type == "cpu":
        rest = _anchors_in_rest(len(logits[0]), sum(grids), torch.get_num_threads())
        if len(rest) and torch.isin(anchors, rest).any():
            return all_scores(logits)[:, anchors]
    starts = list(accumulate(grids, initial=0))[:-1]
    counts = torch.searchsorted(anchors, torch.tensor(starts[1:], device=anchors.device)).tolist()
    cells = anchors.tensor_split(counts)
    chosen = [level.flatten(1)[:, index - start] for level, index, start in zip(logits, cells, starts, strict=True)]
    values = torch.cat(chosen, 1)
    padded = values.new_zeros(_whole_blocks(values.numel(), torch.get_num_threads()))
    padded[: values.numel()] = values.flatten()
    return padded.sigmoid()[: values.numel()].view(len(logits[0]), -1)


def _shares(total: int, threads: int) -> int:
    """Among how many threads torch divides a loop over ``total`` values: ``at::parallel_for``."""
    return max(min(threads, math.ceil(total / GRAIN)), 1)


def _whole_blocks(count: int, threads: int) -> int:
    """The smallest number of values, ``count`` or more, of which every thread's share is made of whole blocks."""
    total = count
    while total % (BLOCK * _shares(total, threads)):
        step = BLOCK * _shares(total, threads)
        total = math.ceil(total / step) * step
    return total


@lru_cache(maxsize=256)
def _anchors_in_rest(classes: int, anchors: int, threads: int) -> Tensor:
    """Anchors of which torch may compute a value outside its SIMD blocks, in a (classes, anchors) sigmoid."""
    total = classes * anchors
    share = math.ceil(total / _shares(total, threads))
    rest: set[int] = set()
    for start in range(0, total, share):
        end = min(start + share, total)
        rest.update(flat % anchors for flat in range(end - (end - start) % BLOCK, end))
    return torch.tensor(sorted(rest), dtype=torch.int64)


def candidates(peaks: tuple[Tensor, ...], conf: float) -> Tensor:
    """Flat anchors (m,), ascending, whose best probability may exceed ``conf``; none that does is left out.

    ``peaks`` are the largest class logits, (h * w,) a level. The threshold is taken on the logits, lower by more than
    the rounding of the sigmoid in their precision; who exceeds it exactly is decided on the probabilities.
    """
    floor = conf - 8 * torch.finfo(peaks[0].dtype).eps
    threshold = math.log(floor / (1 - floor)) if 0 < floor < 1 else -math.inf
    return (torch.cat(peaks) > threshold).nonzero().view(-1)
