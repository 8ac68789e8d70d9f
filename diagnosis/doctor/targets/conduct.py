"""How an encoder behaves as a function: what it keeps, what it changes, which shapes and numbers it returns."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import storage
from ..layout import TargetLayout
from . import kinds
from . import probes as ask
from .asking import Answer, Asker
from .faults import Fault, codes
from .probes import Probe


def state(asker: Asker, one: Probe, other: Probe) -> tuple[list[Fault], bool]:
    """Does a call change the next one's answer, or one that was given before; and whether nothing else can be read."""
    faults: list[Fault] = []
    outs, copies = [], []
    void = ask.empty(one.image_size)
    for probe in (void, one, other, void, one):
        out = asker.arrays(probe)
        if asker.misfit:
            return faults, True
        outs.append(out)
        copies.append(out if isinstance(out, str) else [level.copy() for level in out])
    if isinstance(outs[0], str):
        faults.append(Fault("raises", f"an image without objects makes it raise {outs[0]}"))
    for first, second, what in ((0, 3, "an image without objects"), (1, 4, "the same object")):
        if not _equal(copies[first], copies[second]):
            faults.append(Fault("state_leak", f"{what} is encoded otherwise after other calls"))
    if not isinstance(copies[1], str) and _equal(copies[1], copies[2]) and not _equal(copies[1], copies[3]):
        faults.append(Fault("state_leak", "two objects of different size and place get the same answer"))
    blind = False
    if "state_leak" in codes(faults):
        blind = _isolate(asker, one, other)
    elif any(not _equal(a, b) for a, b in zip(outs, copies, strict=True)):
        faults.append(Fault("state_leak", "tensors that were returned before change at a later call"))
    if not isinstance(copies[0], str):
        where = storage.order(asker.layout).index("C")
        faults += kinds.void(asker.layout, [np.nan_to_num(np.moveaxis(a, where, 0)) for a in copies[0]])
    return faults, blind


def _isolate(asker: Asker, one: Probe, other: Probe) -> bool:
    """From here on ask a copy of the encoder each time, or where that does not help, read what a call changes."""
    asker.freeze()
    first, second, again = (asker.arrays(probe) for probe in (one, other, one))
    if asker.frozen is None or not _equal(first, again):
        asker.frozen, asker.differential = None, True
        return False
    return _equal(first, second)


def calls(asker: Asker, sizes: Sequence[tuple[int, int]], label: int) -> list[Fault]:
    """What the calls themselves did: arguments changed, integers, NaN and infinity."""
    faults: list[Fault] = []
    if asker.changed:
        what = f"it changes its argument {asker.changed[0]} in place"
        faults.append(Fault("state_leak", what, evidence={"calls": len(asker.changed)}))
    what = "the tensor is of integers, which cannot hold boxes"
    faults += [Fault("wrong_output", what, level) for level in sorted(asker.integer)]
    for level, found in asker.infinite.items():
        span = [round(float(probe.side), 1) for probe in found]
        what = f"NaN or infinity for boxes of sides {min(span)} to {max(span)} px"
        faults.append(Fault("non_finite", what, level, evidence={"objects": len(found)}))
    known = set(asker.infinite)
    for probe in ask.flat(sizes[0], label):
        out = asker.arrays(probe)
        if isinstance(out, str) or known:
            continue
        wrong = [array[~np.isfinite(array)] for array in out]
        if any(len(part) for part in wrong):
            faults.append(_flat(asker.layout, wrong))
            break
    return faults


def _flat(layout: TargetLayout, wrong: list[np.ndarray]) -> Fault:
    """Boxes without width or height: what is written into a target reaches the loss."""
    logs = layout.size_function == "log" and all(np.isneginf(part).all() for part in wrong)
    said = "minus infinity, the logarithm of nothing" if logs else "NaN or infinity"
    return Fault("non_finite", f"boxes without width or height give {said}")


def shapes(answers: Sequence[Answer], layout: TargetLayout) -> tuple[list[Fault], bool]:
    """Each level's grid held against the image; True when nothing more can be read."""
    grids: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for answer in answers:
        if answer.error is None:
            grids.setdefault(answer.probe.image_size, [memory.grid for memory in answer.levels])
    faults, used, other = [], {}, False
    strides = layout.strides
    for size, found in grids.items():
        for level, grid in enumerate(found):
            options = (strides[level], *strides, strides[level] * 2, strides[level] / 2)
            fitting = [stride for stride in options if fits_grid(grid, size, stride)]
            if not fitting and fits_grid(grid[::-1], size, strides[level]):
                faults.append(Fault("image_size_swapped", f"the grid is {grid} for an image of {size}", level))
            elif not fitting:
                other = True
                faults.append(Fault("wrong_output", f"the grid is {grid} for an image of {size}", level))
            else:
                used.setdefault(level, fitting[0])
    return faults + _order([used.get(i, s) for i, s in enumerate(strides)], strides, next(iter(grids.values()))), other


def _order(found: list, strides: Sequence[float], grids: Any) -> list[Fault]:
    """Strides of grids that are those of other levels."""
    if found == list(strides):
        return []
    if sorted(found) == sorted(strides):
        said = "coarsest first" if found == list(strides)[::-1] else f"with the strides {found}, in another order"
        return [Fault("levels_reversed", f"the grids come {said}", evidence={"grids": grids})]
    return [
        Fault("wrong_stride", f"its grid has stride {stride}", level, evidence={"stride": stride})
        for level, (stride, wanted) in enumerate(zip(found, strides, strict=True))
        if stride != wanted
    ]


def fits_grid(grid: Sequence[int], size: Sequence[int], stride: float) -> bool:
    """Whether a grid (rows, columns) is that of an image (height, width) with this stride, rounded either way."""
    return all(
        side in (int(length // stride), int(-(-length // stride))) for side, length in zip(grid, size, strict=True)
    )


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return isinstance(one, str) and isinstance(other, str) and one == other
    return all(a.shape == b.shape and np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))
