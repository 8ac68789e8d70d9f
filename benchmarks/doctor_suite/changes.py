"""Whether a planted fault changes anything: outputs, exceptions, or what was given."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from .encoder_cases import Case, plant
from .scenes import scenes

SIZES = ((256, 256), (128, 256))


def conduct(encoder: Any) -> list[tuple]:
    """What comes of every scene, asked twice by one encoder: an array of everything, or the exception's name."""
    found = []
    for turn in range(2):
        for size in SIZES:
            for scene in scenes(size, encoder.classes, seed=turn):
                boxes, labels = torch.from_numpy(scene.boxes.copy()), torch.from_numpy(scene.labels.copy())
                try:
                    out = _flat(encoder(boxes, labels, size))
                except (IndexError, TypeError, ValueError) as error:
                    out = (type(error).__name__,)
                same = torch.equal(boxes, torch.from_numpy(scene.boxes)) and torch.equal(
                    labels, torch.from_numpy(scene.labels)
                )
                found.append((*out, same))
    return found


def _flat(outputs: Any) -> tuple:
    parts = [outputs] if hasattr(outputs, "shape") else outputs or []
    return tuple((tuple(part.shape), str(part.dtype), torch.as_tensor(part).double().numpy()) for part in parts)


def differ(one: list[tuple], other: list[tuple]) -> bool:
    """Whether two conducts differ in more than rounding."""
    return any(
        len(a) != len(b) or any(_unlike(p, q) for p, q in zip(a, b, strict=True))
        for a, b in zip(one, other, strict=True)
    )


def _unlike(one: Any, other: Any) -> bool:
    if not isinstance(one, tuple) or not isinstance(other, tuple):
        return one is not other and one != other
    if one[:2] != other[:2]:
        return True
    return not np.allclose(one[2], other[2], atol=1e-4, equal_nan=True)


def idle(case: Case) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Faults of a case without which, beside the others, nothing changes."""
    whole = conduct(case.make())
    for index, name in enumerate(case.faults):
        rest = (*case.faults[:index], *case.faults[index + 1 :])
        if not differ(whole, conduct(plant(case.scheme, rest).make())):
            yield name, rest
