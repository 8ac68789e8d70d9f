"""What each level writes into its box channels: as declared, or the terms that depart from that least together."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..boxes.departures import Choice, choose, price
from ..boxes.motion import Motion, ceiling, motion, whole
from ..boxes.search import Fit, fits, linear, matching
from ..boxes.terms import Held, Term, declared
from ..layout import TargetLayout
from .examination import Examination
from .faults import Fault

RIGHT = 0.95
KINDS = ("place", "class", "edge")
VIEW_FROM = 1.5
"""The cost of terms from which on they are held against other views of the boxes as well."""
EACH = 5
"""Cells of one object that are read."""


@dataclass(frozen=True, eq=False)
class Reading:
    """How one level writes boxes: ``terms`` (None: unexplained), the ``view`` of the boxes that they speak of.

    ``share`` of the cells is explained; ``motion``: the boxes are moved before all else.
    """

    terms: tuple[Term | None, ...]
    share: float
    view: str = ""
    motion: Motion | None = None


def held(exam: Examination, level: int) -> Held | None:
    """The box channels of a sample of the cells that single objects inside the image fill on a level."""
    layout, parts = exam.layout, []
    found = exam.maps.get(level)
    kinds = KINDS[:2] if found is not None and any(found.shift) else KINDS  # shifted cells may have come round
    for answer, seen in zip(exam.answers, exam.seen, strict=True):
        if seen is None or not answer.finite or answer.probe.kind not in kinds or not len(seen[level]):
            continue
        one, grid = seen[level], answer.levels[level].grid
        if (
            found is not None
            and found.turned
            and answer.probe.image_size[0] != answer.probe.image_size[1]
            and exam.leaves(answer, level)
        ):
            continue  # brought back to the border: nobody can say from where
        known = np.flatnonzero(one.core[one.picked])
        at = known[np.unique(np.linspace(0, len(known) - 1, min(EACH, len(known))).round().astype(int))]
        cells = one.picked[at]
        if not len(at):
            continue
        rows, columns = one.rows[cells].astype(float), one.columns[cells].astype(float)
        meant = found.intended(one.rows[cells], one.columns[cells], grid) if found else (rows, columns)
        count = len(at)
        parts.append(
            (
                np.repeat(answer.probe.boxes, count, 0),
                np.tile(np.array(answer.probe.image_size, float), (count, 1)),
                np.tile(grid, (count, 1)),
                np.stack((columns, rows), 1),
                np.stack((meant[1], meant[0]), 1).astype(float),
                one.anchors[cells],
                one.values[at][:, list(layout.box)],
                one.ground[at][:, list(layout.box)],
            )
        )
    if not parts:
        return None
    boxes, sizes, grids, here, meant, anchors, values, ground = (np.concatenate(p) for p in zip(*parts, strict=True))
    return Held(
        boxes=boxes,
        sizes=sizes,
        grids=grids,
        here=here,
        meant=meant,
        priors=layout.priors(level)[anchors],
        others=_others(layout, level, anchors),
        values=values,
        ground=ground,
        stride=layout.strides[level],
        strides=tuple(dict.fromkeys((*layout.strides, *([found.stride] if found else ())))),
    )


def _others(layout: TargetLayout, level: int, anchors: np.ndarray) -> dict[str, np.ndarray]:
    """Sides of priors that stand elsewhere: of other levels, of other anchors of the cell."""
    if layout.anchors is None:
        return {}
    table = np.array(layout.anchors, float)
    count, found = table.shape[1], {}
    for other in range(len(table)):
        if other != level:
            name = "opposite level" if other == len(table) - 1 - level else "other level"
            found[f"{name} {other}"] = table[other][anchors]
    if count > 1:
        found["other anchor, next"] = table[level][(anchors + 1) % count]
        found["other anchor, before"] = table[level][(anchors - 1) % count]
        found["other anchor, from the end"] = table[level][count - 1 - anchors]
    sides = {f"{name} {side}": pair[:, i] for name, pair in found.items() for i, side in enumerate(("width", "height"))}
    return sides or {"prior width": table[level][anchors][:, 0]}


def _scaled(boxes: np.ndarray, size: tuple) -> np.ndarray:
    across, down = size[0] / size[1], size[1] / size[0]
    return boxes * np.stack((across, down, across, down), -1)


def _clipped(boxes: np.ndarray, size: tuple) -> np.ndarray:
    return np.minimum(boxes, np.stack((size[0], size[1], size[0], size[1]), -1))


VIEWS = {
    "scaled": ("image_size_swapped", "boxes are scaled by the exchanged sides of the image"),
    "clipped": ("image_size_swapped", "boxes are cut to the exchanged sides of the image"),
    "floor": ("wrong_box", "coordinates are cut to whole px"),
    "ceil": ("wrong_box", "coordinates are rounded up to whole px"),
    "round": ("wrong_box", "coordinates are rounded to whole px"),
}
BOXES: dict[str, Callable[[np.ndarray, tuple], np.ndarray]] = {
    "scaled": _scaled,
    "clipped": _clipped,
    "floor": lambda boxes, size: np.floor(boxes),
    "ceil": lambda boxes, size: np.ceil(boxes),
    "round": lambda boxes, size: np.round(boxes),
}
"""The boxes (n, 4) as an encoder may see them, of images of (height, width), numbers or (n,)."""


def viewed(table: Held, view: str) -> Held:
    """The same cells with the boxes of a view."""
    return replace(table, boxes=BOXES[view](table.boxes, tuple(table.sizes.T))) if view in BOXES else table


def agreeing(exam: Examination) -> Examination:
    """The maps, with another level's shift where the boxes of a level agree with that and with no shift of its own."""
    maps = dict(exam.maps)
    for level, found in exam.maps.items():
        shifts = {other.shift for other in exam.maps.values()} - {found.shift}
        terms = declared(exam.layout, level)
        if not shifts or all(term.reference is None for term in terms) or _right(exam, level, terms):
            continue
        for shift in sorted(shifts):
            other = replace(exam, maps={**exam.maps, level: replace(found, shift=shift)})
            if _right(other, level, terms):
                maps[level] = other.maps[level]
                break
    return replace(exam, maps=maps)


def _right(exam: Examination, level: int, terms: tuple[Term, ...]) -> bool:
    """Whether boxes are as declared, from the cells that were meant."""
    table = held(exam, level)
    return table is None or matching(table, tuple(_meant(term) for term in terms)).mean() >= RIGHT


@dataclass(frozen=True, eq=False)
class _Searched:
    """One level's channels, the terms declared, those that fit each channel; a view or motion that makes all right.

    ``view``: that of the boxes in ``held``, which the fits speak of.
    """

    held: Held
    terms: tuple[Term, ...]
    fits: tuple[list[Fit], ...] = ()
    reading: Reading | None = None
    faults: tuple[Fault, ...] = ()
    view: str = ""


def read(exam: Examination, paid: frozenset[str]) -> tuple[dict[int, Reading], list[Fault]]:
    """How each level writes boxes, and where that is otherwise than declared; ``paid``: codes that cells have shown.

    Levels are decided together: a departure that one shows costs the others little.
    """
    found = {level: one for level in sorted(exam.used) if (one := _search(exam, level)) is not None}
    searched = {level: _in_other_view(one, level, paid) for level, one in found.items()}
    rest = {level: one for level, one in searched.items() if one.reading is None}
    choices = {level: choose(one.fits, one.terms, paid) for level, one in rest.items()}
    for level, one in rest.items():
        others = {code for other, choice in choices.items() if other != level for code in choice.codes}
        choices[level] = choose(one.fits, one.terms, paid | others)
    readings = {level: one.reading for level, one in searched.items() if one.reading is not None}
    faults = [fault for one in searched.values() for fault in one.faults]
    for level, choice in choices.items():
        readings[level], told = _settle(rest[level], choice, level)
        faults += told
    if any(("wrong_box_unit", "priors of another level") in choice.departures for choice in choices.values()):
        # one level may chance upon its opposite's
        faults = [replace(f, code="wrong_box_unit") if f.code == "levels_reversed" else f for f in faults]
    return readings, faults


def _search(exam: Examination, level: int) -> _Searched | None:
    """None where a level shows no boxes."""
    table, terms = held(exam, level), declared(exam.layout, level)
    if table is None:
        return None
    meant = tuple(_meant(term) for term in terms)
    shares = {option: float(matching(table, option).mean()) for option in (terms, meant)}
    best = max(shares, key=lambda option: shares[option])
    if shares[best] >= RIGHT:
        return _Searched(table, terms, reading=Reading(best, shares[best]))
    if len(table) < 4:
        return _Searched(table, terms, reading=Reading(terms, shares[terms]))
    oblong = bool((table.sizes[:, 0] != table.sizes[:, 1]).any())
    for name, (code, what) in VIEWS.items():
        if code == "image_size_swapped" and not oblong:
            continue
        seen = viewed(table, name)
        for option in (terms, meant):
            share = float(matching(seen, option).mean())
            if share >= RIGHT:
                reading = Reading(option, share, view=name)
                return _Searched(table, terms, reading=reading, faults=(Fault(code, what, level),))
    found = tuple(fits(table, channel, term) for channel, term in enumerate(terms))
    if not all(found):
        other = _moved(table, terms, level) or _moved(table, meant, level)
        if other is not None:
            return replace(other, held=table, terms=terms)
        found = tuple(fit or _lines(table, channel) for channel, fit in enumerate(found))
    return _Searched(table, terms, fits=found)


def _in_other_view(one: _Searched, level: int, paid: frozenset[str]) -> _Searched:
    """The channels as terms of boxes of an image whose sides are exchanged, where that departs less."""
    if one.reading is not None or (one.held.sizes[:, 0] == one.held.sizes[:, 1]).all():
        return one
    least = choose(one.fits, one.terms, paid).cost
    if least < VIEW_FROM:
        return one
    best = one
    for name, (code, what) in VIEWS.items():
        if code != "image_size_swapped":
            continue
        seen = viewed(one.held, name)
        found = tuple(fits(seen, channel, term) for channel, term in enumerate(one.terms))
        cost = choose(found, one.terms, paid).cost + price(frozenset({(code, name)}), paid)
        if all(found) and cost < least:
            least = cost
            best = replace(one, held=seen, fits=found, faults=(Fault(code, what, level),), view=name)
    return best


def _meant(term: Term) -> Term:
    """The same from the cell that the encoder meant to write."""
    return term if term.reference is None else replace(term, reference=replace(term.reference, cell="meant"))


def _moved(table: Held, terms: tuple[Term, ...], level: int) -> _Searched | None:
    """Boxes cut at a ceiling, or moved as a whole."""
    top = ceiling(table, terms)
    if top is not None:
        what = f"no side or distance is greater than {top:.4g} px, {top / table.stride:.3g} strides"
        fault = Fault("range_ceiling", what, level, evidence={"ceiling_px": top})
        return _Searched(table, terms, reading=Reading(terms, 1.0, view="ceiling"), faults=(fault,))
    found = motion(table, terms)
    if found is None:
        return None
    fault = Fault("wrong_box", f"boxes are moved: {found}", level)
    return _Searched(table, terms, reading=Reading(terms, 1.0, motion=found), faults=(fault,))


def _lines(table: Held, channel: int) -> list[Fit]:
    """A line through one quantity, over all images or a different one for each size."""
    rng = np.random.default_rng(0)
    found = linear(table, channel, rng)
    if found is not None:
        return [found]
    parts = [table.take((table.sizes == size).all(1)) for size in np.unique(table.sizes, axis=0)]
    lines = [linear(part, channel, rng) for part in parts]
    quantities = {line.term.quantity if line else "" for line in lines}
    return [line for line in lines[:1] if line is not None and len(quantities) == 1]


def reversed_order(exam: Examination, readings: dict[int, Reading]) -> bool:
    """Whether levels work with each other's strides: each one that is wrong, or whose partner cannot be read."""
    strides, believed = exam.layout.strides, {}
    for level, found in exam.maps.items():
        shown = _pitch(readings.get(level), strides[level])
        if shown is not None or found.fit >= 0.7:
            believed[level] = shown or found.stride
    wrong = {level for level, stride in believed.items() if stride != strides[level]}
    for level in wrong:
        partner = len(strides) - 1 - level
        found = exam.maps.get(partner)
        kept = partner in believed and partner not in wrong and found is not None and found.seen >= 12
        if believed[level] != strides[partner] or (kept and found is not None and found.fit >= 0.85):
            return False
    return bool(wrong)


def _pitch(reading: Reading | None, stride: float) -> float | None:
    """The stride that a level's terms show, where it is another."""
    for term in reading.terms if reading else ():
        if term is None:
            continue
        if term.reference is not None and abs(term.reference.pitch - stride) > 1e-6 and term.reference.pitch > 1:
            return term.reference.pitch
        if term.unit.name == "stride" and term.unit.factor != stride:
            return term.unit.factor
    return None


WORDS = {
    "axes_swapped": "x and y change places",
    "wrong_box_format": "boxes are written in another format",
    "wrong_box_unit": "boxes are written in another unit",
    "saturated_offset": "an offset is cut or stuck",
}


def _settle(one: _Searched, choice: Choice, level: int) -> tuple[Reading, list[Fault]]:
    """The reading of a level and its faults, in words."""
    known = tuple(
        term or Term("", d.unit, constant=np.nan, inner=1.0) for term, d in zip(choice.terms, one.terms, strict=True)
    )
    right = np.stack(
        [
            term.agrees(one.held, channel) if choice.terms[channel] else np.ones(len(one.held), bool)
            for channel, term in enumerate(known)
        ]
    ).all(0)
    share = float(right.mean())
    names = ("first", "second", "third", "fourth")
    said = [
        f"the {name} channel holds {term}"
        for name, term, wanted in zip(names, choice.terms, one.terms, strict=True)
        if term is not None and term != wanted
    ]
    lost = [name for name, term in zip(names, choice.terms, strict=True) if term is None]
    faults = []
    for code in choice.codes:
        what = "; ".join(said) or WORDS.get(code, code)
        if code == "wrong_box" and lost:
            what = f"nothing explains the {' and '.join(lost)} channel"
            if whole(one.held, one.terms):
                what = "the boxes are in whole px"
        faults.append(Fault(code, what, level, evidence={"explained": round(share, 3)}))
    return Reading(choice.terms, share, view=one.view), faults
