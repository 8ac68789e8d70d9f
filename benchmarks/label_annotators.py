"""Faults of one annotator's files, as a tool, a converter or a habit makes them; written after the doctor was done."""

from collections.abc import Mapping

import numpy as np

from benchmarks.label_planting import Fault, Subject, Truth, geometric, of_classes

Size = tuple[int, int]  # width, height px
Rng = np.random.Generator


def centre_crop(truth: Truth, size: Size, rng: Rng) -> Truth:
    """Shares of a square cut out of the middle of the image."""
    ids, boxes = truth
    factor = np.array(size) / min(size)
    return ids, boxes * np.tile(factor, 2) - np.tile((factor - 1) / 2, 2)


def screenshot(truth: Truth, size: Size, rng: Rng) -> Truth:
    """Shares of a screenshot with a bar of 6 % at its left and at its top."""
    ids, boxes = truth
    return ids, 0.06 + 0.94 * boxes


def margin(truth: Truth, size: Size, rng: Rng) -> Truth:
    """Boxes drawn with a margin of 15 px."""
    ids, boxes = truth
    return ids, boxes + np.array([-15, -15, 15, 15]) / np.tile(size, 2)


def scrolled(truth: Truth, size: Size, rng: Rng) -> Truth:
    """A toolbar of 30 px counted with the image."""
    ids, boxes = truth
    return ids, boxes + np.array([0, 30, 0, 30]) / size[1]


def preview(truth: Truth, size: Size, rng: Rng) -> Truth:
    """px of a preview whose longer side is 800."""
    ids, boxes = truth
    return ids, boxes * np.tile(size, 2) / max(size) * 800


def half_left_out(truth: Truth, size: Size, rng: Rng) -> Truth:
    """Each label is left out with a probability of a half, one stays."""
    ids, boxes = truth
    kept = rng.random(len(ids)) < 0.5
    kept[:1] |= not kept.any()
    return ids[kept], boxes[kept]


def small_left_out(truth: Truth, size: Size, rng: Rng) -> Truth:
    """The smaller half of the labels is left out."""
    ids, boxes = truth
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept = area >= np.median(area) if len(area) else area > 0
    return ids[kept], boxes[kept]


def after_deletion(subject: Subject) -> Mapping[int, int]:
    """A class was deleted from the tool's list: those behind it have an id less. It is the fourth of all."""
    return {i: i - 1 for i in subject.names if i > 3}


def hot_keys(subject: Subject) -> Mapping[int, int]:
    """The keys of the three commonest classes, moved on by one."""
    first, second, third = (subject.frequent(rank) for rank in range(3))
    return {first: second, second: third, third: first}


def default_class(subject: Subject) -> Mapping[int, int]:
    """Every object has the class that the tool began with, the second in number."""
    return dict.fromkeys(subject.names, subject.frequent(1))


ANNOTATORS = (
    Fault("shares of a centre crop", (("scaled",),), labels=centre_crop),
    Fault("shares of a screenshot", (("scaled",),), labels=screenshot),
    geometric("x1 y1 x2 y2 of 1000", ["xyxy_as_cxcywh", "other_unit"], format="xyxy", unit=1000.0),
    of_classes("a class deleted", ["ids_shifted"], after_deletion),
    of_classes("three keys moved on", ["ids_permuted"], hot_keys),
    of_classes("default class kept", ["classes_merged"], default_class),
    geometric("15 % too tight", ["scaled"], size=0.85),
    Fault("a margin of 15 px", (("scaled",),), labels=margin),
    Fault("a toolbar of 30 px", (("shifted",),), labels=scrolled),
    geometric("logical px", ["scaled"], scale=(0.5, 0.5)),
    Fault("half left out", (("labels_missing",),), labels=half_left_out),
    Fault("small ones left out", (("labels_missing",),), labels=small_left_out),
    geometric(
        "corner, from below", ["corner_as_centre", "flipped_vertically"], format="xywh", turn="flipped_vertically"
    ),
    Fault("px of a preview", (("other_unit",), ("letterbox_coordinates", "other_unit")), labels=preview),
    geometric(
        "yxyx by height",
        ["xyxy_as_cxcywh", "by_height", "axes_swapped"],
        format="xyxy",
        unit="height",
        order="axes_swapped",
    ),
)
"""Judged once, in a tenth of the files."""
