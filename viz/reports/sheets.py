"""The figures of one image in a report: which there are, and how each is written in every format."""

import base64
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from PIL import Image

from anatomy import Trace
from diagnosis import Attribution, attribute_all, faithfulness

from ..canvas.style import SINGLE, Picture, Style
from ..figures.anchor_grid import anchor_grid
from ..figures.attribution import attribution
from ..figures.detections import detections
from ..figures.distribution import distribution
from ..figures.features import features
from ..figures.heatmaps import heatmaps
from ..figures.maps import maps

SKETCH = 110  # dpi of a figure that is drawn for the page alone
EACH, ALL = 5.0, 20.0  # predicts for the map of a detection, and at most for those of a photograph
STEPS = 4  # of the curves of a map
QUALITY = 75  # of a JPEG in the page


@dataclass(frozen=True)
class Sheet:
    """A figure to be drawn: the name of its files, the sentence that describes it, and the call that draws it.

    ``main``: it stands beside the image's name in the page, and not among the further figures below.
    """

    name: str
    text: str
    draw: Callable[[], Picture]
    main: bool = False


@dataclass(frozen=True)
class Thumbnail:
    """A figure as the page shows it: ``source`` is a ``data:`` address that holds the whole JPEG; size in px."""

    sheet: Sheet
    source: str
    width: int
    height: int


@dataclass(frozen=True)
class Maps:
    """The maps of all detections of a trace, made together at their first use; ``progress``: with a bar."""

    trace: Trace
    progress: bool = False

    @cached_property
    def all(self) -> tuple[Attribution, ...]:
        """One a detection, in their order. Raises KeyboardInterrupt where they were interrupted."""
        count = len(self.trace.detections)
        made = attribute_all(self.trace, budget=min(EACH, ALL / max(count, 1)), progress=self.progress)
        if len(made) < count or any(one.heat.note.startswith("interrupted") for one in made):
            raise KeyboardInterrupt  # which a map by itself survives, but whoever ends a report means the report
        return made

    def of(self, i: int) -> Attribution:
        """That of detection i."""
        return self.all[i]


def sheets(trace: Trace, kinds: Sequence[str], best: int, style: Style, *, progress: bool = False) -> Iterator[Sheet]:
    """Every figure of an image, those that stand beside its name first.

    ``best`` is how many distributions. Of maps the surest alone stands by itself, as its curves cost as much as many
    maps; ``progress``: a bar tells what the maps cost.
    """
    surest = np.argsort(-trace.detections.confidence, kind="stable")[:best].tolist()
    makers = {
        "detections": lambda: _of_detections(trace, style),
        "heatmaps": lambda: _of_heatmaps(trace, style),
        "anchor_grid": lambda: _of_anchor_grids(trace, style),
        "distribution": lambda: _of_distributions(trace, surest, style),
        "features": lambda: _of_features(trace, style),
        "attribution": lambda: _of_attributions(Maps(trace, progress), surest[:1], style),
    }
    for kind, make in makers.items():
        if kind in kinds:
            yield from make()


def _of_detections(trace: Trace, style: Style) -> Iterator[Sheet]:
    count = len(trace.detections)
    text = f"Detections: {count}, each in the colour of its level, with its cell and the rivals it suppressed."
    yield Sheet("detections", text, partial(detections, trace, style=style), main=True)


def _of_heatmaps(trace: Trace, style: Style) -> Iterator[Sheet]:
    names = ", ".join(level.name for level in trace.levels)
    text = f"Objectness of every cell on {names}, one scale for all."
    yield Sheet("heatmaps", text, partial(heatmaps, trace, style=style), main=True)
    for level in trace.levels:
        text = f"Objectness on {level.name}, on a scale of its own."
        yield Sheet(f"heatmap_{level.name}", text, partial(heatmaps, trace, level=level.index, style=style))


def _of_anchor_grids(trace: Trace, style: Style) -> Iterator[Sheet]:
    for level in trace.levels:
        text = f"Cells and anchor points of {level.name}."
        yield Sheet(f"anchor_grid_{level.name}", text, partial(anchor_grid, trace, level=level.index, style=style))


def _of_distributions(trace: Trace, surest: Sequence[int], style: Style) -> Iterator[Sheet]:
    for i in surest if trace.reg_max > 1 else ():
        text = f"Distances of detection {_named(trace, i)} as distributions."
        yield Sheet(f"distribution_{i}", text, partial(distribution, trace, i, style=style))


def _of_features(trace: Trace, style: Style) -> Iterator[Sheet]:
    for level in trace.levels:
        text = f"The strongest channels that the class convolution of {level.name} reads."
        yield Sheet(f"features_{level.name}", text, partial(features, trace, level=level.index, style=style))


def _of_attributions(made: Maps, surest: Sequence[int], style: Style) -> Iterator[Sheet]:
    trace = made.trace
    if len(trace.detections):
        text = f"Which pixels speak for each of the {len(trace.detections)} detections, enlarged."
        yield Sheet("attributions", text, lambda: maps(made.all, style=style))
    for i in surest:
        which = f"detection {_named(trace, i)}"
        text = f"Which pixels speak for {which}, and how the detection fades and returns in the order of the map."
        yield Sheet(f"attribution_{i}", text, partial(_explained, made, i, style))


def _named(trace: Trace, i: int) -> str:
    """A detection by its number, class and level."""
    return f"{i} ({trace.detections.class_name[i]}, {trace.detections.level_name[i]})"


def _explained(made: Maps, i: int, style: Style) -> Picture:
    one = made.of(i)
    return attribution(one, faithfulness(one, ("curves", "box"), steps=STEPS), width=SINGLE, style=style)


def write(sheet: Sheet, folder: Path, formats: Sequence[str], dpi: int, side: int | None) -> Thumbnail | None:
    """Draw a figure once and write it in every format; its thumbnail, ``side`` px wide, or None where None is asked."""
    figure = sheet.draw()
    figure.lay_out()  # once, not again for every format
    raster = None
    for ending in formats:
        if ending == "png":
            raster = figure.png(dpi)
            (folder / f"{sheet.name}.png").write_bytes(raster)
        else:
            figure.savefig(folder / f"{sheet.name}.{ending}", dpi=dpi)
    if side is None:
        return None
    with Image.open(io.BytesIO(raster or figure.png(SKETCH))) as picture:
        small = picture.convert("RGB")
    small.thumbnail((side, 4 * side), Image.Resampling.LANCZOS)
    jpeg = io.BytesIO()
    small.save(jpeg, "jpeg", quality=QUALITY, optimize=True)
    source = f"data:image/jpeg;base64,{base64.b64encode(jpeg.getvalue()).decode()}"
    return Thumbnail(sheet, source, width=small.width, height=small.height)
