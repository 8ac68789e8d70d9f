"""How each level chooses its cells, and the faults that this amounts to."""

from dataclasses import replace

from .examination import Examination
from .faults import Fault
from .placing import Sighting, as_table, best_sizes, fit_cells
from .shifting import by_floor, shifted

BELIEVED = 0.55
"""The share of objects that must lie where a right map says; predictions that choose cells put some elsewhere."""


def place(exam: Examination) -> Examination:
    """How each level chooses its cells."""
    layout, asked, enough, tables, maps = exam.layout, _asked(exam), {}, {}, {}
    for level, stride in enumerate(layout.strides):
        seen = _sightings(exam, level)
        if len(seen) >= 6:
            overlap = layout.anchors is not None and not by_floor(layout)
            least = 0.8 * float(layout.priors(level).min()) if overlap else 0.0
            enough[level] = best_sizes(seen, asked, least)
            tables[level] = as_table(enough[level])
            maps[level] = fit_cells(tables[level], stride, layout)
    prior = max(maps.values(), key=lambda found: found.fit * found.seen, default=None)
    maps = {level: fit_cells(table, layout.strides[level], layout, prior) for level, table in tables.items()}
    maps = shifted(maps, enough, tables, layout)
    for level in exam.used - set(enough):
        if prior is None:
            continue
        maps[level] = replace(prior, stride=layout.strides[level], shift=(0.0, 0.0), fit=1.0, seen=0)
    return replace(exam, maps=maps)


def misplaced(exam: Examination) -> list[Fault]:
    """The faults that the maps of the levels amount to."""
    faults = []
    for level, found in sorted(exam.maps.items()):
        if not found.seen:
            continue
        evidence = {"explained": round(found.fit, 3), "objects": found.seen}
        if found.fit < (0.7 if found.cost(exam.layout.strides[level]) else BELIEVED):
            faults.append(Fault("wrong_cell", "cells do not lie where the object is", level, evidence=evidence))
            continue
        faults += [
            Fault(code, what, level, evidence=evidence)
            for code, what in found.codes(exam.layout.strides[level]).items()
        ]
    return faults


def _asked(exam: Examination) -> dict[float, int]:
    found: dict[float, int] = {}
    for answer in exam.answers:
        if answer.probe.kind == "place" and answer.error is None:
            found[answer.probe.side] = found.get(answer.probe.side, 0) + 1
    return found


def _sightings(exam: Examination, level: int) -> list[Sighting]:
    found = []
    for answer, seen in zip(exam.answers, exam.seen, strict=True):
        if seen is None or answer.probe.kind != "place" or not len(seen[level]):
            continue
        there = slice(None) if level in exam.faded else seen[level].core
        found.append(
            Sighting(
                box=exam.boxes(answer)[0],
                image_size=answer.probe.image_size,
                grid=answer.levels[level].grid,
                side=answer.probe.side,
                rows=seen[level].rows[there],
                columns=seen[level].columns[there],
            )
        )
    return found
