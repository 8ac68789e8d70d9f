"""Symptoms: objects that raise, that are lost, that fill far cells, or that spoil each other; folded under a cause."""

import numpy as np

from .examination import PLACING, Examination
from .probes import Probe

UNSURE = ("class_leak", "class_wrong", "objectness_wrong", "wrong_cell", "wrong_box", "mixed_objects", "object_lost")
UNSURE += ("edge_crash", "level_unused")
"""What cannot be told from answers that hold what earlier calls left."""


def raised(exam: Examination) -> None:
    """Note which objects make the encoder raise."""
    failed = [answer for answer in exam.answers if answer.error]
    oblong = [a for a in exam.answers if a.probe.image_size[0] != a.probe.image_size[1]]
    if oblong and all(a.error for a in oblong) and len(oblong) < len(exam.answers):
        if exam.notes.has(*PLACING):
            exam.notes.fold(exam.cause(), "raises")
        else:
            exam.notes.add("image_size_swapped", f"every image that is not square raises {oblong[0].error}")
        failed = [answer for answer in failed if answer not in oblong]
    rest = [answer for answer in failed if not exam.explained(answer.probe)]
    if len(rest) < len(failed):
        exam.notes.fold(exam.cause(), "edge_crash")
    if not rest:
        return
    kinds = {answer.probe.kind for answer in rest}
    error, evidence = rest[0].error, {"objects": len(rest), "box": rest[0].probe.boxes[0].round(1).tolist()}
    beyond = [_beyond(a.probe) for a in rest]
    placed = [a for a in exam.answers if a.probe.kind == "place"]
    if all(beyond) and any(a.probe.kind == "place" for a in rest):
        exam.notes.add("image_size_swapped", f"objects beyond the shorter side raise {error}", **evidence)
    elif "edge" in kinds and not any(a.error and exam.inner(a.probe) for a in placed):
        names = ", ".join(sorted({a.probe.note for a in rest if a.probe.note})[:4])
        exam.notes.add("edge_crash", f"objects at the edges ({names}) raise {error}", **evidence)
    elif kinds == {"class"} and exam.notes.has("class_wrong"):
        exam.notes.fold("class_wrong", "raises")
    elif kinds == {"class"}:
        exam.notes.add("raises", f"labels {sorted({a.probe.labels[0] for a in rest})} raise {error}", **evidence)
    else:
        sides = sorted({round(float(a.probe.side), 1) for a in rest})
        exam.notes.add("raises", f"objects of sides {sides} px raise {error}", **evidence)


def lost(exam: Examination) -> None:
    """Note which single objects have no cell on any level."""
    lost = [
        a
        for i, a in enumerate(exam.answers)
        if a.error is None and not any(len(exam.spots[i, level]) for level in range(exam.levels))
    ]
    small = [a for a in lost if a.probe.side < 2 * min(exam.layout.strides)]
    side = _one_side(exam, small)
    if side and not exam.notes.has(*PLACING):
        exam.notes.add("object_lost", f"small objects at the {side} edge have no cell, at other edges they have")
    elif small:
        exam.notes.add(
            "object_lost",
            "objects of less than two of the finest strides have no cell",
            severity="warning",
            objects=len(small),
            largest=round(float(max(a.probe.side for a in small)), 1),
        )
    rest = [a for a in lost if a not in small]
    explained = [a for a in rest if exam.explained(a.probe)]
    if explained:
        exam.notes.fold(exam.cause(), "object_lost")
    rest = [a for a in rest if a not in explained]
    if not rest:
        return
    evidence = {"objects": len(rest), "box": rest[0].probe.boxes[0].round(1).tolist()}
    kinds = {a.probe.kind for a in rest}
    if all(_beyond(a.probe) for a in rest) and len(rest) > 3 and "place" in kinds:
        exam.notes.add("image_size_swapped", "objects beyond the shorter side of the image have no cell", **evidence)
    elif kinds == {"edge"}:
        names = ", ".join(sorted({a.probe.note for a in rest})[:4])
        exam.notes.add("object_lost", f"objects at the edges ({names}) have no cell", **evidence)
    elif kinds == {"class"} and exam.notes.has("class_wrong", "class_leak"):
        exam.notes.fold("class_wrong" if exam.notes.has("class_wrong") else "class_leak", "object_lost")
    elif kinds == {"class"}:
        labels = sorted({a.probe.labels[0] for a in rest})
        exam.notes.add("object_lost", f"objects of labels {labels} have no cell", **evidence)
    else:
        sides = sorted({round(float(a.probe.side), 1) for a in rest})
        exam.notes.add("object_lost", f"single objects of sides {sides} px have no cell on any level", **evidence)


def border(exam: Examination) -> None:
    """Outermost columns or rows that stay empty although objects touch them, while those opposite are filled."""
    if exam.notes.has("object_lost", "edge_crash", "raises", *PLACING) or exam.motion:
        return
    for level in sorted(exam.used):
        filled: dict[str, int] = dict.fromkeys(("left", "right", "top", "bottom"), 0)
        for index, answer in enumerate(exam.answers):
            if answer.error is None and answer.probe.kind == "edge":
                spots, (_, height, width) = exam.spots[index, level], answer.levels[level].shape
                filled["left"] += bool((spots.columns == 0).any())
                filled["right"] += bool((spots.columns == width - 1).any())
                filled["top"] += bool((spots.rows == 0).any())
                filled["bottom"] += bool((spots.rows == height - 1).any())
        for side, other in (("left", "right"), ("right", "left"), ("top", "bottom"), ("bottom", "top")):
            if not filled[side] and filled[other] >= 4:
                what = f"objects never fill the cells along the {side} edge, but those opposite they do"
                exam.notes.add("object_lost", what, level=level, objects=filled[other])


def strays(exam: Examination) -> None:
    """Cells far from an object at the edge: an index that wrapped round."""
    if exam.notes.has(*PLACING) or exam.motion:
        return
    for index, answer in enumerate(exam.answers):
        for level, found in exam.maps.items():
            if answer.error or answer.probe.kind != "edge" or found.cost(exam.layout.strides[level]) or found.fit < 0.7:
                continue
            spots, box, stride = exam.spots[index, level], answer.probe.boxes[0], exam.layout.strides[level]
            if any(found.shift) or not len(spots):
                continue
            x, y = (spots.columns + 0.5) * stride, (spots.rows + 0.5) * stride
            far = np.maximum(np.maximum(box[0] - x, x - box[2]), np.maximum(box[1] - y, y - box[3]))
            if far.max() > 4 * stride:
                what = f"an object at the {answer.probe.note} fills cells {far.max() / stride:.0f} cells away"
                exam.notes.add("edge_crash", what, level=level)
                return


def settle(exam: Examination) -> None:
    """Take back what another finding explains."""
    notes = exam.notes
    if notes.has("levels_reversed"):
        for code in ("wrong_stride", "wrong_cell", "object_lost"):
            notes.drop(code, "levels_reversed")
    if notes.has(*PLACING):
        notes.drop("level_unused", exam.cause())
    if notes.has("level_unused"):
        notes.drop("object_lost", "level_unused")
    if any(reading.size == "log" for reading in exam.readings.values()):
        notes.drop("non_finite", "wrong_box_unit")
    if any(reading.source != "here" for reading in exam.readings.values()):
        notes.drop("mixed_objects", "scrambled_layout" if notes.has("scrambled_layout") else "axes_swapped")
    if notes.has("state_leak"):
        hidden = UNSURE if exam.clerk.differential else ("wrong_box", "mixed_objects", "object_lost", "level_unused")
        for code in hidden:
            notes.drop(code, "state_leak")


def _one_side(exam: Examination, lost: list) -> str | None:
    """The side of the image where exactly all the lost objects lie, if there is one."""
    asked = {a.probe.note for a in exam.answers if a.probe.kind == "edge" and a.error is None}
    names = {a.probe.note for a in lost}
    for side in ("left", "right", "top", "bottom"):
        if names and names == {name for name in asked if side in name.split()}:
            return side
    return None


def _beyond(probe: Probe) -> bool:
    height, width = probe.image_size
    box = probe.boxes[0]
    return (width > height and box[2] > height) or (height > width and box[3] > width)
