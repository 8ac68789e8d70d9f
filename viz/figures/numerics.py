"""The scale of every layer, forward and backward: over steps as heatmaps, of one pass as two profiles."""

import textwrap
from itertools import islice

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from anatomy.arguments import refused
from diagnosis import Numerics

from ..canvas.layout import room
from ..canvas.legend import foot
from ..canvas.palette import MISSING
from ..canvas.style import DOUBLE, Picture, Style, styled
from .numerics_panels import INF, NAN, draw_gradient, draw_heatmap, draw_loss, draw_profile

ROW, LEAST, MOST = 0.07, 3.2, 7.0  # inches a layer, and of all layers together
LINE = 0.105  # inches that a line of small text takes
MARKED = {  # code -> colour and word of the arrow
    "non_finite": (INF, "first non-finite"),
    "runaway": ("#D55E00", "runs away"),
    "amplifies": ("#0072B2", "amplifies"),
    "faint": ("0.35", "faint"),
    "dead_layer": ("0.35", "dead"),
    "saturated_layer": ("0.35", "saturated"),
    "exploding_gradient": ("#D55E00", "gradient explodes"),
    "vanishing_gradient": ("0.35", "gradient vanishes"),
}


def numerics(result: Numerics, *, most: int = 12, width: float | None = None, style: Style = None) -> Picture:
    """Draw the root mean square of each layer's output and gradient, in the order of execution from top to bottom.

    Several passes make a heatmap layer × step of its logarithm below the loss; NaN is black, infinity red, what was
    not measured grey. One pass makes a profile, the largest value beside it. Arrows point at the layers that findings
    name, at most ``most`` of them. Returns a Figure.

    >>> figure = viz.numerics(diagnosis.numerics(torch.nn.Linear(2, 2), torch.ones(1, 2)))
    """
    if not isinstance(result, Numerics):
        raise refused("viz.numerics", "a Numerics", result, "viz.numerics(diagnosis.numerics(net, batch))")
    count, steps = len(result.layers), len(result)
    told = _told(result)
    tall = float(np.clip(ROW * count, LEAST, MOST))
    with styled(style):
        figure = Picture(figsize=(width or DOUBLE, tall + (1.9 if steps > 1 else 1.1)), layout="constrained")
        room(figure)
        rows = [0.7, tall] if steps > 1 else [1]
        columns = [1, 1, 0.75] if told else [1, 1]
        axes = figure.subplots(len(rows), len(columns), squeeze=False, width_ratios=columns, height_ratios=rows)
        forward, backward = axes[-1, :2]
        if steps > 1:
            draw_loss(axes[0, 0], result)
            draw_gradient(axes[0, 1], result)
        for ax, scales, what in ((forward, result.forward, "output"), (backward, result.backward, "gradient")):
            if steps > 1:
                draw_heatmap(figure, ax, result, scales.rms, what)
            else:
                draw_profile(ax, scales, what)
            ax.set_title(f"{what} of each layer")
            ax.set_ylim(count - 0.5, -0.5)
        _groups(forward, [layer.path for layer in result.layers], int(tall / LINE))
        backward.set_yticks([])
        for ax in axes[:, 2:].flat:
            ax.set_axis_off()
        if told:
            _marks(axes[-1, 2], result, dict(islice(told.items(), most)), tall)
        figure.suptitle(_title(result))
        left_out = len(told) - most
        notes = [f"Arrows: the first {most} layers that findings name, {left_out} left out."] if left_out > 0 else []
        foot(figure, _legend(result), notes)
    return figure


def _title(result: Numerics) -> str:
    subject = result.subject[0].upper() + result.subject[1:]
    head = f"{subject}: {len(result.layers)} layers, {len(result)} pass(es), {result.dtype}."
    if result.interrupted or result.stopped:
        head += " " + (result.stopped or "interrupted").capitalize() + "."
    first = result.first_non_finite
    return head + (f"\n{textwrap.fill(str(first), 110)}" if first else "")


def _groups(ax: Axes, paths: list[str], lines: int) -> None:
    """Names at the left: whole paths where there is room, otherwise what neighbours have in common."""
    runs: list[tuple[str, int, int]] = []
    for depth in range(max((path.count(".") for path in paths), default=0) + 1, 0, -1):
        runs = _runs([_shortened(path, depth) for path in paths])
        if len(runs) <= lines:
            break
    apart = len(paths) / max(lines, 1)
    shown, last = [], -np.inf
    for name, first, end in runs:
        middle = (first + end - 1) / 2
        if middle - last >= apart:
            shown.append((middle, name))
            last = middle
    ax.set_yticks([middle for middle, _ in shown], [name for _, name in shown])
    ax.set_yticks([first - 0.5 for _, first, _ in runs if first], minor=True)
    ax.tick_params(axis="y", length=0, pad=4, labelsize=5.5)
    ax.tick_params(axis="y", which="minor", length=3, width=0.4)


def _shortened(path: str, depth: int) -> str:
    return ".".join(path.split(".")[:depth])


def _runs(names: list[str]) -> list[tuple[str, int, int]]:
    """Stretches of equal neighbours: name, first place, place after the last."""
    starts = [place for place, name in enumerate(names) if not place or name != names[place - 1]]
    return [(names[start], start, end) for start, end in zip(starts, [*starts[1:], len(names)], strict=True)]


def _told(result: Numerics) -> dict[int, list[tuple[str, str]]]:
    """Layers that findings name, in the order of the findings: colour and words of each."""
    places = {layer.name: index for index, layer in enumerate(result.layers)}
    places |= {origin.name: origin.layer for origin in result.origins if origin.layer is not None}
    told: dict[int, list[tuple[str, str]]] = {}
    for finding in result.findings:
        index, step = places.get(str(finding.evidence.get("layer"))), finding.evidence.get("step")
        if index is not None and finding.code in MARKED:
            color, words = MARKED[finding.code]
            told.setdefault(index, []).append((color, f"{words} after {step} step(s)" if step else words))
    return told


def _marks(ax: Axes, result: Numerics, told: dict[int, list[tuple[str, str]]], tall: float) -> None:
    """Arrows from the right margin at layers, each with its name and what findings say of it."""
    chosen = sorted(told)
    ax.set(xlim=(0, 1), ylim=(len(result.layers) - 0.5, -0.5))
    gap = 2.3 * LINE / tall * len(result.layers)
    for index, at in zip(chosen, _spread(chosen, gap, len(result.layers)), strict=True):
        color = told[index][0][0]
        said = ", ".join(words for _, words in told[index])
        ax.annotate(
            f"{result.layers[index].name}\n{said}",
            (0.0, index),
            (0.13, at),
            color=color,
            fontsize=6,
            va="center",
            arrowprops={
                "arrowstyle": "-|>",
                "color": color,
                "linewidth": 0.8,
                "shrinkA": 1,
                "shrinkB": 0,
                "relpos": (0, 0.5),  # from the left of its text, so that it crosses no other
            },
            annotation_clip=False,
        )


def _spread(places: list[int], gap: float, count: int) -> np.ndarray:
    """Places for texts, in order, at least ``gap`` apart and near their own."""
    at = np.asarray(places, dtype=np.float64)
    for i in range(1, len(at)):
        at[i] = max(at[i], at[i - 1] + gap)
    if len(at):
        at[-1] = min(at[-1], count - 1)
    for i in range(len(at) - 2, -1, -1):
        at[i] = min(at[i], at[i + 1] - gap)
    return at


def _legend(result: Numerics) -> list[Artist]:
    scales = (result.forward, result.backward)
    heatmap = len(result) > 1
    handles: list[Artist] = []
    for words, color, kind in (("NaN", NAN, np.isnan), ("infinity", INF, np.isinf)):
        if any((kind(part.largest) & (part.non_finite > 0)).any() for part in scales):
            handles.append(Patch(color=color, label=words) if heatmap else _cross(words, color))
    if heatmap and any(np.isnan(part.zeros).any() for part in scales):
        handles.append(Patch(color=MISSING, label="no value or zero"))
    return handles


def _cross(label: str, color: str) -> Line2D:
    return Line2D([], [], color=color, label=label, marker="x", linestyle="none", markersize=4)
