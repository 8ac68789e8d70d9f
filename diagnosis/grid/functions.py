"""Functions by which decoders make places of raw outputs, and the place that such a function starts from."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit

EXACT = 0.005  # cells: what a function may leave that is the right one
SURE = 5e-5  # cells: what is left of one that is beyond doubt, where a line leaves
MORE = 10.0  # times as much
KEPT = 0.85  # of the cells: the rest may be clipped
WIDE = 1.2  # cells: a sigmoid that reaches farther may also lie about the declared point
LEAST, MOST = 0.02, 8.0  # factors of a raw output within a function
TRIED = 9  # factors before the best is sought
LINE = "line"
SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "exponential": np.exp,
    "softplus": lambda raw: np.logaddexp(0, raw),
    "sigmoid": expit,
}
SIDES = (LINE, "exponential", "softplus", "sigmoid")


@dataclass(frozen=True)
class Start:
    """``at``: where a place starts, in cells; ``factor``: cells by which it goes on for 1 of the function.

    Of a centre, ``at_point`` and ``at_middle``: whether it may start at the declared point, at the middle of its cell.
    """

    at: float
    factor: float
    at_point: bool = True
    at_middle: bool = False


@dataclass(frozen=True)
class _Fit:
    constant: float
    factor: float
    left: float


def start_of_side(raw: np.ndarray, place: np.ndarray, function: str) -> Start | None:
    """Where a side lies whose distance is 0, if this function, of any scale within and without, makes it."""
    fit = _line(raw, place) if function == LINE else _shaped(raw, place, SHAPES[function])
    return Start(fit.constant, fit.factor) if fit.left <= EXACT else None


def start_of_centre(raw: np.ndarray, place: np.ndarray) -> Start | None:
    """Where a centre lies at a raw output of 0: by a line at its point, by a sigmoid in the middle of its cell."""
    line, bent = _line(raw, place), _shaped(raw, place, expit)
    sure = bent.left <= SURE and bent.left * MORE <= line.left
    if line.left <= EXACT and not sure:
        return Start(line.constant, line.factor, at_middle=bool(bent.left < line.left / 4))
    if bent.left > EXACT:
        return None
    wide = abs(bent.factor) > WIDE
    return Start(bent.constant + bent.factor / 2, bent.factor, at_point=wide, at_middle=True)


def _shaped(raw: np.ndarray, place: np.ndarray, shape: Callable[[np.ndarray], np.ndarray]) -> _Fit:
    """The best fit over the factor of the raw output."""

    def left(log: float) -> float:
        return _line(shape(np.clip(np.exp(log) * raw, -50, 50)), place).left

    tried = np.linspace(np.log(LEAST), np.log(MOST), TRIED)
    best = tried[np.argmin([left(log) for log in tried])]
    width = tried[1] - tried[0]
    found = minimize_scalar(left, bounds=(best - width, best + width), method="bounded", options={"xatol": 1e-4})
    return _line(shape(np.clip(np.exp(found.x) * raw, -50, 50)), place)


def _line(term: np.ndarray, place: np.ndarray) -> _Fit:
    """A line through the cells that fit best, and the root mean square of what is left of these."""
    kept = np.ones(len(place), bool)
    constant = factor = 0.0
    left = np.full(len(place), np.inf)
    for _ in range(2):
        middle, level = term[kept].mean(), place[kept].mean()
        apart = term[kept] - middle
        factor = float(apart @ (place[kept] - level) / max(apart @ apart, 1e-300))
        constant = float(level - factor * middle)
        left = np.abs(constant + factor * term - place)
        kept = left <= np.quantile(left, KEPT)
    return _Fit(constant, factor, float(np.sqrt(np.mean(left[kept] ** 2))))
