"""The default: what the photograph adds to every layer, by its influence on the number, with a coarse occlusion."""

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
PARTS = 2  # of the box along each side, that are occluded
MARGIN = 0.15  # of the box's sides that the parts reach beyond it
LEAST = 0.2  # cells: less smoothing is none
BATCH = 4


def influence(
    subjects: Sequence[Subject],
    *,
    steps: int = STEPS,
    smooth: float = SMOOTH,
    parts: int = PARTS,
    replace: str = "mean",
) -> list[Heat]:
    """Which places speak for the number, and which against it, over all convolutions before the head.

    Half of the map: at each convolution, how far its input differs from that of the photograph replaced, times the
    gradient of the number, summed over channels. The gradient is the mean over ``steps`` places on the straight way
    between the two photographs, the internal influence of https://arxiv.org/abs/1802.03788: at the photograph alone,
    where the number is nearly as large as it can be, it tells little. Layers are smoothed by ``smooth`` (standard
    deviation in geometric means of the box's sides), brought to one size of values and added, as in FullGrad
    (https://arxiv.org/abs/1905.00780). The other half: how far the number falls with each of ``parts`` × ``parts``
    parts of the box; 0 leaves it out. The mean size of the values of each half is 1/2.

    Costs two passes and ``steps`` more that all subjects share, and ``steps`` backward and the parts for each. Raises
    ValueError for less than one step, and for smoothing or parts below 0.
    """
    for name, value, least in (("steps", steps, 1), ("smooth", smooth, 0), ("parts", parts, 0)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, but {value!r} was given.")
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
    passes, heats = 2 + 2 * steps + parts**2, []
    for one, maps in zip(subjects, found, strict=True):
        grid, words = _sum(one, list(maps.values()), smooth), "all convolutions before the head"
        if parts:
            grid = (grid + _sized(_part_losses(one, frame, empty, parts, grid.shape))) / 2
            words += f", and {parts} × {parts} parts of the box"
        step = tuple(side / cells for side, cells in zip(trace.input_shape[::-1], grid.shape[::-1], strict=True))
        heats.append(Heat(grid, step, "evidence, mean size 1", True, words, passes=passes))
    return heats


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


def _part_losses(one: Subject, frame: Tensor, empty: Tensor, parts: int, shape: tuple[int, int]) -> np.ndarray:
    """How far the number falls when a part of the box is replaced, at every px of it, smoothed by half a part.

    On a grid (h, w) of ``shape`` over the network input; 0 beyond the parts.
    """
    import cv2

    height, width = one.trace.input_shape
    x1, y1, x2, y2 = one.trace.letterbox.to_input(one.box)
    wide, tall = max(x2 - x1, 1.0), max(y2 - y1, 1.0)
    col = np.floor(((np.arange(width) + 0.5 - x1) / wide + MARGIN) / (1 + 2 * MARGIN) * parts)
    row = np.floor(((np.arange(height) + 0.5 - y1) / tall + MARGIN) / (1 + 2 * MARGIN) * parts)
    inside = ((row >= 0) & (row < parts))[:, None] & ((col >= 0) & (col < parts))[None]
    part = np.where(inside, row[:, None] * parts + col[None], -1).astype(np.int64)
    masks = torch.from_numpy(part).to(frame.device) == torch.arange(parts**2, device=frame.device).view(-1, 1, 1, 1)
    with torch.no_grad():
        numbers = torch.cat([one.of_images(torch.where(some, empty, frame)) for some in masks.split(BATCH)])
    lost = (one.value - numbers.float()).cpu().numpy()
    losses = np.where(inside, lost[part], 0).astype(np.float32)
    sigma = (wide * tall) ** 0.5 / parts / 2
    if sigma > LEAST:
        losses = cv2.GaussianBlur(losses, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    return cv2.resize(losses, shape[::-1], interpolation=cv2.INTER_AREA)


def _sized(values: np.ndarray) -> np.ndarray:
    """Values divided by the mean of their sizes; zeros stay."""
    size = np.abs(values).mean()
    return values / size if size > 0 else values
