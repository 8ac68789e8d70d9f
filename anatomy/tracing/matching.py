"""Which detections of two passes belong together: those of one anchor, or those of one place in the photograph."""

import numpy as np
import torch

from .detections import Detections
from .overlap import pair_overlaps
from .recorded import RecordedHead
from .trace import Trace


def one_network(before: Trace, after: Trace) -> bool:
    """Whether two passes are of one network, whose anchors mean the same in both.

    That is so where both traces hold the same network object, whatever its class rows were. Where they do not, as when
    one was pickled or a file was opened twice, it is so if the class convolutions read the same features bit for bit:
    then nothing before the class rows differs.
    """
    live = not any(isinstance(trace.head, RecordedHead) for trace in (before, after))
    if live and before.head.net is after.head.net:
        return True
    if before.shapes != after.shapes or before.branch != after.branch:
        return False
    features = zip(before.run.features, after.run.features, strict=True)
    return all(a.shape == b.shape and a.dtype == b.dtype and torch.equal(a.cpu(), b.cpu()) for a, b in features)


def check_traces(*given: object) -> None:
    """Refuse what is no trace (TypeError)."""
    for entry in given:
        if not isinstance(entry, Trace):
            raise TypeError(
                f"Two traces are compared, but a {type(entry).__name__} was given. Make one with "
                "anatomy.trace(model, image)."
            )


def check_one_image(before: Trace, after: Trace) -> None:
    """Refuse traces of two images (ValueError)."""
    if before.run.original is after.run.original:
        return
    if before.image.shape != after.image.shape:
        raise ValueError(
            "Two traces can be compared only on the same image, but these two are "
            f"{before.image.shape} and {after.image.shape} large: {before.path!r} and {after.path!r}."
        )
    if not np.array_equal(before.image, after.image):
        raise ValueError(
            "Two traces can be compared only on the same image, but these two images differ in their pixels: "
            f"{before.path!r} and {after.path!r}. Trace one image twice, or use trace.replay()."
        )


def by_anchor(old: Detections, new: Detections) -> dict[int, int]:
    """{before: after} of detections with the same anchor; of several at one anchor those of one class first."""
    partner: dict[int, int] = {}
    for columns in (("anchor", "class_name"), ("anchor",)):
        taken = set(partner.values())
        free: dict[tuple, list[int]] = {}
        for index, key in enumerate(_keys(new, columns)):
            if index not in taken:
                free.setdefault(key, []).append(index)
        for index, key in enumerate(_keys(old, columns)):
            if index not in partner and free.get(key):
                partner[index] = free[key].pop(0)
    return partner


def _keys(found: Detections, columns: tuple[str, ...]) -> list[tuple]:
    """These columns of every detection."""
    return list(zip(*[list(getattr(found, name)) for name in columns], strict=True))


def by_overlap(old: Detections, new: Detections, iou: float) -> dict[int, int]:
    """{before: after} of detections that overlap by at least ``iou``, each once, the best pair first.

    Pairs of one class name are made first; what is left is then paired whatever its class.
    """
    overlap = pair_overlaps(old.xyxy, new.xyxy)
    named = np.asarray(old.class_name, dtype=object)[:, None] == np.asarray(new.class_name, dtype=object)[None]
    partner: dict[int, int] = {}
    taken: set[int] = set()
    for allowed in (named.astype(bool), np.ones_like(overlap, dtype=bool)):
        rows, columns = np.nonzero(allowed & (overlap >= iou))
        for pair in np.argsort(-overlap[rows, columns], kind="stable"):
            i, j = int(rows[pair]), int(columns[pair])
            if i not in partner and j not in taken:
                partner[i] = j
                taken.add(j)
    return partner
