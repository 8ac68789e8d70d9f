"""What the stages of a check hand over: one fault, or one symptom, with its level and what was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PLACING = (
    "axes_swapped",
    "wrong_stride",
    "levels_reversed",
    "half_cell_offset",
    "off_by_one_cell",
    "image_size_swapped",
    "scrambled_layout",
    "wrong_cell",
)
"""Codes of objects that are written elsewhere; what follows from that is no fault of its own."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: ``level`` None for all; ``evidence``: plain numbers.

    ``of_boxes``: box channels show it, and say nothing of the cells.
    """

    code: str
    what: str
    level: int | None = None
    severity: str = "error"
    evidence: Mapping[str, object] = field(default_factory=dict)
    of_boxes: bool = False


IN_BOXES = ("axes_swapped", "half_cell_offset", "off_by_one_cell", "scrambled_layout")
"""Of these the cells know nothing where box channels alone show them."""


def displacing(faults: Sequence[Fault]) -> list[Fault]:
    """The faults without those that box channels alone show."""
    return [fault for fault in faults if not (fault.of_boxes and fault.code in IN_BOXES)]


def codes(faults: list[Fault]) -> set[str]:
    """The codes of those that are errors."""
    return {fault.code for fault in faults if fault.severity == "error"}
