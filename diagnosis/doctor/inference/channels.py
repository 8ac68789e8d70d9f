"""What each channel is for: which follow the label, which are always 1 where an object is, and which hold its box."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..layout import FUNCTIONS

ENOUGH = 0.93


@dataclass(frozen=True, eq=False)
class Rows:
    """The n cells that hold an object: all channels, (n, C) ``values`` and ``ground``; ``label``, ``level``, ``anchor``
    (n,); ``held``: their boxes and cells, a level, in the order of ``of_level``; ``skirt``: class entries beside them.
    """

    values: np.ndarray
    ground: np.ndarray
    label: np.ndarray
    level: np.ndarray
    anchor: np.ndarray
    boxes: np.ndarray
    sizes: np.ndarray
    cells: np.ndarray
    beside: np.ndarray
    ignore: float | None

    def of_level(self, level: int) -> np.ndarray:
        """Indices of a level's rows."""
        return np.flatnonzero(self.level == level)


@dataclass(frozen=True)
class Roles:
    """Channels of classes (``ids``: one that holds the id), of objectness (or None), and those left for boxes."""

    classes: tuple[int, ...]
    class_values: str
    background: float
    objectness: int | None
    objectness_values: str
    boxes: tuple[int, ...]


def roles(rows: Rows, classes: int | None) -> Roles:
    """What each channel is for; ValueError where no channel follows the label."""
    changed = np.abs(rows.values - rows.ground) > 1e-6
    channels, labels = rows.values.shape[1], np.unique(rows.label)
    ids = [c for c in range(channels) if (np.abs(rows.values[:, c] - rows.label) < 1e-3).mean() > ENOUGH]
    if ids and len(labels) > 1:
        background = float(np.median(rows.ground[:, ids[0]]))
        return _rest(rows, (ids[0],), "ids", background)
    share = np.stack([changed[rows.label == label].mean(0) for label in labels])
    own = [
        [c for c in range(channels) if share[i, c] > 0.6 and share[:, c].sum() - share[i, c] < 0.3]
        for i in range(len(labels))
    ]
    if not any(own):
        raise ValueError("No channel follows the label, so that nothing says which hold the classes: give more labels.")
    first = min(c - int(label) for cs, label in zip(own, labels, strict=True) for c in cs if c >= label)
    found = tuple(range(first, first + classes if classes else channels))
    inside = np.concatenate(
        [rows.values[rows.label == label][:, cs].reshape(-1) for cs, label in zip(own, labels, strict=True)]
    )
    heat = rows.beside[first : first + len(found)].sum() > 2 * len(rows.values) and (inside > 1 - 1e-4).mean() > 0.5
    kind = "gaussian" if heat else "one_hot" if (np.abs(inside - 1) < 1e-4).mean() > ENOUGH else "soft"
    return _rest(rows, found, kind, 0.0)


def _rest(rows: Rows, classes: tuple[int, ...], kind: str, background: float) -> Roles:
    """Objectness and boxes among the channels that are no classes."""
    left = [c for c in range(rows.values.shape[1]) if c not in classes]
    values = rows.values[:, left]
    sure = [c for c, v in zip(left, values.T, strict=True) if (np.abs(v - 1) < 1e-4).mean() > ENOUGH]
    objectness, how = (sure[0], "binary") if sure and len(left) > 4 else (None, "binary")
    left = [c for c in left if c != objectness]
    if objectness is None and len(left) > 4:
        within = [c for c in left if ((rows.values[:, c] > 0) & (rows.values[:, c] <= 1 + 1e-6)).mean() > 0.99]
        if within:
            objectness, how = within[-1], "soft"
            left.remove(objectness)
    return Roles(classes, kind, background, objectness, how, tuple(left[:6]))


def priors(rows: Rows, boxes: Sequence[int], levels: int, anchors: int) -> tuple[np.ndarray, str] | None:
    """(L, A, 2) sides px of the priors that sizes are divided by, with the function; None where there are none."""
    best: tuple[float, np.ndarray, str] | None = None
    size = rows.boxes[:, 2:] - rows.boxes[:, :2]
    for name in FUNCTIONS:
        found, shares = np.full((levels, anchors, 2), np.nan), []
        for axis in range(2):
            tried = [_prior(rows, channel, size[:, axis], name, levels, anchors) for channel in boxes]
            share, table = max(tried, key=lambda one: one[0], default=(0.0, found[..., 0]))
            found[..., axis] = table
            shares.append(share)
        if min(shares) > ENOUGH and (best is None or min(shares) > best[0] + 0.01):
            best = min(shares), found, name
    return None if best is None else (_filled(best[1]), best[2])


INVERSE = {"identity": lambda v: v, "log": np.exp, "sqrt": np.square, "square": lambda v: np.sqrt(np.abs(v))}


def _prior(
    rows: Rows, channel: int, size: np.ndarray, name: str, levels: int, anchors: int
) -> tuple[float, np.ndarray]:
    """The share of cells whose channel is a size over one length an anchor, and these lengths."""
    table, right = np.full((levels, anchors), np.nan), 0
    with np.errstate(all="ignore"):
        length = size / INVERSE[name](rows.values[:, channel])
    for level, anchor in product(range(levels), range(anchors)):
        mine = length[(rows.level == level) & (rows.anchor == anchor)]
        if not len(mine) or not np.isfinite(mine).any():
            continue
        middle = np.nanmedian(mine)
        table[level, anchor] = middle
        right += int((np.abs(mine - middle) <= 2e-3 * abs(middle) + 0.02).sum())
    return right / max(len(size), 1), table


def _filled(table: np.ndarray) -> np.ndarray:
    """Priors of anchors that no object had: as on the other levels, each twice the one before; else the level's own."""
    table = table.copy()
    for level, anchor in product(*map(range, table.shape[:2])):
        if np.isnan(table[level, anchor]).any():
            known = [i for i in range(len(table)) if not np.isnan(table[i, anchor]).any()]
            near = min(known, key=lambda i: abs(i - level), default=None)
            if near is not None:
                table[level, anchor] = table[near, anchor] * 2.0 ** (level - near)
            else:
                table[level, anchor] = np.nanmean(table[level], 0) if not np.isnan(table[level]).all() else 1.0
    rounded = np.round(table, 2)
    whole = np.round(rounded)
    return np.where(np.abs(rounded - whole) < 0.006, whole, rounded)
