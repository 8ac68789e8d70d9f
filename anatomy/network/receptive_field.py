"""What a cell can see of the image, what it does look at, and where that lies from the point that it stands for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arguments import finite_number, whole_number
from ..families.registry import describe
from ..head.head import Head
from ..head.levels import Level, select_class, select_levels
from ..shown import Told
from ..tracing.gradient import differentiate_pass
from ..tracing.trace import Trace, trace
from .layers import layers

NOISE_IMAGES = 4


@dataclass(frozen=True, repr=False)
class ReceptiveField(Told):
    """The receptive field of one cell's class logit, in px of the network input. Made by ``receptive_field``.

    ``level``, ``row``, ``col`` the cell, ``point`` (2,) xy its anchor point; ``input_shape`` (h, w).
    ``theoretical`` (4,) xyxy: the px that can reach the logit, beyond the input where padding is seen, infinite where
    the cell sees everything. ``sensitivity`` (h, w) float32: |d logit / d px| summed over channels, averaged over
    images, its sum 1. ``center`` (2,) xy its centre of mass, ``extent`` (4,) xyxy: along each axis, the middle part
    that holds ``share`` of it. ``boxes`` (n, 4) xyxy what the cell predicted on each of the n ``images``.
    """

    level: Level
    row: int
    col: int
    point: np.ndarray
    input_shape: tuple[int, int]
    theoretical: np.ndarray
    sensitivity: np.ndarray
    center: np.ndarray
    extent: np.ndarray
    share: float
    boxes: np.ndarray
    images: tuple[Trace, ...]

    @property
    def shift(self) -> np.ndarray:
        """From the anchor point to where the cell looks, (2,) xy px."""
        return self.center - self.point

    @property
    def theoretical_shift(self) -> np.ndarray:
        """From the anchor point to the middle of what the cell can see, (2,) xy px; nan where it sees everything.

        Padded convolutions of stride 2 begin at the first px and not half a step before it, so that the field of each
        is shifted to the left and up: by half a px of its input, which adds up to several px on coarse levels.
        """
        with np.errstate(invalid="ignore"):
            return (self.theoretical[:2] + self.theoretical[2:]) / 2 - self.point

    @property
    def box_size(self) -> np.ndarray:
        """Median width and height of the predicted boxes, (2,) px."""
        return np.median(self.boxes[:, 2:] - self.boxes[:, :2], 0)

    @property
    def coverage(self) -> np.ndarray:
        """Width and height of ``extent`` over those of the boxes, (2,): below 1 the cell judges by the inside."""
        return (self.extent[2:] - self.extent[:2]) / self.box_size

    def __str__(self) -> str:
        def pair(values, form=".1f") -> str:
            return " × ".join(format(float(value), form) for value in values)

        def shifted(values) -> str:
            return "nowhere in particular" if np.isnan(values).any() else "({:+.1f}, {:+.1f}) px".format(*values)

        x, y = self.point
        seen = self.theoretical[2:] - self.theoretical[:2]
        reach = f"{pair(seen, 'g')} px" if np.isfinite(seen).all() else "the whole image"
        return (
            f"{self.level.name} cell ({self.row}, {self.col}), anchor point ({x:g}, {y:g}) px:\n"
            f"  can see {reach}, its middle {shifted(self.theoretical_shift)} from the anchor point\n"
            f"  looks at {pair(self.extent[2:] - self.extent[:2])} px ({self.share:.0%} along each axis), "
            f"{shifted(self.shift)} from it\n"
            f"  predicts boxes of {pair(self.box_size)} px, of which it looks at {pair(self.coverage, '.2f')}"
        )


def receptive_field(
    model: Any,
    level: int | str,
    row: int | None = None,
    col: int | None = None,
    *,
    images: Any = None,
    class_id: int | str | None = None,
    share: float = 0.95,
    imgsz: int | Sequence[int] = 640,
    **predict_args: Any,
) -> ReceptiveField:
    """The theoretical and the effective receptive field of a cell, by default the middle one of its level.

    ``level``: index or name; ``images``: one, or several of one shape: whatever ``trace`` takes, or traces; by default
    four of noise. ``class_id``: id or name of the class whose logit is followed; by default the largest of the cell.
    ``share`` in (0, 1). The theoretical field is that of the layer table; the effective one is the gradient with
    respect to the image, Luo et al. 2016, https://arxiv.org/abs/1701.04128.
    Raises ValueError for a cell outside the grid, images of several shapes and a cell that answers to no px,
    SelectionError for an unknown level or class, UnsupportedModelError for a head that cannot be run step by step.

    >>> anatomy.receptive_field(model, "P4", images=photo, imgsz=64).level.name
    'P4'
    """
    share = finite_number(share, "share")
    if not 0 < share < 1:
        raise ValueError(f"share must lie between 0 and 1, but {share!r} was given.")
    head = describe(model)
    index = _one_level(head, level)
    traces = _traces(model, images, imgsz, predict_args)
    first = traces[0]
    rows, cols = first.shapes[index]
    row = rows // 2 if row is None else whole_number(row, "row")
    col = cols // 2 if col is None else whole_number(col, "col")
    anchors = [seen.anchor(index, row, col) for seen in traces]
    chosen = None if class_id is None else select_class(head.names, class_id)
    heat = np.mean([_gradient(seen, index, row, col, chosen) for seen in traces], 0)
    if not heat.any():
        raise ValueError(f"The logit of {head.levels[index].name} ({row}, {col}) answers to no px of these images.")
    heat /= heat.sum()
    x, y = heat.sum(0), heat.sum(1)
    steps = tuple(np.arange(len(line)) + 0.5 for line in (x, y))
    ends = (1 - share) / 2, (1 + share) / 2
    bounds = [np.interp(ends, np.cumsum([0, *line]), np.arange(len(line) + 1)) for line in (x, y)]
    return ReceptiveField(
        level=head.levels[index],
        row=row,
        col=col,
        point=first.points(anchors[:1])[0],
        input_shape=(first.input_shape[0], first.input_shape[1]),
        theoretical=_theoretical(model, first, index, row, col),
        sensitivity=heat.astype(np.float32),
        center=np.array([steps[0] @ x, steps[1] @ y]),
        extent=np.array(bounds).T.reshape(4),
        share=share,
        boxes=np.concatenate([seen.decode([anchor]) for seen, anchor in zip(traces, anchors, strict=True)]),
        images=traces,
    )


def _one_level(head: Head, level: Any) -> int:
    chosen = select_levels(head.levels, level)
    if len(chosen) != 1:
        raise ValueError(f"A cell lies on one level, but {level!r} names {len(chosen)}.")
    return chosen[0]


def _traces(model: Any, images: Any, imgsz: int | Sequence[int], predict_args: dict) -> tuple[Trace, ...]:
    """One trace an image, all of one input shape."""
    if images is None:
        sides = (imgsz, imgsz) if isinstance(imgsz, int) else tuple(imgsz)
        images = list(np.random.default_rng(0).integers(0, 256, (NOISE_IMAGES, *sides, 3), np.uint8))
    elif isinstance(images, str | np.ndarray | Trace) or not isinstance(images, Iterable):
        images = [images]
    found = tuple(
        image if isinstance(image, Trace) else trace(model, image, imgsz=imgsz, **predict_args) for image in images
    )
    shapes = {tuple(entry.input_shape) for entry in found}
    if len(shapes) != 1:
        raise ValueError(
            f"The images must be at least one and enter the network with one shape, but these have {sorted(shapes)}. "
            "Give images of one shape; Ultralytics' models take rect=False, which pads all to a square."
        )
    return found


def _gradient(seen: Trace, level: int, row: int, col: int, class_id: int | None) -> np.ndarray:
    """|d logit / d px| of a cell, summed over channels, (h, w) float64."""
    with seen.head.undisturbed():
        slope = differentiate_pass(seen.head, seen.run).gradient(level, row, col, class_id)
    return slope.abs().sum(0).double().cpu().numpy()


def _theoretical(model: Any, seen: Trace, level: int, row: int, col: int) -> np.ndarray:
    """What the layer table says that the cell can see, (4,) xyxy px."""
    calls = layers(model, seen.input_shape).calls(seen.levels[level].paths[seen.branch])
    field = calls[level if len(calls) > 1 else 0].field  # a convolution that levels share is called once for each
    return np.array([-np.inf, -np.inf, np.inf, np.inf]) if field is None else field.span(row, col)
