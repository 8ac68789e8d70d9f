"""Causes of objects in wrong places: how each level chooses its cells, and how the levels share the sizes out."""

from dataclasses import replace

import numpy as np

from . import probes as ask
from .conduct import fits_grid
from .examination import Examination
from .placement import best_sizes, fit_cells, sightings


def placement(exam: Examination) -> None:
    """Note how each level chooses its cells, where it is otherwise than declared."""
    enough: dict[int, list] = {}
    asked: dict[float, int] = {}
    for answer in exam.answers:
        if answer.probe.kind == "place" and answer.error is None:
            asked[answer.probe.side] = asked.get(answer.probe.side, 0) + 1
    for level, stride in enumerate(exam.layout.strides):
        seen = sightings(exam.answers, exam.spots, level, exam.boxes)
        if len(seen) < 6:
            if level not in exam.used and exam.levels > 1:
                exam.notes.add("level_unused", "no object of any size has a cell here", level=level)
            continue
        enough[level] = best_sizes(seen, asked)
        exam.maps[level] = fit_cells(enough[level], stride, exam.layout)
    prior = max(exam.maps.values(), key=lambda found: found.fit * found.seen, default=None)
    for level, stride in enumerate(exam.layout.strides if prior else ()):
        if level not in enough:
            if level in exam.used and prior is not None:
                exam.maps[level] = replace(prior, stride=stride, shift=(0.0, 0.0), fit=1.0, seen=0)
            continue
        found = exam.maps[level] = fit_cells(enough[level], stride, exam.layout, prior)
        if found.fit < 0.7:
            exam.notes.add("wrong_cell", "cells do not lie where the object is", level=level, explained=found.fit)
    used = [exam.maps[i].stride if i in exam.maps else s for i, s in enumerate(exam.layout.strides)]
    reverse = _reversed(exam)
    for index, found in exam.maps.items():
        level = index
        if found.fit < 0.7 or not found.seen:
            continue
        for code in found.codes(exam.layout.strides[index]):
            if code == "wrong_stride" and reverse:
                code, level = "levels_reversed", None
            what = {
                "axes_swapped": "cells are filled at (x, y) instead of (y, x)",
                "wrong_stride": f"cells are found with stride {found.stride}",
                "levels_reversed": f"cells are found with the strides {used}",
                "image_size_swapped": "cells are found with height and width exchanged",
                "scrambled_layout": "cells are numbered column by column and viewed row by row",
            }.get(code, f"cells lie {found.shift} (x, y) too far")
            exam.notes.add(code, what, level=level, explained=round(found.fit, 3), objects=found.seen)
    if exam.notes.has("axes_swapped") and exam.notes.has("image_size_swapped"):
        shapes = [
            fits_grid(g[::-1], size, s) and not fits_grid(g, size, s)
            for size, grids in exam.grids.items()
            for g, s in zip(grids, exam.layout.strides, strict=True)
        ]
        if any(shapes) and not any(found.rescaled for found in exam.maps.values()):
            exam.notes.drop("image_size_swapped", "axes_swapped")


def _reversed(exam: Examination) -> bool:
    """Whether levels work with each other's strides: each one that is wrong, or whose partner cannot be read."""
    strides = exam.layout.strides
    wrong = [level for level, found in exam.maps.items() if found.stride != strides[level] and found.fit >= 0.7]
    for level in wrong:
        partner = exam.maps.get(len(strides) - 1 - level)
        readable = partner is not None and partner.seen >= 12 and partner.fit >= 0.85
        kept = partner is not None and readable and partner.stride == strides[-1 - level]
        if exam.maps[level].stride != strides[-1 - level] or kept:
            return False
    return bool(wrong)


def other_order(exam: Examination) -> None:
    """Name wrong strides by one cause where cells or, more surely, boxes show the declared ones in reverse."""
    declared, believed = list(exam.layout.strides), []
    for level, stride in enumerate(declared):
        found, reading = exam.maps.get(level), exam.readings.get(level)
        shown = reading.stride if reading and reading.stride != stride else None
        believed.append(shown or (found.stride if found else stride))
    if believed != declared and believed == declared[::-1]:
        exam.notes.add("levels_reversed", f"levels work with the strides {believed}")
        exam.notes.drop("wrong_stride", "levels_reversed")


def levels(exam: Examination) -> None:
    """Note where sizes are shared out among levels in a strange way, or not at all."""
    if exam.levels < 2:
        return
    sides = [s for s in ask.sides(exam.layout.strides, exam.sizes) if s >= 2 * min(exam.layout.strides)]
    share = np.zeros((len(sides), exam.levels))
    total = np.zeros((len(sides), 1))
    for index, answer in enumerate(exam.answers):
        if answer.error is None and answer.probe.kind == "place" and answer.probe.side in sides:
            at = sides.index(answer.probe.side)
            total[at] += 1
            share[at] += [len(exam.spots[index, level]) > 0 for level in range(exam.levels)]
    if len(sides) < 2 or not total.all():
        return
    share /= total
    if share[[0, -1]].min() > 0.6 and share.min() > 0.5:
        exam.notes.add(
            "all_levels_assigned",
            "every object has cells on every level, whatever its size",
            severity="warning",
            share_of_smallest=share[0].tolist(),
            share_of_largest=share[-1].tolist(),
        )
    taken = share.sum(0)
    if min(taken[0], taken[-1]) < 0.5:
        return
    typical = np.exp(np.log(sides) @ share[:, [0, -1]] / taken[[0, -1]])
    if typical[0] > 2 * typical[1]:
        exam.notes.add(
            "levels_reversed",
            "small objects go to the coarsest level and large ones to the finest",
            typical_side_px={"finest": float(typical[0]), "coarsest": float(typical[1])},
        )
