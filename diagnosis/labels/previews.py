"""What mends would change, on the photographs that show it best."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from anatomy.errors import SourceError
from anatomy.head.images import read_image

from ..objects.reading import ImageLabels
from ..objects.reading.readers import LabelFiles, Reader
from .edges import EdgeField
from .fixing.parts import open_parts
from .report import LabelReport, Mend
from .rows import Rows, rows_of

TRIED = 24  # photographs of a mend that are looked at, spread evenly
CLEAR = 8  # boxes from which on a photograph shows less the more it has
CLASS = 0.2  # what a box of another class counts beside a gain of edge fit, from −1/3 to 1


class Boxes(NamedTuple):
    """Boxes of one photograph: ``class_id`` (n,) int64 and ``xyxy`` (n, 4) px of the original, not clipped."""

    class_id: np.ndarray
    xyxy: np.ndarray


@dataclass(frozen=True, repr=False, eq=False)
class Preview:
    """The labels of one photograph as Ultralytics takes them now, and as they are meant.

    ``pixels`` (H, W, 3) uint8 RGB. ``written`` and ``meant`` are the same objects in the same order, but where files
    are paired anew. ``gain``: how much better they show a mend than others, of no unit.
    """

    image: Path
    pixels: np.ndarray
    mend: Mend
    written: Boxes
    meant: Boxes
    gain: float

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        return self.pixels.shape[1], self.pixels.shape[0]


@dataclass(frozen=True)
class LabelSource:
    """Where the labels of images are read: ``readers`` and ``lists`` of their splits, by image; class ``names``."""

    readers: Mapping[str, Reader] = field(default_factory=dict)
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, report: LabelReport, data: Any = None) -> "LabelSource":
        """Of the data that a report is about: as given, as the report knows it, else by Ultralytics' rule for paths."""
        data = report.data if data is None else data
        if data is None:
            lists = {
                str(image): [str(other) for other in mend.images] for mend in report.mends for image in mend.images
            }
            return cls(readers=dict.fromkeys(lists, LabelFiles()), lists=lists)
        readers, lists, names = {}, {}, {}
        for part in open_parts(data).splits:
            images = part.labels.listing.paths
            readers |= dict.fromkeys(images, part.labels.reader)
            lists |= dict.fromkeys(images, images)
            names |= part.labels.names
        return cls(readers=readers, lists=lists, names=names)

    def read(self, image: str) -> ImageLabels:
        """The labels that stand beside an image, every class id among them. Raises LookupError for an image unknown."""
        if image not in self.readers:
            raise LookupError(f"The report is about images such as {image!r}, which the data does not have.")
        return self.readers[image].read(image, {})

    def belongs_to(self, image: str, pairing: int) -> str | None:
        """The image so many places further on in the list of the split; None beyond its ends."""
        images = self.lists[image]
        place = images.index(image) + pairing
        return images[place] if 0 <= place < len(images) else None


def previews(report: LabelReport, source: LabelSource, images: int = 6) -> list[Preview]:
    """At most so many photographs, of every mend those on which it gains most; of each code about as many."""
    by_mend = [sorted(_looked(mend, source), key=lambda seen: -seen.gain) for mend in report.mends]
    by_mend.sort(key=lambda seen: -max((len(one.mend.images) for one in seen), default=0))
    turns = [preview for turn in zip_longest(*by_mend) for preview in turn if preview is not None]
    return _even(turns, images)


def _even(listed: Sequence[Preview], images: int) -> list[Preview]:
    """The first of those listed, each time one that shows the codes that were shown least so far."""
    left, chosen = list(listed), []
    shown: Counter[str] = Counter()
    while left and len(chosen) < images:
        best = min(left, key=lambda one: min((shown[code] for code in one.mend.all_codes), default=0))
        left.remove(best)
        chosen.append(best)
        shown.update(best.mend.all_codes)
    return chosen


def _looked(mend: Mend, source: LabelSource) -> Iterator[Preview]:
    for place in np.unique(np.linspace(0, len(mend.images) - 1, min(TRIED, len(mend.images))).astype(int)):
        preview = _preview(str(mend.images[place]), mend, source)
        if preview is not None:
            yield preview


def _preview(beside: str, mend: Mend, source: LabelSource) -> Preview | None:
    """What the labels that stand beside an image become; None where there is nothing to show."""
    image = source.belongs_to(beside, mend.pairing) if mend.pairing else beside
    if image is None:
        return None
    try:
        pixels = np.ascontiguousarray(read_image(image)[..., ::-1])
    except SourceError:
        return None
    size = (pixels.shape[1], pixels.shape[0])
    rows = rows_of(0, source.read(beside))
    standing = rows if image == beside else rows_of(0, source.read(image))
    written, meant = _boxes(standing, Mend(()), size), _boxes(rows, mend, size)
    if not len(rows):
        return None
    gain = _gain(EdgeField(pixels), written, meant)
    return Preview(image=Path(image), pixels=pixels, mend=mend, written=written, meant=meant, gain=gain)


def _boxes(rows: Rows, mend: Mend, size: tuple[int, int]) -> Boxes:
    """The boxes of rows as a mend reads them; a format is not one of polygons."""
    found = np.empty((len(rows), 4))
    for label in np.unique(rows.class_id).tolist():
        reading, mine = mend.reading_of(label), rows.class_id == label
        hulls = reading.pointwise.boxes(rows.quads[mine], size)
        found[mine] = np.where(rows.polygon[mine, None], hulls, reading.boxes(rows.quads[mine], size))
    ids = [mend.classes.get(label, label) for label in rows.class_id.tolist()]
    return Boxes(np.array(ids, np.int64), found * np.tile(size, 2))


def _gain(edges: EdgeField, written: Boxes, meant: Boxes) -> float:
    fits = [edges.scores(boxes.xyxy).mean() if len(boxes.class_id) else 0.0 for boxes in (written, meant)]
    same = len(written.class_id) == len(meant.class_id)
    renamed = float((written.class_id != meant.class_id).mean()) if same else 0.0
    return float((fits[1] - fits[0] + CLASS * renamed) * min(1.0, CLEAR / len(meant.class_id)))
