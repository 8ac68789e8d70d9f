"""Findings as they are gathered: one entry a fault, levels joined, symptoms folded under their cause."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..findings import Finding

MENDS = {
    "axes_swapped": "Index targets as [channel, row, column] with row from y and column from x, in boxes as in cells.",
    "wrong_stride": "Use this level's own stride for its grid, its cells and its boxes.",
    "levels_reversed": "Return and fill the levels in the order of the declared strides.",
    "half_cell_offset": "Let the anchor point of cell (row, col) be (col + grid_offset, row + grid_offset) strides.",
    "off_by_one_cell": "Take the floor of centre / stride as the cell, and add or subtract nothing.",
    "wrong_box_unit": "Divide or multiply by the stride or by the image's width and height as the layout declares.",
    "wrong_box_format": "Convert the boxes to the declared format, or declare the one that is written.",
    "scrambled_layout": "Move dimensions with permute (then contiguous) before any view or reshape.",
    "saturated_offset": "Subtract the cell from centre / stride before any clamp; the rest lies in the cell by itself.",
    "image_size_swapped": "An image size is (height, width): rows and y go with the first, columns with the other.",
    "all_levels_assigned": "If levels are meant to share the sizes out, give each one a range; else ignore this.",
    "object_lost": "Give every object at least one cell.",
    "class_wrong": "Set channel classes[label], counted from 0, and no other.",
    "class_leak": "Set only the class of the object that owns the cell, and clear what another left there.",
    "mixed_objects": "Let one object own a cell, and write all of the cell's channels from it.",
    "objectness_wrong": "Set objectness in the cells that hold an object and nowhere else.",
    "edge_crash": "Check or clamp every cell index to the grid, neighbours' too, and negative ones above all.",
    "state_leak": "Make new tensors at every call and change no argument in place.",
    "non_finite": "Guard logarithms and divisions by a smallest size.",
    "range_ceiling": "Widen the range, or send larger objects to a coarser level.",
    "wrong_output": "Return one float tensor (C, h, w) a level, h and w the image's height and width over the stride.",
    "wrong_cell": "Compare the filled cells with the centre divided by the stride.",
    "wrong_box": "Compare the box channels with the object's box under the declared format and unit.",
    "level_unused": "See whether the loop over levels ends early, or whether the size ranges leave this level out.",
    "not_minimal": "Check the sign of each term, and that predictions and targets are compared channel by channel.",
    "not_permutation_invariant": "Move channels last with permute before flattening cells, in predictions and targets.",
    "gradient_leak": "Select the cells that hold an object before the box term.",
    "no_gradient": "Check for detach, no_grad, rounding and comparisons between predictions and loss.",
    "mixed_batch": "Keep the batch dimension apart in every reshape, and select detections image by image.",
    "raises": "Mend the exception first; what it hides cannot be judged.",
}
OF_DECODERS = {
    "class_leak": "Take class probabilities as they come, with no second sigmoid, and sort by the class given out.",
    "class_wrong": "Give out a class by its place among the class channels, counted from 0.",
    "objectness_wrong": "Multiply class probabilities by the objectness, once, before anything is selected.",
    "wrong_output": "Return one of these.",
}
OF_LOSSES = {
    "class_leak": "Apply sigmoid or softmax once; a loss that takes logits is asked with prepare=.",
    "wrong_output": "Return the sum or the mean as one number.",
}
"""What to do where it is no encoder that has a fault."""

MEANT = {
    "object_lost": "Where that is on purpose, ignore this; else give every object at least one cell.",
    "level_unused": "Where the images to come are no larger, send objects there or leave the level out.",
}
"""What to do where a scheme may do something on purpose."""


@dataclass
class Entry:
    """One code of one severity: by level (None: all) what was said, and the numbers that were measured."""

    said: dict[int | None, list[str]] = field(default_factory=dict)
    evidence: dict[int | None, dict[str, object]] = field(default_factory=dict)

    def message(self, levels: Sequence[int | None]) -> str:
        """What was said of these levels; of which level, where that is not the same for all."""
        lists = [self.said[level] for level in levels]
        if all(words == lists[0] for words in lists):
            return "; ".join(lists[0])
        named = []
        for level, words in zip(levels, lists, strict=True):
            named += words if level is None else [f"on level {level} {'; '.join(words)}"]
        return "; ".join(dict.fromkeys(named))

    def together(self, levels: Sequence[int]) -> str:
        """The same of some levels of several in one sentence: levels of which the same was said are told at once."""
        alike: dict[str, list[int]] = {}
        for level in levels:
            alike.setdefault("; ".join(self.said[level]), []).append(level)
        return "; ".join(f"{_levels(found)} {words}" for words, found in alike.items())


@dataclass
class Notes:
    """Gathers faults; ``findings()`` joins the levels of one code and adds the mend, its own or one of ``mends``.

    ``joined``: levels of one code stand in one finding even where others do not have it.
    """

    levels: int
    mends: Mapping[str, str] = field(default_factory=dict)
    joined: bool = False
    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    folded: dict[str, list[str]] = field(default_factory=dict)

    def add(
        self, code: str, what: str, *, level: int | None = None, severity: str = "error", **evidence: object
    ) -> None:
        """Note a fault of a level, or of all; what is noted already gains levels, words and evidence."""
        entry = self.entries.setdefault((code, severity), Entry())
        words = entry.said.setdefault(level, [])
        if what not in words:
            words.append(what)
        numbers = entry.evidence.setdefault(level, {})
        for name, value in evidence.items():
            numbers.setdefault(name, value)

    def has(self, *codes: str) -> bool:
        """Whether an error of one of these codes was noted."""
        return any((code, "error") in self.entries for code in codes)

    def fold(self, cause: str, symptom: str) -> None:
        """Note that ``symptom`` follows from ``cause``."""
        if cause != symptom:
            self.folded.setdefault(cause, []).append(symptom)

    def drop(self, code: str, cause: str) -> None:
        """Take back a fault that another explains."""
        if self.entries.pop((code, "error"), None):
            self.fold(cause, code)

    def findings(self, used: set[int]) -> tuple[Finding, ...]:
        """One finding a code where all ``used`` levels have it, or where they are ``joined``, else one a level."""
        found = []
        for (code, severity), entry in self.entries.items():
            levels = sorted(entry.said, key=lambda level: -1 if level is None else level)
            everywhere = None in levels or {level for level in levels if level is not None} >= used
            for group in [levels] if everywhere or self.joined else [[level] for level in levels]:
                mend = self.mends.get(code, MENDS[code])
                mend = MEANT.get(code, mend) if severity == "warning" else mend
                some = [] if everywhere else [level for level in group if level is not None]
                message = f"{entry.together(some) if len(some) > 1 else entry.message(group)}. {mend}"
                evidence = {
                    name if level is None else f"{name}, level {level}": value
                    for level in group
                    for name, value in entry.evidence.get(level, {}).items()
                }
                found.append(
                    Finding(
                        code=code,
                        severity=severity,
                        level=None if everywhere or len(group) > 1 else group[0],
                        message=message[0].upper() + message[1:],
                        evidence=evidence,
                        consequences=tuple(dict.fromkeys(self.folded.get(code, ()))),
                    )
                )
        return tuple(found)


def _levels(levels: Sequence[int]) -> str:
    """ "on level 1", "on levels 0 and 1"."""
    names = [str(level) for level in levels]
    return f"on level {names[0]}" if len(names) == 1 else f"on levels {', '.join(names[:-1])} and {names[-1]}"
