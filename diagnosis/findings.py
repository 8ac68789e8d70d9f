"""What a check found: findings with a code, a place, numbers as evidence and the mend in words."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from anatomy.shown import Part, Shown, Table, Told, Words

CODES = {
    "axes_swapped": "rows and columns, or x and y, change places",
    "wrong_stride": "a level works with another stride than it declares",
    "levels_reversed": "the levels come in the opposite order",
    "half_cell_offset": "anchor points lie half a cell off",
    "off_by_one_cell": "cells lie a whole cell off",
    "wrong_box_unit": "boxes are in another unit than declared",
    "wrong_box_format": "boxes are in another format than declared",
    "scrambled_layout": "a reshape without a permute mixes the cells or the channels",
    "saturated_offset": "an in-cell offset is clamped to its end nearly everywhere",
    "image_size_swapped": "image height and width are used one for the other",
    "all_levels_assigned": "every object goes to every level, whatever its size",
    "object_lost": "an object has no target at all",
    "class_wrong": "a class channel other than the label's is set",
    "class_leak": "class channels of other objects, or of no object, are set",
    "edge_crash": "objects at an edge of the image break it",
    "state_leak": "a call leaves something behind that changes the next, or changes its input",
    "non_finite": "NaN or infinity",
    "range_ceiling": "the head cannot express boxes this large",
    "not_permutation_invariant": "the loss depends on the order of the cells",
    "wrong_output": "the outputs are not what the layout declares",
    "mixed_objects": "a cell mixes the fields of two objects",
    "objectness_wrong": "objectness is missing where an object is, or set where none is",
    "wrong_cell": "cells are not where the object is, and no known fault explains where they are",
    "wrong_box": "box channels do not hold the object's box, and no known fault explains what they hold",
    "level_unused": "no object of any size goes to this level",
    "not_minimal": "a perfect prediction does not have the smallest loss",
    "gradient_leak": "the loss pulls at channels of cells that hold no object",
    "no_gradient": "the loss does not pull at what is wrong",
    "mixed_batch": "what one image holds shows up in another image of the batch",
    "amplifies": "a layer puts out at least ten times the scale of its input",
    "runaway": "the scale of a layer grows by an order of magnitude or more, over steps or from layer to layer",
    "faint": "activations shrink to nothing from layer to layer",
    "dead_layer": "a layer puts out nothing but zeros, or no gradient comes back to it",
    "saturated_layer": "nearly all units of an activation are at its bounds, where no gradient passes",
    "exploding_gradient": "gradients grow by orders of magnitude on their way back, or over steps",
    "vanishing_gradient": "gradients shrink to nothing on their way back",
    "untrained": "trainable weights that the loss does not reach",
    "update_too_large": "an optimizer step changes weights by a large share of their norm",
    "fp16_overflow": "values that fp16 turns into infinity",
    "fp16_underflow": "gradients that fp16 turns into zero",
    "level_starved": "a level gets no positive cells, so its boxes learn nothing",
    "class_starved": "no object of a class gets a positive cell",
    "class_absent": "a whole epoch has no object of a class",
    "unreachable_objects": "objects that no cell answers for, because they are smaller than the finest cell",
    "loss_dominated": "one level pays nearly all of the loss, though it has few of the positives",
    "box_outside": "boxes leave the image, or have no area",
    "images_left_out": "images that a training does not use, because of their labels",
    "no_objects": "no batch has an object",
    "no_backward": "a step in which no gradient came back to any weight",
    "no_step": "gradients come, and no weight changes",
    "gradients_kept": "gradients are not emptied after a step, so that those of earlier batches are added to them",
    "first_image_only": "all objects of a batch belong to its first image",
    "objects_vanish": "augmentation takes most of the labelled objects away",
    "class_outside": "objects are of a class that is none of the head's",
    "raises": "a call raises an exception",
    "undecided": "a check could not tell",
    # of labels
    "ids_shifted": "class ids are off by a constant",
    "ids_alphabetical": "class ids count the names in alphabetical order",
    "ids_as_strings": "class ids count the list sorted as strings: 0, 1, 10, 11, …, 2",
    "ids_coco91": "class ids are those of COCO's 91 numbers, of which 80 are used",
    "ids_rolled": "class ids stand at the row after, or before, the one of their file that they belong to",
    "ids_permuted": "class ids stand for other names than the list says",
    "classes_swapped": "two classes are labelled one for the other",
    "classes_merged": "two classes are labelled as one",
    "xy_swapped": "x and y of the centres change places, widths and heights do not",
    "wh_swapped": "widths and heights change places",
    "corner_as_centre": "the upper left corner stands where the centre belongs",
    "centre_as_corner": "a centre was taken for a corner, and half the size added to it",
    "xyxy_as_cxcywh": "two corners stand where centre and size belong",
    "xyxy_as_xywh": "two corners were taken for a corner and a size",
    "pixels": "coordinates are px where shares of the image belong",
    "pixels_xywh": "boxes are x y w h in px, the corner first",
    "pixels_xyxy": "boxes are two corners in px",
    "other_unit": "coordinates are counted in another whole than 1: percent, px of another size, shares of a px",
    "wrong_side": "x is divided by the height, y by the width",
    "by_width": "x and y are both divided by the width",
    "by_height": "x and y are both divided by the height",
    "flipped_horizontally": "labels lie as on the image flipped horizontally",
    "flipped_vertically": "labels lie as on the image flipped vertically",
    "rotated_180": "labels lie as on the image rotated by 180°",
    "rotated_90_cw": "labels lie as on the image rotated by 90° clockwise",
    "rotated_90_ccw": "labels lie as on the image rotated by 90° anticlockwise",
    "transposed": "labels lie as on the transposed image",
    "transversed": "labels lie as on the image flipped over its other diagonal",
    "letterbox_coordinates": "coordinates count in the image padded to a square",
    "half_size": "boxes are half as wide and high as the objects",
    "double_size": "boxes are twice as wide and high as the objects",
    "shifted": "all boxes lie off by the same share of the image",
    "scaled": "coordinates or sizes are off by a factor",
    "files_mispaired": "label files belong to other images",
    "labels_missing": "many objects have no label",
    "missing_image": "images that are listed are not there",
    "not_an_image": "lines of a list of images name no image",
    "missing_file": "images have no label file",
    "empty_files": "most label files are empty",
    "orphan": "label files belong to no image",
    "folder": "a folder stands where a label file belongs",
    "unreadable": "label files cannot be opened",
    "undecodable": "label files are not UTF-8",
    "wrong_columns": "rows have a number of columns that no kind of label has",
    "mixed_rows": "boxes and polygons stand in one file",
    "polygons_among_boxes": "some files hold boxes, others polygons",
    "not_a_number": "columns of label files are no numbers",
    "not_finite": "coordinates are NaN or infinite",
    "class_negative": "class ids are below 0",
    "class_not_whole": "class ids have a fraction",
    "class_unknown": "class ids are beyond the names",
    "empty_box": "widths or heights are 0 or negative",
    "outside": "boxes leave the image",
    "off_image": "boxes lie off the image altogether",
    "duplicates": "rows stand twice in a file",
    "duplicate_image": "images are listed twice",
    "image_unknown": "annotations are about images that the file does not list",
    "bad_annotation": "annotations lack what COCO asks for",
    "image_unreadable": "images cannot be read",
    "image_truncated": "images are cut short",
    "image_tiny": "images are too small to train on",
    "exif_turned": "an EXIF orientation turns images when they are read",
    "leak": "an image stands in more than one split",
    "image_copies": "an image stands in a split more than once",
    "cannot_tell": "model, edges or images do not suffice to judge the labels",
}

SEVERITIES = {"error": "#D62728", "warning": "#E0A800"}  # and the colour of each


@dataclass(frozen=True, repr=False)
class Finding(Told):
    """One fault: ``code`` of ``CODES``, ``severity`` "error" or "warning", the level's index or None for all.

    ``message`` says what, where and how to mend it; ``evidence`` holds plain numbers; ``consequences`` names the codes
    of symptoms that this cause explains and that are therefore not listed on their own.
    """

    code: str
    severity: str
    level: int | None
    message: str
    evidence: Mapping[str, object] = field(default_factory=dict)
    consequences: tuple[str, ...] = ()

    def __post_init__(self):
        if self.code not in CODES or self.severity not in ("error", "warning"):
            raise ValueError(
                f"A finding needs a code of diagnosis.CODES and a severity, not {self.code!r}, {self.severity!r}."
            )

    def __str__(self) -> str:
        where = "all levels" if self.level is None else f"level {self.level}"
        return f"{self.severity}: {self.code} ({where}): {self.message}"


@dataclass(frozen=True, repr=False)
class Report(Shown):
    """The findings of one check, errors first. ``subject`` says what was checked, ``probes`` how often it was asked.

    ``description``: what was found to be done, in words, a line a level where levels differ; ``unexplained``: the share
    of what was written that no description explains. ``runner_up``: other words for what is wrong with the boxes, where
    they explain them nearly as simply. All of checks that look for one.
    """

    subject: str
    findings: tuple[Finding, ...] = ()
    probes: int = 0
    description: str = field(default="", kw_only=True)
    unexplained: float | None = field(default=None, kw_only=True)
    runner_up: str = field(default="", kw_only=True)

    def __post_init__(self):
        ranked = sorted(self.findings, key=lambda finding: finding.severity != "error")
        object.__setattr__(self, "findings", tuple(ranked))

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that are errors."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that are warnings."""
        return tuple(finding for finding in self.findings if finding.severity == "warning")

    @property
    def ok(self) -> bool:
        """No errors; warnings may be left."""
        return not self.errors

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the findings, each once."""
        return tuple(dict.fromkeys(finding.code for finding in self.findings))

    def _title(self) -> str:
        codes = f": {', '.join(self.codes)}" if self.codes else ""
        return f"{self.subject}: {len(self.errors)} error(s), {len(self.warnings)} warning(s){codes}"

    def _parts(self) -> Iterable[Part]:
        if self.findings:
            columns = ("severity", "code", "level", "what, where, and how to mend it")
            rows = (
                (one.severity, one.code, "all" if one.level is None else one.level, one.message)
                for one in self.findings
            )
            colors = [SEVERITIES[one.severity] for one in self.findings]
            yield Table(columns, rows, len(self.findings), colors)
        if self.description:
            yield Words(["what it does:", *self.description.splitlines()])
        if self.runner_up:
            yield Words(["nearly as simple:", *self.runner_up.splitlines()])

    def __str__(self) -> str:
        head = f"{self.subject}: {len(self.errors)} error(s), {len(self.warnings)} warning(s) in {self.probes} probes"
        lines = [head, *(f"  {finding}" for finding in self.findings)]
        if self.description:
            lines += ["  what it does:", *(f"    {line}" for line in self.description.splitlines())]
        if self.runner_up:
            lines += ["  nearly as simple:", *(f"    {line}" for line in self.runner_up.splitlines())]
        if self.unexplained:
            lines.append(f"  unexplained: {self.unexplained:.1%} of the cells that were read")
        return "\n".join(lines)
