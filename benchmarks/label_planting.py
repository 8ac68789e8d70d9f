"""Faults of labels, planted in right ones: in the rows, the class ids, the pairing of files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from diagnosis.labels import Reading
from diagnosis.labels.class_maps import COCO_NUMBERS
from diagnosis.labels.material import Material
from diagnosis.labels.rows import Rows, gather
from diagnosis.labels.seen import Seen, sizes

Truth = tuple[np.ndarray, np.ndarray]  # class ids (n,), boxes (n, 4) xyxy shares


@dataclass(frozen=True)
class Subject:
    """Images with their true labels, and what a model sees in them."""

    title: str
    seen: Sequence[Seen]
    truth: Sequence[Truth]
    names: Mapping[int, str]

    def frequent(self, rank: int) -> int:
        """The class that is so-many-th in number of objects."""
        counts = np.bincount(np.concatenate([ids for ids, _ in self.truth]), minlength=len(self.names))
        return int(np.argsort(-counts, kind="stable")[rank])


@dataclass(frozen=True)
class Fault:
    """``reading`` that boxes are written by; ``classes`` makes {id: id written} for a subject; ``files``: what becomes
    of the list of truths; ``labels``: what becomes of the labels of a faulty file of a size, before they are written;
    ``codes`` that are expected, one of them where several are right."""

    title: str
    codes: tuple[tuple[str, ...], ...]
    reading: Reading = field(default_factory=Reading)
    classes: Callable[[Subject], Mapping[int, int]] | None = None
    files: Callable[[list[Truth], np.random.Generator], list[Truth]] | None = None
    labels: Callable[[Truth, tuple[int, int], np.random.Generator], Truth] | None = None
    coco: bool = False

    def expected(self, subject: Subject) -> tuple[tuple[str, ...], ...]:
        """The sets of codes that are right."""
        return self.codes

    def fits(self, subject: Subject) -> bool:
        """Whether it can be planted there."""
        return not self.coco or len(subject.names) == len(COCO_NUMBERS)


def planted(subject: Subject, fault: Fault | None, places: np.ndarray, part: float, seed: int) -> Material:
    """The images at some places with a fault in a part of their files, at least one."""
    rng = np.random.default_rng((seed, 3))
    seen = [subject.seen[place] for place in places.tolist()]
    truth = [subject.truth[place] for place in places.tolist()]
    count = len(places)
    hit = np.zeros(count, bool)
    hit[rng.permutation(count)[: max(1, round(part * count))]] = True
    if fault is not None and fault.files is not None:
        truth = fault.files(truth, rng)
    parts = []
    for place, ((ids, boxes), one) in enumerate(zip(truth, seen, strict=True)):
        faulty = fault if hit[place] else None
        if faulty is not None and faulty.labels is not None:
            ids, boxes = faulty.labels((ids, boxes), one.size, rng)
        parts.append(_rows(place, ids, boxes, one.size, faulty, subject))
    rows = gather(parts)
    return Material(
        rows=rows,
        paths=[f"{place:06d}.jpg" for place in places.tolist()],
        looked=np.arange(count),
        sizes=sizes(seen),
        names=subject.names,
        used=np.unique(rows.class_id),
        seen=seen,
    )


def _rows(
    place: int, ids: np.ndarray, boxes: np.ndarray, size: tuple[int, int], fault: Fault | None, subject: Subject
) -> Rows:
    count = len(ids)
    reading = Reading() if fault is None else fault.reading
    if fault is not None and fault.classes is not None:
        written = fault.classes(subject)
        ids = np.array([written.get(i, i) for i in ids.tolist()], np.int64)
    quads = np.round(reading.written(boxes, size), 6)
    return Rows(
        image=np.full(count, place, np.int64),
        line=np.arange(1, count + 1),
        class_id=ids.astype(np.int64),
        quads=quads,
        polygon=np.zeros(count, bool),
    )


def geometric(title: str, codes: Sequence[str], **departures) -> Fault:
    """A fault of all boxes."""
    return Fault(title, (tuple(codes),), reading=Reading(**departures))


def of_classes(title: str, codes: Sequence[str], written: Callable[[Subject], Mapping[int, int]], **more) -> Fault:
    """A fault of class ids."""
    return Fault(title, (tuple(codes),), classes=written, **more)


def shifted(by: int) -> Callable[[Subject], Mapping[int, int]]:
    """Ids off by a constant."""
    return lambda subject: {i: i + by for i in subject.names}


def alphabetical(subject: Subject) -> Mapping[int, int]:
    """Ids that count the names in alphabetical order."""
    return {i: place for place, i in enumerate(sorted(subject.names, key=lambda i: subject.names[i].casefold()))}


def swapped(one: int, other: int) -> Callable[[Subject], Mapping[int, int]]:
    """The classes of two ranks exchanged."""
    return lambda subject: {
        subject.frequent(one): subject.frequent(other),
        subject.frequent(other): subject.frequent(one),
    }


def merged(into: int, gone: int) -> Callable[[Subject], Mapping[int, int]]:
    """The class of one rank written as that of another."""
    return lambda subject: {subject.frequent(gone): subject.frequent(into)}


def coco91(first: int) -> Callable[[Subject], Mapping[int, int]]:
    """COCO's 91 numbers, counted from 1 or from 0."""
    return lambda subject: {i: number - 1 + first for i, number in enumerate(COCO_NUMBERS)}


def off_by(places: int, begin: float = 0.0) -> Callable[[list[Truth], np.random.Generator], list[Truth]]:
    """Label files of the image so many places before, from a part of the set on; the first keep their own."""

    def paired(truth: list[Truth], rng: np.random.Generator) -> list[Truth]:
        first = round(begin * len(truth))
        owner = np.arange(len(truth)) - places
        own = (owner < first) | (owner >= len(truth)) | (np.arange(len(truth)) < first)
        return [truth[i] if own[i] else truth[owner[i]] for i in range(len(truth))]

    return paired


def half_gone(truth: list[Truth], rng: np.random.Generator) -> list[Truth]:
    """Each label is left out with a probability of a half."""
    kept = [rng.random(len(ids)) < 0.5 for ids, _ in truth]
    return [(ids[which], boxes[which]) for (ids, boxes), which in zip(truth, kept, strict=True)]


def mostly_gone(truth: list[Truth], rng: np.random.Generator) -> list[Truth]:
    """Two of three labels are left out."""
    kept = [rng.random(len(ids)) < 1 / 3 for ids, _ in truth]
    return [(ids[which], boxes[which]) for (ids, boxes), which in zip(truth, kept, strict=True)]


def around(subject: Subject) -> Mapping[int, int]:
    """Ids off by one, the last one the first."""
    return {i: (i + 1) % len(subject.names) for i in subject.names}


def permuted(subject: Subject) -> Mapping[int, int]:
    """Ids in no order."""
    return dict(enumerate(np.random.default_rng(3).permutation(len(subject.names)).tolist()))


CORNER, HALF_TURN = Reading(format="xywh"), Reading(turn="rotated_180")
DEVELOPED = (
    geometric("x and y swapped", ["xy_swapped"], order="xy_swapped"),
    geometric("w and h swapped", ["wh_swapped"], order="wh_swapped"),
    geometric("both swapped", ["axes_swapped"], order="axes_swapped"),
    geometric("corner as centre", ["corner_as_centre"], format="xywh"),
    geometric("xyxy", ["xyxy_as_cxcywh"], format="xyxy"),
    geometric("px", ["pixels"], unit="px"),
    geometric("px, xywh", ["pixels_xywh"], unit="px", format="xywh"),
    geometric("px, xyxy", ["pixels_xyxy"], unit="px", format="xyxy"),
    geometric("wrong side", ["wrong_side"], unit="wrong_side"),
    geometric("by width", ["by_width"], unit="width"),
    geometric("by height", ["by_height"], unit="height"),
    geometric("flipped horizontally", ["flipped_horizontally"], turn="flipped_horizontally"),
    geometric("flipped vertically", ["flipped_vertically"], turn="flipped_vertically"),
    geometric("rotated by 180°", ["rotated_180"], turn="rotated_180"),
    geometric("rotated by 90°", ["rotated_90_cw"], turn="rotated_90_cw"),
    geometric("rotated by −90°", ["rotated_90_ccw"], turn="rotated_90_ccw"),
    geometric("letterbox", ["letterbox_coordinates"], frame="letterbox"),
    geometric("half size", ["half_size"], size=0.5),
    geometric("double size", ["double_size"], size=2.0),
    geometric("shifted by 0.5 %", ["shifted"], shift=(0.005, -0.005)),
    geometric("scaled by 0.9", ["scaled"], scale=(0.9, 0.9)),
    of_classes("ids + 1", ["ids_shifted"], shifted(1)),
    of_classes("ids − 1", ["ids_shifted"], shifted(-1)),
    of_classes("alphabetical", ["ids_alphabetical"], alphabetical),
    of_classes("COCO 91", ["ids_coco91"], coco91(1), coco=True),
    of_classes("swapped", ["classes_swapped"], swapped(0, 1)),
    of_classes("merged", ["classes_merged"], merged(0, 1)),
    Fault("mispaired by 1", (("files_mispaired",),), files=off_by(1)),
    Fault("half missing", (("labels_missing",),), files=half_gone),
)
LAST = (
    geometric("x1 x2 y1 y2", ["xyxy_as_cxcywh"], format="xxyy"),
    geometric("far corner as centre", ["centre_as_corner"], format="x2y2wh"),
    geometric("xyxy taken for xywh", ["xyxy_as_xywh"], format="xyxy_as_xywh"),
    geometric("percent", ["other_unit"], unit=100.0),
    geometric("thousandths", ["other_unit"], unit=1000.0),
    geometric("transversed", ["transversed"], turn="transversed"),
    geometric("padded at the end", ["letterbox_coordinates"], frame="letterbox_end"),
    geometric("shifted by 3 % in x", ["shifted"], shift=(0.03, 0.0)),
    geometric("shifted by 8 % in y", ["shifted"], shift=(0.0, -0.08)),
    geometric("x scaled by 1.15", ["scaled"], scale=(1.15, 1.0)),
    geometric("scaled about the centre", ["scaled"], scale=(0.85, 0.85), shift=(0.075, 0.075)),
    geometric("1.3 times the size", ["scaled"], size=1.3),
    geometric("a third of the size", ["scaled"], size=1 / 3),
    geometric("px and axes swapped", ["pixels", "axes_swapped"], unit="px", order="axes_swapped"),
    geometric("px, yxyx", ["pixels_xyxy", "axes_swapped"], unit="px", format="xyxy", order="axes_swapped"),
    geometric("corner, flipped", ["corner_as_centre", "flipped_vertically"], format="xywh", turn="flipped_vertically"),
    geometric("px, rotated", ["pixels", "rotated_90_cw"], unit="px", turn="rotated_90_cw"),
    geometric("letterbox px of 640", ["letterbox_coordinates", "other_unit"], frame="letterbox", unit=640.0),
    geometric("xyxy by width", ["xyxy_as_cxcywh", "by_width"], format="xyxy", unit="width"),
    geometric("half size, flipped", ["half_size", "flipped_horizontally"], size=0.5, turn="flipped_horizontally"),
    geometric("corner, shifted", ["corner_as_centre", "shifted"], format="xywh", shift=(0.02, 0.02)),
    of_classes("ids + 2", ["ids_shifted"], shifted(2)),
    of_classes("backwards", ["ids_permuted"], lambda subject: {i: len(subject.names) - 1 - i for i in subject.names}),
    of_classes("around the end", ["ids_shifted"], around),
    of_classes("COCO 91 from 0", ["ids_coco91"], coco91(0), coco=True),
    of_classes("permuted", ["ids_permuted"], permuted),
    of_classes("swapped, rarer", ["classes_swapped"], swapped(0, 2)),
    of_classes("merged, other way", ["classes_merged"], merged(1, 0)),
    of_classes("corner, ids + 1", ["corner_as_centre", "ids_shifted"], shifted(1), reading=CORNER),
    of_classes("px, alphabetical", ["pixels", "ids_alphabetical"], alphabetical, reading=Reading(unit="px")),
    of_classes("turned, swapped", ["rotated_180", "classes_swapped"], swapped(0, 1), reading=HALF_TURN),
    Fault("mispaired by −1", (("files_mispaired",),), files=off_by(-1)),
    Fault("mispaired by 2", (("files_mispaired",),), files=off_by(2)),
    Fault("mispaired from 40 % on", (("files_mispaired",),), files=off_by(1, 0.4)),
    Fault("mispaired, corner", (("corner_as_centre", "files_mispaired"),), CORNER, files=off_by(1)),
    Fault("two thirds missing", (("labels_missing",),), files=mostly_gone),
)
PARTIAL = tuple(
    fault for fault in DEVELOPED if fault.files is None and fault.title not in ("swapped", "merged", "shifted by 0.5 %")
)
PARTIAL_LAST = tuple(fault for fault in LAST if fault.files is None and len(fault.codes[0]) == 1)
CLASSES_ALIKE = (
    *(of_classes("swapped", ["classes_swapped"], swapped(one, other)) for one in range(3) for other in range(one)),
    *(of_classes("merged", ["classes_merged"], merged(a, b)) for a in range(3) for b in range(3) if a != b),
    *(of_classes("shifted", ["ids_shifted"], shifted(by)) for by in (-3, -2, -1, 1, 2, 3)),
)
"""Faults that may write the same labels as another where few classes are in the files."""
