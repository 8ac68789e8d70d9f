"""How an encoder behaves as a function: what it keeps, what it changes, which shapes and numbers it returns."""

from collections.abc import Sequence

import numpy as np

from . import probes as ask
from .examination import Examination
from .probes import Probe


def state(exam: Examination, one: Probe, other: Probe) -> None:
    """Does a call change the next one's answer, or an answer that was given before."""
    void = ask.empty(one.image_size)
    outs, copies = [], []
    for probe in (void, one, other, void, one):
        out = exam.clerk.raw(probe)
        if exam.clerk.unfit:
            return
        outs.append(out)
        copies.append(out if isinstance(out, str) else [level.clone() for level in out])
    if isinstance(outs[0], str):
        exam.notes.add("raises", f"an image without objects makes it raise {outs[0]}")
    for first, second, what in ((0, 3, "an image without objects"), (1, 4, "the same object")):
        if not _equal(copies[first], copies[second]):
            exam.notes.add("state_leak", f"{what} is encoded otherwise after other calls")
    if not isinstance(copies[1], str) and _equal(copies[1], copies[2]) and not _equal(copies[1], copies[3]):
        exam.notes.add("state_leak", "two objects of different size and place get the same answer")
    if exam.notes.has("state_leak"):
        _isolate(exam, one, other)
    elif any(not _equal(a, b) for a, b in zip(outs, copies, strict=True)):
        exam.notes.add("state_leak", "tensors that were returned before change at a later call")
    if not isinstance(copies[0], str):
        _void(exam, copies[0])


def _isolate(exam: Examination, one: Probe, other: Probe) -> None:
    """From here on ask a copy of the encoder each time, or where that does not help, read what a call changes."""
    exam.clerk.freeze()
    first, second, again = (exam.clerk.raw(probe) for probe in (one, other, one))
    exam.blind = exam.clerk.frozen is not None and _equal(first, second)
    if exam.clerk.frozen is None or not _equal(first, again):
        exam.clerk.frozen, exam.clerk.differential = None, True


def _void(exam: Examination, levels) -> None:
    for index, level in enumerate(levels):
        plain = np.nan_to_num(level.float().numpy())
        if exam.layout.objectness is not None and plain[exam.layout.objectness].max(initial=0) > 0.05:
            share = float((plain[exam.layout.objectness] > 0.05).mean())
            exam.notes.add("objectness_wrong", "set on an image without objects", level=index, share=share)
        if plain[list(exam.layout.class_channels)].max(initial=0) > 1e-3:
            exam.notes.add("class_leak", "classes are set on an image without objects", level=index)


def calls(exam: Examination) -> None:
    """Note what the calls themselves did: arguments changed, integers, NaN and infinity."""
    clerk = exam.clerk
    if clerk.mutated:
        exam.notes.add("state_leak", f"it changes its argument {clerk.mutated[0]} in place", calls=len(clerk.mutated))
    for index in clerk.integer:
        exam.notes.add("wrong_output", "the tensor is of integers, which cannot hold boxes", level=index)
    for index, found in clerk.infinite.items():
        sides = [round(float(probe.side), 1) for probe in found]
        exam.notes.add(
            "non_finite",
            f"NaN or infinity for boxes of sides {min(sides)} to {max(sides)} px",
            level=index,
            objects=len(found),
        )
    known = set(clerk.infinite)
    for probe in ask.degenerate(exam.sizes[0], exam.count // 2):
        answer = clerk.ask(probe)
        if answer.error is None and set(clerk.infinite) - known:
            exam.notes.add(
                "non_finite",
                "boxes without width or height give NaN or infinity",
            )
            return


def shapes(exam: Examination) -> bool:
    """Compare each level's grid with the image; True when nothing more can be read."""
    strides, other, used = exam.layout.strides, False, {}
    for answer in exam.answers:
        size = answer.probe.image_size
        if answer.error is None and size not in exam.grids:
            exam.grids[size] = [level.shape[1:] for level in answer.levels]
    for size, grids in exam.grids.items():
        for index, grid in enumerate(grids):
            fits = [
                s
                for s in (strides[index], *strides, strides[index] * 2, strides[index] / 2)
                if fits_grid(grid, size, s)
            ]
            if not fits and fits_grid(grid[::-1], size, strides[index]):
                exam.notes.add("image_size_swapped", f"the grid is {grid} for an image of {size}", level=index)
            elif not fits:
                other = True
                exam.notes.add("wrong_output", f"the grid is {grid} for an image of {size}", level=index)
            else:
                used.setdefault(index, fits[0])
    found = [used.get(index, stride) for index, stride in enumerate(strides)]
    if found == list(strides)[::-1] and found != list(strides):
        exam.notes.add("levels_reversed", "the grids come coarsest first", grids=next(iter(exam.grids.values())))
    elif found != list(strides) and sorted(found) == sorted(strides):
        exam.notes.add("levels_reversed", f"the grids come with the strides {found}, in another order than declared")
    else:
        for index, stride in used.items():
            if stride != strides[index]:
                exam.notes.add("wrong_stride", f"its grid has stride {stride}", level=index, stride=stride)
    return other


def fits_grid(grid: Sequence[int], size: Sequence[int], stride: float) -> bool:
    """Whether a grid (rows, columns) is that of an image (height, width) with this stride, rounded either way."""
    return all(
        side in (int(length // stride), int(-(-length // stride))) for side, length in zip(grid, size, strict=True)
    )


def _equal(one, other) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return all(
        a.shape == b.shape and bool(((a == b) | ((a != a) & (b != b))).all()) for a, b in zip(one, other, strict=True)
    )
