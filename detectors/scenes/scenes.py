"""Synthetic scenes: twelve classes of shapes, 12 to 300 px, drawn over textured backgrounds with exact boxes."""

from dataclasses import dataclass

import numpy as np

from .backdrop import draw_backdrop
from .painting import cast_shadow, develop, paint, rasterize
from .shapes import SHAPES, outline

CLASS_NAMES: tuple[str, ...] = tuple(SHAPES)
"""The class names; the position is the class id."""

MAX_HIDDEN = 0.2
"""The largest share of an object that other objects and the image border may hide."""


@dataclass(frozen=True, eq=False)
class Scene:
    """One drawn image and what is on it."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB."""
    boxes: np.ndarray
    """(n, 4) float32 xyxy px; the tight box of each object's visible pixels, right and bottom edges exclusive."""
    labels: np.ndarray
    """(n,) int64 class ids, indices into `CLASS_NAMES`."""
    owner: np.ndarray
    """(H, W) int16; the object whose pixel this is (a row of `boxes`), -1 for the background."""


@dataclass
class _Placed:
    label: int
    roi: tuple[slice, slice]
    area: int
    """px of the whole object, hidden ones included."""
    seen: int
    """px that show."""


def draw_scene(
    seed: int,
    size: tuple[int, int] = (480, 640),
    n_objects: int | None = None,
    *,
    object_px: tuple[float, float] = (12.0, 300.0),
) -> Scene:
    """Draws one scene; the same arguments give the same pixels.

    `size` is (height, width) px. `n_objects` is how many to place (None: a random number that grows with the area);
    an object that finds no free place, even when shrunk, is left out. `object_px` bounds the longer side of an object,
    drawn log-uniformly and never beyond 0.94 of the image's shorter side.
    Raises ValueError when an argument is out of range.
    """
    _check(seed, size, n_objects, object_px)
    size = (int(size[0]), int(size[1]))
    image = draw_backdrop(size, np.random.default_rng([seed, 0]))
    owner = np.full(size, -1, np.int16)
    rng = np.random.default_rng([seed, 1])
    if n_objects is None:
        n_objects = int(rng.integers(2, 3 + round(11 * (size[0] * size[1] / 320**2) ** 0.7)))
    largest = max(min(object_px[1], 0.94 * min(size)), object_px[0])
    sizes = np.exp(rng.uniform(np.log(object_px[0]), np.log(largest), n_objects))
    placed: list[_Placed] = []
    for px in np.sort(sizes)[::-1]:
        _place(image, owner, placed, int(rng.integers(len(CLASS_NAMES))), (px, object_px[0]), rng)
    boxes = np.array([_tight_box(owner, i, one.roi) for i, one in enumerate(placed)], np.float32).reshape(-1, 4)
    labels = np.array([one.label for one in placed], np.int64)
    return Scene(develop(image, np.random.default_rng([seed, 2])), boxes, labels, owner)


def _is_int(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _check(seed, size, n_objects, object_px) -> None:
    if not _is_int(seed) or seed < 0:
        raise ValueError(f"seed must be a non-negative int, but was {seed!r}.")
    if not isinstance(size, tuple | list) or len(size) != 2 or not all(_is_int(s) and s > 0 for s in size):
        raise ValueError(f"size must be two positive ints (height, width) in px, but was {size!r}.")
    if n_objects is not None and (not _is_int(n_objects) or n_objects < 0):
        raise ValueError(f"n_objects must be a non-negative int or None, but was {n_objects!r}. Use 0 for no object.")
    if len(object_px) != 2 or not 8 <= object_px[0] <= object_px[1]:
        raise ValueError(f"object_px must be (smallest, largest) in px, 8 or more and in order, but was {object_px!r}.")
    if min(size) * 0.94 < object_px[0] and n_objects != 0:
        raise ValueError(
            f"size must have room for an object of {object_px[0]:g} px, but was {size!r}. "
            "Draw a larger scene, lower object_px, or pass n_objects=0."
        )


def _place(image, owner, placed, label, sizes, rng) -> None:
    """Paints one object where it fits, shrunk from sizes[0] to at least sizes[1] px if need be, or leaves it out."""
    height, width = owner.shape
    picky = rng.random() < 0.7  # wants free ground, at least at first
    for attempt in range(24):
        px = max(sizes[0] * 0.85 ** (attempt // 3), sizes[1])
        mask, contours = rasterize(outline(label, px, rng))
        side = mask.shape[0]
        slack = px * (rng.uniform(-0.2, 0.0) if rng.random() < 0.2 else 0.04)  # negative: may leave the image
        x, y = (round(rng.uniform(slack, max(slack, s - px - slack)) - (side - px) / 2) for s in (width, height))
        x1, y1, x2, y2 = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
        if x1 >= x2 or y1 >= y2:
            continue
        roi, crop = (slice(y1, y2), slice(x1, x2)), (slice(y1 - y, y2 - y), slice(x1 - x, x2 - x))
        seen = mask[crop] >= 128
        area, shown = int(np.count_nonzero(mask >= 128)), int(np.count_nonzero(seen))
        taken = np.bincount(owner[roi][seen] + 1, minlength=len(placed) + 1)[1:]
        if shown < (1 - MAX_HIDDEN) * area or (picky and attempt < 15 and taken.any()):
            continue
        if any(p.seen - t < (1 - MAX_HIDDEN) * p.area for p, t in zip(placed, taken, strict=True)):
            continue
        for p, t in zip(placed, taken, strict=True):
            p.seen -= int(t)
        cast_shadow(image, mask, x, y, rng)
        paint(image, roi, crop, mask, contours, rng)
        owner[roi][seen] = len(placed)
        placed.append(_Placed(label, roi, area, shown))
        return


def _tight_box(owner: np.ndarray, index: int, roi: tuple[slice, slice]) -> tuple[int, int, int, int]:
    visible = owner[roi] == index
    rows, cols = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    top, left = roi[0].start, roi[1].start
    return left + cols[0], top + rows[0], left + cols[-1] + 1, top + rows[-1] + 1
