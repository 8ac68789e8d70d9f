"""Predictions that are not quite right anywhere, from whose gradient is read what a loss looks at."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from .asking import Asker
from .truth import Objects, Truth

NARROW, WIDE = 0.8, 1.25
"""Factors between which the distance of each side from the middle is changed."""
LEAST, MOST = 0.05, 0.4
"""Shares of the way from right to wrong that probabilities go."""


NOISE = 0.02
"""Of a level's standard deviation: noise on every raw number, those of empty cells too."""


def astray(truth: Truth, asker: Asker, seed: int, *, most: float = MOST) -> list[Tensor]:
    """Raw predictions of boxes whose sides lie a little off, of probabilities that are a little wrong, with noise.

    ``most``: the share of the way from right to wrong that probabilities go at most; above a half they are wrong, all.
    """
    generator, found = torch.Generator().manual_seed(seed), []
    for level in asker.raw(_levels(truth, seed, most)):
        noise = NOISE * level[torch.isfinite(level)].std() * torch.randn(level.shape, generator=generator)
        found.append(level + noise)
    return found


def _levels(truth: Truth, seed: int, most: float) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    found, layout = jolted(truth, rng), truth.layout
    channels = list(layout.class_channels) if layout.class_values != "ids" else []
    channels += [] if layout.objectness is None else [layout.objectness]
    for level in found:
        part = level[:, :, channels]
        wrong = np.where(part > 0.5, 0.0, 1.0)
        level[:, :, channels] = part + rng.uniform(LEAST if most < 0.5 else 0.6, most, part.shape) * (wrong - part)
    return found


def jolted(truth: Truth, rng: np.random.Generator) -> list[np.ndarray]:
    """Levels with boxes whose sides lie a little off, and all else right."""
    return replace(truth, objects=tuple(_moved(one, truth, rng) for one in truth.objects)).levels()


def _moved(one: Objects, truth: Truth, rng: np.random.Generator) -> Objects:
    """The same objects with each side a little nearer to, or farther from, their anchor points or middles."""
    held = one.held
    middle = (held.boxes[:, :2] + held.boxes[:, 2:]) / 2
    if truth.layout.format == "ltrb":
        middle = (held.here + truth.layout.grid_offset) * held.stride
    middle = np.tile(middle, 2)
    boxes = middle + (held.boxes - middle) * rng.uniform(NARROW, WIDE, held.boxes.shape)
    return replace(one, held=replace(held, boxes=boxes))
