"""The feature maps that enter the class projection of each level."""

import math
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from anatomy import Trace, select_levels, whole_number

from ..canvas.arguments import LevelChoice
from ..canvas.frame import cell_edges
from ..canvas.given import one_trace
from ..canvas.heat import arrows
from ..canvas.layout import TOP
from ..canvas.palette import MISSING
from ..canvas.photo import photograph, stretch, stretch_note
from ..canvas.style import DOUBLE, Picture, Style, styled

COLUMNS = 8
ENDS = (0.5, 99.5)  # percentiles at which the scale of a level ends
LEFT, BAR, GAP, HEAD, TITLE, NOTE, LEAST = 0.05, 0.55, 0.05, 0.2, 0.15, 0.22, 0.3  # inches


@dataclass(frozen=True)
class Sheet:
    """How a page is divided, in inches: tiles of ``tile`` by ``tall`` in columns, a photograph before the first."""

    width: float
    columns: int
    tile: float
    tall: float

    @classmethod
    def divide(cls, width: float, counts: list[int], shape: tuple[int, int]) -> "Sheet":
        """A page for so many channels a level of an (H, W) image, no taller than a page may be if that can be."""
        columns = min(COLUMNS, max(counts))
        tile = (width - LEFT - BAR) / (columns + 1) - GAP
        rows = sum(math.ceil(count / columns) for count in counts)
        room = (TOP - NOTE - len(counts) * HEAD) / rows - GAP - TITLE
        natural = tile * shape[0] * stretch(shape[1], shape[0]) / shape[1]
        tall = max(min(natural, room), LEAST)
        return cls(width, columns, tile * min(1.0, tall / natural), tall + TITLE)

    def band(self, count: int) -> float:
        """The height of a level with so many channels."""
        return math.ceil(count / self.columns) * (self.tall + GAP) + HEAD

    def place(self, figure: Picture, top: float, row: int, column: int) -> Axes:
        """The axes of one tile in the band that starts at ``top``."""
        height = figure.get_figheight()
        low = top - HEAD - row * (self.tall + GAP) - self.tall
        left = LEFT + column * (self.tile + GAP)
        size = self.tile / self.width, (self.tall - TITLE) / height
        return figure.add_axes((left / self.width, low / height, *size))


def features(
    trace: Trace,
    *,
    level: LevelChoice = "all",
    most: int = 16,
    cmap: str = "viridis",
    width: float | None = None,
    style: Style = None,
) -> Picture:
    """Draw the strongest channels of what the class convolution of each level reads, one scale a level.

    ``most`` channels a level, by the root mean square of their values, strongest first. Cells over letterbox padding
    lie outside the panels. Returns a Figure; raises SelectionError for an unknown level, ValueError unless most >= 1.

    >>> figure = viz.features(trace, level="P5")
    """
    one_trace(trace, "viz.features")
    if whole_number(most, "most, the number of channels,") < 1:
        raise ValueError(f"most must be at least 1 channel a level, but {most} was given.")
    chosen = select_levels(trace.levels, level)
    maps = [_inputs(trace, index) for index in chosen]
    counts = [min(most, len(channels)) for channels in maps]
    shape = trace.image.shape[:2]
    notes = stretch_note(shape[1], shape[0])
    with styled(style):
        sheet = Sheet.divide(width or DOUBLE, counts, shape)
        top = sum(map(sheet.band, counts)) + NOTE * len(notes)
        figure = Picture(figsize=(sheet.width, top))
        for index, channels, count in zip(chosen, maps, counts, strict=True):
            _draw_level(figure, sheet, top, trace, index, channels, count, cmap)
            top -= sheet.band(count)
        for note in notes:
            figure.text(0.5, 0.05 / figure.get_figheight(), note, ha="center", va="bottom", fontsize="small")
    return figure


def _inputs(trace: Trace, level: int) -> np.ndarray:
    """The input of a level's class convolution, (c, h, w) float32."""
    return trace.features[level].float().cpu().numpy()


def _draw_level(
    figure: Picture,
    sheet: Sheet,
    top: float,
    trace: Trace,
    level: int,
    channels: np.ndarray,
    count: int,
    cmap: str,
) -> None:
    """One band of the figure: its heading, the photograph, the channels row by row, and their scale."""
    height, entry = figure.get_figheight(), trace.levels[level]
    strength = np.sqrt(np.square(channels, dtype=np.float64).mean((1, 2)))
    order = np.argsort(-strength, kind="stable")[:count]
    chosen = f"the {count} strongest of {len(channels)} channels, by number"
    heading = f"{entry.name}, stride {entry.stride:g}: {chosen}. Colour: activation."
    figure.text(LEFT / sheet.width, (top - 0.04) / height, heading, va="top", ha="left")
    photograph(sheet.place(figure, top, 0, 0), trace.image)
    norm = _norm(channels[order])
    for rank, channel in enumerate(order):
        ax = sheet.place(figure, top, rank // sheet.columns, 1 + rank % sheet.columns)
        drawn = _draw_map(ax, trace, level, channels[channel], norm, cmap)
        ax.set_title(str(channel), fontsize="x-small", pad=1.5)
    band = sheet.band(count)
    low, tall = (top - band + GAP + 0.03) / height, (band - HEAD - TITLE) / height
    left = LEFT + (sheet.columns + 1) * (sheet.tile + GAP) + 0.05
    bar = figure.add_axes((left / sheet.width, low, 0.09 / sheet.width, tall))
    figure.colorbar(drawn, cax=bar, extend=arrows([channels[order]], norm))
    bar.tick_params(labelsize="x-small", pad=1.5)
    bar.yaxis.set_major_locator(MaxNLocator(4))
    bar.yaxis.get_offset_text().set(size="x-small")


def _draw_map(ax: Axes, trace: Trace, level: int, channel: np.ndarray, norm: Normalize, cmap: str) -> AxesImage:
    x, y = cell_edges(trace, level)
    height, width = trace.image.shape[:2]
    drawn = ax.imshow(
        np.where(np.isfinite(channel), channel, np.nan),
        cmap=colormaps[cmap].with_extremes(bad=MISSING),
        norm=norm,
        extent=(x[0], x[-1], y[-1], y[0]),
        interpolation="nearest",
        aspect=stretch(width, height),
    )
    drawn.set_gid(f"features:{trace.levels[level].name}")
    ax.set(xlim=(0, width), ylim=(height, 0), xticks=(), yticks=())
    return drawn


def _norm(channels: np.ndarray) -> Normalize:
    finite = channels[np.isfinite(channels)]
    if not finite.size:
        return Normalize(0, 1)
    low, high = np.percentile(finite, ENDS)
    return Normalize(low, high if high > low else low + 1)
