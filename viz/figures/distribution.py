"""The four distances of one detection as the distributions that the head put out, and the box that they make."""

import textwrap
from collections.abc import Mapping
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from anatomy import Trace, whole_number

from ..canvas.frame import cell_boxes, outlines
from ..canvas.given import one_trace
from ..canvas.layout import room
from ..canvas.legend import foot
from ..canvas.palette import level_color
from ..canvas.photo import cell_marks, outline, photograph, stretch_note
from ..canvas.style import DOUBLE, Picture, Style, styled

SIDES = ("left", "top", "right", "bottom")
NO_BINS = (
    "This head has no distribution to show (reg_max = 1): it puts out the distance to each side of the box as one "
    "number. YOLOv8 to YOLO12 put out 16 probabilities a side instead, whose mean is the distance (distribution focal "
    "loss)."
)


def distribution(trace: Trace, i: int, *, width: float | None = None, style: Style = None) -> Picture:
    """Draw the DFL bins of detection i for its four sides: mean, entropy, ceiling, and the box on the photograph.

    Bin k stands for k strides between anchor point and side; the mean is what the box is made of, and no side can lie
    further than (reg_max - 1) strides (https://arxiv.org/abs/2006.04388). For a head without DFL the figure says what
    it puts out. Returns a Figure; raises IndexError for a detection that does not exist.

    >>> figure = viz.distribution(trace, 0)
    """
    one_trace(trace, "viz.distribution", ", 0")
    count = len(trace.detections)
    i = whole_number(i, "A detection, given by its index,")
    if not 0 <= i < count:
        numbered = f"{count}, numbered from 0 to {count - 1}" if count else "none"
        raise IndexError(f"Detection {i} does not exist: this image has {numbered}.")
    bins = _bins(trace, i)
    with styled(style):
        figure = Picture(figsize=(width or DOUBLE, 3.5), layout="constrained")
        room(figure, down=0.04)
        rows = "photo text" if bins is None else "photo left right; photo top bottom"
        axes = _axes(figure, rows)
        notes = _draw_box(axes["photo"], trace, i)
        if bins is None:
            _say(axes["text"], trace, i)
        else:
            _draw_bins(axes, trace, i, bins)
        figure.suptitle(_title(trace, i))
        foot(figure, _legend(trace, i, bins), ["Distances in px of the network input, from the anchor point.", *notes])
    return figure


def _axes(figure: Picture, plan: str) -> Mapping[str, Axes]:
    """Axes by name, as many rows as ``plan`` has parts; the first of each row is a little wider."""
    rows = [row.split() for row in plan.split(";")]
    ratios = [1.1] + [1.0] * (len(rows[0]) - 1)
    return cast("Mapping[str, Axes]", figure.subplot_mosaic([[*row] for row in rows], width_ratios=ratios))


def _bins(trace: Trace, i: int) -> np.ndarray | None:
    """(4, reg_max) probabilities, or None where the head has none."""
    return trace.distribution(i).cpu().numpy() if trace.reg_max > 1 else None


def _draw_bins(axes: Mapping[str, Axes], trace: Trace, i: int, bins: np.ndarray) -> None:
    found = trace.detections
    stride, places = float(found.stride[i]), np.arange(bins.shape[1])
    for side, share in zip(SIDES, bins, strict=True):
        ax, mean = axes[side], float(share @ places)
        ax.bar(places, share, width=0.85, color=level_color(found.level_name[i]), gid=f"bins:{side}")
        ax.axvline(mean, color="black", linewidth=1.0, gid=f"mean:{side}")
        ax.axvline(places[-1], color="0.4", linewidth=1.0, linestyle=":", gid=f"ceiling:{side}")
        ax.set_title(f"{side}: {mean:.2f} strides = {mean * stride:.1f} px\nentropy {_entropy(share):.2f} bit")
        ax.set(xlim=(-0.6, places[-1] + 0.6), ylim=(0, max(1.1 * bins.max(), 0.01)), xticks=places[::3])
        if side in ("top", "bottom"):
            ax.set_xlabel("distance (strides)")
        if side in ("left", "top"):
            ax.set_ylabel("probability")


def _entropy(share: np.ndarray) -> float:
    """Shannon entropy of probabilities (n,), in bit."""
    share = share[share > 0].astype(np.float64)
    return float(-(share * np.log2(share)).sum()) + 0.0


def _draw_box(ax: Axes, trace: Trace, i: int) -> list[str]:
    """The box, its cell and the four distances on the part of the photograph around them; returns what to note."""
    found = trace.detections
    color = level_color(found.level_name[i])
    shape = outlines(trace)[i]
    cell = cell_boxes(trace, found.level[i], found.row[i], found.col[i])
    frame = _around(np.concatenate((shape, cell.reshape(2, 2))), trace.image.shape)
    photograph(ax, trace.image, frame=frame)
    outline(ax, shape[None], color, width=1.6, gid="box")
    cell_marks(ax, cell, found.level_name[i])
    notes = stretch_note(frame[2] - frame[0], frame[3] - frame[1])
    if trace.rotated:
        notes.append("Sides are those of the box before it is rotated.")
    else:
        x1, y1, x2, y2 = trace.letterbox.to_original(trace.decode(found.anchor[i])[0]).tolist()
        x, y = found.center[i].tolist()
        for side, end in zip(SIDES, [(x1, y), (x, y1), (x2, y), (x, y2)], strict=True):
            _draw_distance(ax, side, (x, y), end, color)
    return notes


def _draw_distance(ax: Axes, side: str, start: tuple[float, float], end: tuple[float, float], color: str) -> None:
    """An arrow from the anchor point to one side of the box, cut off where the panel ends."""
    arrow = {"arrowstyle": "->", "color": color, "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0}
    halo = [withStroke(linewidth=2.2, foreground="white")]
    drawn = ax.annotate("", end, start, arrowprops={**arrow, "path_effects": halo}, annotation_clip=False)
    drawn.set(gid=f"distance:{side}", in_layout=False)
    if drawn.arrow_patch is not None:
        drawn.arrow_patch.set(clip_box=ax.bbox, clip_on=True)


def _around(points: np.ndarray, shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    """The part of the photograph (xyxy px) around these points (n, 2), with a margin, where there is one."""
    low, high = points.min(0), points.max(0)
    margin = 0.35 * max(*(high - low), 8)
    x1, y1 = np.maximum(low - margin, 0)
    x2, y2 = np.minimum(high + margin, (shape[1], shape[0]))
    return x1, y1, x2, y2


def _say(ax: Axes, trace: Trace, i: int) -> None:
    """What a head without distributions puts out, and its four numbers for this detection."""
    found = trace.detections
    box = trace.decode(found.anchor[i])[0]
    anchor = trace.points(found.anchor[i : i + 1])[0]
    lengths = np.concatenate((anchor - box[:2], box[2:] - anchor))
    sides = zip(SIDES, lengths, lengths / found.stride[i], strict=True)
    told = [f"{side}: {length:.1f} px = {strides:.2f} strides" for side, length, strides in sides]
    ax.set_axis_off()
    sentence = textwrap.fill(NO_BINS, 52)
    words = "\n".join([sentence, "", "Of this box:", *told])
    ax.text(0.02, 0.5, words, transform=ax.transAxes, ha="left", va="center", linespacing=1.4, gid="no distribution")


def _title(trace: Trace, i: int) -> str:
    found = trace.detections
    place = f"{found.level_name[i]} (stride {found.stride[i]:g} px), cell ({found.row[i]}, {found.col[i]})"
    return f"Detection {i}: {found.class_name[i]} {found.confidence[i]:.2f}, {place}"


def _legend(trace: Trace, i: int, bins: np.ndarray | None) -> list[Line2D]:
    if bins is None:
        return []
    reach, stride = bins.shape[1] - 1, trace.detections.stride[i]
    limit = f"ceiling: no side lies beyond {reach} strides = {reach * stride:g} px"
    return [
        Line2D([], [], color="black", linewidth=1.0, label="mean: the distance that makes the box"),
        Line2D([], [], color="0.4", linewidth=1.0, linestyle=":", label=limit),
    ]
