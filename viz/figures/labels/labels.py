"""Labels of a set on its photographs."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from anatomy import SourceError, whole_number
from diagnosis import LabelReport, read_labels
from diagnosis.labels import LabelSource, previews
from diagnosis.surveys.photographs.crops import read_photograph

from ...canvas.style import Picture, Style, styled
from .mends import draw_mends
from .plain import Shown, draw_plain
from .suspects import draw_suspects

WHAT = ("mends", "suspects", "labels")


def labels(
    data: Any,
    what: str | None = None,
    *,
    source: Any = None,
    split: str = "val",
    images: int | None = None,
    most: int = 12,
    width: float | None = None,
    style: Style = None,
) -> Picture:
    """Draw the labels of a set on its photographs: as written and as they are meant, or single suspects, or plainly.

    ``data``: a ``LabelReport``, of which ``what`` is drawn: "mends", the boxes as written (dashed) and as they would
    be, on the photographs that show it best, "suspects", the first of them, or "labels"; by default mends where it has
    any. ``source``: the labels that the report is about, where it does not know them. Or ``data`` is what
    ``read_labels`` takes, of whose ``split`` the labels are drawn as they are. ``images``: how many photographs, or
    suspects; ``most``: names on each. ``width`` in inches, ``style`` as ``matplotlib.style.use`` takes it. Returns a
    Figure. Raises ValueError for another ``what``, and where there is nothing of it to draw.

    >>> figure = viz.labels(labels)
    """
    if what is not None and what not in WHAT:
        raise ValueError(f"what must be one of {', '.join(map(repr, WHAT))}, but {what!r} was given.")
    if images is not None and whole_number(images, "images") < 1:
        raise ValueError(f"images must be at least 1, but {images} was given.")
    if not isinstance(data, LabelReport):
        if what not in (None, "labels"):
            raise ValueError(f"what={what!r} is drawn of what check_labels returned; of a set, its labels are.")
        with styled(style):
            return _plain(data, split, images or 9, most, width)
    chosen = what or ("mends" if data.mends else "labels")
    with styled(style):
        if chosen == "mends":
            return _mends(data, source, images or 6, most, width)
        if chosen == "suspects":
            return _suspects(data, images or 9, width)
        return _plain(_known(data, source), split, images or 9, most, width)


def _mends(report: LabelReport, source: Any, images: int, most: int, width: float | None) -> Picture:
    found = LabelSource.of(report, source)
    shown = previews(report, found, images)
    if not shown:
        raise ValueError("There is nothing to draw: the report has no mend, or no photograph of one can be read.")
    return draw_mends(shown, found.names, most, width)


def _suspects(report: LabelReport, images: int, width: float | None) -> Picture:
    rows, pixels = [], []
    for row in report.suspects.iter_rows(named=True):
        if len(rows) == images:
            break
        try:
            pixels.append(read_photograph(row["image"]))
        except SourceError:  # the next one shows something
            continue
        rows.append(row)
    if not rows:
        raise ValueError(
            "There is nothing to draw: the report has no suspects, or none of their photographs can be read."
        )
    return draw_suspects(rows, pixels, len(report.suspects), width)


def _known(report: LabelReport, source: Any) -> Any:
    data = report.data if source is None else source
    if data is None:
        raise ValueError("The report does not know where its labels are. Give them: viz.labels(report, source=…).")
    return data


def _plain(data: Any, split: str, images: int, most: int, width: float | None) -> Picture:
    shown = []
    for one in _readable(read_labels(data, split=split), images):
        shown.append(one)
        if len(shown) == images:
            break
    if not shown:
        raise ValueError("There is nothing to draw: none of the photographs can be read.")
    return draw_plain(shown, most, width)


def _readable(labelled: Any, images: int) -> Iterator[Shown]:
    """Photographs spread evenly over a set, and then the others in turn, so far as they can be read."""
    spread = np.unique(np.linspace(0, len(labelled) - 1, min(images, len(labelled))).astype(int)).tolist()
    others = (place for place in range(len(labelled)) if place not in spread)
    for place in (*spread, *others):
        try:
            yield Shown(read_photograph(labelled.images[place]), labelled[place])
        except SourceError:
            continue
