"""One cause, one finding: symptoms that a cause brings with it are folded under it, levels of one code joined."""

from collections.abc import Sequence

from ..notes import Notes
from .faults import PLACING, Fault, codes, displacing

UNSURE = ("class_leak", "class_wrong", "objectness_wrong", "wrong_cell", "wrong_box", "mixed_objects", "object_lost")
UNSURE += ("edge_crash", "level_unused")
"""What cannot be told from answers that hold what earlier calls left."""


def cause(faults: Sequence[Fault]) -> str:
    """The first placing code among faults."""
    found = codes(list(faults))
    return next(code for code in PLACING if code in found)


def _by_logarithms(faults: Sequence[Fault]) -> bool:
    """Whether boxes without sides alone are infinite, as logarithms are written that nobody declared."""
    infinite = [fault.what for fault in faults if fault.code == "non_finite"]
    shown = any(fault.code == "wrong_box_unit" and "as a logarithm" in fault.what for fault in faults)
    return shown and all(what.startswith("boxes without") for what in infinite)


def settle(faults: Sequence[Fault], folded: Sequence[str], differential: bool, levels: int) -> Notes:
    """Faults as notes, without those that others explain; ``folded``: symptoms that stages have explained."""
    notes = Notes(levels)
    for fault in faults:
        notes.add(fault.code, fault.what, level=fault.level, severity=fault.severity, **fault.evidence)
    if notes.has("levels_reversed"):
        for code in ("wrong_stride", "wrong_cell", "object_lost"):
            notes.drop(code, "levels_reversed")
    if notes.has(*PLACING):
        first = cause(faults) if not notes.has("levels_reversed") else "levels_reversed"
        if codes(displacing(faults)) & set(PLACING):
            notes.drop("level_unused", first)
        for symptom in folded:
            notes.fold(first, symptom)
    if any(fault.code == "image_size_swapped" and fault.what.startswith("boxes are") for fault in faults):
        notes.drop("object_lost", "image_size_swapped")
    grids = [fault for fault in faults if fault.code == "image_size_swapped"]
    if notes.has("axes_swapped") and grids and all(fault.what.startswith("the grid is") for fault in grids):
        notes.drop("image_size_swapped", "axes_swapped")
    if notes.has("level_unused"):
        notes.drop("object_lost", "level_unused")
    if notes.has("wrong_cell"):
        notes.drop("wrong_box", "wrong_cell")
    if any(fault.code == "wrong_cell" and "another place" in fault.what for fault in faults):
        notes.drop("object_lost", "wrong_cell")
    if any(fault.code == "wrong_output" and "integers" in fault.what for fault in faults):
        for code in ("wrong_box", "wrong_box_unit", "wrong_box_format", "saturated_offset", "mixed_objects"):
            notes.drop(code, "wrong_output")
        if all(fault.what == "no class is set" for fault in faults if fault.code == "class_wrong"):
            notes.drop("class_wrong", "wrong_output")
    if _by_logarithms(faults):
        notes.drop("non_finite", "wrong_box_unit")
    if any(fault.code == "class_leak" and "several objects" in fault.what for fault in faults):
        notes.drop("mixed_objects", "class_leak")
    if any(fault.code == "axes_swapped" and fault.what.startswith("classes are") for fault in faults):
        for code in ("class_leak", "class_wrong", "objectness_wrong", "mixed_objects"):
            notes.drop(code, "axes_swapped")
    if notes.has("scrambled_layout"):
        notes.drop("mixed_objects", "scrambled_layout")
    for code in ("raises", "object_lost"):
        only = [fault for fault in faults if fault.code == code and fault.severity == "error"]
        if only and all("labels" in fault.what for fault in only):
            for first in ("class_wrong", "class_leak"):
                if notes.has(first):
                    notes.drop(code, first)
    if notes.has("state_leak"):
        hidden = UNSURE if differential else ("wrong_box", "mixed_objects", "object_lost", "level_unused")
        for code in hidden:
            notes.drop(code, "state_leak")
    return notes
