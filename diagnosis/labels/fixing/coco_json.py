"""A COCO JSON, mended: its annotations one by one, all else as it stands."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...objects.reading.coco import CocoImage, as_annotation
from ...objects.reading.header import header_size
from ...objects.reading.readers import CocoAnnotations, annotation_rows
from ...objects.reading.rows import judge
from ..reading import Reading
from ..report import PAIRING, Mend
from .annotation import Entry, mend_annotation
from .changes import Changes
from .choice import CUT, Choice
from .layout import bring
from .numbers import Size
from .pairing import NAMELESS, NO_LABELS, NOBODYS, OFF, UNREADABLE, paired
from .parts import Part

MASK = "a run-length encoded mask, which cannot be turned with its box"


def write_json(
    part: Part, reader: CocoAnnotations, choice: Choice, stage: Path, changes: Changes, tick: Callable[[], object]
) -> str:
    """Write the mended JSON and links of its images; returns its name. ``tick`` is called for every image."""
    path, images = Path(reader.path), part.labels.listing.paths
    classes = {category: class_id for class_id, category in part.labels.categories.items()}
    file = _Json(path=path, data=json.loads(path.read_bytes()), classes=classes, choice=choice, changes=changes)
    sources = paired(images, choice)
    targets = {source: image for image, source in sources.items()}
    for image in images:
        target = targets.get(image)
        if target is None:
            file.gone.update(annotation.place for annotation in reader.images[image].annotations)
            changes.leave_out(NOBODYS, image)
        else:
            file.mend(image, reader.images[image], target, reader.images[target])
        tick()
    file.keep_images({reader.images[image].name for image in images if image not in sources})
    for image in sources:
        changes.images[_bring(file.data, reader.images[image].name, image, stage)] += 1
    (stage / path.name).write_text(json.dumps(file.written(), ensure_ascii=False), encoding="utf-8")
    return path.name


@dataclass
class _Json:
    """A JSON while it is mended: its ``data``; ``classes`` {category id: class id}; places of annotations that go."""

    path: Path
    data: dict[str, Any]
    classes: Mapping[int, int]
    choice: Choice
    changes: Changes
    gone: set[int] = field(default_factory=set)

    def mend(self, image: str, held: CocoImage, target: str, belongs: CocoImage) -> None:
        """Mend the annotations that are written for an image, and belong to the image ``target``."""
        mend = self.choice.mends.get(image)
        if mend is not None:
            size = belongs.size or header_size(target)
            if size is None and mend.departures:
                self.changes.leave_out(UNREADABLE, image)
            elif mend.departures:
                self._read_anew(held, mend, size or (1, 1))
            if mend.classes:
                self._rename(held, mend)
            if mend.pairing:
                self._move(held, belongs)
        if self.choice.cut and not (mend is not None and mend.departures):
            self._cut(held, held.size or header_size(image))
        if self.choice.drop:
            self._drop(held, held.size or header_size(image) or (1, 1))

    def written(self) -> dict[str, Any]:
        """What the mended file holds."""
        kept = [entry for place, entry in enumerate(self._entries) if place not in self.gone]
        return {**self.data, "annotations": kept}

    def keep_images(self, without: set[str]) -> None:
        """Take images off the list, by file name: those to which no annotations belong."""
        for name in without:
            self.changes.leave_out(NO_LABELS, name)
        self.data["images"] = [entry for entry in self.data["images"] if entry.get("file_name") not in without]

    @property
    def _entries(self) -> list[Entry]:
        return self.data.get("annotations") or []

    def _read_anew(self, held: CocoImage, mend: Mend, size: Size) -> None:
        rows, _ = annotation_rows(self.path, held.annotations, size)
        moved = 0
        for row in rows:
            reading = mend.reading_of(int(row.class_id))
            if not reading.departures or not np.isfinite(row.cxcywh).all():
                continue
            written, meant = Reading().boxes([row.cxcywh], size)[0], reading.boxes([row.cxcywh], size)[0]
            entry = self._entries[row.line]
            outline = entry.get("segmentation")
            if mend_annotation(entry, written, meant, reading, size):
                moved += 1
            else:
                self.gone.add(row.line)
                self.changes.leave_out(OFF, self.path, row.line)
            if outline and not entry.get("segmentation"):
                self.changes.leave_out(MASK, self.path, row.line)
        if moved:
            self.changes.count(mend.reading_codes, moved)

    def _rename(self, held: CocoImage, mend: Mend) -> None:
        categories = {class_id: category for category, class_id in self.classes.items()}
        renamed = 0
        for annotation in held.annotations:
            meant = mend.classes.get(annotation.class_id, annotation.class_id)
            if meant != annotation.class_id and meant in categories:
                self._entries[annotation.place]["category_id"] = categories[meant]
                renamed += 1
            elif meant != annotation.class_id:
                self.gone.add(annotation.place)
                self.changes.leave_out(NAMELESS, self.path, annotation.place)
        if renamed:
            self.changes.count(mend.class_codes, renamed)

    def _move(self, held: CocoImage, belongs: CocoImage) -> None:
        for annotation in held.annotations:
            self._entries[annotation.place]["image_id"] = belongs.key
        self.changes.count((PAIRING,), len(held.annotations))

    def _cut(self, held: CocoImage, size: Size | None) -> None:
        """Cut boxes that leave the image at its edges."""
        if size is None:
            return
        rows, _ = annotation_rows(self.path, held.annotations, size)
        outside = {problem.line for problem in judge(rows, self.path, {}).problems if problem.code == CUT}
        for row in (row for row in rows if row.line in outside):
            written = Reading().boxes([row.cxcywh], size)[0]
            mend_annotation(self._entries[row.line], written, written.clip(0, 1), Reading(), size)
        if outside:
            self.changes.count((CUT,), len(outside))

    def _drop(self, held: CocoImage, size: Size) -> None:
        """Let those annotations go that are no labels of the kinds that are dropped, as they stand now."""
        left = [annotation.place for annotation in held.annotations if annotation.place not in self.gone]
        now = [as_annotation(place, self._entries[place], self.classes) for place in left]
        rows, known = annotation_rows(self.path, now, size)
        places = {row.line for row in rows}
        told = list(zip((place for place in left if place not in places), known, strict=True))
        told += [(problem.line, problem) for problem in judge(rows, self.path, {}).problems]
        for place, problem in told:
            if problem.code in self.choice.drop and not problem.kept and place is not None:
                self.gone.add(place)
                self.changes.dropped[problem.code] += 1


def _bring(data: dict[str, Any], name: str, image: str, stage: Path) -> str:
    """Link an image where the JSON's reader looks for it; one that lies elsewhere is named by its whole path."""
    place = os.path.normpath(name)
    if not os.path.isabs(place) and not place.startswith(os.pardir):
        return bring(image, stage / "images" / place)
    for entry in data["images"]:
        if entry.get("file_name") == name:
            entry["file_name"] = image
    return "left where they are"
