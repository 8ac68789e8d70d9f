"""How the answers of a grid move when something moves in the image: the displacement at which two maps agree best."""

from dataclasses import dataclass

import numpy as np
from scipy import fft

OFF, ON = 0.5, 0.9  # agreements of a single row or column that does not move so, and of one that does
PART, WHOLE = 0.2, 0.93  # of what answers: a part that says something, and nearly all
FLAT = 1e-3  # of the largest answer: by which those of all cells may differ where they are the same
DIGITS = 9  # of an agreement: of displacements that agree as well the first is taken, whatever rounding says
LEAST_SHARED = 0.3  # of the cells: displacements that leave less in common are not tried


@dataclass(frozen=True)
class Motion:
    """Two (c, h, w) maps agree best when the first moves by ``rows`` and ``cols``; ``agreement`` from -1 to 1.

    ``declared`` is their agreement at the displacement that was expected, None where that is off the grid. ``torn``:
    the share of what answers in rows or columns that do not move so, where all others do. ``flat``: all cells answer
    alike.
    """

    rows: int
    cols: int
    agreement: float
    declared: float | None
    torn: float = 0.0
    flat: bool = False


def measure_motion(before: np.ndarray, after: np.ndarray, expected: tuple[float, float]) -> Motion:
    """The move from ``before`` to ``after``, (c, h, w) each: the peak of their normalized cross-correlation."""
    height, width = before.shape[1:]
    product, shared = _correlate(before, after), _within(np.ones((height, width)))
    energy = (_within((before**2).sum(0)) * _within((after**2).sum(0))[::-1, ::-1]).clip(0)
    worth = product / np.sqrt(energy.clip(max(1e-6 * energy.max(), 1e-300)))
    worth = np.where(shared >= LEAST_SHARED * height * width, worth, -1)
    row, col = np.unravel_index(worth.round(DIGITS).argmax(), worth.shape)
    at = [round(value) + side - 1 for value, side in zip(expected, (height, width), strict=True)]
    on = all(0 <= place < size for place, size in zip(at, worth.shape, strict=True)) and worth[*at] > -1
    return Motion(
        rows=int(row) - height + 1,
        cols=int(col) - width + 1,
        agreement=float(worth[row, col]),
        declared=float(worth[*at]) if on else None,
        flat=bool(np.abs(before).max() > 0 and np.ptp(before, (1, 2)).max() < FLAT * np.abs(before).max()),
        torn=_torn(before, after, (round(expected[0]), round(expected[1]))) if on else 0.0,
    )


def _torn(before: np.ndarray, after: np.ndarray, move: tuple[int, int]) -> float:
    """The share of lines that disagree at a move (rows, columns >= 0), 0 unless all lines agree well or not at all."""
    height, width = before.shape[1:]
    first, last = before[:, : height - move[0], : width - move[1]], after[:, move[0] :, move[1] :]
    shares = [0.0]
    for axes in ((0, 2), (0, 1)):  # the cells of a row, of a column
        one, other = (first**2).sum(axes), (last**2).sum(axes)
        energy = (one + other) / 2
        agreement = (first * last).sum(axes) / np.maximum(np.sqrt(one * other), 1e-300)
        bad, good = (energy[lines].sum() / max(energy.sum(), 1e-300) for lines in (agreement < OFF, agreement > ON))
        if min(bad, good) > PART and bad + good > WHOLE:
            shares.append(float(bad))
    return max(shares)


def texture(side: int, seed: int) -> np.ndarray:
    """A (side, side, 3) uint8 patch with structure of every size: overlapping rectangles in random colours."""
    rng = np.random.default_rng(seed)
    patch = rng.integers(0, 256, (1, 1, 3), np.uint8).repeat(side, 0).repeat(side, 1)
    for size in np.exp(np.linspace(np.log(side / 2), np.log(6), 80)):
        x1, y1 = rng.uniform(-size / 2, side - size / 2, 2)
        x2, y2 = (x1, y1) + rng.uniform(0.4, 1.0, 2) * size
        patch[max(int(y1), 0) : int(y2) + 1, max(int(x1), 0) : int(x2) + 1] = rng.integers(0, 256, 3)
    return patch


def _correlate(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Sums over channels and cells of first[x] · second[x + d], (2h - 1, 2w - 1), d = 0 in the middle."""
    height, width = first.shape[1:]
    size = [fft.next_fast_len(2 * side - 1, real=True) for side in (height, width)]
    before, after = (np.asarray(fft.rfft2(part, size)) for part in (first, second))
    found = np.asarray(fft.irfft2((np.conj(before) * after).sum(0), size))
    return np.roll(found, (height - 1, width - 1), (0, 1))[: 2 * height - 1, : 2 * width - 1]


def _within(values: np.ndarray) -> np.ndarray:
    """Sums of (h, w) over the cells x of which x + d lies on the grid, (2h - 1, 2w - 1), d = 0 in the middle."""
    sums = np.pad(values.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    (top, bottom), (left, right) = (_range(side) for side in values.shape)
    part = sums[bottom] - sums[top]
    return part[:, right] - part[:, left]


def _range(side: int) -> tuple[np.ndarray, np.ndarray]:
    """(2 side - 1,) each: the first of the cells that stay on a line of so many when they move, and the end of them."""
    moves = np.arange(1 - side, side)
    return np.maximum(-moves, 0), side - np.maximum(moves, 0)
