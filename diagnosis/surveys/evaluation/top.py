"""Selection by the two top-k of a one-to-one head, and the pool that they choose from if something is silent."""

import numpy as np
import torch
from torch import Tensor

from .suppressed import candidates
from .table import PLAIN, POOL, EvaluationRows


def choose_by_top(
    boxes: Tensor, scores: Tensor, level: Tensor, *, conf: float, max_det: int, ablation: bool
) -> EvaluationRows:
    """See ``evaluation_rows``. The k best anchors by their best class, then the k best pairs of these and classes, as
    ``Detect.postprocess`` chooses them, with k = min(``max_det``, A); of these, the pairs above ``conf``.

    A silent row (level, class) moves other classes too, since an anchor may lose its place. With ``ablation`` the
    variant ``POOL`` holds every pair above ``conf`` that any muted level or silent row can bring among the best.
    """
    k = min(max_det, scores.shape[1])
    best = scores.amax(0).topk(k).indices
    confidence, pair = scores.T[best].flatten().topk(k)
    stay = confidence > conf
    pair = pair[stay]
    anchor, class_id = best[pair // len(scores)], pair % len(scores)
    parts = [(PLAIN, anchor, class_id)]
    if ablation:
        parts.append((POOL, *_pool(scores, level, best, conf, k)))
    return _rows(parts, boxes, scores, level)


def _pool(scores: Tensor, level: Tensor, chosen: Tensor, conf: float, k: int) -> tuple[Tensor, Tensor]:
    """Anchors and classes (n,) of the pairs that may be among the best, confidence descending.

    An anchor may be where fewer than k anchors stay above it once those of any one level are gone; a pair, where fewer
    than k pairs of the chosen anchors do: chosen anchors of other levels stay chosen.
    """
    best = scores.amax(0)
    order = best.argsort(descending=True, stable=True)
    order = order[best[order] > conf]
    near = torch.zeros(len(best), dtype=torch.bool)
    near[order[_still_above(level[order], torch.ones(len(order), dtype=torch.bool)) < k]] = True
    found = candidates(torch.where(near, scores, 0.0), conf)
    found = found[found.confidence.argsort(descending=True, stable=True)]
    among = torch.isin(found.anchor, chosen)
    found = found[_still_above(level[found.anchor], among) < k]
    return found.anchor, found.class_id


def _still_above(level: Tensor, counted: Tensor) -> Tensor:
    """(n,) how many of the ``counted`` stand above each at least, once all of any one level are gone."""
    of_level = torch.nn.functional.one_hot(level, int(level.max()) + 1 if len(level) else 1) * counted[:, None]
    above = of_level.cumsum(0) - of_level
    return above.sum(1) - above.amax(1)


def _rows(parts: list[tuple[int, Tensor, Tensor]], boxes: Tensor, scores: Tensor, level: Tensor) -> EvaluationRows:
    anchor = torch.cat([anchor for _, anchor, _ in parts])
    class_id = torch.cat([class_id for _, _, class_id in parts])
    return EvaluationRows(
        variant=np.repeat([variant for variant, _, _ in parts], [len(one) for _, one, _ in parts]).astype(np.int16),
        class_id=class_id.numpy().astype(np.int32),
        confidence=scores[class_id, anchor].numpy(),
        level=level[anchor].numpy().astype(np.int16),
        anchor=anchor.numpy().astype(np.int32),
        xyxy=boxes[anchor].numpy(),
        cut=np.zeros(len(anchor), bool),
    )
