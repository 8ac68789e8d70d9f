"""How each level writes boxes: as declared, in another reading, as multiples, cut, rounded, or moved before."""

from typing import Any, cast

import numpy as np

from ..boxes.contents import ENOUGH, explain
from ..boxes.proportions import ceiling, motion, multiples, rounded
from ..boxes.readings import Written, agreement, declared
from .answers import repair, unscramble
from .examination import PLACING, Examination


def boxes(exam: Examination) -> None:
    """Note how each level writes boxes, where it is otherwise than declared."""
    before = tuple(code for code in PLACING if exam.notes.has(code))
    for level, stride in enumerate(exam.layout.strides):
        written = None if level in exam.clerk.integer else _written(exam, level, False)
        if written is None:
            continue
        right = agreement(declared(exam.layout, stride), written)
        if right.all(1).mean() >= ENOUGH:
            exam.readings[level] = declared(exam.layout, stride)
            continue
        written = cast(Written, _written(exam, level, True))  # as there are cells, seen just now
        found = exam.maps.get(level)
        known = found.codes(stride) if found else ()
        known += tuple(code for code in before if code not in known)
        first = list(dict.fromkeys(exam.readings.values()))
        result = explain(written, exam.layout, stride, known, found.stride if found else stride, first)
        plain = declared(exam.layout, stride)
        top = ceiling(plain, written) if result.fits < ENOUGH - 0.05 else None
        if top is not None:
            exam.notes.add(
                "range_ceiling",
                f"no side or distance is greater than {top:.4g} px, {top / stride:.3g} strides",
                level=level,
                severity="warning" if top >= 8 * stride else "error",
                ceiling_px=top,
            )
        elif result.fits >= 0.93 or (result.fits >= 0.6 and result.fits > result.declared + 0.2):
            exam.readings[level] = result.reading
            for code in result.codes:
                what = f"box channels hold {_differs(result.reading, plain)}"
                exam.notes.add(code, what, level=level, cells_explained=result.fits, cells_right=result.declared)
            for code in () if result.codes else known[:1]:
                exam.notes.fold(code, "wrong_box")
        elif factors := multiples(plain, written):
            what = "box channels hold multiples of what is declared"
            exam.notes.add("wrong_box_unit", what, level=level, factors=factors)
        elif (beyond := _only_beyond(written, right)) is not None:
            what = "the boxes of objects beyond the shorter side of the image are not theirs"
            exam.notes.add("image_size_swapped", what, level=level, cells=beyond)
        else:
            what = f"the boxes read from {1 - right.all(1).mean():.0%} of the cells are not the object's"
            if rounded(plain, written):
                what = "the boxes are rounded to whole px"
            exam.notes.add("wrong_box", what, level=level, channels_right=right.mean(0).round(3).tolist())


def find_motion(exam: Examination) -> bool:
    """Whether the boxes of every level are the objects' after one linear motion; ``exam.motion`` is then set to it."""
    found = []
    for level in sorted(exam.used):
        written = None if level in exam.clerk.integer else _written(exam, level, False)
        if written is not None and len(written.rows) >= 24:
            found.append(motion(declared(exam.layout, exam.layout.strides[level]), written))
    if not found or None in found or len({one.key() for one in found}) > 1:
        return False
    exam.motion = found[0]
    return True


def _written(exam: Examination, level: int, every: bool) -> Written | None:
    rows: list[tuple[Any, ...]] = []
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
        np.stack([exam.boxes(r[0])[0] for r in rows]),
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


def _only_beyond(written: Written, right: np.ndarray) -> int | None:
    """How many boxes are wrong if all of them reach beyond the shorter side of the image, else None."""
    wrong = ~right.all(1)
    height, width = written.sizes.T
    beyond = np.where(width > height, written.boxes[:, 2] > height, (width < height) & (written.boxes[:, 3] > width))
    return int(wrong.sum()) if not (wrong & ~beyond).any() and (~wrong).sum() >= 8 else None


def _differs(reading, plain) -> str:
    names = [
        f"{name} {getattr(reading, name)!r}"
        for name in plain.__dataclass_fields__
        if getattr(reading, name) != getattr(plain, name)
    ]
    return ", ".join(names)
