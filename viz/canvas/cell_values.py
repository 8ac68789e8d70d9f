"""What the cells of each level answer, as arrays: the rows that a figure of heat maps draws."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from anatomy import Trace, select_classes

from .arguments import ClassChoice

KINDS = {"objectness": "objectness", "score": "class probability", "logit": "class logit"}
MOST_ROWS = 16


@dataclass(frozen=True)
class Reading:
    """One value a cell: a name, what the values are in words, one (h, w) float array a level.

    ``found`` (n,) are the indices of the detections that these values decided.
    """

    name: str
    meaning: str
    heat: tuple[np.ndarray, ...]
    found: np.ndarray


def readings(trace: Trace, classes: ClassChoice | None, what: str) -> list[Reading]:
    """One reading of objectness, or one for each class of its probability or logit; without ``classes`` the largest."""
    if what not in KINDS:
        raise ValueError(f"what must be one of {', '.join(map(repr, KINDS))}, but {what!r} was given.")
    if classes is None:
        return [_of_all(trace, what)]
    chosen = select_classes(trace.names, classes)
    class_id = trace.detections.class_id
    if what == "objectness":
        heat = _arrays(_probabilities(trace, chosen))
        name = ", ".join(trace.names[index] for index in chosen[:4]) + (" …" if len(chosen) > 4 else "")
        return [Reading(name, _largest(what), heat, np.flatnonzero(np.isin(class_id, chosen)))]
    if len(chosen) > MOST_ROWS:
        raise ValueError(
            f"A figure holds at most {MOST_ROWS} rows, one a class, but {len(chosen)} classes were given. Choose "
            "fewer, or what='objectness' for the largest of them."
        )
    return [_of_class(trace, index, what) for index in chosen]


def _of_class(trace: Trace, class_id: int, what: str) -> Reading:
    """The probability or logit of one class."""
    logits = [level[class_id] for level in trace.logits]
    return Reading(
        name=trace.names[class_id],
        meaning=KINDS[what],
        heat=_arrays(_probabilities(trace, [class_id]) if what == "score" else logits),
        found=np.flatnonzero(trace.detections.class_id == class_id),
    )


def _of_all(trace: Trace, what: str) -> Reading:
    """The largest over all classes, or the head's own objectness where it has one."""
    detectable = list(trace.head.detectable)
    logits = [level[detectable].amax(0) for level in trace.logits]
    scores = _probabilities(trace, detectable)
    heat = {"objectness": trace.objectness(), "score": scores, "logit": logits}[what]
    same = all(torch.allclose(a, b, equal_nan=True) for a, b in zip(heat, scores, strict=True))
    meaning = KINDS[what] if what == "objectness" and not same else _largest(what)
    return Reading("", meaning, _arrays(heat), np.arange(len(trace.detections)))


def _probabilities(trace: Trace, classes: Sequence[int]) -> list[torch.Tensor]:
    """The largest probability of these classes in each cell, one (h, w) tensor a level."""
    if trace.head.background is None:  # the sigmoid of the largest logit, which is quicker
        return [level[list(classes)].amax(0).sigmoid() for level in trace.logits]
    return [level[list(classes)].amax(0) for level in trace.probabilities()]


def _largest(what: str) -> str:
    words = "largest class probability" if what == "objectness" else "largest of all classes"
    return f"{KINDS[what]} ({words})"


def _arrays(heat: Iterable[torch.Tensor]) -> tuple[np.ndarray, ...]:
    return tuple(level.float().cpu().numpy() for level in heat)
