"""Where the box part of a loss is smallest: at the truth, or at boxes that are written in another way."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, product

import numpy as np

from ..boxes.motion import boxes as meant_boxes
from ..boxes.terms import declared
from ..layout import FORMATS, UNITS
from . import descents
from .asking import Asker
from .cost import Cost
from .said import Said
from .truth import Truth


def _exchanged(first: int, second: int) -> tuple[int, ...]:
    """The order of four channels in which two change places."""
    order = list(range(4))
    order[first], order[second] = second, first
    return tuple(order)


NUDGES = (-0.6, -0.25, -0.08, 0.08, 0.25, 0.6)
ORDERS = (
    *((1, 0, 3, 2), (2, 3, 0, 1), (1, 2, 3, 0), (3, 0, 1, 2)),
    *(_exchanged(i, j) for i, j in combinations(range(4), 2)),
)
NAMES = ("first", "second", "third", "fourth")


def costs(truth: Truth, asker: Asker, least: float) -> Cost:
    """What is worth speaking of beside what boxes cost that are well off."""
    targets, found = truth.levels(), []
    for channel, step in product(range(4), (-0.6, 0.6)):
        found.append(
            abs(asker(truth.nudged(channel, step), targets, f"boxes wrong in the {NAMES[channel]} channel") - least)
        )
    return Cost.beside(least, found)


def cancelled(truth: Truth, asker: Asker) -> list[Said]:
    """Box channels in which errors of opposite sign cost nothing together, of objects in one image."""
    targets, found = truth.levels(), []
    least = asker(targets, targets, "a perfect prediction")
    cost = costs(truth, asker, least)
    for channel, name in enumerate(NAMES):
        what = f"boxes wrong in the {name} channel"
        same = max(asker(truth.nudged(channel, step), targets, what) for step in (-0.6, 0.6)) - cost.least
        apart = [asker(truth.nudged(channel, step, apart=True), targets, what) for step in (-0.6, 0.6)]
        mixed = max(apart) - cost.least
        if same > cost.slack and mixed <= 0.02 * same:
            found.append(name)
    if not found:
        return []
    words = f"errors of opposite sign in the {' and '.join(found)} box channel cancel"
    return [Said("not_minimal", words, "boxes")]


def paired(truth: Truth, asker: Asker) -> list[Said]:
    """Errors of two box channels, each of which costs something, that cost nothing together."""
    targets = truth.levels()
    least = asker(targets, targets, "a perfect prediction")
    if not np.isfinite(least):
        return []
    cost = costs(truth, asker, least)
    alone = [
        min(asker(truth.nudged(channel, step), targets, f"boxes wrong in the {name} channel") for step in (-0.25, 0.25))
        - cost.least
        for channel, name in enumerate(NAMES)
    ]
    for (i, j), sign in product(combinations(range(4), 2), (1, -1)):
        if min(alone[i], alone[j]) <= cost.slack:
            continue
        value = asker(truth.jointly((i, j), (0.25, sign * 0.25)), targets, "boxes wrong in two channels")
        if abs(value - cost.least) <= 0.01 * min(alone[i], alone[j]):
            words = f"errors in the {NAMES[i]} and the {NAMES[j]} box channel cancel"
            return [Said("not_minimal", words, "boxes")]
    return descents.valleys(truth, asker, cost)


def misplaced(truth: Truth, asker: Asker, cost: Cost) -> list[Said]:
    """Whether boxes that are written otherwise than the targets cost less: in which way, and what it costs less.

    Numbers that are no boxes, as sides below 0, may cost anything: they count where they cost least of all around them.
    """
    targets = truth.levels()
    lower: list[tuple[float, str, str, list[np.ndarray]]] = []
    for code, words, values in _others(truth):
        value = asker(truth.with_boxes(values), targets, f"boxes {words}")
        if cost.less(value):
            lower.append((value, code, words, values))
    lower.sort(key=lambda option: option[0])
    for value, code, words, values in lower:
        least = lowest(truth, asker, values, value, cost)
        if least or _boxes(truth, values):
            said = f"predictions with boxes {words} cost less than those that equal the targets"
            pairs = zip(values, (truth.values(level) for level in range(len(values))), strict=True)
            smaller = all(np.abs(shown).sum() < np.abs(right).sum() for shown, right in pairs)
            return [Said(code if least else "not_minimal", said, "boxes", numbers={"smaller": smaller})]
    for channel, name in enumerate(NAMES):
        values = [asker(truth.nudged(channel, step), targets, f"{name} channel moved") for step in NUDGES]
        if cost.less(min(values), 0.05):
            step = NUDGES[int(np.argmin(values))]
            words = f"boxes with the {name} channel off by {step:+g} strides cost less than right ones"
            return [Said("not_minimal", words, "boxes")]
    return []


def _boxes(truth: Truth, values: Sequence[np.ndarray]) -> bool:
    """Whether channels (n, 4), a level, are those of boxes as declared: wider and higher than nothing."""
    found = []
    for level, (one, shown) in enumerate(zip(truth.objects, values, strict=True)):
        boxes = meant_boxes(replace(one.held, values=shown), declared(truth.layout, level))
        found.append((boxes[:, 2:] > boxes[:, :2]).all(1))
    return bool(np.concatenate(found).mean() > 0.95)


def lowest(truth: Truth, asker: Asker, values: list[np.ndarray], value: float, cost: Cost) -> bool:
    """Whether boxes that differ a little from these cost more: in one channel of all, or of a single object."""
    targets, steep = truth.levels(), 0
    fine = 1e-5 * abs(value) + 1e-4 * cost.slack
    for channel in range(4):
        for picked in (slice(None), slice(0, 1), slice(1, 2)):
            costs = []
            for share in (-0.2, 0.2):
                moved = [level.copy() for level in values]
                for level in moved:
                    level[picked, channel] += share * max(float(np.abs(level[:, channel]).mean()), 1e-3)
                costs.append(asker(truth.with_boxes(moved), targets, "boxes moved a little"))
            if min(costs) < value - fine:
                return False
            steep += picked == slice(None) and min(costs) > value + fine
    return steep >= 2


def _others(truth: Truth) -> Iterator[tuple[str, str, list[np.ndarray]]]:
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
