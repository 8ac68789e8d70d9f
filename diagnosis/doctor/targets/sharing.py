"""How the levels share the sizes of objects out, and which objects no level takes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from . import probes as ask
from .asking import Answer, Asker
from .examination import Examination, steady
from .faults import PLACING, Fault, codes
from .placing import by_floor
from .small import small_by_rule


def levels(exam: Examination, asker: Asker, faults: Sequence[Fault]) -> list[Fault]:
    """Sizes that are shared out among levels in a strange way, or not at all; levels that no object goes to."""
    if exam.levels < 2:
        return []
    return _unused(exam, asker, faults) + _shares(exam)


def _unused(exam: Examination, asker: Asker, faults: Sequence[Fault]) -> list[Fault]:
    empty = sorted(set(range(exam.levels)) - exam.used)
    if not empty or not exam.used or asker.differential:
        return []
    taken: set[int] = set()
    if min(empty) > min(exam.used):  # a larger image may be what the coarse ones wait for
        label = exam.layout.class_count // 2
        for probe in ask.large(exam.layout.strides, exam.sizes[0], label):
            answer = asker.ask(probe)
            if answer.error is None:
                taken |= {level for level in empty if len(exam.look(answer, level))}
    found = []
    for level in empty:
        if level in taken:
            what = f"images of {exam.sizes[0]} leave it empty; larger objects go there"
            found.append(Fault("level_unused", what, level, severity="warning"))
        else:
            found.append(Fault("level_unused", "no object of any size has a cell here", level))
    return found


def _shares(exam: Examination) -> list[Fault]:
    strides = exam.layout.strides
    sides = [side for side in ask.sides(strides, exam.sizes) if side >= 2 * min(strides)]
    share, total = np.zeros((len(sides), exam.levels)), np.zeros((len(sides), 1))
    for answer, seen in zip(exam.answers, exam.seen, strict=True):
        if seen is not None and answer.probe.kind == "place" and answer.probe.side in sides:
            at = sides.index(answer.probe.side)
            total[at] += 1
            share[at] += [len(one) > 0 for one in seen]
    if len(sides) < 2 or not total.all():
        return []
    share /= total
    if (share[[0, -1]].min() > 0.6 and share.min() > 0.5) or (share[-1].min() > 0.6 and _wherever_points(exam)):
        what = "every object has cells on every level, whatever its size"
        evidence = {"share_of_smallest": share[0].tolist(), "share_of_largest": share[-1].tolist()}
        return [Fault("all_levels_assigned", what, severity="warning", evidence=evidence)]
    taken = share.sum(0)
    missing = share.sum(1).min() < 0.1  # a size that no level takes shows that levels do not share sizes out as usual
    shown = np.flatnonzero(taken >= 0.25) if missing else np.array([0, exam.levels - 1])
    if taken[shown].min(initial=1) < (0.25 if missing else 0.5):
        return []
    if len(shown) < 2:
        return []
    typical = np.exp(np.log(sides) @ share[:, shown] / taken[shown])
    falling = bool((np.diff(typical) < 0).all()) or {0, exam.levels - 1} <= set(shown.tolist())
    if typical[0] <= 2 * typical[-1] or not falling:
        return []
    what = "small objects go to the coarser levels and large ones to the finer"
    evidence = {"typical_side_px": {"finest": float(typical[0]), "coarsest": float(typical[-1])}}
    return [Fault("levels_reversed", what, evidence=evidence)]


def _wherever_points(exam: Examination) -> bool:
    """Whether objects have cells on each level that has a point within their box, and on hardly any other."""
    there, could = np.zeros(exam.levels), np.zeros(exam.levels)
    for answer, seen in zip(exam.answers, exam.seen, strict=True):
        if seen is None or answer.probe.kind != "place":
            continue
        for level, stride in enumerate(exam.layout.strides):
            near = answer.probe.boxes[0] / stride - exam.layout.grid_offset
            inside = np.floor(near[2:] - 1e-3) >= np.ceil(near[:2] + 1e-3)
            could[level] += inside.all()
            there[level] += inside.all() and len(seen[level]) > 0
    return bool(could.min() >= 8 and (there / could.clip(1)).min() > 0.95)


def raised(exam: Examination, placing: bool) -> tuple[list[Fault], list[str]]:
    """Which objects make the encoder raise; and which symptoms a wrong placement explains."""
    failed, folded = [a for a in exam.answers if a.error], []
    oblong = [a for a in exam.answers if a.probe.image_size[0] != a.probe.image_size[1]]
    faults: list[Fault] = []
    if oblong and all(a.error for a in oblong) and len(oblong) < len(exam.answers):
        if placing:
            folded.append("raises")
        else:
            what = f"every image that is not square raises {oblong[0].error}"
            faults.append(Fault("image_size_swapped", what))
        failed = [a for a in failed if a not in oblong]
    rest = [a for a in failed if not exam.explained(a)]
    if _outside_alone(exam, failed):
        rest = failed
    if len(rest) < len(failed):
        folded.append("edge_crash")
    if rest:
        faults += _raising(exam, rest)
    return faults, folded


def _outside_alone(exam: Examination, failed: list[Answer]) -> bool:
    """Whether boxes partly outside alone raise, while others that a wrong placement sends out of the grid do not."""
    sent = [a for a in exam.answers if not a.error and a.probe.kind != "beyond" and exam.explained(a)]
    return all(a.probe.kind == "beyond" for a in failed) and len(sent) >= 12


def _raising(exam: Examination, rest: list[Answer]) -> list[Fault]:
    kinds = {a.probe.kind for a in rest}
    error, evidence = rest[0].error, {"objects": len(rest), "box": rest[0].probe.boxes[0].round(1).tolist()}
    placed = [a for a in exam.answers if a.probe.kind == "place"]
    if all(_far(a) for a in rest) and "place" in kinds:
        return [Fault("image_size_swapped", f"objects beyond the shorter side raise {error}", evidence=evidence)]
    if kinds & {"edge", "beyond"} and not any(a.error and _inner(exam, a) for a in placed):
        names = "; ".join(sorted({a.probe.note for a in rest if a.probe.note})[:4])
        return [Fault("edge_crash", f"objects at the edges ({names}) raise {error}", evidence=evidence)]
    if kinds == {"class"}:
        labels = sorted({a.probe.labels[0] for a in rest})
        return [Fault("raises", f"labels {labels} raise {error}", evidence=evidence)]
    sides = sorted({round(float(a.probe.side), 1) for a in rest})
    return [Fault("raises", f"objects of sides {sides} px raise {error}", evidence=evidence)]


def _far(answer: Answer) -> bool:
    """Whether the box reaches beyond the shorter side of its image."""
    (height, width), box = answer.probe.image_size, answer.probe.boxes[0]
    return bool((width > height and box[2] > height) or (height > width and box[3] > width))


def _inner(exam: Examination, answer: Answer) -> bool:
    """Whether the box keeps clear of the borders by two cells of the coarsest level."""
    (height, width), box = answer.probe.image_size, answer.probe.boxes[0]
    margin = 2 * max(exam.layout.strides)
    return bool(min(box[0], box[1], width - box[2], height - box[3]) > margin)


def lost(exam: Examination, asker: Asker, placing: bool) -> tuple[list[Fault], list[str]]:
    """Which single objects have no cell on any level; and what a wrong placement explains."""
    gone = [
        a
        for a, seen in zip(exam.answers, exam.seen, strict=True)
        if seen is not None and a.probe.kind != "beyond" and not any(len(level) for level in seen)
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
    said = "; objects of the same place in their cells fill others, so predictions choose them"
    return [
        replace(fault, what=fault.what + said, severity="warning") if fault.code == "object_lost" else fault
        for fault in told
    ]


def _by_rule(exam: Examination) -> bool:
    """Whether nearly all objects of some size that is not small, or of some label, have no cell."""
    found: dict[object, list[bool]] = {}
    for answer, seen in zip(exam.answers, exam.seen, strict=True):
        if seen is None or answer.probe.kind not in ("place", "class") or not len(answer.probe.boxes):
            continue
        if answer.probe.kind == "place" and answer.probe.side < 2 * min(exam.layout.strides):
            continue
        key = answer.probe.side if answer.probe.kind == "place" else f"label {answer.probe.labels[0]}"
        found.setdefault(key, []).append(not any(len(level) for level in seen))
    return any(np.mean(gone) > 0.8 for gone in found.values())


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
    if all(_far(a) for a in rest) and len(rest) > 3 and "place" in kinds:
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


def border(exam: Examination, known: set[str]) -> list[Fault]:
    """Outermost columns or rows that stay empty although objects touch them, while those opposite are filled."""
    if known & {"object_lost", "edge_crash", "raises", *PLACING} or exam.moved is not None:
        return []
    found, symmetric = [], exam.layout.grid_offset == 0.5 or by_floor(exam.layout)
    for level in sorted(exam.used):
        filled: dict[str, int] = dict.fromkeys(("left", "right", "top", "bottom"), 0)
        for answer, seen in zip(exam.answers, exam.seen, strict=True):
            if seen is not None and answer.probe.kind == "edge":
                one, (height, width) = seen[level], answer.levels[level].grid
                filled["left"] += bool((one.columns == 0).any())
                filled["right"] += bool((one.columns == width - 1).any())
                filled["top"] += bool((one.rows == 0).any())
                filled["bottom"] += bool((one.rows == height - 1).any())
        for side, other in (("left", "right"), ("right", "left"), ("top", "bottom"), ("bottom", "top")):
            if not filled[side] and filled[other] >= 4 and symmetric:
                what = f"objects never fill the cells along the {side} edge, but those opposite they do"
                found.append(Fault("object_lost", what, level, evidence={"objects": filled[other]}))
    return found


def strays(exam: Examination, known: set[str]) -> list[Fault]:
    """Cells far from an object at the edge: an index that wrapped round."""
    if known & set(PLACING) or exam.moved is not None:
        return []
    for answer, seen in zip(exam.answers, exam.seen, strict=True):
        if seen is None or answer.probe.kind not in ("edge", "beyond"):
            continue
        for level, found in exam.maps.items():
            stride, one = exam.layout.strides[level], seen[level]
            if found.cost(stride) or found.fit < 0.7 or any(found.shift) or not len(one):
                continue
            box = answer.probe.boxes[0]
            x, y = (one.columns[one.core] + 0.5) * stride, (one.rows[one.core] + 0.5) * stride
            far = np.maximum(np.maximum(box[0] - x, x - box[2]), np.maximum(box[1] - y, y - box[3]))
            reach = max(4 * stride, float(exam.layout.priors(level).max()) if exam.layout.anchors else 0.0)
            if far.max() > reach:
                what = f"an object at the {answer.probe.note} fills cells {far.max() / stride:.0f} cells away"
                return [Fault("edge_crash", what, level)]
    return []
