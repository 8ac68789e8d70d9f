"""Boxes that are given out in another format, unit or order than xyxy px."""

from collections.abc import Callable, Iterator
from itertools import permutations, product

import numpy as np

from ..boxes.agreeing import first
from ..boxes.terms import Held
from .seen import ENOUGH, Reason, Seen

Change = tuple[str, str, Callable[[np.ndarray, Held], np.ndarray]]
"""A code, words, and what turns boxes (…, n, 4) that came into those that were meant."""


HALVED, DOUBLED = "half as wide and high", "twice as wide and high"
SCALES = {HALVED: 0.5, DOUBLED: 2.0}


def _joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.concatenate((first, second), -1)


def _corners(boxes: np.ndarray) -> np.ndarray:
    return _joined(boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2)


def _scaled(boxes: np.ndarray, factor: float) -> np.ndarray:
    """Boxes so many times as wide and high, around their own centres."""
    middle, half = (boxes[..., :2] + boxes[..., 2:]) / 2, factor * (boxes[..., 2:] - boxes[..., :2]) / 2
    return _joined(middle - half, middle + half)


def _sides(held: Held) -> np.ndarray:
    height, width = held.sizes.T
    return np.stack((width, height, width, height), 1)


FORMATS: tuple[Change, ...] = (
    ("", "", lambda b, held: b),
    ("wrong_box_format", "as centre, width and height", lambda b, held: _corners(b)),
    (
        "wrong_box_format",
        "as corner, width and height",
        lambda b, held: _joined(b[..., :2], b[..., :2] + b[..., 2:]),
    ),
    (
        "wrong_box_format",
        "as centre and half of width and height",
        lambda b, held: _joined(b[..., :2] - b[..., 2:], b[..., :2] + b[..., 2:]),
    ),
    (
        "wrong_box_format",
        "as upper left corner and centre",
        lambda b, held: _joined(b[..., :2], 2 * b[..., 2:] - b[..., :2]),
    ),
    (
        "wrong_box_format",
        "as centre and lower right corner",
        lambda b, held: _joined(2 * b[..., :2] - b[..., 2:], b[..., 2:]),
    ),
    ("wrong_box_format", HALVED, lambda b, held: _scaled(b, 2)),
    ("wrong_box_format", DOUBLED, lambda b, held: _scaled(b, 0.5)),
)
UNITS: tuple[Change, ...] = (
    ("", "", lambda b, held: b),
    ("wrong_box_unit", "in shares of the image's sides", lambda b, held: b * _sides(held)),
    ("wrong_box_unit", "in strides", lambda b, held: b * held.stride),
    ("wrong_box_unit", "in px, multiplied by the stride once more", lambda b, held: b / held.stride),
    ("wrong_box_unit", "multiplied by the image's sides", lambda b, held: b / _sides(held)),
    (
        "image_size_swapped",
        "scaled by the exchanged sides of the image",
        lambda b, held: b * _sides(held) / _sides(held)[:, [1, 0, 3, 2]],
    ),
    (
        "image_size_swapped",
        "in shares of the exchanged sides of the image",
        lambda b, held: b * _sides(held)[:, [1, 0, 3, 2]],
    ),
    (
        "wrong_box_unit",
        "scaled by the longer side of the image both ways",
        lambda b, held: b * _sides(held) / _sides(held).max(1, keepdims=True),
    ),
)


def _orders() -> Iterator[Change]:
    yield "", "", lambda b, held: b
    for order in permutations(range(4)):
        if order == (0, 1, 2, 3):
            continue
        inverse = list(np.argsort(order))
        code = "axes_swapped" if order in ((1, 0, 3, 2), (1, 0, 2, 3), (0, 1, 3, 2)) else "wrong_box_format"
        yield code, f"with numbers in the order {order}", lambda b, held, inverse=inverse: b[..., inverse]


ORDERS = tuple(_orders())


def forms(seen: Seen) -> Reason | None:
    """Boxes that are given out in another format, unit or order: the fewest changes that undo that."""
    if _clipped(seen):
        return Reason(("image_size_swapped",), "boxes are cut to the exchanged sides of the image", 1.0)
    ends = np.clip(seen.came, 0, None).max(0)
    if (ends < _sides(seen.given).max(0) - 1).any() and seen.told(np.clip(seen.given.boxes, 0, ends)) >= ENOUGH:
        return Reason(("wrong_box",), f"boxes are cut at x = {ends[2]:.4g} and y = {ends[3]:.4g} px", 1.0)
    for form, unit, order in _likely(seen):
        share = seen.share(form[2](unit[2](order[2](seen.came, seen.given), seen.given), seen.given))
        if share >= ENOUGH:
            codes = tuple(dict.fromkeys(code for code, _, _ in (form, unit, order) if code))
            said = " and ".join(words for _, words, _ in (form, unit, order) if words)
            return Reason(codes, f"boxes are given out {said}", share, scale=SCALES.get(said))
    return _beside(seen)


def _likely(seen: Seen) -> list[tuple[Change, Change, Change]]:
    """Formats, units and orders that undo what a few of the boxes show, the fewest changes first."""
    few, missed = first(len(seen.came), ENOUGH)
    part, found = seen.take(few), []
    turned = np.stack([change(part.came, part.given) for _, _, change in ORDERS])
    for form, unit in product(FORMATS, UNITS):
        right = part.agrees(form[2](unit[2](turned, part.given), part.given)).sum(-1)
        found += [(form, unit, ORDERS[i]) for i in np.flatnonzero(right >= len(few) - missed)]
    changed = [(sum(bool(code) for code, _, _ in changes), changes) for changes in found]
    return [changes for count, changes in sorted(changed, key=lambda pair: pair[0]) if count]


def _beside(seen: Seen) -> Reason | None:
    """The same in the declared order, of boxes whose anchor points lie half a cell off besides."""
    few, missed = first(len(seen.came), ENOUGH)
    part, stride = seen.take(few), seen.given.stride
    for (form, words, change), (unit, more, scale) in product(FORMATS, UNITS):
        if not (form or unit):
            continue
        came = change(scale(part.came, part.given), part.given)
        for half in (0.5, -0.5):
            if part.agrees(came + half * stride).sum() < len(few) - missed:
                continue
            share = seen.share(change(scale(seen.came, seen.given), seen.given) + half * stride)
            if share >= ENOUGH:
                codes = tuple(code for code in (form, unit, "half_cell_offset") if code)
                said = " and ".join(name for name in (words, more) if name)
                where = "before" if half > 0 else "beyond"
                return Reason(codes, f"boxes are given out {said}, half a cell {where}", share)
    return None


def _clipped(seen: Seen) -> bool:
    """Whether boxes are cut at the image's height in x and at its width in y."""
    turned = _sides(seen.given)[:, [1, 0, 3, 2]]
    wanted = [np.clip(seen.given.boxes, low, turned - less) for less in (0, 1) for low in (0, -np.inf)]
    return any(seen.told(boxes) >= ENOUGH for boxes in wanted)
