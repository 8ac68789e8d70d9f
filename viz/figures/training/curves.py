"""The rows of a watch as curves: each over the steps of the training, thinned where there are many."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars

from diagnosis import Watch
from diagnosis.training.tables import LEVELS

MOST = 120  # points of a curve
PLACE = "_place"  # column of the step at which a point is drawn


@dataclass(frozen=True)
class Curve:
    """A number over the training: ``step`` (k,) where its points stand, and of the watched batches behind each the
    median, the least and the greatest, all (k,).

    ``zero`` and ``broken``: steps of points behind which the number was 0, NaN or infinite at least once; such numbers
    as are not finite are in none of the rest, and where there are no others, that is NaN.
    """

    step: np.ndarray
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray
    zero: np.ndarray
    broken: np.ndarray

    @property
    def empty(self) -> bool:
        """Whether the number was never measured."""
        return not len(self.step)


@dataclass(frozen=True)
class Epoch:
    """Where an epoch begins: ``step``, and its ``number`` from 1."""

    step: int
    number: int


@dataclass(frozen=True)
class Rows:
    """The tables of a watch, ``together`` watched batches a point.

    ``items``: the loss items that are known level by level, in the training's own order.
    """

    batches: polars.DataFrame
    levels: polars.DataFrame
    sizes: polars.DataFrame
    together: int

    @classmethod
    def of(cls, watch: Watch, most: int = MOST) -> "Rows":
        """Tables of ``watch``, thinned to at most ``most`` points a curve: as many batches a point, each in one."""
        batches = watch.batches.sort("step")
        together = max(-(-len(batches) // most), 1)
        groups = batches.select("step").with_row_index("_group").with_columns(polars.col("_group") // together)
        places = groups.with_columns(polars.col("step").median().over("_group").alias(PLACE)).drop("_group")
        tables = (table.join(places, on="step") for table in (batches, watch.levels, watch.sizes))
        return cls(*tables, together=together)

    @property
    def items(self) -> tuple[str, ...]:
        """Columns of ``levels`` beyond those that every watch has."""
        return tuple(name for name in self.levels.columns if name not in LEVELS and name != PLACE)

    @property
    def span(self) -> tuple[float, float]:
        """The first and the last step that were watched."""
        steps = self.batches["step"]
        return float(steps[0]), float(steps[-1])

    def epochs(self) -> list[Epoch]:
        """Where epochs begin; one that was begun again stands twice."""
        found: list[Epoch] = []
        before, batch_before = -1, -1
        for step, epoch, batch in self.batches.select("step", "epoch", "batch").iter_rows():
            if not found or epoch + 1 != found[-1].number or batch < batch_before:
                found.append(Epoch(max(step - batch, before + 1), epoch + 1))
            before, batch_before = step, batch
        return found


def curve(rows: polars.DataFrame, column: str, **where: object) -> Curve:
    """A column of thinned rows, of those whose other columns are as ``where`` says."""
    if column not in rows.columns:
        return _nothing()
    value = polars.col(column).cast(polars.Float64)
    chosen = rows.filter(**where).select(PLACE, value.alias("value")).drop_nulls()
    finite = polars.when(polars.col("value").is_finite()).then(polars.col("value"))
    points = chosen.group_by(PLACE).agg(
        median=finite.median(),
        low=finite.min(),
        high=finite.max(),
        zero=(polars.col("value") == 0).any(),
        broken=polars.col("value").is_finite().not_().any(),
    )
    points = points.sort(PLACE)
    return Curve(
        step=points[PLACE].to_numpy(),
        median=points["median"].to_numpy(),
        low=points["low"].to_numpy(),
        high=points["high"].to_numpy(),
        zero=points.filter("zero")[PLACE].to_numpy(),
        broken=points.filter("broken")[PLACE].to_numpy(),
    )


def share(rows: polars.DataFrame, part: str, whole: str, **where: object) -> Curve:
    """The sum of one column in that of another, of all batches behind a point; no band."""
    summed = rows.filter(**where).group_by(PLACE).agg(polars.col(part, whole).sum()).filter(polars.col(whole) > 0)
    return curve(summed.with_columns(polars.col(part) / polars.col(whole)), part)


def greatest(curves: Iterable[Curve]) -> np.ndarray:
    """All medians of several curves, greater than 0, (n,)."""
    medians: Sequence[np.ndarray] = [one.median for one in curves]
    values = np.concatenate(medians) if len(medians) else np.zeros(0)
    return values[values > 0]


def _nothing() -> Curve:
    none = np.zeros(0)
    return Curve(step=none, median=none, low=none, high=none, zero=none, broken=none)
