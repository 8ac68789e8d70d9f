"""A short training on synthetic scenes: its batches, its optimizer, its steps."""

from collections.abc import Collection, Iterable, Iterator, Sequence

import torch
from torch import Tensor
from torch.optim import AdamW

from ..pyramid.images import to_tensor
from ..pyramid.watching import Unwatched, Watching
from ..scenes.kinds import KINDS, draw_kinds
from .head import LevelOutput
from .loss import loss
from .model import PLACES, PafpnDetector

RATE, DECAY = 4e-3, 0.05
"""Of AdamW, as ConvNeXt was trained (https://arxiv.org/abs/2201.03545, appendix A.1), there with a warm-up."""

Batch = tuple[Tensor, list[Tensor]]
"""Images (B, 3, H, W), and the stacked targets (B, 5 + nc, h, w) of each level."""


def half_width(normalized: Collection[str] = tuple(PLACES), *, seed: int = 0) -> PafpnDetector:
    """The detector of the drawn scenes at half the published widths and with one ConvNeXt block a stage, untrained."""
    torch.manual_seed(seed)
    return PafpnDetector(list(KINDS), (64, 128, 256, 512), (1, 1, 1, 1), normalized=normalized).train()


def draw_batches(net: PafpnDetector, count: int, *, images: int = 4, side: int = 96, seed: int = 0) -> list[Batch]:
    """``count`` batches of drawn scenes, ``side`` px square, of the three kinds in ``KINDS``."""
    return [
        _draw(net, range(first, first + images), side)
        for first in range(1000 * seed, 1000 * seed + images * count, images)
    ]


def _draw(net: PafpnDetector, seeds: range, side: int) -> Batch:
    scenes = [draw_kinds(seed, side) for seed in seeds]
    encoded = [net.encode(torch.from_numpy(s.boxes), torch.from_numpy(s.labels), (side, side)) for s in scenes]
    pictures = torch.cat([to_tensor(scene.image[..., ::-1]) for scene in scenes])
    return pictures, [torch.stack(level) for level in zip(*encoded, strict=True)]


def criterion(outputs: Sequence[LevelOutput], wanted: Sequence[Tensor]) -> Tensor:
    """The weighted sum of the losses, a scalar."""
    return loss(outputs, wanted).total


def optimizer(parameters: Iterable[Tensor]) -> AdamW:
    """AdamW at a constant ``RATE``; gradients are not clipped."""
    return AdamW(parameters, RATE, weight_decay=DECAY)


def learn(net: PafpnDetector, batches: Iterable[Batch], watch: Watching | None = None) -> Iterator[dict[str, float]]:
    """One step a batch, in training mode; yields the losses before it. ``watch`` is asked about every step."""
    stepper, watch = optimizer(net.train().parameters()), Unwatched() if watch is None else watch
    for images, wanted in batches:
        stepper.zero_grad()
        with watch.step(images, wanted) as step:
            losses = net.loss(net(images), wanted)
            step.tell(losses.total).backward()
        stepper.step()
        yield losses.numbers()
