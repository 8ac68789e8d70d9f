"""What a correct loss owes, and what a fault of one must change; the doctor is not asked."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .cases import Case
from .verify_decoders import copied, raw_of
from .written import filled, said

SIZE = (192, 320)  # px


def size_of(made: ModuleType) -> tuple[int, int]:
    return getattr(made, "OPTIONS", {}).get("image_size") or SIZE


def noisy(raw: Any, step: float, generator: torch.Generator) -> Any:
    if isinstance(raw, Tensor):
        return raw + step * torch.randn(raw.shape, generator=generator)
    return [noisy(part, step, generator) for part in raw]


def wrong(case: Case) -> Iterator[str]:
    """Least at the truth, without order of images and finite: gradients too, and without objects."""
    made, generator = case.make(), torch.Generator().manual_seed(0)
    layout = made.layout(said)
    truth, _ = filled(layout, size_of(made), np.random.default_rng(0), 0.05)
    raw = raw_of(made, truth)
    best = float(made.loss(raw, truth))
    for step in (0.02, 0.1, 0.5, 2.0, 60.0):
        worse = float(made.loss(noisy(raw, step, generator), truth))
        if not worse > best:
            yield f"{worse} with noise of {step}, {best} at the truth"
    strewn = noisy(raw, 0.3, generator)
    value, turned = float(made.loss(strewn, truth)), float(made.loss(flipped(strewn), flipped(truth)))
    if not np.isclose(value, turned, rtol=1e-4):
        yield f"{value}, and {turned} with the images in the other order"
    empty = truth * 0 if isinstance(truth, Tensor) else [level * 0 for level in truth]
    for asked, wanted in ((raw, truth), (strewn, truth), (raw_of(made, empty), empty), (strewn, empty)):
        if not all(np.isfinite(number) for number in numbers(made, asked, wanted)):
            yield "not finite"


def flipped(parts: Any) -> Any:
    return parts.flip(0) if isinstance(parts, Tensor) else [part.flip(0) for part in parts]


def numbers(made: ModuleType, raw: Any, truth: Any) -> list[float]:
    """The loss, and sums of its gradient by channel and image, and with a weight for each place."""
    leaves = [raw.clone()] if isinstance(raw, Tensor) else [part.clone() for part in raw]
    leaves = [part.requires_grad_() for part in leaves]
    value = made.loss(leaves[0] if isinstance(raw, Tensor) else leaves, truth)
    value.backward()
    found = [float(value.detach())]
    for leaf in leaves:
        pull = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        weight = torch.linspace(0.5, 1.5, pull.numel()).view(pull.shape)
        found += [float(pull.abs().sum()), float((pull * weight).abs().sum())]
    return found


def seen(case: Case) -> list[Any]:
    """All that can be seen of a loss: numbers or exceptions, twice, with objects, without, and what it left behind."""
    made, generator = case.make(), torch.Generator().manual_seed(1)
    layout, rng = made.layout(said), np.random.default_rng(1)
    told: list[Any] = []
    for share in (0.0, 0.05, 0.05, 0.3):
        truth, _ = filled(layout, size_of(made), rng, share)
        if share == 0.0:
            truth = truth * 0 if isinstance(truth, Tensor) else [level * 0 for level in truth]
        raw = raw_of(made, truth)
        for step in (0.0, 0.3, 3.0, 60.0):
            asked, wanted = noisy(raw, step, generator), copied(truth)
            told.append(_called(made, asked, wanted))
            told.append(_left(made, asked, wanted))
    return told


def _called(made: ModuleType, raw: Any, truth: Any) -> Any:
    try:
        return torch.tensor(numbers(made, raw, truth))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _left(made: ModuleType, raw: Any, truth: Any) -> Any:
    """Predictions and targets after a call."""
    raw = copied(raw)
    try:
        made.loss(raw, truth)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return [raw, truth]
