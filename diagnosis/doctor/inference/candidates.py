"""Every way to declare the box channels that the grammar has, and the share of cells that each explains."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np

from ..boxes.terms import Held, Term, declared
from ..layout import FORMATS, FUNCTIONS, TargetLayout
from .channels import Rows


def held(rows: Rows, layout: TargetLayout, level: int, channels: Sequence[int]) -> Held:
    """The cells of a level with these channels as those of boxes."""
    at = rows.of_level(level)
    cells = rows.cells[at].astype(float)
    return Held(
        boxes=rows.boxes[at],
        sizes=rows.sizes[at],
        grids=np.ones((len(at), 2)),
        here=cells,
        meant=cells,
        priors=layout.priors(level)[rows.anchor[at] if layout.anchors else np.zeros(len(at), int)],
        others={},
        values=rows.values[at][:, list(channels)],
        ground=rows.ground[at][:, list(channels)],
        stride=layout.strides[level],
        strides=tuple(layout.strides),
    )


@dataclass(frozen=True)
class Candidate:
    """One way to declare the box channels: the ``fields`` of a layout, and the share of cells that it explains."""

    fields: dict
    share: float
    plain: float


def candidates(rows: Rows, base: TargetLayout, boxes: Sequence[int], function: str | None) -> list[Candidate]:
    """Every way to declare boxes that the grammar has, the best first. ``function``: of sizes over priors, if any."""
    agreed: dict[tuple[int, Term], np.ndarray] = {}
    tables = {level: held(rows, base, level, boxes) for level in range(len(base.strides)) if len(rows.of_level(level))}
    found = []
    for fields in _ways(function):
        layout = TargetLayout(**{**_kept(base), **fields})
        right = [_agreed(tables, layout, slot, agreed) for slot in range(4)]
        chosen = _assigned([part.mean(1) for part in right], boxes)
        whole = np.stack([part[i] for part, i in zip(right, chosen, strict=True)])
        share, each = float(whole.all(0).mean()), float(whole.mean())
        score = share + 0.2 * each - _oddness(fields) - 0.005 * (list(chosen) != sorted(chosen))
        found.append(Candidate({**fields, "box": tuple(boxes[i] for i in chosen)}, share, score))
    return sorted(found, key=lambda one: -one.plain)


def _kept(base: TargetLayout) -> dict:
    """What is known whatever boxes hold."""
    return {name: getattr(base, name) for name in ("box", "strides", "anchors", "classes", "objectness")}


def _ways(function: str | None):
    units = ("px", "stride", "normalized", *(("prior",) if function else ()))
    for form, unit, relative, offset in product(FORMATS, units, (False, True), (0.5, 0.0)):
        if (form == "ltrb" and relative) or (not relative and form != "ltrb" and offset == 0.0):
            continue
        sizes = (None,) if form in ("ltrb", "xyxy") else (None, *(u for u in units if u != unit))
        for size_unit, shown in product(sizes, ("identity",) if form == "xyxy" else FUNCTIONS):
            if (size_unit or unit) == "prior" and shown != function and form != "ltrb":
                continue
            yield {
                "format": form,
                "unit": unit,
                "relative": relative,
                "grid_offset": offset,
                "size_unit": size_unit,
                "size_function": shown,
            }


def _agreed(tables: dict[int, Held], layout: TargetLayout, slot: int, known: dict) -> np.ndarray:
    """(channels, n) bool: where each channel holds what a slot of the box is declared to hold."""
    parts = []
    for level, table in tables.items():
        term = declared(layout, level)[slot]
        if (level, term) not in known:
            each = range(table.values.shape[1])
            known[level, term] = np.stack([term.agrees(table, channel) for channel in each])
        parts.append(known[level, term])
    return np.concatenate(parts, 1)


def _assigned(shares: Sequence[np.ndarray], boxes: Sequence[int]) -> tuple[int, ...]:
    """A different channel for each of the four slots, as good as can be."""
    ways = permutations(range(len(boxes)), 4)
    return max(
        ways,
        key=lambda way: (
            sum(share[i] for share, i in zip(shares, way, strict=True)) - 1e-3 * (way != tuple(sorted(way)))
        ),
    )


def _oddness(fields: dict) -> float:
    """A little for everything that is less usual, so that the plainest of equals wins."""
    odd = 0.01 * (fields["size_unit"] is not None) + 0.01 * (fields["size_function"] != "identity")
    return odd + 0.004 * fields["relative"] + 0.002 * (fields["format"] == "xywh") + 0.001 * (fields["unit"] != "px")
