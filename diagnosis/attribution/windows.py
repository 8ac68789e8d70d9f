"""Windows of the network input: where an object is explained at a fraction of what the whole frame costs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from anatomy import Trace

LEAST = 192  # px of the network input: no window has a shorter side, unless the whole frame has


@dataclass(frozen=True)
class Window:
    """A part of the network input, as the network is to read it.

    ``x``, ``y``, ``width``, ``height`` px of the network input; ``shape`` (h, w) px that the network reads, smaller
    than the part where that was shrunk. Corners lie on the phase of the coarsest stride, so that the cells of an
    unshrunk window stand where those of the whole frame do.
    """

    x: int
    y: int
    width: int
    height: int
    shape: tuple[int, int]

    @property
    def shrunk(self) -> bool:
        """Whether the network reads fewer px than the part has."""
        return self.shape != (self.height, self.width)

    def share(self, whole: tuple[int, int]) -> float:
        """What a pass over this window costs, in passes over an input of (h, w) px: in proportion to the area."""
        return self.shape[0] * self.shape[1] / (whole[0] * whole[1])

    def cut(self, frames: Tensor) -> Tensor:
        """The window of network inputs (B, 3, H, W), as (B, 3, h, w) of its ``shape``."""
        part = frames[:, :, self.y : self.y + self.height, self.x : self.x + self.width]
        if not self.shrunk:
            return part
        return F.interpolate(part, size=self.shape, mode="bilinear", antialias=True, align_corners=False)

    def boxes(self, boxes: Tensor) -> Tensor:
        """Boxes (n, 4) xyxy px of the network input, in px of what the network reads here."""
        corner = boxes.new_tensor([self.x, self.y, self.x, self.y])
        gain = boxes.new_tensor([self.shape[1] / self.width, self.shape[0] / self.height] * 2)
        return (boxes - corner) * gain

    def cell(self, step: tuple[float, float], row: int, col: int) -> tuple[int, int]:
        """Row and column here of a cell of the whole frame, ``step`` (x, y) px wide; of unshrunk windows alone."""
        return row - round(self.y / step[1]), col - round(self.x / step[0])

    def spread(self, values: np.ndarray, whole: tuple[int, int]) -> np.ndarray:
        """Values (h, w) of what the network reads here, in their places on the whole input (H, W), 0 elsewhere."""
        import cv2

        grid = np.zeros(whole, np.float32)
        part = np.asarray(values, np.float32)
        if self.shrunk:
            part = cv2.resize(part, (self.width, self.height), interpolation=cv2.INTER_LINEAR)
        grid[self.y : self.y + self.height, self.x : self.x + self.width] = part
        return grid


def whole_frame(trace: Trace) -> Window:
    """The window that is the whole network input."""
    height, width = trace.input_shape
    return Window(x=0, y=0, width=width, height=height, shape=(height, width))


def around(trace: Trace, box: Sequence[float], sides: float) -> Window:
    """The window of a box (4,) xyxy px of the network input and so many of its sides around it, at least ``LEAST``."""
    low, high = np.asarray(box, dtype=np.float64).reshape(2, 2)
    phase, limit = _phase(trace), np.array(trace.input_shape[::-1])
    wanted = np.maximum((high - low) * (1 + 2 * sides), LEAST)
    size = np.minimum(np.ceil(wanted / phase) * phase, limit)
    free = np.maximum((limit - size) // phase, 0)  # strides that its corner may go
    corner = np.clip(np.round(((low + high - size) / 2) / phase), 0, free) * phase
    (x, y), (width, height) = corner.astype(int).tolist(), size.astype(int).tolist()
    return Window(x=x, y=y, width=width, height=height, shape=(height, width))


def shrunk(trace: Trace, window: Window, longest: int) -> Window:
    """The same part, read with a longest side of at most ``longest`` px; itself where it has no more."""
    gain = longest / max(window.width, window.height)
    if gain >= 1:
        return window
    phase = _phase(trace)
    height, width = (max(round(side * gain / phase), 1) * phase for side in (window.height, window.width))
    return Window(x=window.x, y=window.y, width=window.width, height=window.height, shape=(height, width))


def together(first: Window, second: Window) -> Window:
    """The least window that holds two unshrunk ones."""
    x, y = min(first.x, second.x), min(first.y, second.y)
    width = max(first.x + first.width, second.x + second.width) - x
    height = max(first.y + first.height, second.y + second.height) - y
    return Window(x=x, y=y, width=width, height=height, shape=(height, width))


def _phase(trace: Trace) -> int:
    """The coarsest stride, px of the network input."""
    return int(max(level.stride for level in trace.levels))


def area(window: Window) -> int:
    """Px of the network input that a window has."""
    return window.width * window.height


def as_boxes(trace: Trace, anchors: Sequence[int]) -> Tensor:
    """What these anchors predict, (n, 4) xyxy px of the network input."""
    return torch.as_tensor(trace.decode(list(anchors)))
