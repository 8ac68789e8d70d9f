"""What all levels say together: causes that they share, told once."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..notes import Notes
from .apart import STEADY, multiplied
from .seen import Reason, Shift


@dataclass(frozen=True, eq=False)
class Told:
    """What was found of a level: ``words`` of its boxes, how many it showed and how many nothing explains.

    ``shift``: px by which all of its boxes are moved, where that is all.
    """

    words: str
    shown: int
    open: int
    reason: Reason | None = None
    where: str = ""
    shift: Shift | None = None
    evidence: dict = field(default_factory=dict)

    @property
    def unexplained(self) -> bool:
        """Whether boxes come out wrong for no reason that is known."""
        return self.reason is not None and self.reason.share == 0

    def without_open(self, certainly: bool) -> "Told":
        """The same, with no reason for boxes that nothing explains: ``certainly``, or where some are right."""
        return replace(self, reason=None) if self.unexplained and (certainly or self.open < 0.9 * self.shown) else self


def note(told: dict[int, Told], notes: Notes, strides: Sequence[float]) -> None:
    """The reasons of all levels; wrong strides that are those of the opposite order are one fault."""
    told = _other_strides(_alike_in_size(told), strides)
    turned = _turned(told, strides)
    if turned:
        notes.add("levels_reversed", "levels are decoded with each other's strides or priors, in the opposite order")
        notes.fold("levels_reversed", "wrong_stride")
        told = {level: _less(one) if level in turned else one for level, one in told.items()}
    told = _together(told)
    known = [one.reason for one in told.values() if one.reason is not None and not one.unexplained]
    named = any(reason.severity == "error" for reason in known)
    for level, one in told.items():
        if named and one.unexplained:  # what is known of other levels is the likely cause here too
            continue
        if one.reason is not None:
            for code in _told_of(one.reason, known):
                words = f"{one.reason.words}{one.where}"
                notes.add(code, words, level=level, severity=one.reason.severity, **one.evidence)


def _told_of(reason: Reason, known: Sequence[Reason]) -> tuple[str, ...]:
    """Its codes; what nothing explains is likely what is known of other levels."""
    others = {code for other in known for code in other.codes if not other.partly and other.severity == "error"}
    explained = reason.partly and others - set(reason.codes)
    return tuple(code for code in reason.codes if not (explained and code == "wrong_box"))


def _alike_in_size(told: dict[int, Told]) -> dict[int, Told]:
    """The same; sizes that are multiplied by one number on all levels are told as that, not as priors of others."""
    known = [one for one in told.values() if one.shown and not one.unexplained]
    ratios = [one.reason.ratio if one.reason is not None else None for one in known]
    if len(ratios) < 2 or any(ratio is None or abs(ratio / (ratios[0] or 1) - 1) > STEADY for ratio in ratios):
        return told
    code, words = multiplied(ratios[0] or 1)
    reason = Reason((code,), words, 1.0)
    return {level: replace(one, reason=reason, words=words) if one.shown else one for level, one in told.items()}


def _less(one: Told) -> Told:
    """What is told of a level beside that its strides or priors are another's."""
    reason = one.reason
    if reason is None:
        return one
    known = ("wrong_stride", "wrong_box_unit" if reason.priors_of is not None else "")
    return replace(one, reason=replace(reason, codes=tuple(code for code in reason.codes if code not in known)))


def _turned(told: dict[int, Told], strides: Sequence[float]) -> set[int]:
    """The levels that work with strides or priors of the level opposite, where all but the middle one do."""
    last, found = len(strides) - 1, set()
    for level, one in told.items():
        if one.reason is not None and one.reason.stride:
            found.add(level if one.reason.stride == strides[last - level] else -1)
        elif one.reason is not None and one.reason.priors_of is not None:
            found.add(level if one.reason.priors_of == last - level else -1)
    return found if -1 not in found and len(found) == len(strides) - len(strides) % 2 else set()


def _together(told: dict[int, Told]) -> dict[int, Told]:
    """The same, with boxes of all levels that are moved by as many px told as that, not in the strides of each."""
    shifts = [one.shift for one in told.values() if one.shown]
    first = shifts[0] if len(shifts) > 1 else None
    if first is None or not all(shift is not None and shift.near(first) for shift in shifts):
        return told
    words = f"boxes come out moved by {first} on every level"
    found = {}
    for level, one in told.items():
        found[level] = replace(one, reason=Reason(("wrong_box",), words, 1.0), words=words) if one.shown else one
    return found


def _other_strides(told: dict[int, Told], strides: Sequence[float]) -> dict[int, Told]:
    """The same; sizes or distances that come out so many times as long on some levels are those of another's stride."""
    scales = {one.reason.scale if one.reason is not None else None for one in told.values() if one.shown}
    if len(scales) == 1:
        return told
    found = {}
    for level, one in told.items():
        stride = _stride_of(one.reason, strides[level], strides) if one.reason is not None else None
        found[level] = one
        if one.reason is not None and stride is not None:
            found[level] = replace(one, reason=replace(one.reason, codes=("wrong_stride",), stride=stride))
    return found


def _stride_of(reason: Reason, own: float, strides: Sequence[float]) -> float | None:
    """The declared stride that is so many times a level's own as its sizes or distances come out."""
    if reason.scale is None:
        return None
    return next((stride for stride in strides if abs(reason.scale * own / stride - 1) <= STEADY), None)


def description(told: dict[int, Told]) -> str:
    """What is done, in words: once, or for each kind of levels."""
    lines: dict[str, list[int]] = {}
    for level, one in told.items():
        lines.setdefault(one.words, []).append(level)
    if len(lines) == 1:
        return f"all levels: {next(iter(lines))}"
    return "\n".join(f"level {', '.join(map(str, levels))}: {words}" for words, levels in lines.items())


def unexplained(told: dict[int, Told]) -> float | None:
    """The share of boxes that nothing explains; None where none came."""
    shown = sum(one.shown for one in told.values())
    return None if not shown else round(sum(one.open for one in told.values()) / shown, 4)


def fold(notes: Notes, kept: str) -> None:
    """Symptoms that a cause explains, but for the code ``kept``."""
    symptoms = {
        "scrambled_layout": ("mixed_batch", "class_wrong", "object_lost", "wrong_box"),
        **dict.fromkeys(("axes_swapped", "image_size_swapped", "state_leak"), ()),
    }
    for cause, own in symptoms.items():
        for symptom in (*own, "raises", "wrong_output", "wrong_cell") if notes.has(cause) else ():
            if symptom != kept:
                notes.drop(symptom, cause)
