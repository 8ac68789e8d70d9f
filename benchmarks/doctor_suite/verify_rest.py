"""Prove decoders, losses and grids of the suite, without the doctor, as ``verify`` does the encoders.

``python -m benchmarks.doctor_suite.verify_rest``
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torchvision.ops import box_iou

from .changes_rest import SIZES, idle
from .decoder import Decoder
from .decoders import DECODERS
from .loss import Loss
from .losses import LOSSES
from .written import filled, said


def decoder_wrong(kind: type[Decoder]) -> Iterator[str]:
    """Objects that do not come out as they were put in."""
    layout, rng = said(kind().layout(dict)), np.random.default_rng(0)
    for size in SIZES:
        if any(side % stride for side in size for stride in layout.strides):
            continue
        outputs, things = filled(layout, size, rng, 0.05)
        boxes = np.array([box for _, box, _ in things])
        inside = (boxes[:, :2].min(1) >= 0) & (boxes[:, 2] <= size[1]) & (boxes[:, 3] <= size[0])
        decoder = kind()
        found = decoder(decoder.prepare(outputs) if decoder.prepare else outputs)
        for (image, box, label), whole in zip(things, inside, strict=True):
            if whole and not _there(found, image, box, label):
                yield f"{kind.name} at {size}: {box.round(1)} of class {label} does not come out"


def _there(found: Any, image: int, box: np.ndarray, label: int) -> bool:
    if isinstance(found, tuple):
        near = (found[0][image] - torch.tensor(box)).abs().amax(1) < 0.05
        return bool((found[1][image][near][:, label] > 0.9).any())
    one = found[image]
    boxes, labels = (one["boxes"], one["labels"]) if isinstance(one, dict) else (one[:, :4], one[:, 5])
    near = (boxes - torch.tensor(box)).abs().amax(1) < 0.05
    if isinstance(one, dict):
        return bool((labels[near] == label).any())
    return bool((labels[near] == label).any()) or _covered(boxes, box)  # suppressed by an overlapping one


def _covered(boxes: torch.Tensor, box: np.ndarray) -> bool:
    return bool((box_iou(boxes.double(), torch.tensor(box)[None]) > 0.6).any())


def loss_wrong(kind: type[Loss]) -> Iterator[str]:
    """What a correct loss owes: least at the truth, without order of cells or images, finite without objects."""
    loss, rng = kind(), np.random.default_rng(0)
    layout = said(loss.layout(dict))
    generator = torch.Generator().manual_seed(0)
    size = (64, 128)
    truth, _ = filled(layout, size, rng, 0.1)
    raw = loss.prepare(truth)
    best = float(loss(raw, truth))
    for step in (0.05, 0.3, 1.0):
        worse = float(loss([part + step * torch.randn(part.shape, generator=generator) for part in raw], truth))
        if not worse > best:
            yield f"{kind.name}: {worse} with noise of {step}, {best} at the truth"
    noisy = [part + 0.3 * torch.randn(part.shape, generator=generator) for part in raw]
    moved = [[part.flatten(2).roll(3, 2).view(part.shape).flip(0) for part in parts] for parts in (noisy, truth)]
    if not np.isclose(float(loss(noisy, truth)), float(loss(*moved)), rtol=1e-3) and layout.format != "cxcywh":
        yield f"{kind.name}: depends on the order of cells"
    empty = [torch.zeros_like(part) for part in truth]
    ready = [part.requires_grad_() for part in noisy]
    value = loss(ready, empty)
    value.backward()
    if not torch.isfinite(value) or not all(torch.isfinite(part.grad).all() for part in ready):
        yield f"{kind.name}: not finite without objects"


def main() -> None:
    for kind in DECODERS.values():
        print(f"decoder {kind.name}:", *(list(decoder_wrong(kind)) or ["right"]), flush=True)
    for kind in LOSSES.values():
        print(f"loss {kind.name}:", *(list(loss_wrong(kind)) or ["right"]), flush=True)
    for words in idle():
        print(words, flush=True)


if __name__ == "__main__":
    main()
