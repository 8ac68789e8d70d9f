"""What one channel of a box can hold: a quantity, from a reference point, in a unit, through a function."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from ..layout import TargetLayout
from .held import Held, axis_of
from .points import Reference, Unit

SLACK = 0.05
"""px within which numbers count as equal."""


def _quiet(function, value: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return function(value)


FUNCTIONS = {
    "identity": lambda v: v,
    "clamp": lambda v: v.clip(0, 1),
    "log": np.log,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "square": np.square,
    "half": lambda v: v / 2,
    "double": lambda v: v * 2,
    "mod 1": lambda v: v % 1,
    "floor": np.floor,
    "round": np.round,
    "log of one more": np.log1p,
    "negated": np.negative,
}
SPOKEN = {
    "clamp": "cut to [0, 1]",
    "log": "as a logarithm",
    "exp": "as an exponential",
    "sqrt": "as a square root",
    "square": "squared",
    "half": "halved",
    "double": "doubled",
    "mod 1": "modulo 1",
    "floor": "cut to whole numbers",
    "round": "rounded to whole numbers",
    "log of one more": "as log(1 + v)",
    "negated": "negated",
}


def _bfloat16(value: np.ndarray) -> np.ndarray:
    return torch.from_numpy(np.asarray(value, np.float32)).bfloat16().double().numpy()


KEPT = {"": lambda v: v, "whole": np.trunc, "nearest": np.round, "bfloat16": _bfloat16}
"""In what precision a finished number is kept."""
KEPT_SPOKEN = {
    "whole": "cut to whole numbers",
    "nearest": "rounded to whole numbers",
    "bfloat16": "kept in bfloat16, which has 8 bits",
}


@dataclass(frozen=True)
class Term:
    """One channel: ``gain`` * (``added`` + ``function``(``sign`` * (``quantity`` - ``reference``) in ``unit``)).

    With ``inner`` the function is applied in strides of so many px (of which each then counts for ``outer`` px, where
    that is another number), and ``added``, a reference point, joins before the unit divides. ``constant`` stands for
    the function's value where it is always the same. ``prefilled``: what the channel holds on an empty image is added.
    ``kept``: the precision of ``KEPT`` that is left of the number in the end.
    """

    quantity: str
    unit: Unit
    reference: Reference | None = None
    sign: int = 1
    function: str = "identity"
    inner: float | None = None
    outer: float | None = None
    added: Reference | None = None
    constant: float | None = None
    prefilled: bool = False
    gain: float = 1.0
    kept: str = ""

    @property
    def fades(self) -> bool:
        """Whether small numbers may become 0, as if nothing had been written."""
        return self.kept in ("whole", "nearest") or self.function in ("floor", "round")

    def predict(self, held: Held, channel: int, nudge: float | np.ndarray = 0.0) -> np.ndarray:
        """(n,): what the channel holds, with the quantity moved by ``nudge`` px."""
        axis = axis_of(self.quantity) if self.quantity else channel % 2
        value = held.quantity(self.quantity) + nudge
        if self.reference is not None:
            value = self.sign * (value - self.reference.point(held, axis))
        unit = self.unit.length(held)
        if self.inner is None and self.added is None:
            value = _quiet(FUNCTIONS[self.function], value / unit)
        else:
            pitch = self.inner or 1.0
            inside = _quiet(FUNCTIONS[self.function], value / pitch)
            inside = inside if self.constant is None else np.full_like(inside, self.constant)
            added = 0.0 if self.added is None else self.added.point(held, axis)
            value = (inside * (self.outer or pitch) + added) / unit
        value = _quiet(KEPT[self.kept], self.gain * value)
        return value + held.ground[:, channel] if self.prefilled else value

    def agrees(self, held: Held, channel: int) -> np.ndarray:
        """(n,) bool: the cells whose channel holds what the term says, within 0.05 px and a thousandth."""
        guess = self.predict(held, channel)
        low, high = (self.predict(held, channel, nudge) for nudge in (-SLACK, SLACK))
        with np.errstate(all="ignore"):
            slack = np.fmax(np.abs(high - guess), np.abs(low - guess)) + 1e-3 * np.abs(guess) + 1e-6
            return np.abs(guess - held.values[:, channel]) <= slack

    def __str__(self) -> str:
        names = {"cx": "the centre's x", "cy": "the centre's y", "w": "the width", "h": "the height", "": "nothing"}
        said = names.get(self.quantity, f"the corner's {self.quantity}")
        if self.quantity and self.reference is not None:
            said = f"{said} from {self.reference}" if self.sign > 0 else f"{self.reference} less {said}"
        if self.constant is not None:
            said = f"{self.constant:g} stride in place of {said}"
        said += f", in strides {SPOKEN[self.function]}," if self.inner and self.function != "identity" else ""
        said += f" a stride counted as {self.outer:g} px," if self.outer else ""
        if self.added is not None:
            said = f"{self.added}" if self.constant == 0 else f"{self.added} plus {said}"
        said += f" in {self.unit}"
        said += f", {SPOKEN[self.function]}" if not self.inner and self.function != "identity" else ""
        said += f", times {self.gain:.4g}" if self.gain != 1 else ""
        said += f", {KEPT_SPOKEN[self.kept]}" if self.kept else ""
        return f"what it was filled with before, plus {said}" if self.prefilled else said


def declared(layout: TargetLayout, level: int) -> tuple[Term, Term, Term, Term]:
    """The terms that a layout declares for the four box channels of a level."""
    stride = layout.strides[level]
    point = Reference("here", layout.grid_offset, stride)
    start = point if layout.relative else None
    x, y = _units(layout.unit, stride)
    w, h = _units(layout.size_unit or layout.unit, stride)
    if layout.format == "ltrb":
        return (
            Term("x1", x, point, -1, layout.size_function),
            Term("y1", y, point, -1, layout.size_function),
            Term("x2", x, point, 1, layout.size_function),
            Term("y2", y, point, 1, layout.size_function),
        )
    if layout.format == "xyxy":
        return Term("x1", x, start), Term("y1", y, start), Term("x2", x, start), Term("y2", y, start)
    first = ("cx", "cy") if layout.format == "cxcywh" else ("x1", "y1")
    return (
        Term(first[0], x, start),
        Term(first[1], y, start),
        Term("w", w, function=layout.size_function),
        Term("h", h, function=layout.size_function),
    )


@lru_cache(typed=True)
def _units(name: str, stride: float) -> tuple[Unit, Unit]:
    """The units of x and y."""
    return {
        "px": (Unit("px"), Unit("px")),
        "stride": (Unit("stride", stride), Unit("stride", stride)),
        "normalized": (Unit("width"), Unit("height")),
        "prior": (Unit("prior width"), Unit("prior height")),
    }[name]
