"""What box channels hold where no term explains them: boxes moved as a whole, cut at a ceiling, in whole px."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .held import Held, axis_of
from .terms import Term

FEWEST = 8
SLACK = 0.1  # px
INVERSE = {"identity": lambda v: v, "log": np.exp, "sqrt": np.square, "square": lambda v: np.sqrt(np.abs(v))}


def lengths(held: Held, terms: Sequence[Term]) -> np.ndarray:
    """(n, 4) px: what the channels mean as they are declared; distances stay distances, places become places."""
    found = []
    for channel, term in enumerate(terms):
        with np.errstate(all="ignore"):
            value = INVERSE[term.function](held.values[:, channel]) * term.unit.length(held)
        if term.reference is not None:
            value = term.sign * value + term.reference.point(held, axis_of(term.quantity))
        found.append(value)
    return np.nan_to_num(np.stack(found, 1), posinf=1e9, neginf=-1e9)


def boxes(held: Held, terms: Sequence[Term]) -> np.ndarray:
    """(n, 4) xyxy px: the boxes that the channels mean as they are declared."""
    px, names = lengths(held, terms), tuple(term.quantity for term in terms)
    if names[2:] == ("x2", "y2"):
        return px
    low = px[:, :2] - px[:, 2:] / 2 if names[0] == "cx" else px[:, :2]
    return np.concatenate((low, low + px[:, 2:]), 1)


@dataclass(frozen=True)
class Motion:
    """How an encoder sees the boxes: in images of each size, x becomes ``slope[0] * x + move[0]``, y likewise."""

    sizes: Mapping[tuple[int, int], tuple[tuple[float, float], tuple[float, float]]]

    def apply(self, boxes: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
        """(n, 4) xyxy px as the encoder sees them."""
        if tuple(image_size) not in self.sizes:
            return boxes
        slope, move = (np.tile(part, 2) for part in self.sizes[image_size[0], image_size[1]])
        moved = boxes * slope + move
        return np.concatenate((np.minimum(moved[:, :2], moved[:, 2:]), np.maximum(moved[:, :2], moved[:, 2:])), 1)

    @property
    def scale(self) -> float | None:
        """The factor by which all coordinates grow in all images, where that is all that happens."""
        slopes = {slope for pair, _ in self.sizes.values() for slope in pair}
        moves = {move for _, pair in self.sizes.values() for move in pair}
        return slopes.pop() if len(slopes) == 1 and moves == {0.0} else None

    def __str__(self) -> str:
        said = {size: _spoken(size, slope, move) for size, (slope, move) in self.sizes.items()}
        if len(set(said.values())) == 1:
            return next(iter(said.values()))
        return "; ".join(f"on {height} x {width} {words}" for (height, width), words in said.items())


def _spoken(size: tuple[int, int], slope: tuple[float, float], move: tuple[float, float]) -> str:
    words = []
    for name, length, a, b in zip("xy", size[::-1], slope, move, strict=True):
        if a == -1 and abs(b - length) < 1:
            words.append(f"{name} is counted from the other side")
        elif (a, b) != (1, 0):
            moved = f" {b:+.4g} px" if b else ""
            words.append(f"{name} becomes {a:.4g} {name}{moved}" if a != 1 else f"{name} is moved by{moved}")
    return " and ".join(words) or "nothing is moved"


def motion(held: Held, terms: Sequence[Term]) -> Motion | None:
    """The linear motion of the whole box, the same for all objects of an image size, that explains the channels."""
    got, sizes = boxes(held, terms), {}
    for size in np.unique(held.sizes, axis=0):
        here = (held.sizes == size).all(1)
        if here.sum() < FEWEST:
            return None
        lines = [_line(held.boxes[here], got[here], axis) for axis in range(2)]
        if lines[0] is None or lines[1] is None:
            return None
        (slope_x, move_x), (slope_y, move_y) = lines[0], lines[1]
        sizes[int(size[0]), int(size[1])] = (slope_x, slope_y), (move_x, move_y)
    plain = ((1.0, 1.0), (0.0, 0.0))
    return Motion(sizes) if any(part != plain for part in sizes.values()) else None


def _line(boxes: np.ndarray, got: np.ndarray, axis: int) -> tuple[float, float] | None:
    """Slope and move (px) of one axis; None where no line explains it."""
    true, seen = (np.concatenate((part[:, axis], part[:, axis + 2])) for part in (boxes, got))
    crossed = np.concatenate((got[:, axis + 2], got[:, axis]))
    mirrored = float(np.median(crossed + true))
    if (np.abs(mirrored - true - crossed) <= 2 * SLACK).mean() >= 0.95:
        return -1.0, round(mirrored, 2)
    with np.errstate(all="ignore"):
        slope = float(np.nanmedian(np.diff(seen) / np.where(np.abs(np.diff(true)) < 1, np.nan, np.diff(true))))
    slope = 1.0 if not np.isfinite(slope) or abs(slope - 1) < 2e-3 else slope
    move = float(np.median(seen - slope * true))
    move = 0.0 if abs(move) < SLACK else move
    if not 0.02 < abs(slope) < 50 or (np.abs(slope * true + move - seen) <= 2 * SLACK).mean() < 0.95:
        return None
    return round(slope, 4), round(move, 2)


def ceiling(held: Held, terms: Sequence[Term]) -> float | None:
    """The largest side in px, or distance to a side, when greater ones are cut to it and all else is right."""
    true = replace(held, values=np.stack([term.predict(held, i) for i, term in enumerate(terms)], 1))
    if all(term.quantity in ("x1", "y1", "x2", "y2") and term.reference for term in terms) and terms[0].sign < 0:
        length, long, aside = _distances(true, terms), _distances(held, terms), np.zeros((len(held), 1))
    else:
        wanted, got = boxes(true, terms), boxes(held, terms)
        length, long = wanted[:, 2:] - wanted[:, :2], got[:, 2:] - got[:, :2]
        low = terms[0].quantity == "x1" and terms[2].quantity == "w"
        aside = (wanted - got)[:, :2] if low else (wanted + np.roll(wanted, 2, 1) - got - np.roll(got, 2, 1))[:, :2] / 2
    top = float(long.max())
    cut = length > top * 1.002 + SLACK
    slack = SLACK + 2e-3 * np.abs(length)
    right = (np.abs(np.minimum(length, top) - long) <= slack).all(1) & (np.abs(aside) <= 2 * SLACK).all(1)
    if cut.any(1).sum() < 3 or cut.mean() > 0.9 or right.mean() < 0.95:
        return None
    return top


def _distances(held: Held, terms: Sequence[Term]) -> np.ndarray:
    """(n, 4) px: the distances that the channels hold."""
    found = [
        INVERSE[term.function](held.values[:, channel]) * term.unit.length(held) for channel, term in enumerate(terms)
    ]
    return np.stack(found, 1)


def whole(held: Held, terms: Sequence[Term]) -> bool:
    """Whether the channels mean the objects' boxes in whole px."""
    got = boxes(held, terms)
    even = (np.abs(got - got.round()) < 2e-3).all(1)
    return bool(even.mean() > 0.95 and (np.abs(got - held.boxes) <= 1.01).all(1).mean() > 0.95)
