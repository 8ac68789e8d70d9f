"""The questions that a target encoder is asked: single boxes of chosen places and sizes, borders, classes, several."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

POSITIONS, SIDES = 12, 7
RATIOS = (1.22, 1 / 1.17, 1.45, 1 / 1.4)  # width over height, square rooted

INSETS = ((0.4, "centre just within the edge"), (0.0, "centre on the edge"), (-3.0, "centre beyond the edge"))


@dataclass(frozen=True, eq=False)
class Probe:
    """One input: ``boxes`` (n, 4) float xyxy px, ``labels`` (n,), ``image_size`` (height, width), and its purpose.

    ``kind``: "place", "edge", "beyond", "class", "together", "empty", "flat". ``side``: the geometric mean of the
    box's sides in px where there is one box; ``note``: where it lies, in words.
    """

    kind: str
    boxes: np.ndarray
    labels: tuple[int, ...]
    image_size: tuple[int, int]
    side: float = 0.0
    note: str = ""


def sides(strides: Sequence[float], image_sizes: Sequence[tuple[int, int]]) -> list[float]:
    """Box sides in px from three quarters of the finest stride to six tenths of the shortest image side."""
    low, high = 0.75 * min(strides), 0.6 * min(min(size) for size in image_sizes)
    return list(np.geomspace(low, high, SIDES)) if high > low else [low]


def _box(x: float, y: float, width: float, height: float) -> np.ndarray:
    return np.array([[x - width / 2, y - height / 2, x + width / 2, y + height / 2]])


def _centre(rng: np.random.Generator, length: float, extent: float, stride: float, stratum: float) -> float:
    """A centre whose place within the coarsest cell is ``stratum``, with the whole box in the image where it can be."""
    low, high = extent / 2 + 0.3, length - extent / 2 - 0.3
    first, last = np.ceil(low / stride - stratum), np.floor(high / stride - stratum)
    if last < first:
        return float(rng.uniform(low, high)) if high > low else length / 2
    return float((rng.integers(int(first), int(last) + 1) + stratum) * stride)


def places(strides: Sequence[float], image_sizes: Sequence[tuple[int, int]], label: int, seed: int) -> Iterator[Probe]:
    """Single boxes inside the image; their centres fall evenly over the inside of a cell of every level."""
    rng = np.random.default_rng(seed)
    strata = (np.arange(POSITIONS) + 0.47) / POSITIONS
    for height, width in image_sizes:
        for side in sides(strides, image_sizes):
            across, down = rng.permutation(strata), rng.permutation(strata)
            for i in range(POSITIONS):
                ratio = RATIOS[i % len(RATIOS)] if i % 3 else RATIOS[i % 2]
                w, h = min(side * ratio, 0.93 * width), min(side / ratio, 0.93 * height)
                x = _centre(rng, width, w, max(strides), across[i])
                y = _centre(rng, height, h, max(strides), down[i])
                yield Probe("place", _box(x, y, w, h), (label,), (height, width), side)


def edges(strides: Sequence[float], image_sizes: Sequence[tuple[int, int]], label: int) -> Iterator[Probe]:
    """Boxes that touch each edge and each corner, small ones whose centre lies in the outermost cell as well."""
    for turn, (height, width) in enumerate(image_sizes):
        spans = (0.35 * min(strides), 2.6 * min(strides), 0.9 * max(strides), 0.4 * min(height, width))
        for side in spans if turn == 0 else spans[::2]:
            w, h = 1.1 * side, side / 1.1
            for ix, iy in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (2, 2)):
                x = (w / 2, 0.437 * width, width - w / 2)[ix]
                y = (h / 2, 0.563 * height, height - h / 2)[iy]
                yield Probe("edge", _box(x, y, w, h), (label,), (height, width), side, _name(ix, iy))
        whole = np.array([[0.0, 0.0, width, height]])
        yield Probe("edge", whole, (label,), (height, width), float(np.sqrt(width * height)), "whole image")


def beyond(strides: Sequence[float], image_sizes: Sequence[tuple[int, int]], label: int) -> Iterator[Probe]:
    """Boxes partly outside: their centre a little within the edge, on it, and beyond it."""
    for turn, (height, width) in enumerate(image_sizes):
        for inset, where in INSETS if turn == 0 else INSETS[2:]:
            for ix, iy in ((0, 1), (1, 0), (2, 1), (1, 2), (2, 2)):
                side = (2.6 * min(strides), 1.1 * max(strides))[(ix + iy) % 2]
                x = (inset, 0.437 * width, width - inset)[ix]
                y = (inset, 0.563 * height, height - inset)[iy]
                note = f"{_name(ix, iy)}, {where}"
                yield Probe("beyond", _box(x, y, 1.1 * side, side / 1.1), (label,), (height, width), side, note)


def _name(ix: int, iy: int) -> str:
    return " ".join(("top", "", "bottom")[iy : iy + 1] + ("left", "", "right")[ix : ix + 1]).strip()


def classes(strides: Sequence[float], image_sizes: Sequence[tuple[int, int]], count: int) -> Iterator[Probe]:
    """One box of a size that every level of most schemes knows, once for each of at most 24 classes, at two sizes."""
    height, width = image_sizes[0]
    for label in sorted(set(np.linspace(0, count - 1, min(count, 24)).round().astype(int).tolist())):
        for factor in (3.1, 9.3):
            side = min(factor * min(strides), 0.5 * min(height, width))
            yield Probe("class", _box(0.41 * width, 0.58 * height, side, 0.9 * side), (label,), (height, width), side)


def together(
    strides: Sequence[float], image_sizes: Sequence[tuple[int, int]], labels: Sequence[int], seed: int
) -> Iterator[Probe]:
    """Several objects: far apart, in one cell, one within the other, overlapping, and a crowd of all ``labels``."""
    rng = np.random.default_rng(seed)
    a, b = labels[0], labels[-1]
    for turn, (height, width) in enumerate(image_sizes):
        size = height, width
        for side in sides(strides, image_sizes)[1:6] if turn == 0 else sides(strides, image_sizes)[2:6:2]:
            w, h = 1.15 * side, 0.9 * side
            x, y = 0.43 * width + 1.7, 0.57 * height + 2.3
            near = _box(0.26 * width, 0.3 * height, min(w, 0.4 * width), h)
            far = _box(0.76 * width, 0.71 * height, min(w, 0.4 * width), h)
            same = _box(x + 0.6, y + 0.4, 0.96 * w, 1.03 * h)
            inner = _box(x + 1.1, y - 0.7, 0.55 * w, 0.5 * h)
            beside = _box(x + 0.45 * w, y + 0.3 * h, w, h)
            yield Probe("together", np.concatenate((near, far)), (a, b), size, side, "far apart")
            yield Probe("together", np.concatenate((_box(x, y, w, h), same)), (a, b), size, side, "one cell")
            yield Probe("together", np.concatenate((inner, _box(x, y, w, h))), (b, a), size, side, "one in the other")
            yield Probe("together", np.concatenate((_box(x, y, w, h), inner)), (a, b), size, side, "one round one")
            yield Probe("together", np.concatenate((beside, _box(x, y, w, h))), (a, b), size, side, "overlapping")
        boxes = []
        for i in range(12):
            w, h = rng.uniform(2, 8, 2) * min(strides) * (1 + i % 3)
            w, h = min(w, 0.45 * width), min(h, 0.45 * height)
            boxes.append(_box(rng.uniform(w / 2, width - w / 2), rng.uniform(h / 2, height - h / 2), w, h))
        crowd = tuple(labels[i % len(labels)] for i in range(len(boxes)))
        yield Probe("together", np.concatenate(boxes), crowd, size, 0.0, "a crowd")


def lattice(strides: Sequence[float], image_size: tuple[int, int], labels: Sequence[int]) -> Probe:
    """Many small objects that do not share a cell of the finest level."""
    side, step = 3 * min(strides), 5 * min(strides)
    while (image_size[0] // step) * (image_size[1] // step) > 200:
        step *= 1.25
    rows, columns = (max(int(length // step), 1) for length in image_size)
    y, x = ((part.reshape(-1) + 0.5) * step + 0.7 for part in np.indices((rows, columns)))
    boxes = np.concatenate([_box(a, b, side, 0.9 * side) for a, b in zip(x, y, strict=True)])
    chosen = tuple(labels[i % len(labels)] for i in range(len(boxes)))
    return Probe("together", boxes, chosen, image_size, side, "many")


def large(strides: Sequence[float], image_size: tuple[int, int], label: int) -> Iterator[Probe]:
    """Boxes upon a larger image than is asked otherwise, for levels that smaller ones leave empty."""
    step = int(max(strides))
    height, width = (max(-(-3 * side // step), 12) * step for side in image_size)
    for share in (0.35, 0.6, 0.9):
        box = _box(0.51 * width, 0.49 * height, share * width, share * height)
        yield Probe("large", box, (label,), (height, width), share * float(np.sqrt(height * width)))


def empty(image_size: tuple[int, int]) -> Probe:
    """An image without objects."""
    return Probe("empty", np.zeros((0, 4)), (), image_size)


def single(x: float, y: float, side: float, image_size: tuple[int, int]) -> Probe:
    """One square box of label 0 round (x, y)."""
    return Probe("single", _box(x, y, side, side), (0,), image_size, side)


def flat(image_size: tuple[int, int], label: int) -> Iterator[Probe]:
    """Boxes without width, height or both: data sets have them."""
    height, width = image_size
    for w, h in ((0, 20), (20, 0), (0, 0)):
        yield Probe("flat", _box(0.4 * width + 1.3, 0.6 * height + 2.1, w, h), (label,), image_size)
