"""What a correct decoder owes, and what a fault of one must change; the doctor is not asked."""

from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .cases import Case
from .written import Thing, filled, said

SIZES = ((384, 640), (512, 512))
CLOSE = 0.05  # px


def sizes(made: ModuleType) -> tuple[tuple[int, int], ...]:
    """Those that a base takes."""
    options = getattr(made, "OPTIONS", {})
    only = options.get("image_size")
    return (only,) if only else options.get("image_sizes", SIZES)


def raw_of(made: ModuleType, outputs: Any) -> Any:
    return made.prepare(outputs) if hasattr(made, "prepare") else outputs


def wrong(case: Case) -> Iterator[str]:
    """Objects that a correct decoder does not give back, and inputs that it changes."""
    made = case.make()
    layout, rng = made.layout(said), np.random.default_rng(0)
    for size in sizes(made):
        outputs, things = filled(layout, size, rng, 0.004)
        raw = raw_of(made, outputs)
        before = copied(raw)
        found = made.decode(raw)
        if not same(before, raw):
            yield f"{size}: changes its input"
        for thing in things:
            if not there(found, thing, things):
                yield f"{size}: {thing.box.round(1)} of class {thing.label} does not come out"


def there(found: Any, thing: Thing, things: Sequence[Thing]) -> bool:
    """Whether this object came out, or may be suppressed by another of its image and class that overlaps it."""
    box = torch.tensor(thing.box)
    boxes, labels = of_image(found, thing.image, thing.label)
    near = (boxes - box).abs().amax(1) < CLOSE
    if (labels[near] == thing.label).any():
        return True
    mine = [one for one in things if one is not thing and (one.image, one.label) == (thing.image, thing.label)]
    others = [torch.tensor(one.box) for one in mine]
    return isinstance(found, list) and bool(others) and covered(torch.stack(others), box)


def of_image(found: Any, image: int, label: int) -> tuple[Tensor, Tensor]:
    """Boxes (n, 4) and labels (n,) of an image; of scores those that are sure of ``label`` and of nothing else."""
    if isinstance(found, tuple):
        scores = found[1][image]
        sure = scores[:, label] > 0.9
        alone = (scores > 0.5).sum(1) == 1
        boxes = found[0][image][sure & alone]
        return boxes, torch.full((len(boxes),), label)
    one = found[image]
    if isinstance(one, dict):
        return one["boxes"], one["labels"]
    return one[:, :4], one[:, 5].long()


def covered(boxes: Tensor, box: Tensor) -> bool:
    low, high = torch.maximum(boxes[:, :2], box[:2]), torch.minimum(boxes[:, 2:], box[2:])
    shared = (high - low).clamp(min=0).prod(1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1) + (box[2:] - box[:2]).prod()
    return bool((shared / (area - shared) > 0.5).any())


def copied(raw: Any) -> Any:
    return raw.clone() if isinstance(raw, Tensor) else [part.clone() for part in raw]


def same(first: Any, second: Any) -> bool:
    """Whether two outputs, of whatever form, hold the same."""
    if isinstance(first, dict):
        return same([first[name] for name in sorted(first)], [second[name] for name in sorted(second)])
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(same(a, b) for a, b in zip(first, second, strict=True))
    if isinstance(first, Tensor):
        return first.shape == second.shape and torch.allclose(first.float(), second.float(), atol=1e-3, equal_nan=True)
    return first == second


def seen(case: Case) -> list[Any]:
    """All that can be seen of a decoder: outputs or exceptions, twice at each size, what it left of its input."""
    made = case.make()
    layout, rng = made.layout(said), np.random.default_rng(1)
    told = []
    for size in (*sizes(made), sizes(made)[0]):
        for share, sure in ((0.004, 1.0), (0.02, 0.8), (0.0, 0.9)):
            outputs, _ = filled(layout, size, rng, share, sure)
            if share == 0.0 and isinstance(outputs, list):
                outputs[0] = torch.zeros_like(outputs[0])
            raw = raw_of(made, outputs)
            told += [_called(made, raw), copied(raw)]
    return told + [_called(made, raw_of(made, outputs)) for outputs in _unequal(layout, sizes(made)[0], rng)]


def _unequal(layout: Any, size: tuple[int, int], rng: np.random.Generator) -> Iterator[Any]:
    """Batches whose images differ: the first surer than the second, and the first without anything."""
    first, second = (filled(layout, size, rng, 0.004, sure)[0] for sure in (1.0, 0.6))
    for share in (1, 0):
        if isinstance(first, Tensor):
            yield torch.cat((share * first[:1], second[1:]))
        else:
            yield [torch.cat((share * one[:1], other[1:])) for one, other in zip(first, second, strict=True)]


def _called(made: ModuleType, raw: Any) -> Any:
    try:
        return made.decode(raw)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
