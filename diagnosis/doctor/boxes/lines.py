"""Lines through one quantity and the cell, for channels that no term of the grammar explains."""

import numpy as np

from .agreeing import ENOUGH
from .held import QUANTITIES, SIZES, Held, axis_of
from .points import Reference, Unit
from .search import Fit
from .terms import SLACK, Term


def linear(held: Held, channel: int, rng: np.random.Generator) -> Fit | None:
    """The line through one quantity and the cell that explains nearly all of a channel, whatever its numbers."""
    best: Fit | None = None
    for quantity in QUANTITIES:
        axis = axis_of(quantity)
        cell = held.here[:, axis]
        parts = np.stack((held.quantity(quantity), cell, np.ones(len(held))), 1)
        for columns in ((0, 2), (0, 1, 2)):
            if quantity in SIZES and len(columns) == 3:
                continue
            found = _line(parts[:, list(columns)], held.values[:, channel], rng)
            if found is None or found[1] < ENOUGH or (best is not None and best.share >= found[1] - 0.01):
                continue
            best = Fit(_as_term(quantity, dict(zip(columns, found[0], strict=True)), held.stride), found[1])
    return best


def _as_term(quantity: str, line: dict[int, float], stride: float) -> Term:
    slope, across, rest = line[0], line.get(1, 0.0), line[2]
    sign, unit = 1 if slope > 0 else -1, Unit("fixed", abs(1 / slope))
    if abs(unit.factor - 1) < 2e-3:
        unit = Unit("px")
    elif abs(unit.factor / stride - 1) < 2e-3:
        unit = Unit("stride", stride)
    pitch = -across / slope
    if quantity in SIZES and abs(rest) * unit.factor < 0.1:
        return Term(quantity, unit)
    if abs(pitch) < 0.5:
        return Term(quantity, unit, Reference("here", -rest / slope, 1e-9) if abs(rest / slope) > 0.1 else None, sign)
    return Term(quantity, unit, Reference("here", round(-rest / slope / pitch, 3), round(pitch, 3)), sign)


def _line(parts: np.ndarray, value: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float] | None:
    """Coefficients that explain most of value, from random samples, and the share that they explain."""
    count, width = parts.shape
    if count < 3 * width:
        return None
    drawn = np.stack([rng.choice(count, width, replace=False) for _ in range(40)])
    sound = np.abs(np.linalg.det(parts[drawn])) > 1e-3
    if not sound.any():
        return None
    found = np.linalg.solve(parts[drawn[sound]], value[drawn[sound]][..., None])[..., 0]
    found = found[np.abs(found[:, 0]) > 1e-6]
    if not len(found):
        return None
    guess = found @ parts.T
    slack = 2 * SLACK * np.abs(found[:, :1]) + 2e-3 * np.abs(guess)
    share = (np.abs(guess - value) <= slack).mean(1)
    best = int(share.argmax())
    return found[best], float(share[best])


def lines(held: Held, channel: int) -> list[Fit]:
    """A line through one quantity, over all images or a different one for each size."""
    rng = np.random.default_rng(0)
    found = linear(held, channel, rng)
    if found is not None:
        return [found]
    parts = [held.take((held.sizes == size).all(1)) for size in np.unique(held.sizes, axis=0)]
    each = [linear(part, channel, rng) for part in parts]
    quantities = {line.term.quantity if line else "" for line in each}
    return [line for line in each[:1] if line is not None and len(quantities) == 1]
