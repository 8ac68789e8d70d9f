"""Why boxes come out otherwise than they were given: the least departure that explains them all."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import permutations, product

import numpy as np

from ..boxes.departures import choose
from ..boxes.motion import boxes as meant_boxes
from ..boxes.motion import ceiling, motion, whole
from ..boxes.search import fits
from ..boxes.terms import Held, Term

ENOUGH = 0.9
FEW = 8
"""A ceiling below so many strides is an error, above it a warning."""


@dataclass(frozen=True)
class Reason:
    """``codes`` of one explanation, in words, and the share of the wrong boxes that it explains.

    ``stride``: the one that the level works with, where it is another.
    """

    codes: tuple[str, ...]
    words: str
    share: float
    severity: str = "error"
    evidence: dict = field(default_factory=dict)
    stride: float | None = None


@dataclass(frozen=True, eq=False)
class Seen:
    """One level's predictions: ``given`` as they were meant and written, ``came`` (n, 4) what came out.

    ``tolerance`` (n,) px; ``terms`` that the layout declares.
    """

    given: Held
    came: np.ndarray
    tolerance: np.ndarray
    terms: tuple[Term, ...]

    def take(self, index: np.ndarray) -> "Seen":
        """Those of a mask or of indices."""
        return replace(self, given=self.given.take(index), came=self.came[index], tolerance=self.tolerance[index])

    @cached_property
    def right(self) -> np.ndarray:
        """(n,) bool: the boxes that come out as given, or cut to the image."""
        return self.agrees(self.came) | self._cut(0.0) | self._cut(1.0)

    def _cut(self, less: float) -> np.ndarray:
        height, width = (self.given.sizes - less).T
        ends = np.stack((width, height, width, height), 1)
        return self.agrees(self.came, np.clip(self.given.boxes, 0, ends))

    def agrees(self, came: np.ndarray, boxes: np.ndarray | None = None) -> np.ndarray:
        """(n,) bool: whether boxes are those given."""
        boxes = self.given.boxes if boxes is None else boxes
        with np.errstate(all="ignore"):
            return np.abs(came - boxes).max(1) <= self.tolerance

    def share(self, came: np.ndarray) -> float:
        """The share of boxes that are those given, among those that came out wrong where that is less."""
        agrees = self.agrees(came)
        return float(min(agrees.mean(), agrees[~self.right].mean())) if not self.right.all() else 1.0

    def told(self, boxes: np.ndarray) -> float:
        """The same of boxes that an explanation says would come out."""
        agrees = self.agrees(self.came, boxes)
        return float(min(agrees.mean(), agrees[~self.right].mean())) if not self.right.all() else 1.0

    @property
    def inside(self) -> np.ndarray:
        """(n,) bool: the predictions whose boxes lie in the image as a whole."""
        height, width = self.given.sizes.T
        x1, y1, x2, y2 = self.given.boxes.T
        return (x1 >= 0) & (y1 >= 0) & (x2 <= width) & (y2 <= height)

    @property
    def taken(self) -> Held:
        """What came, beside the channels that were given: how an encoder would have to write to be read so."""
        return replace(self.given, boxes=self.came)


def reason(seen: Seen) -> Reason | None:
    """The first that explains nearly all of: a ceiling, another form given out, activations, cells, terms, a motion."""
    for found in (_ceiling, _forms, _rounded, _activated, _cells, _terms, _moved):
        explained = found(seen)
        if explained is not None:
            return explained
    return None


def _ceiling(seen: Seen) -> Reason | None:
    top = _top(seen) or _top(seen.take(seen.inside))
    if top is None:
        return None
    stride = seen.given.stride
    return Reason(
        codes=("range_ceiling",),
        words=f"no side or distance comes out larger than {top:.1f} px, {top / stride:.2f} strides",
        share=1.0,
        severity="error" if top < FEW * stride * (0.5 if seen.terms[0].sign < 0 else 1.0) else "warning",
        evidence={"ceiling_px": top, "strides": top / stride},
    )


def _top(seen: Seen) -> float | None:
    if len(seen.came) < 4:
        return None
    return ceiling(replace(seen.given, values=_written(seen)), seen.terms)


def _written(seen: Seen) -> np.ndarray:
    """(n, 4): the channels in which an encoder as declared would have written what came."""
    with np.errstate(all="ignore"):
        return np.nan_to_num(np.stack([term.predict(seen.taken, i) for i, term in enumerate(seen.terms)], 1))


Change = tuple[str, str, Callable[[np.ndarray, Held], np.ndarray]]
"""A code, words, and what turns boxes that came into those that were meant."""


def _corners(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate((boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2), 1)


def _sides(held: Held) -> np.ndarray:
    height, width = held.sizes.T
    return np.stack((width, height, width, height), 1)


FORMATS: tuple[Change, ...] = (
    ("", "", lambda b, held: b),
    ("wrong_box_format", "as centre, width and height", lambda b, held: _corners(b)),
    (
        "wrong_box_format",
        "as corner, width and height",
        lambda b, held: np.concatenate((b[:, :2], b[:, :2] + b[:, 2:]), 1),
    ),
    (
        "wrong_box_format",
        "as centre and half of width and height",
        lambda b, held: np.concatenate((b[:, :2] - b[:, 2:], b[:, :2] + b[:, 2:]), 1),
    ),
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
)


def _orders() -> Iterator[Change]:
    yield "", "", lambda b, held: b
    for order in permutations(range(4)):
        if order == (0, 1, 2, 3):
            continue
        inverse = list(np.argsort(order))
        code = "axes_swapped" if order in ((1, 0, 3, 2), (1, 0, 2, 3), (0, 1, 3, 2)) else "wrong_box_format"
        yield code, f"with numbers in the order {order}", lambda b, held, inverse=inverse: b[:, inverse]


ORDERS = tuple(_orders())


def _forms(seen: Seen) -> Reason | None:
    """Boxes that are given out in another format, unit or order: the fewest changes that undo that."""
    best: tuple[int, Reason] | None = None
    if _clipped(seen):
        return Reason(("image_size_swapped",), "boxes are cut to the exchanged sides of the image", 1.0)
    for changes in product(FORMATS, UNITS, ORDERS):
        codes = tuple(dict.fromkeys(code for code, _, _ in changes if code))
        count = sum(bool(code) for code, _, _ in changes)
        if not codes or (best and count >= best[0]):
            continue
        came = changes[2][2](seen.came, seen.given)
        for _, _, change in (changes[1], changes[0]):
            came = change(came, seen.given)
        share = seen.share(came)
        if share >= ENOUGH:
            said = " and ".join(words for _, words, _ in changes if words)
            best = count, Reason(codes, f"boxes are given out {said}", share)
    return best[1] if best else None


def _clipped(seen: Seen) -> bool:
    """Whether boxes are cut at the image's height in x and at its width in y."""
    turned = _sides(seen.given)[:, [1, 0, 3, 2]]
    wanted = [np.clip(seen.given.boxes, 0, turned - less) for less in (0, 1)]
    return any(seen.told(boxes) >= ENOUGH for boxes in wanted)


def _rounded(seen: Seen) -> Reason | None:
    if not whole(replace(seen.given, values=_written(seen)), seen.terms):
        return None
    return Reason(("wrong_box",), "boxes come out in whole px", 1.0, severity="warning")


def _sigmoid(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-value))


ACTIVATIONS: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "": ("", lambda v: v),
    "a sigmoid once more": ("saturated_offset", _sigmoid),
    "a cut to [0, 1]": ("saturated_offset", lambda v: v.clip(0, 1)),
    "a cut to [-1, 1]": ("saturated_offset", lambda v: v.clip(-1, 1)),
    "a hyperbolic tangent": ("saturated_offset", np.tanh),
    "twice a sigmoid less a half": ("saturated_offset", lambda v: 2 * _sigmoid(v) - 0.5),
    "2 v - 0.5, as YOLOv5 takes offsets": ("half_cell_offset", lambda v: 2 * v - 0.5),
    "a cut at 0": ("saturated_offset", lambda v: v.clip(min=0)),
    "an exponential": ("wrong_box_unit", np.exp),
    "a softplus": ("wrong_box_unit", lambda v: np.log1p(np.exp(v))),
    "a square": ("wrong_box_unit", np.square),
    "a square of the double": ("wrong_box_unit", lambda v: np.square(2 * v)),
    "a square root": ("wrong_box_unit", lambda v: np.sqrt(np.abs(v))),
    "a logarithm": ("wrong_box_unit", lambda v: np.log(np.maximum(v, 1e-9))),
    "the half": ("wrong_box_format", lambda v: v / 2),
    "the double": ("wrong_box_format", lambda v: v * 2),
}


def _functions(stride: float) -> dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """All, with those of a level's stride."""
    return {
        **ACTIVATIONS,
        "a division by the stride": ("wrong_box_unit", lambda v: v / stride),
        "a multiplication by the stride": ("wrong_box_unit", lambda v: v * stride),
    }


def _activated(seen: Seen) -> Reason | None:
    """Channels that go through a function before they are read as declared."""
    best: tuple[int, Reason] | None = None
    functions = _functions(seen.given.stride)
    with np.errstate(all="ignore"):
        for first, last in product(functions, repeat=2):
            names = [name for name in (first, last) if name]
            count = len(set(names))
            if not names or (best and count >= best[0]):
                continue
            values = np.concatenate(
                (functions[first][1](seen.given.values[:, :2]), functions[last][1](seen.given.values[:, 2:])), 1
            )
            share = seen.told(meant_boxes(replace(seen.given, values=values), seen.terms))
            if share < ENOUGH:
                continue
            what = [f"{where} go through {name}" for where, name in (("places", first), ("sizes", last)) if name]
            if first == last or seen.terms[0].sign < 0 or seen.terms[2].quantity == "x2":
                what = [f"box channels go through {name}" for name in dict.fromkeys(names)]
            best = count, Reason(_sorted(functions[name][0] for name in names), " and ".join(what), share)
    return best[1] if best else None


def _sorted(codes) -> tuple[str, ...]:
    return tuple(sorted(set(codes)))


def cells(held: Held) -> dict[str, tuple[str, np.ndarray]]:
    """Other cells (n, 2) column, row for which a decoder may take these, each with its code, by words."""
    height, width = held.grids.T.astype(int)
    column, row = held.here.T.astype(int)
    flat, turned = row * width + column, column * height + row
    return {
        "the grid is laid out column by column": ("axes_swapped", np.stack((flat // height, flat % height), 1)),
        "rows and columns of the grid change places": ("axes_swapped", np.stack((row, column), 1)),
        "the grid counts with the height for the width": (
            "image_size_swapped",
            np.stack((flat % height, flat // height), 1),
        ),
        "cells are read column by column, the grid row by row": (
            "axes_swapped",
            np.stack((turned % width, turned // width), 1),
        ),
        "columns are counted from the other side": ("wrong_cell", np.stack((width - 1 - column, row), 1)),
        "rows are counted from the other side": ("wrong_cell", np.stack((column, height - 1 - row), 1)),
        "rows and columns are counted from the other side": (
            "wrong_cell",
            np.stack((width - 1 - column, height - 1 - row), 1),
        ),
    }


def _cells(seen: Seen) -> Reason | None:
    """The boxes of other cells' anchor points."""
    if all(term.reference is None for term in seen.terms):
        return None
    best: tuple[float, Reason] | None = None
    for words, (code, others) in cells(seen.given).items():
        moved = replace(seen.given, here=others.astype(float))
        share = seen.told(meant_boxes(moved, seen.terms))
        if share >= ENOUGH and (best is None or share > best[0] + 0.02):
            best = share, Reason((code,), words, share)
    return best[1] if best else None


NAMES = ("first", "second", "third", "fourth")


def _terms(seen: Seen) -> Reason | None:
    """Each channel by itself, and the four together, in the grammar of encoders."""
    inside = seen.take(seen.inside & (np.abs(seen.came).max(1) < 1e7))
    if len(inside.came) < 4:
        return None
    held = inside.taken
    found = [fits(held, channel, term) for channel, term in enumerate(seen.terms)]
    if not all(found):
        return None
    choice = choose(found, seen.terms)
    if not choice.codes:
        return None
    terms = [
        (name, term)
        for name, term, wanted in zip(NAMES, choice.terms, seen.terms, strict=True)
        if term and term != wanted
    ]
    said = "; ".join(f"the {name} channel is read as if it held {_own(term, held.stride)}" for name, term in terms)
    agree = np.stack([term.agrees(held, i) for i, term in enumerate(choice.terms) if term is not None]).all(0)
    stride = choice_stride(choice.terms, held.stride)
    return Reason(choice.codes, said, float(agree.mean()), stride=stride)


def choice_stride(terms: Sequence[Term | None], own: float) -> float | None:
    """The stride that terms speak of, where it is another than the level's own."""
    for term in terms:
        if term is not None and term.unit.name == "stride" and term.unit.factor != own:
            return term.unit.factor
        if term is not None and term.reference is not None and term.reference.pitch not in (own, 1e-9):
            return term.reference.pitch
    return None


def _own(term: Term, stride: float) -> str:
    """The term, with the level's own stride unnamed, so that levels that do alike read alike."""
    return str(term).replace(f" (cells of {stride:g} px)", "").replace(f"strides of {stride:g} px", "strides")


def _moved(seen: Seen) -> Reason | None:
    inside = seen.take(seen.inside)
    if len(inside.came) < FEW:
        return None
    found = motion(replace(inside.given, values=_written(inside)), seen.terms)
    return None if found is None else Reason(("wrong_box",), f"boxes come out moved: {found}", 0.95)


def first_wrong(seen: Seen) -> dict[str, object]:
    """The first wrong box, as numbers."""
    at = int(np.flatnonzero(~seen.right)[0])
    return {
        "given": seen.given.boxes[at].round(2).tolist(),
        "got": seen.came[at].round(2).tolist(),
        "cell": seen.given.here[at, ::-1].astype(int).tolist(),
    }
