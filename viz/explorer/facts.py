"""Everything the network said at one cell: class scores on all levels, distances, rivals, and what became of it."""

from dataclasses import dataclass

import numpy as np
import torch

from anatomy import Rivals, Trace

MOST_CLASSES = 5
SIDES = ("left", "top", "right", "bottom")
NO_BINS = "This head puts out each side as one number (reg_max = 1), so there is no distribution and no entropy."
NO_BOX = "Bins are kept for detections only, and this cell makes none."


@dataclass(frozen=True)
class Facts:
    """What one cell answers, and why it is or is not a detection.

    ``detection`` is its index in the trace, None where the cell makes no detection; ``class_id``, ``class_name`` and
    ``confidence`` are those of the detection, or of the cell's best class. ``center`` (2,) xy px of the original.
    ``classes`` (k,) are the best classes of this cell, best first, ``scores`` (k, L) their probabilities at the cell
    ``places[l]`` (row, column) of each level l that lies at the same spot: of several finer cells the one that is
    surest of the class. ``sides`` (4,) are the distances left, top, right, bottom in px of the network input,
    ``entropy`` (4,) bit of their distributions or None, and then ``no_entropy`` says why. ``rivals`` is empty where
    nothing was suppressed; ``lost_to`` the index of the detection that suppressed this cell, or None.
    """

    anchor: int
    level: int
    level_name: str
    row: int
    col: int
    stride: float
    center: np.ndarray
    detection: int | None
    class_id: int
    class_name: str
    confidence: float
    classes: tuple[int, ...]
    class_names: tuple[str, ...]
    scores: np.ndarray
    places: tuple[tuple[int, int], ...]
    sides: np.ndarray
    entropy: np.ndarray | None
    no_entropy: str
    rivals: Rivals | None
    lost_to: int | None
    verdict: str


def explain(trace: Trace, anchor: int, before: Trace | None = None) -> Facts:
    """The facts of one anchor; ``before`` is an earlier trace of the image to compare with.

    Raises ValueError for an anchor outside the grids.
    """
    place = trace.places([anchor])
    level, row, col = (int(part[0]) for part in (place.level, place.row, place.col))
    strides = [entry.stride for entry in trace.levels]
    index, lost_to = index_of(trace, anchor), _winner(trace, anchor)
    best = _best_classes(trace, level, row, col)
    class_id = best[0] if index is None else int(trace.detections.class_id[index])
    classes = tuple([class_id, *(other for other in best if other != class_id)][:MOST_CLASSES])
    places = tuple(_same_spot(trace, class_id, level, row, col, other) for other in range(len(strides)))
    chances = [_chances(trace, other, *cell)[list(classes)] for other, cell in enumerate(places)]
    scores = torch.stack(chances, 1).cpu().numpy()
    confidence = float(scores[0, level] if index is None else trace.detections.confidence[index])
    point = trace.points([anchor])
    box = trace.decode([anchor], [class_id])[0]
    entropy, no_entropy = _entropy(trace, anchor, before)
    return Facts(
        anchor=anchor,
        level=level,
        level_name=trace.levels[level].name,
        row=row,
        col=col,
        stride=strides[level],
        center=trace.letterbox.to_original(point)[0],
        detection=index,
        class_id=class_id,
        class_name=trace.names[class_id],
        confidence=confidence,
        classes=classes,
        class_names=tuple(trace.names[other] for other in classes),
        scores=scores,
        places=places,
        sides=np.concatenate((point[0] - box[:2], box[2:] - point[0])),
        entropy=entropy,
        no_entropy=no_entropy,
        rivals=None if index is None else trace.detections.suppressed[index],
        lost_to=lost_to,
        verdict=_verdict(trace, anchor, index, lost_to, before),
    )


def _best_classes(trace: Trace, level: int, row: int, col: int) -> list[int]:
    """The classes of the largest logits of a cell, best first."""
    detectable = list(trace.head.detectable)
    order = trace.logits[level][detectable, row, col].float().argsort(descending=True, stable=True)
    return [detectable[index] for index in order[:MOST_CLASSES].tolist()]


def _chances(trace: Trace, level: int, row: int, col: int) -> torch.Tensor:
    """(nc,) the class probabilities of a cell, of several anchors the largest."""
    logits = trace.run.logits[level][:, row, col].reshape(-1, len(trace.names)).float()
    return trace.head.probabilities(logits, dim=1).amax(0)


def index_of(trace: Trace, anchor: int | None) -> int | None:
    """The index of the detection that this anchor made, or None."""
    if anchor is None:
        return None
    found = np.flatnonzero(trace.detections.anchor == anchor)
    return int(found[0]) if len(found) else None


def _winner(trace: Trace, anchor: int) -> int | None:
    """The detection in whose favour this anchor was suppressed, or None."""
    suppressed = enumerate(trace.detections.suppressed)
    return next((index for index, rivals in suppressed if (rivals.anchor == anchor).any()), None)


def _same_spot(trace: Trace, class_id: int, level: int, row: int, col: int, other: int) -> tuple[int, int]:
    """The cell of level ``other`` that covers this cell, or of those inside it the one surest of the class."""
    rows, cols = trace.pyramid.same_spot(level, row, col, other)
    block = trace.logits[other][class_id, rows, cols]
    down, right = divmod(int(block.argmax()), block.shape[1])
    return rows.start + down, cols.start + right


def _entropy(trace: Trace, anchor: int, before: Trace | None) -> tuple[np.ndarray | None, str]:
    """Shannon entropy (4,) bit of the DFL bins, or the reason why there is none; no edit of class rows moves bins."""
    if trace.reg_max == 1:
        return None, NO_BINS
    for source in (trace, before):
        index = None if source is None else index_of(source, anchor)
        if source is not None and index is not None:
            bins = source.distribution(index).double()
            return -torch.special.xlogy(bins, bins).sum(1).div(np.log(2)).cpu().numpy(), ""
    return None, NO_BOX


def _verdict(trace: Trace, anchor: int, index: int | None, lost_to: int | None, before: Trace | None) -> str:
    """One sentence: what became of this cell, and what it was before."""
    was = None if before is None else index_of(before, anchor)
    old = "" if before is None or was is None else _named(before, was)
    if index is None:
        why = "its best class stays below the threshold"
        if lost_to is not None:
            why = f"suppressed by {_named(trace, lost_to)}"
        return f"Gone: it was {old}; now {why}." if old else f"No detection: {why}."
    if before is None or before is trace:
        return "A detection."
    if not old:
        return "New: it was no detection before the edits."
    if _named(trace, index) == old:
        return "A detection, as before the edits."
    return f"Changed: it was {old}."


def _named(trace: Trace, index: int) -> str:
    """A detection by its class and confidence."""
    return f"{trace.detections.class_name[index]} {trace.detections.confidence[index]:.2f}"
