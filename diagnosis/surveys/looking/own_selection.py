"""What validation keeps of a detector that chooses by itself: its own list, as it is and with rows silent."""

from typing import NamedTuple

import numpy as np

from anatomy import Detections, Trace

from ..evaluation.table import PLAIN, EvaluationRows, changed_variants
from ..settings import FLOOR

MOST_ROWS = 2**15 - 64  # `variant` is of 16 bits


class Part(NamedTuple):
    """Rows of a variant: those of ``seen`` that ``which`` (n,) bool says."""

    variant: int
    seen: Detections
    which: np.ndarray


def own_selection(trace: Trace, ablation: bool) -> EvaluationRows:
    """The detections of a trace at a low confidence, and likewise with each level silenced.

    A silent row may let other classes in, raise them by a softmax, or move the cut of the model's own limit: what is
    then otherwise than the list of the model as it is, with that class's list of the muted level, stands apart
    (``changed_variants``).
    Raises ValueError for more rows (levels × classes) than variants have numbers.
    """
    rows = len(trace.levels) * len(trace.names)
    if ablation and rows > MOST_ROWS:
        raise ValueError(f"An ablation weighs {MOST_ROWS} class rows at most, but this head has {rows}.")
    parts = [_all(PLAIN, trace.detections)]
    for level in range(len(trace.levels) if ablation else 0):
        muted = trace.silenced(level).detections
        parts.append(_all(level, muted))
        for class_id in _heard(trace, level):
            parts += _changes(trace, level, class_id, muted)
    return _rows(trace, parts)


def _all(variant: int, seen: Detections) -> Part:
    return Part(variant, seen, np.ones(len(seen), bool))


def _heard(trace: Trace, level: int) -> list[int]:
    """The classes of a level that may matter: a score is at most the root of the probability of its class (FCOS)."""
    logits = trace.run.logits[level].unflatten(0, (-1, len(trace.names)))
    most = trace.head.probabilities(logits, dim=1).movedim(1, 0).flatten(1).amax(1).cpu().numpy()
    return [index for index in trace.head.detectable if most[index] >= FLOOR**2]


def _changes(trace: Trace, level: int, class_id: int, muted: Detections) -> list[Part]:
    """What a silent row adds to the usual rows, and what of these it removes."""
    plain, silent = trace.detections, trace.silenced(level, class_id).detections
    usual = [(plain, plain.class_id != class_id), (muted, muted.class_id == class_id)]
    before, after = np.concatenate([_pairs(seen)[which] for seen, which in usual]), _pairs(silent)
    added, removed = changed_variants(len(trace.levels), len(trace.names), level, class_id)
    parts = [Part(added, silent, ~np.isin(after, before))]
    parts += [Part(removed, seen, which & ~np.isin(_pairs(seen), after)) for seen, which in usual]
    return [part for part in parts if part.which.any()]


def _pairs(seen: Detections) -> np.ndarray:
    """(n,) one value for each pair of anchor and class with its confidence, which a softmax moves with a silent row."""
    bits = np.asarray(seen.confidence, np.float32).view(np.int32)
    columns = np.stack((seen.anchor, seen.class_id, bits), 1).astype(np.int64)
    return columns.view([("anchor", np.int64), ("class_id", np.int64), ("bits", np.int64)]).reshape(-1)


def _rows(trace: Trace, parts: list[Part]) -> EvaluationRows:
    def of(name: str) -> np.ndarray:
        return np.concatenate([getattr(part.seen, name)[part.which] for part in parts])

    anchor = of("anchor").astype(np.int32)
    return EvaluationRows(
        variant=np.repeat([part.variant for part in parts], [part.which.sum() for part in parts]).astype(np.int16),
        class_id=of("class_id").astype(np.int32),
        confidence=of("confidence").astype(np.float32),
        level=of("level").astype(np.int16),
        anchor=anchor,
        xyxy=trace.decode(anchor.astype(np.int64), of("class_id")).astype(np.float32).reshape(-1, 4),
        cut=np.zeros(len(anchor), bool),
    )
