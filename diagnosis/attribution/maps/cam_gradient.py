"""Activations and gradients that class activation maps weigh: of windows around cells, or of any layer."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from anatomy import Trace, evaluating, select_levels

from ..subject import EDGES, Subject

PROBE = 12  # cells to each side within which the reach of a head is looked for
SAME = 1e-3  # a window whose number differs more from the whole map's is too small
WHOLE = 8  # feature maps that go through a head at once where it sees all of one


@dataclass(frozen=True)
class Weighed:
    """What there is to weigh for n subjects that share feature maps.

    ``activation`` (c, H, W) the whole map; ``gradient`` (n, c, h, w) of each number by its own window of it, zero
    elsewhere; ``corners`` the row and column where each window begins; ``step``, ``offset`` as in ``Heat``.
    """

    activation: Tensor
    gradient: Tensor
    corners: tuple[tuple[int, int], ...]
    step: tuple[float, float]
    offset: float
    layer: str
    passes: int = 0

    @property
    def windows(self) -> Tensor:
        """The activation under each window, (n, c, h, w)."""
        return _cut(self.activation, self.corners, self.gradient.shape[2:])

    def spread(self, local: Tensor) -> Tensor:
        """Values of windows (n, h, w) in their places on whole maps (n, H, W), zero elsewhere."""
        whole = local.new_zeros(len(local), *self.activation.shape[1:])
        height, width = local.shape[1:]
        for target, values, (row, col) in zip(whole, local, self.corners, strict=True):
            target[row : row + height, col : col + width] = values
        return whole


def level_gradients(subjects: Sequence[Subject]) -> Weighed:
    """For subjects of one level, by what its head reads: backward through that head alone, all at once.

    A head that sees a few cells is run on windows of just these, shifted to stay on the map, so that the zero padding
    at its border stays what it was; one that sees everything is run on the whole map.
    """
    first = subjects[0]
    trace, level = first.trace, first.level
    whole = trace.inputs[level].detach().clone()
    size = _window(first, whole)
    corners = _corners(subjects, whole, size)
    everything = _sides(whole)
    if size != everything:
        number, gradient = _differentiate(subjects, _cut(whole, corners, size), corners)
        if first.what not in EDGES and not torch.allclose(number, _values(subjects, number), rtol=SAME, atol=SAME):
            size = everything  # the head sees farther than its gradient told
    if size == everything:
        corners = [(0, 0)] * len(subjects)
        parts = [subjects[i : i + WHOLE] for i in range(0, len(subjects), WHOLE)]
        gradient = torch.cat([_differentiate(part, whole.expand(len(part), -1, -1, -1), corners)[1] for part in parts])
    return Weighed(whole, gradient, tuple(corners), **_read_by_head(trace, level))


def layer_gradients(subject: Subject, layer: int | str) -> Weighed:
    """For one subject, by what the head of a level reads, or by the output of a module, given by its path.

    Through the whole network, forward and backward. Raises ValueError where the layer makes no feature maps.
    """
    trace, head = subject.trace, subject.trace.head
    modules = dict(head.running.named_modules())
    path = layer if isinstance(layer, str) and layer in modules else None
    level = _level(trace, layer) if path is None else None
    caught, frame = [], trace.head.network_input(trace.run).detach().clone().requires_grad_()
    with ExitStack() as stack:
        if path is not None:
            hook = modules[path].register_forward_hook(lambda _, __, output: caught.append(output))
            stack.callback(hook.remove)
        stack.enter_context(evaluating(head))
        made = head.forward(frame, trace.branch)
    maps = made.inputs[level] if level is not None else caught[-1] if caught else None
    if not isinstance(maps, Tensor) or maps.ndim != 4:
        raise ValueError(f"layer must put out one batch of feature maps (B, c, h, w), but {layer!r} does not.")
    number = subject.pick(made.logits[subject.level], made.raw[subject.level], subject.row, subject.col)
    (gradient,) = torch.autograd.grad(number.sum(), maps, allow_unused=True)
    if gradient is None:
        raise ValueError(f"The {subject.words} does not depend on {layer!r}. Take a layer that comes before its head.")
    if level is not None:
        return Weighed(maps[0].detach(), gradient, ((0, 0),), **_read_by_head(trace, level), passes=2)
    height, width = trace.input_shape
    return Weighed(
        activation=maps[0].detach(),
        gradient=gradient,
        corners=((0, 0),),
        step=(width / maps.shape[3], height / maps.shape[2]),
        offset=0.5,
        layer=f"the output of {layer}",
        passes=2,
    )


def _read_by_head(trace: Trace, level: int) -> dict[str, Any]:
    """Where the values of a level's feature map stand, and what it is, as ``Weighed`` wants it."""
    pyramid, name = trace.pyramid, trace.levels[level].name
    return {"step": pyramid.steps[level], "offset": pyramid.offset, "layer": f"what the {name} head reads"}


def _level(trace: Trace, layer: int | str) -> int:
    """The index of a level; says what a layer can be otherwise."""
    try:
        (level,) = select_levels(trace.levels, layer)
    except ValueError as error:
        raise ValueError(
            f"layer must be a level ({', '.join(level.name for level in trace.levels)}) or the path of a module of the "
            f"network, as named_modules() gives it, but {layer!r} was given."
        ) from error
    return level


def _window(subject: Subject, whole: Tensor) -> tuple[int, int]:
    """Rows and columns of the map that decide a number of its head, by the support of one gradient."""
    rows, cols = shape = _sides(whole)
    size = (min(2 * PROBE + 1, rows), min(2 * PROBE + 1, cols))
    (corner,) = _corners([subject], whole, size)
    _, gradient = _differentiate([subject], _cut(whole, [corner], size), [corner])
    seen = gradient[0].abs().sum(0).nonzero().cpu()
    if not len(seen):
        return shape
    reach = int((seen - torch.tensor([subject.row - corner[0], subject.col - corner[1]])).abs().max())
    if reach >= PROBE:
        return shape
    return (min(2 * reach + 1, rows), min(2 * reach + 1, cols))


def _sides(whole: Tensor) -> tuple[int, int]:
    """Rows and columns of a map (c, H, W)."""
    return whole.shape[1], whole.shape[2]


def _corners(subjects: Sequence[Subject], whole: Tensor, size: tuple[int, int]) -> list[tuple[int, int]]:
    """Where the window of each subject begins: its cell in the middle, or as near to it as the border allows."""
    (rows, cols), (height, width) = _sides(whole), size
    return [(_begin(one.row, height, rows), _begin(one.col, width, cols)) for one in subjects]


def _begin(place: int, part: int, side: int) -> int:
    """Where a window of ``part`` cells begins on a side of the map."""
    return min(max(place - part // 2, 0), side - part)


def _cut(whole: Tensor, corners: Sequence[tuple[int, int]], size: Sequence[int]) -> Tensor:
    return torch.stack([whole[:, row : row + size[0], col : col + size[1]] for row, col in corners])


def _differentiate(
    subjects: Sequence[Subject], windows: Tensor, corners: Sequence[tuple[int, int]]
) -> tuple[Tensor, Tensor]:
    """The numbers (n,) of the subjects, each from its window, and their gradients (n, c, h, w)."""
    leaf = windows.detach().clone().requires_grad_()
    head, first = subjects[0].trace.head, subjects[0]
    with evaluating(head):
        logits, raw = head.level_outputs(first.level, leaf, first.trace.branch)
    picked = []
    for i, (one, (row, col)) in enumerate(zip(subjects, corners, strict=False)):
        picked.append(one.pick(logits[i : i + 1], raw[i : i + 1], one.row - row, one.col - col))
    numbers = torch.cat(picked)
    (gradient,) = torch.autograd.grad(numbers.sum(), leaf)
    return numbers.detach(), gradient


def _values(subjects: Sequence[Subject], like: Tensor) -> Tensor:
    return like.new_tensor([one.value for one in subjects])
