"""Boxes whose points and sides go wrong in different ways: each by itself, in the fewest words that explain it."""

from collections.abc import Iterable, Iterator
from itertools import product

import numpy as np

from ..boxes.terms import Held
from .activations import CLEARLY
from .other_cells import cells
from .seen import ENOUGH, FEWEST, Reason, Seen

Way = tuple[str, str, np.ndarray]
"""A code, words, and (n, 2) px: what comes out in the place of what was given."""
STEADY = 0.01
"""By which the ratios of sides to those given may differ where all are one number."""
LIKELY = 0.6
"""Of the centres, or of the sizes, the share that a way must explain to be looked at."""
KNOWN = ((0.5, "halved"), (2.0, "doubled"))


def apart(seen: Seen) -> Reason | None:
    """The centre by itself, width and height by themselves; of sides of an anchor point, these and the point."""
    if seen.terms[0].sign < 0:
        return _distances(seen)
    (x1, y1, x2, y2), (u1, v1, u2, v2) = seen.given.boxes.T, seen.came.T
    middle, size = np.stack((x1 + x2, y1 + y2), 1) / 2, np.stack((x2 - x1, y2 - y1), 1)
    ratio = one_ratio(np.stack((u2 - u1, v2 - v1), 1) / size)
    return _fewest(seen, list(point_ways(seen, middle)), list(_sizes(seen.given, size, ratio)), ratio)


def _fewest(seen: Seen, points: list[Way], sizes: list[Way], ratio: float | None) -> Reason | None:
    best: tuple[int, float, Reason] | None = None
    constant = sizes[-1]
    for point, size in product(likely_points(seen, points), _likely_sizes(seen, sizes)):
        said = [way for way in (point, size) if way[0]]
        if not said or (best and len(said) > best[0]):
            continue
        came = np.concatenate((point[2] - size[2] / 2, point[2] + size[2] / 2), 1)
        share, rest = seen.told(came), seen.rest(came)
        codes = tuple(dict.fromkeys(code for code, _, _ in said))
        if share >= ENOUGH and (best is None or (len(said), rest + CLEARLY) < best[:2]):
            alone = ratio if not point[0] and size is constant else None
            scale = alone if seen.terms[2].unit.name == "stride" else None
            words = " and ".join(words for _, words, _ in said)
            best = len(said), rest, Reason(codes, words, share, ratio=alone, scale=scale)
    return best[2] if best else None


def likely_points(seen: Seen, points: Iterable[Way], least: float = LIKELY) -> list[Way]:
    """The ways that explain most centres, ``least`` of those of boxes that no edge of the image has cut."""
    return _likely(seen, points, (seen.came[:, :2] + seen.came[:, 2:]) / 2, least)


def _likely_sizes(seen: Seen, sizes: Iterable[Way]) -> list[Way]:
    return _likely(seen, sizes, seen.came[:, 2:] - seen.came[:, :2], LIKELY)


def _likely(seen: Seen, ways: Iterable[Way], came: np.ndarray, least: float) -> list[Way]:
    ends = seen.given.sizes[:, ::-1]
    whole = (seen.came[:, :2] != 0).all(1) & (seen.came[:, 2:] != ends).all(1)
    whole = whole if whole.sum() >= FEWEST else np.ones(len(came), bool)
    found = []
    for way in ways:
        near = np.abs(way[2] - came)[whole].max(1) <= 2 * seen.tolerance[whole]
        if near.mean() >= least:
            found.append(way)
    return found


def one_ratio(ratios: np.ndarray) -> float | None:
    """The number that nearly all ratios are, where there is one."""
    with np.errstate(all="ignore"):
        middle = float(np.nanmedian(ratios)) if np.isfinite(ratios).any() else np.nan
        near = np.abs(ratios / middle - 1) < STEADY
    return middle if middle > 0 and near.mean() >= ENOUGH and abs(middle - 1) > STEADY else None


def point_ways(seen: Seen, middle: np.ndarray) -> Iterator[Way]:
    """Where centres may come out, the declared place first."""
    yield from _points(seen.given, middle)
    reference = seen.terms[0].reference
    if reference is not None:
        start, stride = (seen.given.here + reference.offset) * reference.pitch, seen.given.stride
        yield "wrong_box_unit", "places from anchor points come out in strides", start + (middle - start) / stride
        yield "wrong_box_unit", "places come out multiplied by the stride once more", start + (middle - start) * stride
        for words, (code, others) in cells(seen.given).items():
            yield code, words, middle + (others - seen.given.here) * seen.given.stride
        for step in (0.5, -0.5):
            yield "half_cell_offset", f"centres lie {step:+g} cell off", middle + step * seen.given.stride


def _points(held: Held, middle: np.ndarray) -> Iterator[Way]:
    sides = held.sizes[:, ::-1]
    cell, stride = held.here, held.stride
    yield "", "", middle
    yield "wrong_box_unit", "centres come out in strides", middle / stride
    yield "wrong_box_unit", "centres come out multiplied by the stride once more", middle * stride
    yield "wrong_box_unit", "centres come out in shares of the image's sides", middle / sides
    yield "wrong_box_format", "centres come out without the cell that they are counted from", middle - cell * stride
    yield "wrong_box_unit", "cells are counted in px, not in strides", middle - cell * stride + cell
    yield "wrong_box_unit", "places within cells are left in strides", middle / stride - cell + cell * stride
    yield "image_size_swapped", "centres are scaled by the exchanged sides", middle / sides * sides[:, ::-1]
    yield "axes_swapped", "x and y of centres change places", middle[:, ::-1]
    yield "wrong_box", "centres are cut to whole px", np.floor(middle)
    yield "saturated_offset", "centres are those of cells", (cell + 0.5) * stride
    yield "saturated_offset", "centres are the corners of cells", cell * stride


def _sizes(held: Held, size: np.ndarray, ratio: float | None) -> Iterator[Way]:
    sides = held.sizes[:, ::-1]
    yield "", "", size
    yield "wrong_box_unit", "sizes come out in strides", size / held.stride
    yield "wrong_box_unit", "sizes come out multiplied by the stride once more", size * held.stride
    yield "wrong_box_unit", "sizes come out in shares of the image's sides", size / sides
    yield "wrong_box_unit", "sizes come out in those of the prior", size / held.priors
    yield "wrong_box_unit", "sizes come out multiplied by those of the prior once more", size * held.priors
    yield "wrong_box_unit", "sizes come out in strides where priors are declared", size / held.priors * held.stride
    yield "image_size_swapped", "sizes are scaled by the exchanged sides of the image", size / sides * sides[:, ::-1]
    yield "axes_swapped", "width and height change places", size[:, ::-1]
    yield "wrong_box", "sizes are cut to whole px", np.floor(size)
    if ratio is not None:
        yield *multiplied(ratio), size * ratio


def multiplied(ratio: float) -> tuple[str, str]:
    """A code and words of sizes that are all multiplied by a number."""
    known = next((words for factor, words in KNOWN if abs(ratio / factor - 1) < STEADY), "")
    code = "wrong_box_format" if known else "wrong_box_unit"
    return code, f"sizes come out {known or f'multiplied by {ratio:.4g}'}"


def _distances(seen: Seen) -> Reason | None:
    """Distances that all come out multiplied by one number, about the declared points."""
    reference = seen.terms[0].reference
    if reference is None:
        return None
    points = (seen.given.here + reference.offset) * reference.pitch
    signs = np.array((-1, -1, 1, 1))
    given, came = (signs * (boxes - np.tile(points, 2)) for boxes in (seen.given.boxes, seen.came))
    with np.errstate(all="ignore"):
        ratio = one_ratio(came / given)
    if ratio is None:
        return None
    share = seen.told(np.tile(points, 2) + signs * given * ratio)
    words = f"distances come out multiplied by {ratio:.4g}"
    scale = ratio if seen.terms[0].unit.name == "stride" else None
    return Reason(("wrong_box_unit",), words, share, scale=scale) if share >= ENOUGH else None
