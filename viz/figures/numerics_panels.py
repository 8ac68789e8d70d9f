"""The panels of a figure of scales: curves over the steps, heatmaps of the layers, the profile of one pass."""

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.ticker import FuncFormatter, MaxNLocator

from diagnosis import Numerics
from diagnosis.scales.result import Scales

from ..canvas.heat import arrow_ends, ends
from ..canvas.palette import MISSING
from ..canvas.style import Picture, label_powers, power_of_ten

NAN, INF = "black", "#E8112D"
SCALE = ListedColormap(colormaps["viridis"](np.linspace(0.15, 1, 256)), "scale")  # its dark end is far from black
BEYOND = 4  # decades beyond the calm passes that the colours still tell apart
SPAN = 3  # decades that the colours cover at least, so that small differences look small
LIMITS = {"output": (65504, "fp16 ends"), "gradient": (2.0**-24, "fp16 begins")}


def draw_loss(ax: Axes, result: Numerics) -> None:
    """The loss over the steps."""
    _curve(ax, result.losses, "loss")


def draw_gradient(ax: Axes, result: Numerics) -> None:
    """The norm of the gradient of all weights; a missing one counts as nothing."""
    with np.errstate(over="ignore"):
        _curve(ax, np.sqrt(np.nansum(result.gradient_norm**2, 1)), "norm of the weights' gradient")


def _curve(ax: Axes, values: np.ndarray, title: str) -> None:
    """A line over the steps; where it is not finite a cross at the upper edge."""
    steps, good = np.arange(len(values)), np.isfinite(values)
    ax.plot(steps[good], values[good], ".-", color="0.2", linewidth=1, markersize=4, gid=title)
    positive = values[good & (values > 0)]
    if len(positive) == good.sum() and len(positive) and positive.max() > 20 * positive.min():
        ax.set_yscale("log")
        label_powers(ax.yaxis)
    bad = steps[~good]
    colors = [NAN if np.isnan(value) else INF for value in values[~good]]
    ax.scatter(bad, np.full(len(bad), 0.9), marker="x", s=14, c=colors, transform=ax.get_xaxis_transform())
    ax.set(title=title, xlim=(-0.5, len(values) - 0.5), xticks=[])
    if ax.get_yscale() == "linear":
        ax.yaxis.set_major_locator(MaxNLocator(3))


def draw_heatmap(figure: Picture, ax: Axes, result: Numerics, rms: np.ndarray, what: str) -> None:
    """The logarithm of ``rms`` (steps, layers) as colour, what is not finite in colours of its own, and the scale."""
    logs = np.log10(np.where(rms > 0, rms, np.nan), where=np.isfinite(rms), out=np.full(rms.shape, np.nan))
    norm = _norm(logs, result.calm)
    drawn = ax.imshow(logs.T, cmap=SCALE.with_extremes(bad=MISSING), norm=norm, aspect="auto", interpolation="none")
    drawn.set_gid(f"scale:{what}")
    scales = result.forward if what == "output" else result.backward
    over = np.where(scales.non_finite > 0, np.where(np.isnan(scales.largest), 1.0, 0.0), np.nan)
    broken = ax.imshow(over.T, cmap=ListedColormap([INF, NAN]), vmin=0, vmax=1, aspect="auto", interpolation="none")
    broken.set_gid(f"non-finite:{what}")
    ax.set_xlabel("optimizer steps before the pass")
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    low, high = ends(norm)
    extend = arrow_ends(below=bool((logs < low).any()), above=bool((logs > high).any()))
    label = f"RMS of the {what}"
    bar = figure.colorbar(drawn, ax=ax, location="bottom", extend=extend, aspect=30, pad=0.01, label=label)
    bar.locator = MaxNLocator(5, integer=True)
    bar.formatter = FuncFormatter(lambda value, _: power_of_ten(round(value)) if value == round(value) else "")
    bar.update_ticks()


def _norm(logs: np.ndarray, calm: int) -> Normalize:
    """Colours span the calm passes, and of what came after them a few decades more."""
    usual, every = (part[np.isfinite(part)] for part in (logs[: calm + 1], logs))
    if not len(usual):
        return Normalize(0, 1)
    low, high = max(every.min(), usual.min() - BEYOND), min(every.max(), usual.max() + BEYOND)
    spare = max(SPAN - (high - low), 0) / 2
    return Normalize(low - spare, high + spare)


def draw_profile(ax: Axes, scales: Scales, what: str) -> None:
    """RMS and largest value of one pass along depth; what is not finite stands at the right edge."""
    place, rms, largest = np.arange(scales.rms.shape[1]), scales.rms[0], scales.largest[0]
    good = (rms > 0) & np.isfinite(largest)
    ax.set_xscale("log")
    label_powers(ax.xaxis)
    ax.plot(largest[good], place[good], "-", color="0.7", linewidth=0.8, gid=f"largest:{what}")
    ax.plot(rms[good], place[good], ".-", color="#0072B2", linewidth=1, markersize=3, gid=f"rms:{what}")
    for kind, color, chosen in (("nan", NAN, np.isnan(largest)), ("inf", INF, np.isinf(largest))):
        which = place[chosen & (scales.non_finite[0] > 0)]
        ax.scatter(
            np.full(len(which), 0.97), which, marker="x", s=9, color=color, transform=ax.get_yaxis_transform(), gid=kind
        )
    limit, words = LIMITS[what]
    low, high = ax.get_xlim()
    if not good.any():
        ax.set_xticks([], minor=False)
        ax.set_xticks([], minor=True)
    elif low < limit < high:
        ax.axvline(limit, color="0.4", linewidth=0.8, linestyle=":")
        ax.annotate(
            words,
            (limit, 1),
            (1, -2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="top",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
        )
    ax.set_xlabel(f"{what}: RMS, and the largest in grey" if good.any() else f"{what}: not one number")
    ax.grid(axis="x", color="0.9", linewidth=0.5)
    ax.set_axisbelow(True)
