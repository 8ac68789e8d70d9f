"""Which classes each label sets, and whether objectness goes with them."""

from collections import Counter
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np

from ..layout import TargetLayout
from ..storage import order
from .asking import Asker
from .examination import Examination
from .faults import Fault
from .probes import Probe
from .seeing import Seen, gather

VOID = "set on an image without objects"


def set_classes(seen: Seen, layout: TargetLayout) -> list[tuple[int, ...]]:
    """The classes that each picked cell says: those near the largest, all of one hot; of ids the one that stands."""
    if not len(seen.values):
        return []
    channels = list(layout.class_channels)
    values, ground = seen.values[:, channels], seen.ground[:, channels]
    if layout.class_values == "ids":
        there = np.abs(values[:, 0] - ground[:, 0]) > 1e-6
        return [(round(v),) if here else () for v, here in zip(values[:, 0].tolist(), there, strict=True)]
    gain = values - ground
    if layout.ignore is not None:
        gain = np.where(values == layout.ignore, 0, gain)
    top = gain.max(1, keepdims=True, initial=0)
    least = 0.05 if layout.class_values == "one_hot" else 0.4
    chosen = (gain > least * top) & (gain > 1e-6)
    chosen = np.where(chosen.any(1, keepdims=True), chosen, (values > 0.5) & (ground > 0.5))
    if layout.class_values == "gaussian":
        peak = values > 1 - 1e-4
        chosen = np.where(peak.any(1, keepdims=True), peak, chosen)
    return _listed(chosen)


def _listed(chosen: np.ndarray) -> list[tuple[int, ...]]:
    """The columns that are set in each row of a mask; nearly always there is one."""
    first, one = chosen.argmax(1).tolist(), (chosen.sum(1) == 1).tolist()
    return [
        (at,) if only else tuple(np.flatnonzero(row).tolist()) for at, only, row in zip(first, one, chosen, strict=True)
    ]


def bare(seen: Seen, layout: TargetLayout) -> np.ndarray:
    """(k,) bool: the cells that have a class, of heat its peak, but neither a box nor objectness."""
    return seen.classed & ~seen.boxed & ~seen.chanced


_usual: WeakKeyDictionary[Examination, dict[tuple[int, int], Counter]] = WeakKeyDictionary()


def usual_classes(exam: Examination) -> dict[tuple[int, int], Counter]:
    """How often each set of classes stands in the cells of an object: (level, label) -> sets; counted once."""
    if exam not in _usual:
        _usual[exam] = _counted(exam)
    return _usual[exam]


def _counted(exam: Examination) -> dict[tuple[int, int], Counter]:
    found: dict[tuple[int, int], Counter] = {}
    for answer, seen in zip(exam.answers, exam.seen, strict=True):
        for level, one in enumerate(seen or ()):
            counts = found.setdefault((level, answer.probe.labels[0]), Counter())
            plain = ~bare(one, exam.layout)[one.picked]
            kinds = [kind for kind, here in zip(set_classes(one, exam.layout), plain, strict=True) if here]
            counts.update(kinds)
    return found


def classes(exam: Examination) -> list[Fault]:
    """Labels that set other classes than their own, and cells with classes alone."""
    turned = _turned(exam)
    if turned:
        return turned
    faults, found = [], usual_classes(exam)
    for (level, label), counts in found.items():
        usual = max(counts, key=lambda kind: counts[kind], default=(label,))
        if label not in usual:
            what = f"label {label} sets class {_said(usual)}" if usual else "no class is set"
            faults.append(Fault("class_wrong", what, level, evidence={f"label {label}": usual}))
        elif len(usual) > 1:
            faults.append(Fault("class_leak", f"label {label} sets classes {_said(usual)}", level))
    for level in sorted(set(range(exam.levels)) - exam.faded):
        mine = [seen[level] for a, seen in zip(exam.answers, exam.seen, strict=True) if seen and a.finite]
        count = sum(int(bare(one, exam.layout).sum()) for one in mine)
        if count > 2 + 0.01 * sum(map(len, mine)):
            what = "classes are set in cells that hold no object"
            faults.append(Fault("class_leak", what, level, evidence={"cells": count}))
    return faults


def _turned(exam: Examination) -> list[Fault]:
    """Levels whose classes stand at (x, y) while the boxes stand at (y, x)."""
    faults = []
    for level in sorted(exam.used):
        turned, apart = 0, 0
        for answer, seen in zip(exam.answers, exam.seen, strict=True):
            if seen is None or answer.probe.kind != "place" or len(set(answer.levels[level].grid)) > 1:
                continue
            one = seen[level]
            whole = np.stack((one.anchors, one.rows, one.columns), 1)
            boxed, classed = ({tuple(cell) for cell in whole[there].tolist()} for there in (one.boxed, one.classed))
            if classed != boxed:
                apart += 1
                across = {(a, column, row) for a, row, column in boxed}
                turned += bool(classed) and classed == across
        if turned >= 6 and turned > 0.9 * apart:
            what = "classes are set at (x, y), boxes at (y, x)"
            faults.append(Fault("axes_swapped", what, level, evidence={"objects": turned}))
    return faults


def _said(kinds: Sequence[int]) -> str:
    return ", ".join(map(str, kinds[:6])) + (" …" if len(kinds) > 6 else "")


def silent(exam: Examination) -> set[int]:
    """The labels whose objects set no class anywhere."""
    asked = {a.probe.labels[0] for a in exam.answers if a.probe.kind == "class" and not a.error}
    return asked - {label for (_, label), sets in usual_classes(exam).items() if any(sets)}


def objectness(exam: Examination) -> list[Fault]:
    """Levels where objectness and classes do not go together, or where it is not 1."""
    layout, faults = exam.layout, []
    if layout.objectness is None or exam.by_box:
        return faults
    soft = layout.objectness_values == "soft"
    for level in sorted(exam.used):
        mine = [s[level] for a, s in zip(exam.answers, exam.seen, strict=True) if s and a.probe.kind == "place"]
        known = [one.classed & ~bare(one, layout) for one in mine]
        both = sum(int((k & one.chanced).sum()) for k, one in zip(known, mine, strict=True))
        without = sum(int((k & ~one.chanced).sum()) for k, one in zip(known, mine, strict=True))
        alone = sum(int((~one.classed & one.chanced).sum()) for one in mine)
        evidence = {"right": both, "missing": without, "too many": alone}
        if without > (0.9 if soft else 0.02) * (both + without):
            faults.append(Fault("objectness_wrong", "not set in cells that hold an object", level, evidence=evidence))
        elif both and alone > 0.02 * both:
            faults.append(Fault("objectness_wrong", "set in cells that hold no object", level, evidence=evidence))
        elif both and not soft:
            values = np.concatenate([one.values[one.chanced[one.picked], layout.objectness] for one in mine])
            if len(values) and (np.abs(values - 1) > 1e-3).mean() > 0.05:
                what = f"{np.median(values):.4g} stands where an object is, not 1"
                faults.append(Fault("objectness_wrong", what, level))
    return faults


def void(layout: TargetLayout, grounds: Sequence[np.ndarray]) -> list[Fault]:
    """What an image without objects holds, a level as (C, cells): neither objectness nor classes."""
    faults, allowed = [], [0.0, layout.background, *([] if layout.ignore is None else [layout.ignore])]
    for level, ground in enumerate(grounds):
        if layout.objectness is not None:
            other = _other(ground[layout.objectness], allowed, 0.05)
            if other.any():
                what, share = VOID, float(other.mean())
                faults.append(Fault("objectness_wrong", what, level, evidence={"share": share}))
        expected = allowed[1:] if layout.class_values == "ids" else allowed
        other = _other(ground[list(layout.class_channels)], expected, 1e-3)
        if other.any():
            faults.append(Fault("class_leak", f"classes are {VOID}", level))
    return faults


def sound_void(exam: Examination, asker: Asker, told: Sequence[Fault]) -> list[Fault]:
    """What was told before memory was understood, with what an empty image holds read again as memory is meant."""
    kept = [fault for fault in told if VOID not in fault.what]
    if len(kept) == len(told):
        return kept
    answer, grounds = asker.ask(Probe("empty", np.zeros((0, 4)), (), exam.sizes[0])), []
    for memory, storage in zip(answer.levels, exam.storages, strict=True):
        count, rows, columns = (memory.shape[letter] for letter in "AHW")
        a, row, column = (part.reshape(-1) for part in np.indices((count, rows, columns)))
        grounds.append(gather(memory, storage, order(exam.layout), a, row, column)[1].T)
    return kept + void(exam.layout, grounds)


def _other(values: np.ndarray, allowed: Sequence[float], slack: float) -> np.ndarray:
    return np.asarray(np.stack([np.abs(values - value) > slack for value in allowed]).all(0))
