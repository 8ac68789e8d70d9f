"""Images with true boxes, what a made-up model sees in them, and labels written by a fault."""

from collections.abc import Callable, Mapping

import numpy as np

from diagnosis import Reading
from diagnosis.labels.material import Material
from diagnosis.labels.rows import Rows, gather
from diagnosis.labels.seen import Seen, sizes

NAMES = dict(enumerate(("cow", "ant", "dog", "bee", "emu", "fox")))
SIZES = ((320, 240), (240, 320), (320, 320), (400, 240))


def truths(count: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Class ids (n,) and boxes (n, 4) xyxy shares of so many images."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        objects = rng.integers(2, 6)
        side = rng.uniform(0.1, 0.35, (objects, 2))
        low = rng.uniform(0, 1 - side) * (1, 0.85)
        found.append((rng.integers(0, len(NAMES), objects), np.concatenate((low, low + side), 1)))
    return found


def sights(truth, noise: float = 0.06, seed: int = 1) -> list[Seen]:
    """What a model sees: the true boxes, off by some of their size, one of twelve missed, one of twenty misnamed."""
    rng = np.random.default_rng(seed)
    found = []
    for place, (ids, boxes) in enumerate(truth):
        side = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        off = boxes + rng.normal(0, noise, boxes.shape) * side
        named = np.where(rng.random(len(ids)) < 0.05, rng.integers(0, len(NAMES), len(ids)), ids)
        kept = rng.random(len(ids)) > 1 / 12
        found.append(
            Seen(
                size=SIZES[place % len(SIZES)],
                boxes=off[kept],
                confidence=rng.uniform(0.5, 0.95, kept.sum()),
                class_id=named[kept],
            )
        )
    return found


def material(
    truth,
    seen,
    reading: Reading | None = None,
    written: Mapping[int, int] | Callable | None = None,
    faulty: slice = slice(None),
) -> Material:
    """The labels of the true boxes, some files of them written by a reading and with other ids."""
    hit = np.zeros(len(truth), bool)
    hit[faulty] = True
    parts = []
    for place, ((ids, boxes), one) in enumerate(zip(truth, seen, strict=True)):
        by = reading if reading is not None and hit[place] else Reading()
        if written is not None and hit[place]:
            ids = np.array([written.get(i, i) for i in ids.tolist()], np.int64)
        parts.append(
            Rows(
                image=np.full(len(ids), place),
                line=np.arange(1, len(ids) + 1),
                class_id=ids.astype(np.int64),
                quads=by.written(boxes, one.size),
                polygon=np.zeros(len(ids), bool),
            )
        )
    rows = gather(parts)
    return Material(
        rows=rows,
        paths=[f"{place:04d}.png" for place in range(len(truth))],
        looked=np.arange(len(truth)),
        sizes=sizes(seen),
        names=NAMES,
        used=np.unique(rows.class_id),
        seen=seen,
    )
