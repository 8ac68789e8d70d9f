"""What one channel of a box can hold: a quantity, from a reference point, in a unit, through a function."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..layout import TargetLayout

PLACES = ("cx", "cy", "x1", "y1", "x2", "y2")
SIZES = ("w", "h")
QUANTITIES = (*PLACES, *SIZES)
SLACK = 0.05
"""px within which numbers count as equal."""


@dataclass(frozen=True, eq=False)
class Held:
    """Box channels of n cells of one level, with all that terms speak of.

    ``boxes`` (n, 4) xyxy px; ``sizes`` (n, 2) height, width of the image; ``grids`` (n, 2) rows, columns;
    ``here``, ``meant`` (n, 2) column, row of the cell and of the one that the encoder meant; ``priors`` (n, 2) px of
    the anchor; ``others``: those of other anchors by name, (n, 2); ``values``, ``ground`` (n, 4): the channels, and
    what they hold on an empty image; ``stride`` of the level, ``strides`` of all.
    """

    boxes: np.ndarray
    sizes: np.ndarray
    grids: np.ndarray
    here: np.ndarray
    meant: np.ndarray
    priors: np.ndarray
    others: Mapping[str, np.ndarray]
    values: np.ndarray
    ground: np.ndarray
    stride: float
    strides: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.boxes)

    def take(self, index: np.ndarray) -> "Held":
        """Those of a mask (n,) or of indices."""
        names = ("boxes", "sizes", "grids", "here", "meant", "priors", "values", "ground")
        parts = {name: getattr(self, name)[index] for name in names}
        return replace(self, **parts, others={name: value[index] for name, value in self.others.items()})

    def joined(self, other: "Held") -> "Held":
        """These cells, then those of another table of the same level."""
        names = ("boxes", "sizes", "grids", "here", "meant", "priors", "values", "ground")
        parts = {name: np.concatenate((getattr(self, name), getattr(other, name))) for name in names}
        others = {name: np.concatenate((value, other.others[name])) for name, value in self.others.items()}
        return replace(self, **parts, others=others)

    def quantity(self, name: str) -> np.ndarray:
        """(n,) px: cx, cy, x1, y1, x2, y2, w or h; zeros for none."""
        x1, y1, x2, y2 = self.boxes.T
        return {
            "cx": (x1 + x2) / 2,
            "cy": (y1 + y2) / 2,
            "x1": x1,
            "y1": y1,
            "x2": x2,
            "y2": y2,
            "w": x2 - x1,
            "h": y2 - y1,
            "": np.zeros_like(x1),
        }[name]


@dataclass(frozen=True)
class Reference:
    """A point of a cell: ``offset`` of its side, on a grid of ``pitch`` px.

    ``cell``: "here", "meant" (where the encoder meant to write), "crossed" (row for column), or a grid that was built
    as (rows, columns, 2) and viewed as (2, rows, columns): "grid xy", "grid yx", and of turned sides with " of (w, h)".
    """

    cell: str
    offset: float
    pitch: float

    def point(self, held: Held, axis: int) -> np.ndarray:
        """(n,) px: its x (axis 0) or y (axis 1)."""
        if self.cell in ("here", "meant"):
            index = getattr(held, self.cell)[:, axis]
        elif self.cell == "crossed":
            index = held.here[:, 1 - axis]
        else:
            index = viewed(held, self.cell, axis)
        return (index + self.offset) * self.pitch

    def __str__(self) -> str:
        point = {0.0: "the corner", 0.5: "the middle", 1.0: "the far corner"}.get(
            self.offset, f"the point at {self.offset:g}"
        )
        where = {
            "here": "of the cell",
            "meant": "of the cell that was meant",
            "crossed": "of the cell with row for column",
        }
        said = where.get(self.cell, "of the cell that a grid built as (rows, columns, 2) and viewed as (2, …) names")
        return f"{point} {said} (cells of {self.pitch:g} px)"


GRIDS = ("grid xy", "grid yx", "grid xy of (w, h)", "grid yx of (w, h)")


def viewed(held: Held, kind: str, axis: int) -> np.ndarray:
    """(n,): the index that a grid built as (h, w, 2) and viewed as (2, h, w) holds at each cell, in one channel."""
    height, width = held.grids.T.astype(int)
    columns, rows = (held.here[:, i].round().astype(int) for i in range(2))
    flat = axis * height * width + rows.clip(0, height - 1) * width + columns.clip(0, width - 1)
    cell, part = np.divmod(flat, 2)
    row, column = np.divmod(cell, height if kind.endswith("(w, h)") else width)
    return np.where(part == (0 if kind.startswith("grid xy") else 1), column, row).astype(float)


def axis_of(quantity: str) -> int:
    """0 for what lies along x, 1 for what lies along y."""
    return 0 if quantity in ("cx", "x1", "x2", "w") else 1


@dataclass(frozen=True)
class Unit:
    """What a length is divided by: ``name`` in words' short form, ``factor`` px for lengths that are fixed."""

    name: str
    factor: float = 1.0

    def length(self, held: Held) -> np.ndarray:
        """(n,) px that one unit is."""
        height, width = held.sizes.T
        named = {
            "width": width,
            "height": height,
            "prior width": held.priors[:, 0],
            "prior height": held.priors[:, 1],
            "longer side": np.maximum(height, width),
            "shorter side": np.minimum(height, width),
            "width squared": width**2,
            "height squared": height**2,
        }
        if self.name in named:
            return named[self.name] * self.factor
        if self.name in held.others:
            return held.others[self.name] * self.factor
        return np.full(len(held), self.factor)

    def __str__(self) -> str:
        if self.name == "px":
            return "px"
        if self.name == "fixed":
            return f"units of {self.factor:.6g} px"
        if self.name == "stride":
            return f"strides of {self.factor:g} px"
        return f"{self.name}s" + (f" times {self.factor:.4g}" if self.factor != 1 else "")


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


@dataclass(frozen=True)
class Term:
    """One channel: ``added`` + ``function``(``sign`` * (``quantity`` - ``reference``) in ``unit``).

    With ``inner`` the function is applied in strides of so many px (of which each then counts for ``outer`` px, where
    that is another number), and ``added``, a reference point, joins before the unit divides. ``constant`` stands for
    the function's value where it is always the same. ``prefilled``: what the channel holds on an empty image is added.
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

    def predict(self, held: Held, channel: int, nudge: float = 0.0) -> np.ndarray:
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


def _units(name: str, stride: float) -> tuple[Unit, Unit]:
    """The units of x and y."""
    return {
        "px": (Unit("px"), Unit("px")),
        "stride": (Unit("stride", stride), Unit("stride", stride)),
        "normalized": (Unit("width"), Unit("height")),
        "prior": (Unit("prior width"), Unit("prior height")),
    }[name]
