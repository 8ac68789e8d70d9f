"""The twelve outlines of the synthetic scenes, as polygons in a unit frame."""

from collections.abc import Callable

import numpy as np

Contours = list[np.ndarray]
"""Closed polygons, each (k, 2) float64 xy in [-1, 1], y down; filled by the even-odd rule: a second one is a hole."""


def _arc(start: float, stop: float, radius: float = 1.0, center: tuple[float, float] = (0.0, 0.0), n: int = 48):
    angle = np.linspace(start, stop, n)
    return np.stack([center[0] + radius * np.cos(angle), center[1] + radius * np.sin(angle)], axis=1)


def _spikes(radii: np.ndarray) -> np.ndarray:
    angle = np.arange(len(radii)) * 2 * np.pi / len(radii) - np.pi / 2
    return np.stack([radii * np.cos(angle), radii * np.sin(angle)], axis=1)


def _disc(rng: np.random.Generator) -> Contours:
    return [_arc(0, 2 * np.pi)]


def _ring(rng: np.random.Generator) -> Contours:
    return [_arc(0, 2 * np.pi), _arc(0, 2 * np.pi, rng.uniform(0.5, 0.66))]


def _square(rng: np.random.Generator) -> Contours:
    return [np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])]


def _triangle(rng: np.random.Generator) -> Contours:
    return [_spikes(np.ones(3))]


def _star(rng: np.random.Generator) -> Contours:
    return [_spikes(np.tile([1.0, rng.uniform(0.4, 0.48)], 5))]


def _cross(rng: np.random.Generator) -> Contours:
    a = rng.uniform(0.28, 0.36)
    x = [-a, a, a, 1, 1, a, a, -a, -a, -1, -1, -a]
    y = [-1, -1, -a, -a, a, a, 1, 1, a, a, -a, -a]
    return [np.stack([x, y], axis=1).astype(float)]


def _crescent(rng: np.random.Generator) -> Contours:
    shift, radius = rng.uniform(0.42, 0.54), 0.82
    x = (1 - radius**2 + shift**2) / (2 * shift)  # where the two circles cross
    outer, inner = np.arccos(x), np.arccos((x - shift) / radius)
    return [np.concatenate([_arc(outer, 2 * np.pi - outer), _arc(2 * np.pi - inner, inner, radius, (shift, 0.0))])]


def _arrow(rng: np.random.Generator) -> Contours:
    shaft, neck = rng.uniform(0.2, 0.27), rng.uniform(-0.05, 0.15)
    x = [-1, neck, neck, 1, neck, neck, -1]
    y = [-shaft, -shaft, -0.72, 0, 0.72, shaft, shaft]
    return [np.stack([x, y], axis=1).astype(float)]


def _heart(rng: np.random.Generator) -> Contours:
    t = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return [np.stack([np.sin(t) ** 3, -(y + 2.5) / 16], axis=1)]


def _bolt(rng: np.random.Generator) -> Contours:
    x = [0.30, -0.62, -0.08, -0.42, 0.62, 0.06, 0.66]
    y = [-1.0, 0.16, 0.16, 1.0, -0.26, -0.26, -1.0]
    return [np.stack([x, y], axis=1)]


def _hourglass(rng: np.random.Generator) -> Contours:
    waist = rng.uniform(0.08, 0.16)
    x = [-0.8, 0.8, waist, 0.8, -0.8, -waist]
    y = [-1.0, -1.0, 0.0, 1.0, 1.0, 0.0]
    return [np.stack([x, y], axis=1)]


def _drop(rng: np.random.Generator) -> Contours:
    radius = rng.uniform(0.52, 0.6)
    middle = 1 - radius
    tilt = np.arcsin(radius / (1 + middle))  # where the tangents from the tip touch the bulb
    return [np.concatenate([[[0.0, -1.0]], _arc(-tilt, np.pi + tilt, radius, (0.0, middle))])]


SHAPES: dict[str, Callable[[np.random.Generator], Contours]] = {
    "disc": _disc,
    "ring": _ring,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "cross": _cross,
    "crescent": _crescent,
    "arrow": _arrow,
    "heart": _heart,
    "bolt": _bolt,
    "hourglass": _hourglass,
    "drop": _drop,
}
"""Class name to outline; the order is the class id."""


def outline(label: int, size: float, rng: np.random.Generator) -> Contours:
    """The outline of class `label`, turned and squeezed at random, `size` px along its longer side, around 0."""
    contours = list(SHAPES.values())[label](rng)
    turn, squeeze = rng.uniform(0, 2 * np.pi), rng.uniform(0.82, 1.0)
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = np.array([[cos, -sin], [sin, cos]]) @ np.diag([1.0, squeeze])
    contours = [c @ matrix.T for c in contours]
    low, high = contours[0].min(axis=0), contours[0].max(axis=0)
    scale = size / (high - low).max()
    return [(c - (low + high) / 2) * scale for c in contours]
