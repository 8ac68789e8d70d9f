"""Label files of a set, written anew beside links of its images."""

from collections.abc import Callable, Iterator
from pathlib import Path

from ...objects.reading.header import header_size
from ...objects.reading.label_paths import find_label_file
from ..report import Mend
from .changes import Changes
from .choice import PAIRING, Choice, class_codes
from .data_yaml import write_entry
from .label_text import Correction, LabelForm, MendedText, mend_text
from .layout import Layout, bring
from .pairing import NO_LABELS, NOBODYS, OFF, UNREADABLE, paired
from .parts import Part, Parts

NEED_SIZE = {"unit", "frame"}  # departures that depend on how large an image is


def write_label_files(parts: Parts, choice: Choice, stage: Path, changes: Changes, tick: Callable[[], object]) -> str:
    """Write the labels of all splits, links of their images, and what they are given by; returns the name of that.

    ``tick`` is called for every image.
    """
    layout = Layout.of(parts.paths())
    kept: dict[str, list[str]] = {}
    for part in parts.splits:
        here = kept[part.split] = []
        for image in _mend_part(part, choice, layout, stage, changes):
            tick()
            if image is not None:
                here.append(image)
    for split, why in parts.absent.items():
        changes.leave_out(f"the split {split} is not there", why)
    return write_entry(parts, kept, layout, stage)


def _mend_part(part: Part, choice: Choice, layout: Layout, stage: Path, changes: Changes) -> Iterator[str | None]:
    """Write labels and links of a split into ``stage``; yields the path of each image, None for one left out."""
    form = LabelForm(part.labels.names, part.keypoints)
    images = part.labels.listing.paths
    sources = paired(images, choice)
    for image in set(images).difference(sources.values()):
        changes.leave_out(NOBODYS, image)
    for image in images:
        correction = _correction(choice, sources.get(image), image)
        if isinstance(correction, str):
            changes.leave_out(correction, image)
            yield None
            continue
        found = find_label_file(sources[image], part.labels.listing.links)
        if found is not None:
            text = mend_text(Path(found).read_bytes(), Path(found), correction, form)
            _count(changes, choice.mends.get(sources[image]), found, text)
            _put(text.data, stage / layout.label(image))
        changes.images[bring(image, stage / layout.place(image))] += 1
        yield image


def _correction(choice: Choice, source: str | None, image: str) -> Correction | str:
    """What is done to the labels that belong to an image, or why there are none for it."""
    if source is None:
        return NO_LABELS
    mend = choice.mends.get(source)
    if mend is None:
        return Correction(drop=choice.drop)
    needed = not NEED_SIZE.isdisjoint(mend.reading.departures)
    size = header_size(image) if needed else (1, 1)
    if size is None:
        return UNREADABLE
    return Correction(reading=mend.reading, classes=mend.classes, drop=choice.drop, size=size)


def _count(changes: Changes, mend: Mend | None, path: str, text: MendedText) -> None:
    if mend is not None:
        changes.count(mend.reading.codes if text.moved else (), text.moved)
        changes.count(class_codes(mend) if text.renamed else (), text.renamed)
        changes.count((PAIRING,) if mend.pairing else (), text.rows)
    changes.dropped.update(text.dropped)
    for line in text.lost:
        changes.leave_out(OFF, path, line)


def _put(data: bytes, place: Path) -> None:
    """Write a label file; raises ValueError where two images share it and their labels would differ."""
    if place.exists():
        if place.read_bytes() != data:
            raise ValueError(
                f"Two images share the label file {place.name!r} by Ultralytics' rule, and their labels would differ. "
                "Rename one of the images and its labels."
            )
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
