"""The default: class activation maps of all convolutions before the head, together with a coarse occlusion."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from anatomy import Head, evaluating

from .attribution_result import Heat
from .cam import odam
from .cam_occlusion import patch_losses
from .perturbation_frame import whole
from .subject import Subject

SMOOTH = 0.1  # standard deviation of the smoothing, in geometric means of the box's sides
LEAST = 0.2  # cells: less smoothing is none
PATCHES = 3
NEGATIVE = 0.85  # what evidence against the number counts


def fused(
    subjects: Sequence[Subject], *, smooth: float = SMOOTH, negative: float = NEGATIVE, patches: int = PATCHES
) -> list[Heat]:
    """Where the convolutions before the head find what speaks for the number, and where its object cannot be missed.

    Half of the map: what each convolution reads is multiplied with its gradient and summed over channels, as in ODAM
    (https://arxiv.org/abs/2304.06354), at every layer, as in FullGrad (https://arxiv.org/abs/1905.00780); negative
    values count ``negative`` times; each layer is smoothed by ``smooth`` (standard deviation in geometric means of the
    box's sides) and divided by the sum of its sizes. The other half: what the number loses with each of ``patches`` ×
    ``patches`` parts of the box (0: this half is left out). Chosen on photographs: the first half alone, or a wider
    smoothing, hardly changes on large objects when the weights are randomized. Raises ValueError for numbers below 0.
    """
    for name, value in (("smooth", smooth), ("negative", negative), ("patches", patches)):
        if value < 0:
            raise ValueError(f"{name} must be at least 0, but {value!r} was given.")
    trace = subjects[0].trace
    frame, heats = whole(trace), []
    with _listening(trace.head) as heard, evaluating(trace.head.running):
        made = trace.head.forward(frame.requires_grad_(), trace.branch)
    layers = (*heard, *(maps for maps in made.inputs if not any(maps is other for other in heard)))
    for i, one in enumerate(subjects):
        number = one.pick(made.logits[one.level], made.raw[one.level], one.row, one.col)
        more = i + 1 < len(subjects)
        found = torch.autograd.grad(number.sum(), layers, allow_unused=True, retain_graph=more)
        cells = [_evidence(*pair, negative) for pair in zip(layers, found, strict=True) if pair[1] is not None]
        heats.append(_heat(one, _mean(one, cells, smooth), patches))
    return heats


@contextmanager
def _listening(head: Head) -> Iterator[list[Tensor]]:
    """What every convolution before the head reads, each map once; the photograph left out."""
    parts = sorted(head.parts().items(), key=lambda item: len(item[0]))
    heard: list[Tensor] = []

    def note(_, given: tuple) -> None:
        maps = given[0]
        if maps.ndim == 4 and not maps.is_leaf and not any(maps is other for other in heard):
            heard.append(maps)

    with ExitStack() as stack:
        for name, module in head.running.named_modules():
            part = next((part for path, part in reversed(parts) if f"{name}.".startswith(f"{path}.")), "")
            if isinstance(module, nn.Conv2d) and not part.startswith("head"):
                stack.callback(module.register_forward_pre_hook(note).remove)
        yield heard


def _evidence(maps: Tensor, gradient: Tensor, negative: float) -> np.ndarray:
    """Gradient times activation of each cell, (h, w) float32; negative values count ``negative`` times."""
    cells = odam(maps.detach(), gradient)[0].float().cpu().numpy()
    return np.where(cells < 0, negative * cells, cells)


def _heat(one: Subject, grid: np.ndarray, patches: int) -> Heat:
    """Both halves as shares, on the grid of the first."""
    import cv2

    height, width = one.trace.input_shape
    rows, cols = grid.shape
    words = "all convolutions before the head"
    if patches:
        losses = cv2.resize(patch_losses(one, patches), (cols, rows), interpolation=cv2.INTER_AREA)
        grid, words = (_shares(grid) + _shares(losses)) / 2, f"{words}, and {patches} × {patches} parts of the box"
    step = (width / cols, height / rows)
    unit = f"share of the evidence a cell of {step[0]:g} px"
    return Heat(grid, step, unit, True, words, passes=2 + patches**2)


def _mean(one: Subject, layers: list[np.ndarray], smooth: float) -> np.ndarray:
    """The mean of all layers, smoothed and as shares, on the grid of the finest, (h, w) float32."""
    import cv2

    height, width = one.trace.input_shape
    rows, cols = max(cells.shape for cells in layers)
    x1, y1, x2, y2 = one.trace.letterbox.to_input(one.box)
    sigma = smooth * max((x2 - x1) * (y2 - y1), 1.0) ** 0.5
    grid = np.zeros((rows, cols), np.float32)
    for cells in layers:
        spread = sigma * cells.shape[1] / width, sigma * cells.shape[0] / height
        if max(spread) > LEAST:
            cells = cv2.GaussianBlur(cells, (0, 0), spread[0], sigmaY=spread[1], borderType=cv2.BORDER_REFLECT)
        shares = _shares(cells) * (cells.size / (rows * cols))
        grid += cv2.resize(shares, (cols, rows), interpolation=cv2.INTER_LINEAR)
    return grid / len(layers)


def _shares(values: np.ndarray) -> np.ndarray:
    """Values divided by the sum of their sizes; zeros stay."""
    total = np.abs(values).sum()
    return values / total if total > 0 else values
