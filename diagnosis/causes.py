"""Causes: how each level chooses its cells, writes its boxes, sets classes and objectness, and shares the sizes out."""

from dataclasses import replace

import numpy as np

from . import probes as ask
from .answers import read, repair, unscramble
from .conduct import fits_grid
from .contents import ENOUGH, Written, agreement, declared, explain, predict
from .examination import PLACING, Examination, kinds_of
from .placement import best_sizes, fit_cells, sightings


def placement(exam: Examination) -> None:
    enough: dict[int, list] = {}
    asked: dict[float, int] = {}
    for answer in exam.answers:
        if answer.probe.kind == "place" and answer.error is None:
            asked[answer.probe.side] = asked.get(answer.probe.side, 0) + 1
    for level, stride in enumerate(exam.layout.strides):
        seen = sightings(exam.answers, exam.spots, level)
        if len(seen) < 6:
            if not seen and exam.levels > 1:
                exam.notes.add("level_unused", "no object of any size has a cell here", level=level, severity="warning")
            continue
        enough[level] = best_sizes(seen, asked)
        exam.maps[level] = fit_cells(enough[level], stride, exam.layout)
    prior = max(exam.maps.values(), key=lambda found: found.fit * found.seen, default=None)
    for level, stride in enumerate(exam.layout.strides if prior else ()):
        if level not in enough:
            if level in exam.used:
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


def _written(exam: Examination, level: int, every: bool) -> Written | None:
    rows = []
    for index, answer in enumerate(exam.answers):
        bad = any(answer.probe is probe for probe in exam.clerk.infinite.get(level, ()))
        if answer.error is not None or answer.probe.kind != "place" or bad or not len(exam.spots[index, level]):
            continue
        spots, sparse = exam.spots[index, level], answer.levels[level]
        values = {"here": spots.box}
        if every:
            box = repair(sparse.dense(), exam.layout, exam.scramble[level])[list(exam.layout.box)]
            values["hwc"] = unscramble(np.ascontiguousarray(box), "hwc")[:, spots.rows, spots.columns].T
            r = spots.columns.clip(max=box.shape[1] - 1), spots.rows.clip(max=box.shape[2] - 1)
            values["transposed"] = box[:, r[0], r[1]].T
        few = np.unique(np.linspace(0, len(spots) - 1, 4).round().astype(int))
        rows += [
            (answer.probe, sparse.shape[1:], spots.rows[i], spots.columns[i], {k: v[i] for k, v in values.items()})
            for i in few
        ]
    if not rows:
        return None
    boxes, size, grid, row, column, values = (
        np.stack([r[0].boxes[0] for r in rows]),
        np.array([r[0].image_size for r in rows], float),
        np.array([r[1] for r in rows]),
        np.array([r[2] for r in rows], float),
        np.array([r[3] for r in rows], float),
        {key: np.stack([r[4][key] for r in rows]).astype(float) for key in rows[0][4]},
    )
    found = exam.maps.get(level)
    meant = row, column
    if found:
        pairs = [found.intended(r, c, tuple(g)) for r, c, g in zip(row, column, grid, strict=True)]
        meant = tuple(np.array(pairs, float).T)
    return Written(boxes, size, grid, row, column, np.stack(meant, 1), values, exam.layout.strides[level])


def _reversed(exam: Examination) -> bool:
    """Whether levels work with each other's strides: each one that is wrong, or whose partner cannot be read."""
    strides = exam.layout.strides
    wrong = [level for level, found in exam.maps.items() if found.stride != strides[level] and found.fit >= 0.7]
    for level in wrong:
        partner = exam.maps.get(len(strides) - 1 - level)
        readable = partner and partner.seen >= 12 and partner.fit >= 0.85
        if exam.maps[level].stride != strides[-1 - level] or (readable and partner.stride == strides[-1 - level]):
            return False
    return bool(wrong)


def contents(exam: Examination) -> None:
    before = tuple(code for code in PLACING if exam.notes.has(code))
    for level, stride in enumerate(exam.layout.strides):
        written = None if level in exam.clerk.integer else _written(exam, level, False)
        if written is None:
            continue
        right = agreement(declared(exam.layout, stride), written)
        if right.all(1).mean() >= ENOUGH:
            exam.readings[level] = declared(exam.layout, stride)
            continue
        written = _written(exam, level, True)
        found = exam.maps.get(level)
        known = found.codes(stride) if found else ()
        known += tuple(code for code in before if code not in known)
        first = list(dict.fromkeys(exam.readings.values()))
        result = explain(written, exam.layout, stride, known, found.stride if found else stride, first)
        guess, value = predict(result.reading, written), written.values[result.reading.source]
        cap = value.max()
        capped = (np.abs(np.minimum(guess, cap) - value) <= 1e-3 * np.abs(value) + 1e-2).all(1).mean()
        if result.fits < ENOUGH - 0.05 and capped >= ENOUGH:
            cells = cap / (1 if exam.layout.unit == "stride" else stride)
            exam.notes.add(
                "range_ceiling",
                f"no box value is greater than {cap:.4g}",
                level=level,
                severity="warning" if cells >= 8 else "error",
                ceiling=float(cap),
            )
        elif result.fits >= 0.93 or (result.fits >= 0.6 and result.fits > result.declared + 0.2):
            exam.readings[level] = result.reading
            for code in result.codes:
                what = f"box channels hold {_differs(result.reading, declared(exam.layout, stride))}"
                exam.notes.add(code, what, level=level, cells_explained=result.fits, cells_right=result.declared)
            for code in () if result.codes else known[:1]:
                exam.notes.fold(code, "wrong_box")
        elif (beyond := _only_beyond(written, right)) is not None:
            what = "the boxes of objects beyond the shorter side of the image are not theirs"
            exam.notes.add("image_size_swapped", what, level=level, cells=beyond)
        else:
            what = f"the boxes read from {1 - right.all(1).mean():.0%} of the cells are not the object's"
            exam.notes.add("wrong_box", what, level=level, channels_right=right.mean(0).round(3).tolist())


def _only_beyond(written: Written, right: np.ndarray) -> int | None:
    """How many boxes are wrong if all of them reach beyond the shorter side of the image, else None."""
    wrong = ~right.all(1)
    height, width = written.sizes.T
    beyond = np.where(width > height, written.boxes[:, 2] > height, (width < height) & (written.boxes[:, 3] > width))
    return int(wrong.sum()) if not (wrong & ~beyond).any() and (~wrong).sum() >= 8 else None


def classes(exam: Examination) -> None:
    found: dict[tuple[int, int], dict] = {}
    for index, answer in enumerate(exam.answers):
        if answer.error is None:
            for level in range(exam.levels):
                sets = found.setdefault((level, answer.probe.labels[0]), {})
                rows, counts = kinds_of(exam.spots[index, level].classes)
                for row, times in zip(rows, counts, strict=True):
                    sets[row] = sets.get(row, 0) + times
    for (level, label), sets in found.items():
        usual = max(sets, key=sets.get, default=(label,))
        if label not in usual:
            what = f"label {label} sets class channels {usual}" if usual else "no class channel is set"
            exam.notes.add("class_wrong", what, level=level, **{f"label {label}": usual})
        elif len(usual) > 1:
            exam.notes.add("class_leak", f"label {label} sets class channels {usual}", level=level)


def objectness(exam: Examination) -> None:
    if exam.layout.objectness is None:
        return
    for level in exam.used:
        both = without = bare = 0
        for answer in exam.answers:
            if answer.error is None and answer.probe.kind == "place":
                spots = read(answer.levels[level], exam.layout, exam.scramble[level])
                known = spots.classes.any(1)
                both += int((known & spots.objectness).sum())
                without += int((known & ~spots.objectness).sum())
                bare += int((~known & spots.objectness).sum())
        if without > 0.02 * (both + without) or (both and bare > 0.02 * both):
            what = "not set in cells that hold an object" if without else "set in cells that hold no object"
            exam.notes.add("objectness_wrong", what, level=level, right=both, missing=without, too_many=bare)


def levels(exam: Examination) -> None:
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
    small, large = share[0], share[-1]
    if small[0] < 0.1 and large[-1] < 0.1 and small[-1] > 0.5 and large[0] > 0.5:
        exam.notes.add(
            "levels_reversed",
            "small objects go to the coarsest level and large ones to the finest",
            share_of_smallest=small.tolist(),
            share_of_largest=large.tolist(),
        )


def _differs(reading, plain) -> str:
    names = [
        f"{name} {getattr(reading, name)!r}"
        for name in plain.__dataclass_fields__
        if getattr(reading, name) != getattr(plain, name)
    ]
    return ", ".join(names)
