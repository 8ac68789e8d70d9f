"""What a method of attribution leaves behind: values on a grid, and the same on the original photograph."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from anatomy.arguments import refused
from anatomy.head.level_colors import level_color
from anatomy.shown import Part, Picture, Record, Shown, Table

from .place import to_original
from .subject import Subject

PEAK = 99.9  # percentile of the size of the values at which a small picture is as light as the photograph
DARK = 0.35  # of its light where the map is 0


@dataclass(frozen=True, repr=False)
class Heat(Record):
    """What a method makes of one subject, before it is laid on the photograph.

    ``grid`` (h, w) float32, in ``unit``; its values stand ``step`` (x, y) px of the network input apart, the first at
    ``offset`` steps. ``signed``: negative values speak against; otherwise all are at least 0. ``layer`` in words, what
    was weighed. ``passes`` through the whole network, forward and backward, one an image; of a smaller input in
    proportion to its area. ``completeness``: by how much the sum of the values misses what it should be, as a share of
    it; None where a method promises no sum.
    ``note``: what else a reader should know, such as an early end. ``settled``: options that a method chose for
    itself; given to it, it looks at the same places again.
    """

    grid: np.ndarray
    step: tuple[float, float]
    unit: str
    signed: bool
    layer: str
    offset: float = 0.5
    passes: float = 0
    completeness: float | None = None
    note: str = ""
    settled: Mapping = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Attribution(Shown):
    """Which part of a photograph made one number of one detection. Made by ``attribute``.

    ``subject`` the number that is explained; ``method`` and its ``options``; ``heat`` the values as they were made;
    ``seconds`` the method took, a share of the whole where several were explained together.
    """

    subject: Subject
    method: str
    heat: Heat
    seconds: float
    options: Mapping = field(default_factory=dict)

    def _title(self) -> str:
        height, width = self.subject.trace.image.shape[:2]
        where = self.subject.trace.levels[self.subject.level].name
        cell = f"{where} ({self.subject.row}, {self.subject.col})"
        return f"{self.method}: {self.subject.words} at {cell}, {width} × {height} px, {self.seconds:.2g} s"

    def _parts(self) -> Iterable[Part]:
        name = self.subject.trace.levels[self.subject.level].name
        yield Picture(upon(self.subject.trace.image, self.map), [(self.subject.box.tolist(), level_color(name))])
        cells = ("weighed", self.layer), ("unit", self.unit), ("number now", f"{self.subject.value:.3f}")
        yield Table(("what", "value"), cells, len(cells))

    @cached_property
    def map(self) -> np.ndarray:
        """The values in px of the original, (H, W) float32 in ``unit``; the letterbox is undone."""
        heat = self.heat
        return to_original(self.subject.trace, heat.grid, heat.step, heat.offset)

    @property
    def signed(self) -> bool:
        """Whether negative values speak against the number; otherwise none is below 0."""
        return self.heat.signed

    @property
    def unit(self) -> str:
        """In which the values of the map are."""
        return self.heat.unit

    @property
    def layer(self) -> str:
        """What was weighed, in words."""
        return self.heat.layer

    @property
    def completeness(self) -> float | None:
        """By how much the sum of the values misses what it should be, as a share of it; None: nothing is promised."""
        return self.heat.completeness


def upon(image: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A photograph (H, W, 3), light where the size of the values (H, W) is large and dark where it is not, uint8."""
    size = np.abs(values)
    top = float(np.percentile(size, PEAK)) or 1.0
    strength = (size / top).clip(0, 1)[..., None] ** 0.5
    return (image * (DARK + (1 - DARK) * strength)).astype(np.uint8)


def check_attribution(value: Any, call: str) -> Attribution:
    """A map as it is; TypeError, with an example, for anything else. ``call``: the function, as it is written."""
    if isinstance(value, Attribution):
        return value
    raise refused(call, "an Attribution", value, f"{call}(diagnosis.attribute(trace, 0))")
