"""The figures of one image in a report: which there are, and how each is written in every format."""

import base64
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from anatomy import Trace
from diagnosis import attribute, faithfulness

from ..figures.anchor_grid import anchor_grid
from ..figures.attribution import attribution
from ..figures.detections import detections
from ..figures.distribution import distribution
from ..figures.features import features
from ..figures.heatmaps import heatmaps

KINDS = ("detections", "heatmaps", "anchor_grid", "distribution", "features", "attribution")
FORMATS = ("png", "pdf", "svg")
SKETCH = 110  # dpi of a figure that is drawn for the page alone
QUALITY = 75  # of a JPEG in the page


@dataclass(frozen=True)
class Sheet:
    """A figure to be drawn: the name of its files, the sentence that describes it, and the call that draws it.

    ``main``: it stands beside the image's name in the page, and not among the further figures below.
    """

    name: str
    text: str
    draw: Callable[[], Figure]
    main: bool = False


@dataclass(frozen=True)
class Thumbnail:
    """A figure as the page shows it: ``source`` is a ``data:`` address that holds the whole JPEG; size in px."""

    sheet: Sheet
    source: str
    width: int
    height: int


def sheets(trace: Trace, kinds, best: int, style) -> Iterator[Sheet]:
    """Every figure of an image, those that stand beside its name first; ``best`` is how many distributions and maps."""
    found, names = trace.detections, [level.name for level in trace.levels]
    surest = np.argsort(-found.confidence, kind="stable")[:best].tolist()
    if "detections" in kinds:
        text = f"Detections: {len(found)}, each in the colour of its level, with its cell and the rivals it suppressed."
        yield Sheet("detections", text, lambda: detections(trace, style=style), main=True)
    if "heatmaps" in kinds:
        text = f"Objectness of every cell on {', '.join(names)}, one scale for all."
        yield Sheet("heatmaps", text, lambda: heatmaps(trace, style=style), main=True)
        for i, name in enumerate(names):
            text = f"Objectness on {name}, on a scale of its own."
            yield Sheet(f"heatmap_{name}", text, lambda i=i: heatmaps(trace, level=i, style=style))
    if "anchor_grid" in kinds:
        for i, name in enumerate(names):
            text = f"Cells and anchor points of {name}."
            yield Sheet(f"anchor_grid_{name}", text, lambda i=i: anchor_grid(trace, level=i, style=style))
    if "distribution" in kinds and trace.reg_max > 1:
        for i in surest:
            text = f"Distances of detection {i} ({found.class_name[i]}, {found.level_name[i]}) as distributions."
            yield Sheet(f"distribution_{i}", text, lambda i=i: distribution(trace, i, style=style))
    if "features" in kinds:
        for i, name in enumerate(names):
            text = f"The strongest channels that the class convolution of {name} reads."
            yield Sheet(f"features_{name}", text, lambda i=i: features(trace, level=i, style=style))
    if "attribution" in kinds:
        for i in surest:
            who = f"{i} ({found.class_name[i]}, {found.level_name[i]})"
            text = f"Which pixels speak for detection {who} and which against it, and the tests of the map."
            yield Sheet(f"attribution_{i}", text, lambda i=i: _explained(trace, i, style))


def _explained(trace: Trace, i: int, style) -> Figure:
    made = attribute(trace, i)
    return attribution(made, faithfulness(made), style=style)


def write(sheet: Sheet, folder: Path, formats, dpi: int, side: int | None) -> Thumbnail | None:
    """Draw a figure once and write it in every format; its thumbnail, ``side`` px wide, or None where None is asked."""
    figure = sheet.draw()
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # laid out once, not again for every format
    raster = None
    for ending in formats:
        if ending == "png":
            raster = _png(figure, dpi)
            (folder / f"{sheet.name}.png").write_bytes(raster)
        else:
            figure.savefig(folder / f"{sheet.name}.{ending}", dpi=dpi)
    if side is None:
        return None
    with Image.open(io.BytesIO(raster or _png(figure, SKETCH))) as picture:
        small = picture.convert("RGB")
    small.thumbnail((side, 4 * side), Image.Resampling.LANCZOS)
    jpeg = io.BytesIO()
    small.save(jpeg, "jpeg", quality=QUALITY, optimize=True)
    return Thumbnail(sheet, f"data:image/jpeg;base64,{base64.b64encode(jpeg.getvalue()).decode()}", *small.size)


def _png(figure: Figure, dpi: int) -> bytes:
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=dpi, pil_kwargs={"compress_level": 3})
    return png.getvalue()
