"""Which single objects have no cell on any level, and why."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from .asking import Answer, Asker
from .examination import Examination
from .faults import Fault, codes
from .probes import Probe
from .raising import far
from .sharing_cells import SHARES
from .small import small_by_rule
from .steadiness import steady


def lost(exam: Examination, asker: Asker, placing: bool) -> tuple[list[Fault], list[str]]:
    """Which single objects have no cell on any level; and what a wrong placement explains."""
    gone = [
        a
        for a, seen in zip(exam.answers, exam.seen, strict=True)
        if seen is not None and a.finite and a.probe.kind != "beyond" and not any(len(level) for level in seen)
    ]
    faults: list[Fault] = []
    small = [a for a in gone if a.probe.side < 2 * min(exam.layout.strides)]
    side = _one_side(exam, small)
    if side and not placing:
        faults.append(Fault("object_lost", f"small objects at the {side} edge have no cell, at other edges they have"))
    elif small and not placing and (shapes := small_by_rule(exam, asker, small)):
        said = ", ".join(f"{w:.0f} x {h:.0f}" for w, h in shapes)
        faults.append(Fault("object_lost", f"objects of {said} px have no cell, though they lie upon an anchor point"))
    elif small:
        what = "objects of less than two of the finest strides have no cell"
        evidence = {"objects": len(small), "largest": round(float(max(a.probe.side for a in small)), 1)}
        faults.append(Fault("object_lost", what, severity="warning", evidence=evidence))
    rest = [a for a in gone if a not in small and not exam.explained(a)]
    folded = ["object_lost"] if len(rest) + len(small) < len(gone) else []
    rest, faults = _beyond_priors(exam, rest, faults)
    return (faults + _losing(rest) if rest else faults), folded


def on_purpose(exam: Examination, asker: Asker, told: list[Fault], placing: bool) -> list[Fault]:
    """What was told of lost objects, as warnings where predictions choose the cells: these let objects go by design.

    A size of which nearly no object has a cell is lost by a rule, whoever chooses the cells.
    """
    if placing or "object_lost" not in codes(told) or steady(exam, asker) or _by_rule(exam):
        return told
    return _as_warnings(told)


def beside_others(exam: Examination, asker: Asker, told: list[Fault]) -> list[Fault]:
    """What was told of several objects: cells lost once, or where predictions choose them, are lost by design."""
    shared = [fault for fault in told if fault.what.startswith(SHARES) and fault.severity == "error"]
    if not shared or (len(shared) > 1 and steady(exam, asker)):
        return told
    return [fault for fault in told if fault not in shared] + _as_warnings(shared)


def _as_warnings(told: list[Fault]) -> list[Fault]:
    said = "; objects of the same place in their cells fill others, so predictions choose them"
    return [
        replace(fault, what=fault.what + said, severity="warning") if fault.code == "object_lost" else fault
        for fault in told
    ]


def _by_rule(exam: Examination) -> bool:
    """Whether nearly all objects of some size that is not small, some label or some part of the image have no cell."""
    found: dict[str, list[bool]] = {}
    for answer, seen in zip(exam.answers, exam.seen, strict=True):
        if seen is None or not len(answer.probe.boxes):
            continue
        if answer.probe.kind == "place" and answer.probe.side < 2 * min(exam.layout.strides):
            continue
        for group in _groups(answer.probe):
            found.setdefault(group, []).append(not any(len(level) for level in seen))
    return any(len(gone) >= 2 and np.mean(gone) > 0.8 for gone in found.values())


def _groups(probe: Probe) -> Iterator[str]:
    """The size, the label, the border and the third of the image that an object belongs to."""
    if probe.kind == "class":
        yield f"label {probe.labels[0]}"
    elif probe.kind == "edge":
        yield "edge"
    elif probe.kind == "place":
        yield f"side {probe.side:.3f}"
        (height, width), (x1, y1, x2, y2) = probe.image_size, probe.boxes[0]
        for name, middle, length in (("x", (x1 + x2) / 2, width), ("y", (y1 + y2) / 2, height)):
            yield f"{name} {min(int(3 * middle / length), 2)}"


def _beyond_priors(exam: Examination, gone: list[Answer], faults: list[Fault]) -> tuple[list[Answer], list[Fault]]:
    """Objects that are much larger or smaller than every prior: no anchor may be like them."""
    if exam.layout.anchors is None or not gone:
        return gone, faults
    priors = np.array(exam.layout.anchors, float).reshape(-1, 2)
    apart = []
    for answer in gone:
        ratio = (answer.probe.boxes[0, 2:] - answer.probe.boxes[0, :2]) / priors
        apart.append(np.maximum(ratio, 1 / ratio).max(1).min() > 2.5)
    odd = [a for a, far in zip(gone, apart, strict=True) if far]
    if odd:
        what = "objects that no prior is like have no cell"
        faults = [*faults, Fault("object_lost", what, severity="warning", evidence={"objects": len(odd)})]
    return [a for a in gone if a not in odd], faults


def _losing(rest: list[Answer]) -> list[Fault]:
    evidence = {"objects": len(rest), "box": rest[0].probe.boxes[0].round(1).tolist()}
    kinds = {a.probe.kind for a in rest}
    if all(far(a) for a in rest) and len(rest) > 3 and "place" in kinds:
        what = "objects beyond the shorter side of the image have no cell"
        return [Fault("image_size_swapped", what, evidence=evidence)]
    if kinds == {"edge"}:
        names = ", ".join(sorted({a.probe.note for a in rest})[:4])
        return [Fault("object_lost", f"objects at the edges ({names}) have no cell", evidence=evidence)]
    if kinds == {"class"}:
        labels = sorted({a.probe.labels[0] for a in rest})
        return [Fault("object_lost", f"objects of labels {labels} have no cell", evidence=evidence)]
    sides = sorted({round(float(a.probe.side), 1) for a in rest})
    what = f"single objects of sides {sides} px have no cell on any level"
    return [Fault("object_lost", what, evidence=evidence)]


def _one_side(exam: Examination, gone: list[Answer]) -> str | None:
    """The side of the image where exactly all the lost objects lie, if there is one."""
    asked = {a.probe.note for a in exam.answers if a.probe.kind == "edge" and a.error is None}
    names = {a.probe.note for a in gone}
    for side in ("left", "right", "top", "bottom"):
        if names and names == {name for name in asked if side in name.split()}:
            return side
    return None
