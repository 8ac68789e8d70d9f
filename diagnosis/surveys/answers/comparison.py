"""What became of every object between two surveys of one set."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars
from polars import DataFrame, Float64, Int64, LazyFrame, col

from anatomy.arguments import shown, whole_number

from ..tables import SurveyTables
from .bootstrap import AT_ONCE, paired_difference
from .grouping import group_columns, grouped, need_truth
from .same_set import check_same_set

CHANGES = {
    "found": "missed before, found after",
    "lost": "found before, missed after",
    "moved": "found in both, by another level",
    "kept": "found in both, by the same level",
    "missed": "missed in both",
}
SHARED = ("number", "image", "object", "class_id", "class_name", "x1", "y1", "x2", "y2", "size")
COMPARED = ("found", "stage", "detection", "iou", "confidence", "level_name", "row", "col", "anchor")


@dataclass(frozen=True)
class SurveyComparison:
    """Two surveys of one set, object by object.

    ``objects``: one row an object: its image, class, box (px of the original) and size, ``change`` (a key of
    ``CHANGES``), and ``before_…`` and ``after_…`` of what either survey says of it.
    """

    before: SurveyTables
    after: SurveyTables
    objects: DataFrame

    def of(self, change: str) -> DataFrame:
        """The objects of one change; raises ValueError for what is none."""
        if change not in CHANGES:
            raise ValueError(f"change must be one of {list(CHANGES)}, but {change!r} was given.")
        return self.objects.filter(col("change") == change)

    def to_df(self) -> DataFrame:
        """How many objects changed how: ``change``, ``count``, ``share``, and its meaning."""
        there = self.objects["change"]
        counts = [int((there == change).sum()) for change in CHANGES]
        share = [count / len(there) if len(there) else None for count in counts]
        columns = {"change": list(CHANGES), "count": counts, "share": share, "meaning": list(CHANGES.values())}
        return DataFrame(columns, schema_overrides={"count": Int64, "share": Float64})

    def difference(self, *by: str, n: int = 2000, seed: int = 0) -> DataFrame:
        """Recall before and after, and their difference with a 95 % interval, overall or by columns of the objects.

        The interval is that of a paired bootstrap: ``n`` times, the images of the set are drawn with replacement, the
        same ones for both surveys. Columns that depend on the detector, as levels do, are those of ``before``. Columns:
        those of ``by``, ``objects``, ``before``, ``after``, ``difference``, ``low``, ``high``. Raises ValueError for
        another column.
        """
        columns = group_columns([self.before.objects], by, "difference", own=["found"])
        n, seed = whole_number(n, "n"), whole_number(seed, "seed")
        if n < 1:
            raise ValueError(f"n must be at least 1, but {n} was given.")
        paired = self._paired()
        groups = grouped(
            self.before,
            paired,
            columns,
            polars.len().cast(Int64).alias("objects"),
            col("found").mean().alias("before"),
            col("found after").mean().alias("after"),
            col("place").alias("rows"),
        )
        low, high = self._interval(paired, groups["rows"].to_list(), n, seed)
        difference = (col("after") - col("before")).alias("difference")
        return groups.select(
            *columns,
            "objects",
            "before",
            "after",
            difference,
            polars.Series("low", low, dtype=Float64),
            polars.Series("high", high, dtype=Float64),
        )

    def _paired(self) -> LazyFrame:
        """The objects of ``before``, whether each was found after, and the place of its row."""
        after = self.objects.select(col("after_found").alias("found after")).lazy()
        return polars.concat([self.before.objects, after], how="horizontal").with_row_index("place")

    def _interval(self, paired: LazyFrame, rows: list[list[int]], n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Both ends (groups,) of the interval of each group, whose objects are ``rows``."""
        numbers = self.before.images.select("number").collect()["number"].to_numpy()
        told = paired.select("number", "found", "found after").collect()
        image = np.searchsorted(numbers, told["number"].to_numpy())
        weights = (np.ones(len(told)), told["found"].to_numpy(), told["found after"].to_numpy())
        step = max(1, AT_ONCE // max(len(numbers), 1))  # groups, for the sake of memory
        low, high = np.zeros(len(rows)), np.zeros(len(rows))
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            objects, before, after = (_by_image(len(numbers), image, rows[part], weight) for weight in weights)
            low[part], high[part] = paired_difference(objects, before, after, n=n, seed=seed)
        return low, high

    def __str__(self) -> str:
        told = {row["change"]: row["count"] for row in self.to_df().iter_rows(named=True)}
        overall = self.difference()
        head = f"{len(self.objects)} objects in both surveys"
        if not overall.is_empty():
            row: dict[str, Any] = overall.row(0, named=True)
            head += (
                f": recall {row['before']:.3f} before, {row['after']:.3f} after, difference {row['difference']:+.3f} "
                f"(95 % {row['low']:+.3f} to {row['high']:+.3f})"
            )
        return "\n".join([head, *(f"  {count:6d} {CHANGES[change]}" for change, count in told.items())])


def compare(before: SurveyTables, after: SurveyTables) -> SurveyComparison:
    """Which objects a second survey of the same set finds, loses, keeps, or finds on another level.

    Raises ValueError where the surveys are of other images or objects (the first difference is named), or without
    labels.
    """
    for survey in (before, after):
        if not hasattr(survey, "truth"):
            raise TypeError(f"Two surveys are compared, but {shown(survey)} was given: open one by Survey(path).")
        need_truth(survey, "compare")
    check_same_set(before, after)
    sides = [
        survey.objects.select(col(name).alias(f"{side}_{name}") for name in COMPARED)
        for side, survey in (("before", before), ("after", after))
    ]
    rows = polars.concat([before.objects.select(SHARED), *sides], how="horizontal")
    objects = rows.select(*SHARED, _change().alias("change"), polars.selectors.matches("^(before|after)_")).collect()
    return SurveyComparison(before=before, after=after, objects=objects)


def _by_image(images: int, image: np.ndarray, groups: list[list[int]], weight: np.ndarray) -> np.ndarray:
    """(images, groups) sums of ``weight`` over the objects of each image and group."""
    sums = [np.bincount(image[rows], weights=weight[rows], minlength=images) for rows in groups]
    return np.stack(sums, 1)


def _change() -> polars.Expr:
    """The key of ``CHANGES`` of a row."""
    before, after = col("before_found"), col("after_found")
    same = col("before_level_name") == col("after_level_name")
    return (
        polars.when(before & after & same)
        .then(polars.lit("kept"))
        .when(before & after)
        .then(polars.lit("moved"))
        .when(before)
        .then(polars.lit("lost"))
        .when(after)
        .then(polars.lit("found"))
        .otherwise(polars.lit("missed"))
    )
