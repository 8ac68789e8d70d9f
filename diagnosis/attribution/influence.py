"""The default: what the photograph adds to every convolution before the head, by its influence on the number."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from anatomy import Head, Outputs, evaluating

from .cam import odam
from .perturbation_frame import emptied, whole
from .result import Heat
from .subject import Subject

STEPS = 2  # places on the way from the empty photograph; more of them improved nothing
SMOOTH = 0.15  # standard deviation of the smoothing, in geometric means of the box's sides
LEAST = 0.2  # cells: less smoothing is none


def influence(
    subjects: Sequence[Subject], *, steps: int = STEPS, smooth: float = SMOOTH, replace: str = "mean"
) -> list[Heat]:
    """Which places speak for the number, and which against it, over all convolutions before the head.

    At each convolution, how far its input differs from that of the photograph replaced, times the gradient of the
    number, summed over channels. The gradient is the mean over ``steps`` places on the straight way between the two
    photographs, the internal influence of https://arxiv.org/abs/1802.03788: at the photograph alone, where the number
    is nearly as large as it can be, it tells little. Layers are then smoothed by ``smooth`` (standard deviation in
    geometric means of the box's sides), brought to one size of values and added, as in FullGrad
    (https://arxiv.org/abs/1905.00780). The mean size of the values is 1.
    Costs two passes and ``steps`` more that all subjects share, and ``steps`` backward for each. Raises ValueError for
    less than one step and smoothing below 0.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, but {steps!r} was given.")
    if smooth < 0:
        raise ValueError(f"smooth must be at least 0, but {smooth!r} was given.")
    trace = subjects[0].trace
    frame, empty = whole(trace), emptied(trace, replace)
    with _listening(trace.head) as listen:
        _, reached = listen(frame, trace.branch)
        _, without = listen(empty, trace.branch)
        gained = [full.detach() - none.detach() for full, none in zip(reached, without, strict=True)]
        found: list[dict[int, Tensor]] = [{} for _ in subjects]
        for step in range(steps):
            made, layers = listen(torch.lerp(empty, frame, (step + 0.5) / steps), trace.branch)
            for i, one in enumerate(subjects):
                _add(found[i], _gradients(one, made, layers, more=i + 1 < len(subjects)), gained)
    return [_heat(one, list(maps.values()), smooth, 2 + 2 * steps) for one, maps in zip(subjects, found, strict=True)]


@contextmanager
def _listening(head: Head) -> Iterator:
    """A function from network inputs (1, 3, H, W) and a branch to the outputs, with graph, and what convolutions read.

    Each map is told once, in the order of the pass: those of all convolutions before the head, but for the photograph,
    and those that the head reads.
    """
    parts = sorted(head.parts().items(), key=lambda item: -len(item[0]))
    heard: list[Tensor] = []

    def note(maps: Tensor) -> None:
        if maps.ndim == 4 and not maps.is_leaf and not any(maps is other for other in heard):
            heard.append(maps)

    def listen(frame: Tensor, branch: str) -> tuple[Outputs, list[Tensor]]:
        heard.clear()
        made = head.forward(frame.detach().requires_grad_(), branch)
        for maps in made.inputs:
            note(maps)
        return made, list(heard)

    hooks = []
    try:
        for name, module in head.running.named_modules():
            part = next((part for path, part in parts if f"{name}.".startswith(f"{path}.")), "")
            if isinstance(module, nn.Conv2d) and not part.startswith("head"):
                hooks.append(module.register_forward_pre_hook(lambda _, given: note(given[0])))
        with evaluating(head.running):
            yield listen
    finally:
        for hook in hooks:
            hook.remove()


def _gradients(one: Subject, made: Outputs, layers: Sequence[Tensor], more: bool) -> tuple[Tensor | None, ...]:
    number = one.pick(made.logits[one.level], made.raw[one.level], one.row, one.col)
    return torch.autograd.grad(number.sum(), layers, allow_unused=True, retain_graph=more)


def _add(found: dict[int, Tensor], gradients: Sequence[Tensor | None], gained: Sequence[Tensor]) -> None:
    """Add gradient times gain, (h, w), of each layer that the number depends on."""
    for layer, (gradient, gain) in enumerate(zip(gradients, gained, strict=True)):
        if gradient is not None:
            found[layer] = found.get(layer, 0) + odam(gain, gradient)[0]


def _heat(one: Subject, layers: Sequence[Tensor], smooth: float, passes: int) -> Heat:
    """The sum of all layers, each smoothed and of mean size 1, on the grid of the finest."""
    import cv2

    height, width = one.trace.input_shape
    rows, cols = max(tuple(cells.shape) for cells in layers)
    x1, y1, x2, y2 = one.trace.letterbox.to_input(one.box)
    sigma = smooth * max((x2 - x1) * (y2 - y1), 1.0) ** 0.5
    grid = np.zeros((rows, cols), np.float32)
    for maps in layers:
        cells = maps.float().cpu().numpy()
        spread = sigma * cells.shape[1] / width, sigma * cells.shape[0] / height
        if max(spread) > LEAST:
            cells = cv2.GaussianBlur(cells, (0, 0), spread[0], sigmaY=spread[1], borderType=cv2.BORDER_REFLECT)
        grid += cv2.resize(_sized(cells), (cols, rows), interpolation=cv2.INTER_LINEAR)
    words = "all convolutions before the head"
    return Heat(_sized(grid), (width / cols, height / rows), "evidence, mean size 1", True, words, passes=passes)


def _sized(values: np.ndarray) -> np.ndarray:
    """Values divided by the mean of their sizes; zeros stay."""
    size = np.abs(values).mean()
    return values / size if size > 0 else values
