"""What a comparison of two networks found."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..shown import Told
from ..tracing.compare import Comparison
from ..tracing.trace import Trace
from .text import aligned

if TYPE_CHECKING:
    from polars import DataFrame


class Deviation:
    """What has a ``largest`` difference and a ``scale``, the largest value."""

    largest: float
    scale: float

    @property
    def relative(self) -> float:
        """The largest difference over the largest value."""
        if self.largest == 0:
            return 0.0
        return self.largest / self.scale if self.scale else float("inf")


@dataclass(frozen=True, repr=False)
class Difference(Deviation, Told):
    """How far the outputs of one call of a layer lie apart in two networks.

    ``largest``: of |a - b| over all values, in the layer's own unit, infinite where one alone is not finite; ``scale``:
    the largest |a|. ``type`` is empty for an output of the network.
    """

    path: str
    type: str
    turn: int
    shape: tuple[int, ...]
    largest: float
    scale: float

    def __str__(self) -> str:
        kind = f" ({self.type})" if self.type else ""
        return f"{self.path or 'the network'}{kind}: {self.largest:.3g} on values up to {self.scale:.3g}"


@dataclass(frozen=True, repr=False)
class Changes(Told):
    """What became of the detections: how many stay, change class, go and are new.

    Of those that are there before and after: ``confidence``, the largest change in [0, 1], and ``box``, the largest
    move of an edge in px of the original.
    """

    before: int
    after: int
    same: int
    reclassified: int
    gone: int
    new: int
    confidence: float
    box: float

    @property
    def changed(self) -> int:
        """Detections that go, are new or have another class."""
        return self.reclassified + self.gone + self.new

    @classmethod
    def between(cls, before: Trace, after: Trace, joined: Comparison) -> "Changes":
        """What changes from one trace to another, by the pairs of their detections."""
        stay = (joined.before >= 0) & (joined.after >= 0)
        old, new = before.detections, after.detections
        i, j = joined.before[stay], joined.after[stay]
        count = {status: joined.status.count(status) for status in ("class", "gone", "new")}
        return cls(
            before=len(old),
            after=len(new),
            same=len(i) - count["class"],
            reclassified=count["class"],
            gone=count["gone"],
            new=count["new"],
            confidence=float(np.abs(old.confidence[i] - new.confidence[j]).max(initial=0)),
            box=float(np.abs(old.xyxy[i] - new.xyxy[j]).max(initial=0)),
        )

    def __str__(self) -> str:
        parts = (("class", self.reclassified), ("gone", self.gone), ("new", self.new))
        said = ", ".join(f"{count} {name}" for name, count in parts if count) or "none"
        return (
            f"{self.before} before, {self.after} after; changed: {said}; "
            f"confidence moves by up to {self.confidence:.2g}, an edge by up to {self.box:.2g} px"
        )


@dataclass(frozen=True, repr=False)
class Equivalence(Told):
    """What ``equivalent`` found of two networks ``names``, on an input of ``input_shape``.

    ``rows``: every layer that could be compared, in the order in which they answered; ``outputs``: of the network.
    ``tolerance``: the relative difference up to which they count as equal. ``before`` and ``after`` are the traces and
    ``detections`` what changed between them; None without an image.
    """

    names: tuple[str, str]
    input_shape: tuple[int, ...]
    tolerance: float
    rows: tuple[Difference, ...]
    outputs: tuple[Difference, ...]
    before: Trace | None = None
    after: Trace | None = None
    detections: Changes | None = None

    def __bool__(self) -> bool:
        return self.equal

    @property
    def equal(self) -> bool:
        """Whether every output stays within the tolerance."""
        return all(output.relative <= self.tolerance for output in self.outputs)

    @property
    def identical(self) -> bool:
        """Whether every layer that could be compared, and every output, is the same bit for bit."""
        return all(row.largest == 0 for row in (*self.rows, *self.outputs))

    @property
    def largest(self) -> Difference:
        """The output or layer that differs most, relative to its values."""
        return max((*self.outputs, *self.rows), key=lambda row: row.relative)

    @property
    def begins(self) -> Difference | None:
        """The first layer, or else output, that differs by more than the tolerance."""
        return next((row for row in (*self.rows, *self.outputs) if row.relative > self.tolerance), None)

    def to_df(self) -> "DataFrame":
        """One row a layer and output, as a polars DataFrame."""
        import polars

        rows = (*self.rows, *self.outputs)
        table = {name: [getattr(row, name) for row in rows] for name in ("path", "type", "turn")}
        table["shape"] = ["×".join(map(str, row.shape)) for row in rows]
        numbers = {name: [getattr(row, name) for row in rows] for name in ("largest", "scale", "relative")}
        return polars.DataFrame(table | numbers)

    def __str__(self) -> str:
        size = "×".join(map(str, self.input_shape))
        verdict = "the same, bit for bit" if self.identical else "equal" if self.equal else "different"
        lines = [
            f"{' and '.join(self.names)} are {verdict} (input {size})",
            f"compared: layers {len(self.rows)}, outputs {len(self.outputs)}; tolerance {self.tolerance:g}, relative",
            f"largest difference: {self.largest}",
            f"begins: {self.begins or 'nowhere'}",
        ]
        if self.detections is not None:
            lines.append(f"detections: {self.detections}")
        if self.before is not None and self.after is not None and self.before.branch != self.after.branch:
            lines.append(f"branches: {self.before.branch} predicts before, {self.after.branch} after")
        outputs = [
            {"output": row.path, "shape": "×".join(map(str, row.shape)), "differs by": f"{row.largest:.3g}"}
            | {"on values up to": f"{row.scale:.3g}"}
            for row in self.outputs
        ]
        return "\n".join((*lines, "", aligned(outputs)))
