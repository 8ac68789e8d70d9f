"""The default: what photograph and object add to every convolution before the head, by its influence on the number."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from anatomy import Head, Outputs, evaluating

from ..perturbation_frame import emptied, whole
from ..place import within
from ..result import Heat
from ..subject import Subject
from .cam import odam

STEPS = 2  # places on each way to the photograph; more of them improved nothing
SMOOTH = 0.15  # standard deviation of the smoothing, in geometric means of the box's sides
MARGIN = 0.15  # of the box's sides that the object is taken to reach beyond it
LEAST = 0.2  # cells: less smoothing is none


def influence(
    subjects: Sequence[Subject], *, steps: int = STEPS, smooth: float = SMOOTH, replace: str = "mean"
) -> list[Heat]:
    """Which places speak for the number, and which against it, over all convolutions before the head.

    At each convolution, how far its input differs from that of another photograph, times the gradient of the number,
    summed over channels. The gradient is the mean over ``steps`` places on the straight way between the photographs,
    the internal influence of https://arxiv.org/abs/1802.03788: at the photograph itself, where the number is nearly as
    large as it can be, it tells little. Layers are smoothed by ``smooth`` (standard deviation in geometric means of the
    box's sides), brought to one size of values and added, as in FullGrad (https://arxiv.org/abs/1905.00780).
    Half of the map begins at the photograph replaced, half at the photograph with its box alone replaced.
    The mean size of the values of each half is 1/2; all of them are signed.

    Costs two passes and ``steps`` more that all subjects share, and one, ``steps`` more and twice ``steps`` backward
    for each. Raises ValueError for less than one step and smoothing below 0.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, but {steps!r} was given.")
    if smooth < 0:
        raise ValueError(f"smooth must be at least 0, but {smooth!r} was given.")
    trace, heats = subjects[0].trace, []
    frame, empty = whole(trace), emptied(trace, replace)
    with _listening(trace.head) as listen:
        reached = [maps.detach() for maps in listen(frame, trace.branch)[1]]
        shared = _evidence(listen, subjects, empty, frame, reached, steps)
        for one, layers in zip(subjects, shared, strict=True):
            (own,) = _evidence(listen, [one], torch.where(_inside(one), empty, frame), frame, reached, steps)
            grid = (_sum(one, layers, smooth) + _sum(one, own, smooth)) / 2
            step = tuple(side / cells for side, cells in zip(trace.input_shape[::-1], grid.shape[::-1], strict=True))
            words = "all convolutions before the head"
            heats.append(
                Heat(grid=grid, step=step, unit="evidence, mean size 1", signed=True, layer=words, passes=3 + 4 * steps)
            )
    return heats


def _evidence(
    listen, subjects: Sequence[Subject], start: Tensor, frame: Tensor, reached: Sequence[Tensor], steps: int
) -> list[list[Tensor]]:
    """For each subject, of each layer that its number depends on, gain times mean gradient on the way, (h, w)."""
    branch = subjects[0].trace.branch
    gained = [full - none.detach() for full, none in zip(reached, listen(start, branch)[1], strict=True)]
    found: list[dict[int, Tensor]] = [{} for _ in subjects]
    for step in range(steps):
        made, layers = listen(torch.lerp(start, frame, (step + 0.5) / steps), branch)
        for i, one in enumerate(subjects):
            number = one.pick(made.logits[one.level], made.raw[one.level], one.row, one.col)
            more = i + 1 < len(subjects)
            gradients = torch.autograd.grad(number.sum(), layers, allow_unused=True, retain_graph=more)
            for layer, (gradient, gain) in enumerate(zip(gradients, gained, strict=True)):
                if gradient is not None:
                    found[i][layer] = found[i].get(layer, 0) + odam(gain, gradient)[0]
    return [list(layers.values()) for layers in found]


def _inside(one: Subject) -> Tensor:
    """Which px of the network input lie in the box and ``MARGIN`` around it, (h, w) bool."""
    low, high = one.trace.letterbox.to_input(one.box).reshape(2, 2)
    far = MARGIN * np.maximum(high - low, 1)
    inside = within(one.trace.input_shape, (*(low - far), *(high + far)))
    return torch.from_numpy(inside).to(one.trace.head.network_input(one.trace.run).device)


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
        with evaluating(head):
            yield listen
    finally:
        for hook in hooks:
            hook.remove()


def _sum(one: Subject, layers: Sequence[Tensor], smooth: float) -> np.ndarray:
    """All layers, each smoothed and of mean size 1, added on the grid of the finest, (h, w) of mean size 1."""
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
    return _sized(grid)


def _sized(values: np.ndarray) -> np.ndarray:
    """Values divided by the mean of their sizes; zeros stay."""
    size = np.abs(values).mean()
    return values / size if size > 0 else values
