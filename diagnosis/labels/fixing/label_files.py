"""Label files of a set, written anew beside links of its images."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ...objects.reading.header import header_size
from ...objects.reading.label_paths import find_label_file
from ..report import PAIRING, Mend
from .changes import Changes
from .choice import CUT, Choice
from .data_yaml import write_entry
from .label_text import Correction, LabelForm, MendedText, mend_text
from .layout import Layout, bring
from .pairing import NAMELESS, NO_LABELS, NOBODYS, OFF, UNREADABLE, paired
from .parts import Part, Parts

NEED_SIZE = {"unit", "frame"}  # departures that depend on how large an image is


def write_label_files(parts: Parts, choice: Choice, stage: Path, changes: Changes, tick: Callable[[], object]) -> str:
    """Write the labels of all splits, links of their images, and what they are given by; returns the name of that.

    ``tick`` is called for every image.
    """
    mended = _MendedSet(choice=choice, layout=Layout.of(parts.paths()), stage=stage, changes=changes)
    kept: dict[str, list[str]] = {}
    for part in parts.splits:
        kept[part.split] = list(filter(mended.held, mended.add(part, tick)))
    for split, why in parts.absent.items():
        changes.leave_out(f"the split {split} is not there", why)
    return write_entry(parts, kept, mended.layout, stage)


@dataclass
class _MendedSet:
    """A mended set while it is written into ``stage``; ``done`` {image: whether it is in it}."""

    choice: Choice
    layout: Layout
    stage: Path
    changes: Changes
    done: dict[str, bool] = field(default_factory=dict)

    def held(self, image: str) -> bool:
        """Whether the mended set has an image."""
        return self.done[image]

    def add(self, part: Part, tick: Callable[[], object]) -> tuple[str, ...]:
        """Write the labels and links of a split; returns its images. One that another split has too is written once."""
        images = part.labels.listing.paths
        sources = paired(images, self.choice)
        for image in sorted(set(images).difference(sources.values(), self.done)):
            self.changes.leave_out(NOBODYS, image)
        for image in images:
            if image not in self.done:
                self.done[image] = self._write(part, sources.get(image), image)
            tick()
        return images

    def _write(self, part: Part, source: str | None, image: str) -> bool:
        """Write the labels that stand beside ``source`` as those of an image; False where it has none to its name."""
        if source is None:
            self.changes.leave_out(NO_LABELS, image)
            return False
        correction = _correction(self.choice, source, image)
        if correction is None:
            self.changes.leave_out(UNREADABLE, image)
            return False
        found = find_label_file(source, part.labels.listing.links)
        if found is not None:
            form = LabelForm(part.labels.names, part.keypoints)
            text = mend_text(Path(found).read_bytes(), Path(found), correction, form)
            _count(self.changes, self.choice.mends.get(source), found, text)
            _put(text.data, self.stage / self.layout.label(image))
        self.changes.images[bring(image, self.stage / self.layout.place(image))] += 1
        return True


def _correction(choice: Choice, source: str, image: str) -> Correction | None:
    """What is done to the labels that belong to an image; None where it depends on a size that cannot be read."""
    mend = choice.mends.get(source)
    if mend is None:
        return Correction(drop=choice.drop, cut=choice.cut)
    needed = not NEED_SIZE.isdisjoint(mend.departures)
    size = header_size(image) if needed else (1, 1)
    if size is None:
        return None
    return Correction(
        reading=mend.reading,
        by_class=mend.by_class,
        classes=mend.classes,
        drop=choice.drop,
        cut=choice.cut,
        size=size,
    )


def _count(changes: Changes, mend: Mend | None, path: str, text: MendedText) -> None:
    if mend is not None:
        changes.count(mend.reading_codes if text.moved else (), text.moved)
        changes.count(mend.class_codes if text.renamed else (), text.renamed)
        changes.count((PAIRING,) if mend.pairing else (), text.rows)
    if text.cut:
        changes.count((CUT,), text.cut)
    changes.dropped.update(text.dropped)
    for why, lines in ((OFF, text.lost), (NAMELESS, text.nameless)):
        for line in lines:
            changes.leave_out(why, path, line)


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
