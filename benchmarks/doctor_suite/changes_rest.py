"""What comes of decoders, losses and detectors of the suite, to be compared with and without a fault."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

import anatomy

from .decoders import DECODERS
from .every import planted
from .grid_cases import planted_grids
from .grids import WATCHERS
from .losses import LOSSES
from .written import filled, said

SIZES = ((64, 64), (64, 128), (192, 128))
SURE = 0.98  # of a class, where it is not known


def conduct(make: Callable, kind: str) -> list:
    """What comes of a decoder, loss or detector, as numbers; the exception's name where it raises."""
    rng, made = np.random.default_rng(1), make()
    asked = [(size, share) for share in (0.1, 0.0 if kind == "loss" else 0.1) for size in SIZES]
    return [_numbers(made, kind, size, rng, share) for size, share in asked]


def _numbers(made: Any, kind: str, size: tuple[int, int], rng: np.random.Generator, share: float) -> Any:
    if kind == "grid":
        image = rng.integers(0, 256, (*size, 3), np.uint8)
        run = next(iter(anatomy.describe(made).passes(image)))
        strides = [level.stride for level in anatomy.describe(made).levels]
        return [run.boxes, run.box_logits, *run.logits, torch.tensor(strides)]
    layout = said(made.layout(dict))
    if any(side % stride for side in size for stride in layout.strides):
        return []
    outputs, _ = filled(layout, size, rng, 6 * share if layout.strides[0] == 64 else share)
    if kind == "decoder":
        _doubt(outputs, layout)
    raw = made.prepare(outputs) if made.prepare else [part.clone() for part in outputs]
    try:
        return _decoded(made, raw) if kind == "decoder" else _paid(made, raw, outputs)
    except (RuntimeError, IndexError, ValueError) as error:
        return type(error).__name__


def _doubt(outputs: list[Tensor], layout: Any) -> None:
    """Classes are no surer than ``SURE``, and in the first row one is sure where there is no object."""
    for level in outputs:
        classes = level[:, list(layout.classes)]
        level[:, list(layout.classes)] = classes.clamp(max=SURE)
        level[:, layout.classes[0], 0] = SURE


def _decoded(made: Any, raw: list[Tensor]) -> list:
    out = made(raw)
    return [*(tuple(one.values()) if isinstance(one, dict) else one for one in out), *raw]


def _paid(made: Any, raw: list[Tensor], truth: list[Tensor]) -> list:
    noisy = [(part + 0.4 * torch.sin(37 * part + 5)).requires_grad_() for part in raw]
    value = made(noisy, truth)
    asked = isinstance(value, Tensor) and value.requires_grad
    grads = torch.autograd.grad(value.sum(), noisy, allow_unused=True) if asked else []
    return [value, *grads, *truth]


def same(one: Any, other: Any) -> bool:
    """Whether two conducts are equal, NaN included."""
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.shape == other.shape and torch.allclose(one.double(), other.double(), 1e-5, 1e-6, equal_nan=True)
    return type(one) is type(other) and one == other


def idle() -> Iterator[str]:
    """Every fault that changes nothing."""
    for kind, schemes in (("decoder", DECODERS), ("loss", LOSSES)):
        usual = {name: conduct(scheme, kind) for name, scheme in schemes.items()}
        for scheme, name, made in planted(kind):
            if same(conduct(made, kind), usual[scheme]):
                yield f"{kind} {scheme}: nothing changes by {name}"
    usual = {name: conduct(scheme, "grid") for name, scheme in WATCHERS.items()}
    for scheme, name, made in planted_grids():
        if same(conduct(made, "grid"), usual[scheme]):
            yield f"grid {scheme}: nothing changes by {name}"
