"""Traces without a network: passes built by hand, whose hot cells and boxes are known."""

import math
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from matplotlib.layout_engine import ConstrainedLayoutEngine

import surgery
import viz
from anatomy import Candidates, Head, Letterbox, Level, Pass, Trace
from detectors import demo_scene, demo_weights

STRIDES = (8, 16, 32)
NAMES = {0: "bird", 1: "cat", 2: "dog"}


@dataclass(frozen=True)
class Hot:
    """A cell that answers: its class and logit, and half the side of its box in strides."""

    level: int
    row: int
    col: int
    class_id: int = 0
    logit: float = 2.0
    half: float = 1.5


class StagedHead(Head):
    """A head whose passes are given; boxes are xyxy px of the network input."""

    branches = ("one2many",)

    def __init__(self, reg_max: int):
        self.reg_max, self.names, self.net = reg_max, NAMES, torch.nn.Module()
        self.levels = tuple(
            Level(i, f"P{i + 3}", stride, 4, {"one2many": f"cls.{i}"}) for i, stride in enumerate(STRIDES)
        )

    def class_conv(self, level, branch):
        raise NotImplementedError

    def twins(self, level, branch):
        return iter(())

    def passes(self, source, **predict_args):
        raise NotImplementedError

    def finish(self, run):
        return run

    def found(self, run):
        box = self._letterbox(run).to_original(run.boxes[:, run.anchors].T.numpy())
        height, width = run.original.shape[:2]
        scores = torch.cat([level.flatten(1) for level in run.logits], 1)[:, run.anchors].sigmoid()
        confidence, class_id = scores.max(0)
        box = torch.from_numpy(box.clip(0, (width, height, width, height))).float()
        return box.view(-1, 4), confidence, class_id

    def candidates(self, run):
        """Every hot cell, and NMS at IoU 0.5 within a class."""
        scores = torch.cat([level.flatten(1) for level in run.logits], 1).sigmoid()
        confidence, class_id = scores.max(0)
        anchor = (confidence > 0.25).nonzero().view(-1)
        boxes = run.boxes[:, anchor].T
        return Candidates(anchor, class_id[anchor], confidence[anchor], boxes, 0.5, 7680.0, _iou)

    def corners(self, run):
        return run.result if self.rotated else super().corners(run)

    def xyxy(self, run, anchors):
        return run.boxes[:, anchors].T

    @staticmethod
    def _letterbox(run) -> Letterbox:
        return Letterbox.fit(run.original.shape[:2], run.input_shape)


def _iou(first, second):
    low = torch.maximum(first[:, None, :2], second[None, :, :2])
    high = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(2)
    area = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (first, second)]
    return shared / (area[0][:, None] + area[1][None] - shared)


def _input_shape(shape, imgsz: int) -> tuple[int, int]:
    """What a rectangular letterbox makes of an image: sides are multiples of the largest stride."""
    gain = min(imgsz / shape[0], imgsz / shape[1])
    return tuple(max(math.ceil(round(side * gain) / 32), 1) * 32 for side in shape)


def _stage(shape, hot=(), *, imgsz=128, kept=None, logits=None, reg_max=4, image=None, rotated=None) -> Trace:
    """A trace of an (H, W) image with these hot cells; ``kept`` are the indices of those that became detections.

    ``rotated``: the corners (n, 4, 2) of rotated boxes.
    """
    rng = np.random.default_rng(0)
    original = rng.integers(60, 200, (*shape, 3), dtype=np.uint8) if image is None else image
    input_shape = _input_shape(shape, imgsz)
    grids = [(input_shape[0] // stride, input_shape[1] // stride) for stride in STRIDES]
    starts = np.cumsum([0] + [rows * cols for rows, cols in grids])
    if logits is None:
        logits = tuple(torch.full((len(NAMES), *grid), -6.0) for grid in grids)
        for cell in hot:
            logits[cell.level][cell.class_id, cell.row, cell.col] = cell.logit
    centre, half = [], []
    for (rows, cols), stride in zip(grids, STRIDES, strict=True):
        y, x = np.mgrid[:rows, :cols] + 0.5
        centre.append(np.stack((x, y)).reshape(2, -1) * stride)
        half.append(np.full(rows * cols, 1.5 * stride))
    centre, half = np.concatenate(centre, 1), np.concatenate(half)
    anchors = [int(starts[cell.level]) + cell.row * grids[cell.level][1] + cell.col for cell in hot]
    for anchor, cell in zip(anchors, hot, strict=True):
        half[anchor] = cell.half * STRIDES[cell.level]
    kept = range(len(hot)) if kept is None else kept
    head = StagedHead(reg_max)
    head.rotated = rotated is not None
    features = tuple(torch.arange(4.0)[None, :, None, None] * torch.ones(1, 4, *grid) for grid in grids)
    run = Pass(
        path="staged.jpg",
        original=original[..., ::-1],
        input_shape=input_shape,
        branch="one2many",
        features=features,
        rows=((torch.zeros(len(NAMES), 4, 1, 1), None),) * len(grids),
        logits=tuple(logits),
        box_logits=torch.zeros(4 * reg_max, int(starts[-1])),
        boxes=torch.from_numpy(np.concatenate((centre - half, centre + half))).float(),
        anchors=torch.tensor([anchors[index] for index in kept], dtype=torch.int64),
        result=rotated,
    )
    return Trace(head, run)


@pytest.fixture(scope="session")
def stage() -> Callable[..., Trace]:
    """``stage(shape, hot, ...)``: a trace of an (H, W) image in which only these cells answer."""
    return _stage


@pytest.fixture(scope="session")
def hot() -> type[Hot]:
    return Hot


@pytest.fixture(scope="session")
def artists():
    """``artists(figure, gid)``: the artists of a figure with that id, in drawing order."""
    return lambda figure, gid: figure.findobj(lambda artist: artist.get_gid() == gid)


@pytest.fixture(scope="session")
def pixels():
    """``pixels(figure)``: the figure rendered, (h, w, 4) uint8, row 0 at the top."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    def render(figure):
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())

    return render


@pytest.fixture
def unlaid(monkeypatch):
    """No figure is laid out: for what is asserted of artists, words and files, and not of where axes lie."""
    monkeypatch.setattr(ConstrainedLayoutEngine, "execute", lambda engine, figure: None)
    monkeypatch.setattr("viz.canvas.layout._lay_out", lambda figure: [figure.bbox])


@pytest.fixture(scope="module")
def model():
    return surgery.load(demo_weights())


@pytest.fixture(scope="module")
def _opened(model):
    return viz.Explorer(model, demo_scene().image[..., ::-1])


@pytest.fixture
def explorer(_opened, model):
    """One that nobody has touched, on the demo detector as it is published."""
    yield copy(_opened)
    surgery.reset(model)
