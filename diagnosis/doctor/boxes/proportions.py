"""What box channels hold where no reading explains them: multiples, values cut at a ceiling, boxes moved, rounding."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..layout import as_xyxy
from .readings import Reading, Written, pixels, predict

FEWEST = 8
SLACK = 0.1  # px


def multiples(reading: Reading, written: Written) -> dict[str, list[float]] | None:
    """The factor of each channel in each image size, when channels are multiples of what they should be."""
    guess, value = predict(reading, written), written.values["here"]
    per_unit = pixels(reading.unit, reading.stride, written)
    found = {}
    for size in np.unique(written.sizes, axis=0):
        here = (written.sizes == size).all(1)
        if here.sum() < FEWEST:
            return None
        factors = []
        for channel in range(4):
            wanted, got = guess[here, channel], value[here, channel]
            clear = np.abs(wanted * per_unit[here, channel]) > 1
            if clear.sum() < FEWEST or np.ptp(wanted[clear]) < 1e-3 * np.abs(wanted[clear]).max():
                return None
            factor = float(np.median(got[clear] / wanted[clear]))
            slack = np.abs(factor) * SLACK / per_unit[here, channel] + 2e-3 * np.abs(factor * wanted)
            if factor <= 0 or (np.abs(got - factor * wanted) <= slack).mean() < 0.95:
                return None
            factors.append(round(factor, 5))
        found[f"{size[0]:.0f} x {size[1]:.0f}"] = factors
    return found if any(abs(factor - 1) > 2e-3 for factors in found.values() for factor in factors) else None


def ceiling(reading: Reading, written: Written) -> float | None:
    """The largest side in px, or distance to a side, when greater ones are cut to it and all else is right."""
    per_unit = pixels(reading.unit, reading.stride, written)
    wanted, got = (part * per_unit for part in (predict(reading, written), written.values["here"]))
    (place, length), (put, long) = _parts(wanted, reading.format), _parts(got, reading.format)
    top = float(long.max())
    cut = length > top * 1.002 + SLACK
    slack = SLACK + 2e-3 * np.abs(length)
    right = (np.abs(np.minimum(length, top) - long) <= slack).all(1) & (np.abs(place - put) <= 2 * SLACK).all(1)
    if cut.any(1).sum() < 3 or cut.mean() > 0.9 or right.mean() < 0.95:
        return None
    return top


def _parts(values: np.ndarray, form: str) -> tuple[np.ndarray, np.ndarray]:
    """Position (n, 2) and lengths (n, k) of boxes in a format; distances to the sides have no position."""
    if form == "ltrb":
        return np.zeros((len(values), 2)), values
    first, last = values[:, :2], values[:, 2:]
    if form == "xyxy":
        return (first + last) / 2, last - first
    return (first if form == "cxcywh" else first + last / 2), last


def decoded(reading: Reading, written: Written) -> np.ndarray:
    """(n, 4) xyxy px: the boxes that the channels mean as they are declared."""
    values = written.values["here"] * pixels(reading.unit, reading.stride, written)
    anchor = (np.stack((written.columns, written.rows), 1) + reading.offset) * reading.stride
    return as_xyxy(values, anchor, reading.format, relative=reading.relative)


@dataclass(frozen=True)
class Motion:
    """How an encoder sees the boxes: in images of each size, x becomes ``slope[0] * x + move[0]``, y likewise."""

    sizes: Mapping[tuple[int, int], tuple[tuple[float, float], tuple[float, float]]]

    def apply(self, boxes: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
        """(n, 4) xyxy px as the encoder sees them."""
        size = (image_size[0], image_size[1])
        if size not in self.sizes:
            return boxes
        slope, move = (np.tile(part, 2) for part in self.sizes[size])
        moved = boxes * slope + move
        return np.concatenate((np.minimum(moved[:, :2], moved[:, 2:]), np.maximum(moved[:, :2], moved[:, 2:])), 1)

    def key(self) -> tuple:
        """Equal for two motions that differ by less than a px or so."""
        return tuple((size, tuple(np.round(a, 2)), tuple(np.round(b))) for size, (a, b) in sorted(self.sizes.items()))

    def __str__(self) -> str:
        parts = []
        for (height, width), (slope, move) in self.sizes.items():
            words = []
            for name, length, a, b in zip("xy", (width, height), slope, move, strict=True):
                if a == -1 and abs(b - length) < 1:
                    words.append(f"{name} is counted from the other side")
                elif (a, b) != (1, 0):
                    words.append(f"{name} becomes {a:.4g} {name} {b:+.4g} px")
            parts.append(f"{height} x {width}: {' and '.join(words) or 'right'}")
        return "; ".join(parts)


def motion(reading: Reading, written: Written) -> Motion | None:
    """The linear motion of the whole box, the same for all objects of an image size, that explains the channels."""
    got, sizes = decoded(reading, written), {}
    for size in np.unique(written.sizes, axis=0):
        here = (written.sizes == size).all(1)
        if here.sum() < FEWEST:
            return None
        slopes, moves = [], []
        for axis in range(2):
            true, seen = (np.concatenate((b[here, axis], b[here, axis + 2])) for b in (written.boxes, got))
            slope = float(np.median(np.diff(seen) / np.where(np.diff(true) == 0, np.nan, np.diff(true))))
            crossed = np.concatenate((got[here, axis + 2], got[here, axis]))
            mirrored = float(np.median(crossed + true))
            if (np.abs(mirrored - true - crossed) <= 2 * SLACK).mean() >= 0.95:
                slope, move = -1.0, mirrored
            else:
                slope = float(np.polyfit(true, seen, 1)[0]) if not np.isfinite(slope) else slope
                slope = 1.0 if abs(slope - 1) < 2e-3 else slope
                move = float(np.median(seen - slope * true))
                move = 0.0 if abs(move) < SLACK else move
                if not np.isfinite(slope) or (np.abs(slope * true + move - seen) <= 2 * SLACK).mean() < 0.95:
                    return None
            slopes.append(round(slope, 4))
            moves.append(round(move, 2))
        sizes[int(size[0]), int(size[1])] = tuple(slopes), tuple(moves)
    plain = ((1.0, 1.0), (0.0, 0.0))
    return Motion(sizes) if any(part != plain for part in sizes.values()) else None


def rounded(reading: Reading, written: Written) -> bool:
    """Whether the channels mean the objects' boxes in whole px."""
    got = decoded(reading, written)
    whole = (np.abs(got - got.round()) < 2e-3).all(1)
    return bool(whole.mean() > 0.95 and (np.abs(got - written.boxes) <= 1.01).all(1).mean() > 0.95)
