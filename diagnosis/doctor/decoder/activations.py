"""Box channels that go through a function before they are read as declared."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import product

import numpy as np

from ..boxes.motion import boxes as meant_boxes
from ..boxes.motion import lengths
from .seen import ENOUGH, Reason, Seen


def _sigmoid(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-value))


NOTHING = "a multiplication by 0"
CLEARLY = 1e-3
"""Px by which what an explanation leaves over must be less, to be taken for one as simple."""
ACTIVATIONS: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "": ("", lambda v: v),
    "a sigmoid once more": ("saturated_offset", _sigmoid),
    "a cut to [0, 1]": ("saturated_offset", lambda v: v.clip(0, 1)),
    "a cut to [-1, 1]": ("saturated_offset", lambda v: v.clip(-1, 1)),
    "a hyperbolic tangent": ("saturated_offset", np.tanh),
    "twice a sigmoid less a half": ("saturated_offset", lambda v: 2 * _sigmoid(v) - 0.5),
    "2 v - 0.5, as YOLOv5 takes offsets": ("wrong_box_unit", lambda v: 2 * v - 0.5),
    "(v + 0.5) / 2, as YOLOv3 takes offsets": ("wrong_box_unit", lambda v: (v + 0.5) / 2),
    NOTHING: ("saturated_offset", lambda v: 0 * v),
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

FACTORS = {"the half": 0.5, "the double": 2.0}
LONGER = {f"{step:+g} more": ("wrong_box", lambda v, step=step: v + step) for step in (1.0, -1.0, 0.5, -0.5)}
"""Functions of distances, or of sizes, that would be a shift of places."""


def _functions(stride: float) -> dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """All, with those of a level's stride."""
    return {
        **ACTIVATIONS,
        "a division by the stride": ("wrong_box_unit", lambda v: v / stride),
        "a multiplication by the stride": ("wrong_box_unit", lambda v: v * stride),
    }


def activated(seen: Seen) -> Reason | None:
    """Channels that go through a function before they are read as declared."""
    best: tuple[int, float, Reason] | None = None
    functions = {**_functions(seen.given.stride), **LONGER}
    with np.errstate(all="ignore"):
        places, sizes = _possible(functions, seen)
        for first, last in product(places, sizes):
            names = [name for name in (first, last) if name]
            count = len(set(names))
            if not names or (best and count > best[0]) or not _allowed(first, last, seen):
                continue
            values = np.concatenate(
                (functions[first][1](seen.given.values[:, :2]), functions[last][1](seen.given.values[:, 2:])), 1
            )
            came = meant_boxes(replace(seen.given, values=values), seen.terms)
            share, rest = seen.told(came), seen.rest(came)
            if share >= ENOUGH and (best is None or (count, rest + CLEARLY) < best[:2]):
                codes = _sorted(functions[name][0] for name in names)
                if first == last and first in FACTORS and seen.terms[0].sign > 0:
                    codes = ("wrong_box_unit",)
                best = count, rest, Reason(codes, _words(first, last, seen), share, scale=_scale(first, last, seen))
    return best[2] if best else None


LIKELY = 0.5
"""Of the boxes, the share that a function of two channels must explain by itself."""


def _possible(functions: dict[str, tuple[str, Callable]], seen: Seen) -> tuple[list[str], list[str]]:
    """Names of the functions that may explain the first two channels, and of those for the last two."""
    found: tuple[list[str], list[str]] = ([], [])
    wanted = np.stack([seen.taken.quantity(term.quantity) for term in seen.terms], 1)
    for name, (_, function) in functions.items():
        came = lengths(replace(seen.given, values=function(seen.given.values)), seen.terms)
        right = np.abs(came - wanted) <= 2 * seen.tolerance[:, None]
        for names, part in zip(found, (right[:, :2], right[:, 2:]), strict=True):
            if part.all(1).mean() >= LIKELY:
                names.append(name)
    return found


def _allowed(first: str, last: str, seen: Seen) -> bool:
    """Whether two functions, of places and of sizes, are no shift of places in other words."""
    if NOTHING in (first, last):
        return first == NOTHING and last != NOTHING and seen.terms[2].quantity == "w"
    if seen.terms[0].sign < 0:
        return first == last or not (first in LONGER or last in LONGER)
    return first not in LONGER and (last not in LONGER or seen.terms[2].quantity == "w")


def _scale(first: str, last: str, seen: Seen) -> float | None:
    """How many times as long distances, or sizes, in strides come out, where that is all."""
    alone = first == last if seen.terms[0].sign < 0 else not first and seen.terms[2].quantity == "w"
    return FACTORS.get(last) if alone and seen.terms[2].unit.name == "stride" else None


def _words(first: str, last: str, seen: Seen) -> str:
    if first == last or seen.terms[0].sign < 0 or seen.terms[2].quantity == "x2":
        names = dict.fromkeys(name for name in (first, last) if name)
        return " and ".join(f"box channels {_through(name)}" for name in names)
    parts = [f"{where} {_through(name)}" for where, name in (("places", first), ("sizes", last)) if name]
    return " and ".join(parts)


def _through(name: str) -> str:
    return f"count {name}" if name in LONGER else f"go through {name}"


def _sorted(codes: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(codes)))
