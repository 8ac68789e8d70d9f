"""Does every level of a detector lie on the image as its head declares? Asked of the running detector itself."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import anatomy
from anatomy import Head, UnsupportedModelError, whole_number
from anatomy.arguments import refused
from anatomy.head.level_colors import level_color
from anatomy.shown import Part, Table, Words

from ..findings import Finding, Report
from ..objects.label_sources import EXAMPLE
from .box_order import order_fault
from .box_outputs import with_places
from .boxes_verdict import HALF, points_apart
from .offset import object_offsets
from .places import Places
from .probe import LOOKS, MOVES, ROUNDS, GridLevel, probe, read_level, sights, touches
from .sight import Sight
from .verdict import as_measured, as_reversal, check_shapes, judge_apart, sights_apart, with_labels


@dataclass(frozen=True, repr=False)
class GridReport(Report):
    """A report that keeps what was measured.

    ``levels``: one ``GridLevel`` a level, none for those whose very grids are of another size. ``image`` (H, W, 3)
    uint8 RGB: the network input that cells were asked about. ``blind``: why no gradient tells where they look, or "".
    """

    levels: tuple[GridLevel, ...] = ()
    image: np.ndarray | None = None
    blind: str = ""

    def _parts(self) -> Iterable[Part]:
        yield from super()._parts()
        columns = ("level", "stride", "grid on the probe", "measured offsets, cells (x, y)")
        rows = (
            (one.name, f"{one.stride:g}", f"{one.cells[0]} × {one.cells[1]}", _told(one).partition(": ")[2])
            for one in self.levels
        )
        if self.levels:
            yield Table(columns, rows, len(self.levels), [level_color(one.name) for one in self.levels])
        if self.blind:
            yield Words([self.blind])

    def __str__(self) -> str:
        lines = [f"  {_told(level)}" for level in self.levels]
        return "\n".join([super().__str__(), *lines, *([f"  {self.blind}"] if self.blind else [])])


def check_grid(
    model: Any,
    data: Any = None,
    *,
    step: int = 128,
    seed: int = 0,
    sight: bool = True,
    **predict_args: Any,
) -> GridReport:
    """Check stride, axes, order and offset of every level against what the head declares.

    A patch on grey is moved by ``step`` px (a multiple of every stride) along x, then along y: every level's change
    must move step / stride cells along the columns, then the rows, and its boxes ``step`` px. Boxes tell the points
    from which their sides are measured. With ``sight``, the gradient of class logits tells which pixels the cells look
    at; it takes most of the time. ``data``: labelled images, (image, boxes (n, 4) xyxy px, labels) each, or what
    ``read_labels`` makes or reads; with some on a trained detector, the offset of boxes from objects is measured.
    Findings: ``axes_swapped``, ``wrong_stride``, ``levels_reversed``, ``scrambled_layout``, ``half_cell_offset``,
    ``off_by_one_cell``; ``undecided`` (a warning) where a level answers too weakly, as random weights do.
    ``viz.grid`` draws the report.

    >>> diagnosis.check_grid(model, step=32, sight=False).levels[0].name
    'P3'
    """
    head = anatomy.describe(model)
    _check_movable(head)
    _check_all_classified(head)
    strides = np.array([level.stride for level in head.levels])
    step = whole_number(step, "step")
    if step <= 0 or (step % strides).any():
        raise ValueError(f"step must be a multiple of every stride {strides.tolist()} px, but {step!r} was given.")
    if data is not None and not isinstance(data, Iterable | os.PathLike):
        raise refused("diagnosis.check_grid", "labelled images as data", data, EXAMPLE)
    size = head.input_size
    if size is not None and size != (4 * step, 5 * step):
        raise anatomy.UnsupportedModelError(
            f"The grid is checked on inputs of {4 * step} × {5 * step} px, but this one takes "
            f"{size[0]} × {size[1]} px alone. Export it with open sizes (dynamic=True), or check "
            "the model that it was exported from."
        )
    args = {"conf": 0.9, "iou": 0.7, **predict_args}
    readings, misfits, probes, order = _readings(head, step, seed, args)
    subject = f"grid of {type(head.net).__name__}"
    found = list(as_reversal(head, misfits))
    fitted = as_measured(head, misfits, step)
    if fitted is not None:  # the rest is judged by the strides that the grids have
        readings, misfits, more, order = _readings(fitted, step, seed, args)
        head, probes = fitted, probes + more
    if not readings:
        return GridReport(subject, tuple(found), probes)
    view, seen, places, blind = _look(head, step, args) if sight and not misfits else (None, {}, {}, "")
    blind = "While grids are of other sizes than declared, no cell is asked where it looks." if misfits else blind
    offsets, more = object_offsets(model, data, predict_args) if data is not None and not misfits else ({}, 0)
    if not seen and not places and any(np.abs(one.offset).max() >= HALF for one in offsets.values()):
        places = touches(head, step, args)  # whether boxes or labels are to blame
    levels = tuple(
        replace(
            reading,
            sight=seen.get(i),
            objects=offsets.get(i),
            box_outputs=with_places(reading.box_outputs, places.get(i, Places())),
            strewn=places.get(i, Places()).classes,
            at=places.get(i, Places()).at,
        )
        for i, reading in sorted(readings.items())
    )
    cells: list[Finding] = []
    boxes: list[Finding] = []
    for level in levels:
        of_cells, of_boxes = judge_apart(level, step)
        cells += of_cells
        boxes += of_boxes
    cells += sights_apart(levels, cells)
    boxes += points_apart(levels, boxes)
    findings = [*cells, *(boxes if order is None else [order])]
    findings = [one for one in findings if not (found and one.code == "wrong_stride")]  # told by the grids already
    findings = [*found, *as_reversal(head, with_labels(levels, [*found, *findings])[len(found) :])]
    probes += more + LOOKS * bool(seen)
    return GridReport(subject=subject, findings=tuple(findings), probes=probes, levels=levels, image=view, blind=blind)


def _check_movable(head: Head) -> None:
    """Refuse a head over which no patch can be moved in sizes of our choice, or whose cells have no classes."""
    name = type(head.net).__name__
    if head.second_stage:
        raise UnsupportedModelError(
            f"check_grid moves a patch and follows the classes of cells, but those of a {name} are of pooled "
            "proposals. Look at viz.heatmaps(trace), which shows where it proposes."
        )
    if head.fixed_size is not None:
        raise UnsupportedModelError(
            f"check_grid moves a patch over inputs of several sizes, but a {name} scales every image to "
            f"{head.fixed_size[1]} × {head.fixed_size[0]} px. Look at viz.anchor_grid(trace, level), which shows where "
            "its cells lie."
        )


def _check_all_classified(head: Head) -> None:
    """Refuse a head that classifies some cells alone."""
    if head.chooses:
        raise UnsupportedModelError(
            f"check_grid moves a patch and follows the classes of every cell, but a {type(head.net).__name__} chooses "
            "the cells that it classifies. Look at viz.heatmaps(trace), which shows of which cells it is sure."
        )


def _readings(
    head: Head, step: int, seed: int, args: dict
) -> tuple[dict[int, GridLevel], list[Finding], int, Finding | None]:
    """The readings of levels whose grids are of the declared size, what is wrong with the others, and the passes.

    Last: what is wrong with the order of the box outputs.
    """
    order: Finding | None = None
    readings: dict[int, GridLevel] = {}
    misfits: list[Finding] = []
    probes = 0
    for turn in range(ROUNDS):
        unfit = {finding.level for finding in misfits}
        levels = [i for i in range(len(head.levels)) if i not in unfit]
        if turn and all(readings[i].settled for i in levels):
            break
        with head.undisturbed():
            passes = probe(head, step, seed + turn, args)
        probes += len(passes)
        misfits = check_shapes(head, passes[0])
        unfit = {finding.level for finding in misfits}
        if not turn and not unfit:
            order = order_fault(head, passes[:MOVES], step)
        for i in [i for i in levels if i not in unfit]:
            reading = read_level(head, passes, i, step)
            if i not in readings or (not readings[i].settled and reading.agreement > readings[i].agreement):
                readings[i] = reading
    return readings, misfits, probes, order


def _look(head: Head, step: int, args: dict) -> tuple[np.ndarray | None, dict[int, Sight], dict[int, Places], str]:
    """The network input that cells were asked about, the sight of each level, and why there is none.

    Third: where the classes and boxes of each level answer to small changes.
    """
    with head.undisturbed():
        try:
            view, seen, places = sights(head, step, args)
        except UnsupportedModelError as error:
            return None, {}, touches(head, step, args), f"No gradient tells where the cells look: {error}"
    return view, seen, places, ""


def _told(level: GridLevel) -> str:
    """The offsets of a level in words: of its sights, of the points of its boxes, and of its boxes from objects."""
    told = {
        "its cells look": level.sight.offset if level.sight is not None and level.sight.straight else None,
        "its boxes are measured": level.aim.offset,
        "its boxes lie off objects": None if level.objects is None else level.objects.offset,
    }
    parts = [f"{words} {offset[0]:+.2f}, {offset[1]:+.2f}" for words, offset in told.items() if offset is not None]
    return f"{level.name}, stride {level.stride:g}: {'; '.join(parts)} cells (x, y)" if parts else level.name
