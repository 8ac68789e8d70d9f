"""Boxes of a truth, written in all the ways that a loss may take them for, other than the declared one."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from ..boxes.terms import declared
from ..layout import FORMATS, UNITS
from .truth import Truth


def _exchanged(first: int, second: int) -> tuple[int, ...]:
    """The order of four channels in which two change places."""
    order = list(range(4))
    order[first], order[second] = second, first
    return tuple(order)


ORDERS = (
    *((1, 0, 3, 2), (2, 3, 0, 1), (1, 2, 3, 0), (3, 0, 1, 2)),
    *(_exchanged(i, j) for i, j in combinations(range(4), 2)),
)


def rewritten(truth: Truth) -> Iterator[tuple[str, str, list[np.ndarray]]]:
    """Box channels a level, as other layouts would have them, with a code and words."""
    layout, levels = truth.layout, range(len(truth.objects))
    plain = [truth.values(level) for level in levels]
    for order in ORDERS:
        alike = order in ((1, 0, 3, 2), (1, 0, 2, 3), (0, 1, 3, 2))
        code = "axes_swapped" if alike else "wrong_box_format"
        yield code, f"with channels in the order {order}", [values[:, list(order)] for values in plain]
    yield from _corners(truth)
    for words, values in _converted(plain):
        yield "wrong_box_format", words, values
    for form in FORMATS:
        if form != layout.format:
            yield "wrong_box_format", f"as {form}", _as(truth, format=form)
    if layout.format != "ltrb":
        where = "from the image's corner" if layout.relative else "from the anchor point"
        yield "wrong_box_format", f"counted {where}", _as(truth, relative=not layout.relative)
    for unit in UNITS[:3]:
        if unit != layout.unit:
            yield "wrong_box_unit", f"in {unit} units", _as(truth, unit=unit, size_unit=unit)
            yield "wrong_box_unit", f"with sizes in {unit} units", _as(truth, size_unit=unit)
    for function in ("identity", "log", "sqrt", "square"):
        if function != layout.size_function:
            yield "wrong_box_unit", f"with sizes as {function}", _as(truth, size_function=function)
    for offset in (layout.grid_offset - 0.5, layout.grid_offset + 0.5):
        if layout.relative or layout.format == "ltrb":
            yield "half_cell_offset", "half a cell off", _as(truth, grid_offset=offset)
    yield from _scaled(plain, truth)


def _converted(plain: Sequence[np.ndarray]) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Box channels that become the declared ones by a conversion that is one too many."""
    ways = {
        "of which the first two are subtracted from the others": ((1.0, 0.0), (1.0, 1.0)),
        "that are taken for corners and made a centre and sides": ((1.0, -0.5), (1.0, 0.5)),
    }
    for words, ((a, b), (c, d)) in ways.items():
        yield words, [np.concatenate((a * v[:, :2] + b * v[:, 2:], c * v[:, :2] + d * v[:, 2:]), 1) for v in plain]


def _corners(truth: Truth) -> Iterator[tuple[str, str, list[np.ndarray]]]:
    """Other points of the box in the place of the one declared."""
    if truth.layout.format not in ("cxcywh", "xywh"):
        return
    levels = range(len(truth.objects))
    for pair, words in (
        (("cx", "cy"), "centre"),
        (("x1", "y1"), "upper left corner"),
        (("x2", "y2"), "lower right corner"),
    ):
        if pair[0] == declared(truth.layout, 0)[0].quantity:
            continue
        found = []
        for level in levels:
            terms = list(declared(truth.layout, level))
            terms[:2] = [replace(term, quantity=name) for term, name in zip(terms[:2], pair, strict=True)]
            found.append(truth.under(level, terms))
        yield "wrong_box_format", f"by their {words}", found


def _as(truth: Truth, **changes) -> list[np.ndarray]:
    """The box channels under a changed layout; those of objects themselves where no number comes of it."""
    other = replace(truth.layout, **changes)
    found = [truth.values(level, other) for level in range(len(truth.objects))]
    return [np.nan_to_num(values, posinf=0.0, neginf=0.0) for values in found]


def _scaled(plain: Sequence[np.ndarray], truth: Truth) -> Iterator[tuple[str, str, list[np.ndarray]]]:
    """Sizes halved or doubled, all channels in strides or in px of strides once more."""
    if truth.layout.format in ("cxcywh", "xywh") and truth.layout.size_function == "identity":
        for factor, words in ((0.5, "halved"), (2.0, "doubled")):
            scale = np.array([1, 1, factor, factor])
            yield "wrong_box_format", f"with sizes {words}", [values * scale for values in plain]
    strides = truth.layout.strides
    for power, words in ((1, "multiplied"), (-1, "divided")):
        pairs = zip(plain, strides, strict=True)
        yield "wrong_box_unit", f"{words} by the stride", [values * stride**power for values, stride in pairs]
    for stride in strides:
        for power, words in ((1, "multiplied"), (-1, "divided")):
            yield (
                "wrong_box_unit",
                f"{words} by {stride:g} on every level",
                [values * stride**power for values in plain],
            )
    signs = [-np.ones(4), np.array([-1, -1, 1, 1]), np.array([1, 1, -1, -1])]
    for sign in signs:
        yield "wrong_box_format", "of other signs", [values * sign for values in plain]
