"""Do the box outputs of the levels follow each other in the order of the levels?"""

from collections.abc import Sequence
from functools import cache
from itertools import permutations

import numpy as np

from anatomy import Head, Pass

from ..findings import Finding
from .motion import measure_motion

MOVES_SO = 0.75  # an agreement by which outputs move as their level's cells should
BETTER = 0.25  # by how much they must move better in another order
MOST = 4  # levels whose orders are tried


def order_fault(head: Head, passes: Sequence[Pass], step: int) -> Finding | None:
    """Box outputs of which every level moves as declared in another order, and not in that of the levels.

    ``passes``: of grey, a patch, and the patch moved by ``step`` px along x, and along y.
    """
    outputs = [pass_.box_logits for pass_ in passes]
    pyramid = head.pyramid(passes[0])
    shapes, sizes = pyramid.shapes, pyramid.counts
    if not 1 < len(sizes) <= MOST or any(
        one is None or one.dim() != 2 or one.shape[1] != sum(sizes) for one in outputs
    ):
        return None
    grey, still, right, down = (one.double().cpu().numpy() for one in outputs)

    @cache
    def agreement(level: int, start: int) -> float:
        (rows, cols), many = shapes[level], pyramid.anchors_at(level)
        before, x, y = (
            (one - grey)[:, start : start + sizes[level] : many].reshape(-1, rows, cols) for one in (still, right, down)
        )
        away = step / head.levels[level].stride
        found = (measure_motion(before, x, (0, away)), measure_motion(before, y, (away, 0)))
        return min(-1.0 if move.declared is None or move.flat else move.declared for move in found)

    def worst(order: Sequence[int]) -> float:
        starts = np.cumsum([0, *(sizes[level] for level in order)])
        return min(agreement(level, int(start)) for level, start in zip(order, starts, strict=False))

    plain = tuple(range(len(sizes)))
    declared = worst(plain)
    if declared >= MOVES_SO - BETTER:
        return None
    order = max(permutations(plain), key=worst)
    if worst(order) < max(MOVES_SO, declared + BETTER):
        return None
    reversed_ = order == plain[::-1]
    words = f"The box outputs of the levels come in the order {list(order)}, not {list(plain)}: turn it around."
    return Finding(
        code="levels_reversed" if reversed_ else "scrambled_layout",
        severity="error",
        level=None,
        message=words,
        evidence={"order": order},
        consequences=("wrong_stride", "scrambled_layout") if reversed_ else ("wrong_stride",),
    )
