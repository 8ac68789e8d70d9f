"""How an image was made into an input: every usual way is tried, and the one that explains the pixels is named."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..families.exports.preprocessing import FITS, INTERPOLATIONS, ORDERS, Preprocessing
from ..head.letterbox import Letterbox

EXPLAINED = 0.05  # of the spread of the pixels: what may be left, of another version of OpenCV or of a rounding
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean and deviation, RGB in [0, 1]: torchvision's


@dataclass(frozen=True)
class Recognized:
    """The preprocessing that explains an input best; ``left`` is what it leaves over, as a share of the spread.

    ``padded``: whether there is padding, whose grey is known then.
    """

    preprocessing: Preprocessing
    letterbox: Letterbox
    left: float
    padded: bool

    @property
    def certain(self) -> bool:
        """Whether it explains the input."""
        return self.left <= EXPLAINED


def recognize(image: np.ndarray, frame: np.ndarray) -> Recognized:
    """What made an input (3, h, w) of an image (H, W, 3) uint8 BGR: fit, interpolation, order, scale, padding."""
    return min(_tried(image, np.asarray(frame, dtype=np.float64)), key=lambda found: found.left)


def _tried(image: np.ndarray, frame: np.ndarray) -> Iterator[Recognized]:
    shape, original = (frame.shape[1], frame.shape[2]), (image.shape[0], image.shape[1])
    for fit, interpolation, order in product(FITS, INTERPOLATIONS, ORDERS):
        way = Preprocessing(fit=fit, interpolation=interpolation, order=order, pad=0)
        box = way.letterbox(original, shape)
        pixels = way.pixels(image, shape).transpose(2, 0, 1).astype(np.float64)
        inside = _inside(box, shape)
        scale, shift, left = _line(pixels[:, inside], frame[:, inside])
        greys = ((frame - shift[:, None, None]) / np.where(scale, scale, 1)[:, None, None])[:, ~inside]
        grey = float(greys.mean().clip(0, 255)) if greys.size else 114.0
        off_grey = greys - grey if greys.size else np.zeros(1)
        left += float(np.abs(off_grey).mean()) / 255 * (~inside).mean()  # padding that is no one grey
        found = Preprocessing(
            fit=fit,
            interpolation=interpolation,
            pad=round(grey, 1),
            order=order,
            scale=_one(scale),
            shift=_one(shift),
        )
        yield Recognized(preprocessing=found, letterbox=box, left=left, padded=bool(greys.size))


def _inside(box: Letterbox, shape: tuple[int, int]) -> np.ndarray:
    """(h, w) bool: the pixels of an input that are of the image."""
    height, width = box.original_shape
    (left, top), (gain_x, gain_y) = box.pad, box.gain
    inside = np.zeros(shape, bool)
    inside[top : top + round(height * gain_y), left : left + round(width * gain_x)] = True
    return inside


def _line(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """The least-squares line y = scale * x + shift of each channel (3, n), and what it leaves of the spread of y."""
    mean_x, mean_y = x.mean(1, keepdims=True), y.mean(1, keepdims=True)
    spread = ((x - mean_x) ** 2).sum(1)
    scale = ((x - mean_x) * (y - mean_y)).sum(1) / np.where(spread, spread, 1)
    shift = mean_y[:, 0] - scale * mean_x[:, 0]
    rest = y - (scale[:, None] * x + shift[:, None])
    return scale, shift, float(np.sqrt((rest**2).mean()) / (y.std() or 1.0))


def _one(values: np.ndarray) -> float | tuple[float, ...]:
    """One number where the channels have one, to a thousandth of the largest; else one each."""
    near = np.ptp(values) <= 1e-3 * max(np.abs(values).max(), 1e-3)
    return float(values.mean()) if near else tuple(float(value) for value in values)


def scale_in_words(made: Preprocessing) -> str:
    """What numbers pixels become, by the name that it has."""
    scale, shift = (np.broadcast_to(np.asarray(part, np.float64), 3) for part in (made.scale, made.shift))
    mean, deviation = (np.asarray(part) for part in IMAGENET)
    if made.order == "BGR":
        mean, deviation = mean[::-1], deviation[::-1]
    known = {
        "0 to 1 (divided by 255)": (1 / 255, 0),
        "0 to 255 (not divided)": (1, 0),
        "-1 to 1 (divided by 127.5, less 1)": (1 / 127.5, -1),
        "ImageNet's mean and deviation": (1 / (255 * deviation), -mean / deviation),
    }
    for words, (a, b) in known.items():
        if np.allclose(scale, a, rtol=0.02) and np.allclose(shift, b, atol=0.02 * np.abs(255 * scale).max()):
            return words
    return f"pixel × {_listed(scale)} + {_listed(shift)}"


def _listed(values: np.ndarray) -> str:
    return f"{values[0]:.4g}" if np.ptp(values) == 0 else "(" + ", ".join(f"{value:.4g}" for value in values) + ")"
