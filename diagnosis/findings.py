"""What a check found: findings with a code, a place, numbers as evidence and the mend in words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

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
    "class_outside": "objects are of a class that is none of the head's",
    "raises": "a call raises an exception",
    "undecided": "a check could not tell",
}


@dataclass(frozen=True)
class Finding:
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


@dataclass(frozen=True)
class Report:
    """The findings of one check, errors first. ``subject`` says what was checked, ``probes`` how often it was asked."""

    subject: str
    findings: tuple[Finding, ...] = ()
    probes: int = 0

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

    def __str__(self) -> str:
        head = f"{self.subject}: {len(self.errors)} error(s), {len(self.warnings)} warning(s) in {self.probes} probes"
        return "\n".join([head, *(f"  {finding}" for finding in self.findings)])
