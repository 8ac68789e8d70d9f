"""Textured backgrounds for the synthetic scenes: noise, gradients, stripes and clutter that is none of the shapes."""

import cv2
import numpy as np


def random_color(rng: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]) -> np.ndarray:
    """One (3,) float32 RGB colour in 0..255 of any hue."""
    hsv = np.array([[[rng.uniform(0, 360), rng.uniform(*saturation), rng.uniform(*value)]]], np.float32)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0] * 255


def _noise(rng: np.random.Generator, size: tuple[int, int], coarsest: float, octaves: int) -> np.ndarray:
    """Smooth noise (H, W) float32 in about -1..1; each octave has half the wavelength and half the strength."""
    height, width = size
    total = np.zeros(size, np.float32)
    for octave in range(octaves):
        cell = max(coarsest / 2**octave, 2.0)
        grid = rng.random((int(height / cell) + 2, int(width / cell) + 2), dtype=np.float32) * 2 - 1
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    return total / 1.5


def _ramp(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Distance along a random direction, (H, W) float32 px."""
    angle = rng.uniform(0, 2 * np.pi)
    y = np.arange(size[0], dtype=np.float32)[:, None] * np.float32(np.sin(angle))
    return y + np.arange(size[1], dtype=np.float32)[None] * np.float32(np.cos(angle))


def _blend_map(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Where the second colour shows instead of the first, (H, W) float32 in 0..1."""
    noise = _noise(rng, size, rng.uniform(60, 220), 5)
    kind = rng.choice(["noise", "gradient", "stripes", "checks"], p=[0.35, 0.25, 0.25, 0.15])
    if kind == "noise":
        t = 0.5 + 0.55 * noise
    elif kind == "gradient":
        ramp = _ramp(rng, size)
        t = (ramp - ramp.min()) / (np.ptp(ramp) + 1) + 0.3 * noise
    else:
        wave = 2 * np.pi / rng.uniform(14, 70)
        bend = rng.uniform(0, 10)
        t = np.sin((_ramp(rng, size) + bend * noise) * wave)
        if kind == "checks":
            t = t * np.sin((_ramp(rng, size) + bend * noise) * wave)
        t = 0.5 + 0.38 * np.clip(t * rng.uniform(0.8, 3.0), -1, 1) + 0.2 * noise
    return np.clip(t, 0, 1, dtype=np.float32)


def _clutter(image: np.ndarray, rng: np.random.Generator, colors: np.ndarray) -> None:
    """Draws open curves, strokes and specks over `image` in place: busy, but no closed shape."""
    height, width = image.shape[:2]
    amount = height * width / 320**2
    for _ in range(rng.poisson(3 * amount)):
        start, step = rng.uniform(0, (width, height)), rng.normal(0, 0.12 * min(height, width), (7, 2))
        knots = start + np.cumsum(np.cumsum(step, axis=0) * 0.5, axis=0)
        fine = cv2.resize(knots.astype(np.float32), (2, 40), interpolation=cv2.INTER_CUBIC)
        color = colors[rng.integers(len(colors))] * rng.uniform(0.75, 1.25)
        points = np.round(fine * 16).astype(np.int32)
        cv2.polylines(image, [points], False, np.clip(color, 0, 255).tolist(), int(rng.integers(1, 4)), cv2.LINE_AA, 4)
    for _ in range(rng.poisson(30 * amount) if rng.random() < 0.5 else 0):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        dx, dy = rng.normal(0, 3, 2)
        color = np.clip(colors[rng.integers(len(colors))] * rng.uniform(0.6, 1.4), 0, 255).tolist()
        cv2.line(image, (int(x), int(y)), (int(x + dx), int(y + dy)), color, int(rng.integers(1, 3)), cv2.LINE_AA)


def draw_backdrop(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A background of `size` = (height, width), as (H, W, 3) float32 RGB in 0..255."""
    value = rng.uniform(0.25, 0.92)
    first = random_color(rng, (0.04, 0.42), (value, value))
    second = random_color(rng, (0.04, 0.5), (value * 0.65, min(value * 1.3, 1.0)))
    second = first + (second - first) * np.float32(rng.uniform(0.4, 1.0))
    t = _blend_map(rng, size)[..., None]
    image = first + (second - first) * t
    _clutter(image, rng, np.stack([first, second]))
    return image * (1 + 0.12 * _noise(rng, size, rng.uniform(3, 24), 2)[..., None])
