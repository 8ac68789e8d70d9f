"""A finished survey: its tables, and the questions that they answer."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anatomy.head.level_colors import level_color
from anatomy.shown import Part, Shown, Table

from . import answers, evaluation
from .folder import missing, read_asked, table_files
from .photographs import Photographs, show

if TYPE_CHECKING:
    from polars import DataFrame, LazyFrame

    from .photographs.selection import Where

ORDER = {  # of the rows of each table
    "images": ["number"],
    "objects": ["number", "object"],
    "detections": ["number", "detection"],
    "evaluation": ["number", "variant"],
}


@dataclass(frozen=True)
class SurveyLevel:
    """A pyramid level of the detector that was surveyed; ``stride`` px of the network input."""

    index: int
    name: str
    stride: float


class Survey(Shown):
    """What a detector made of a data set, opened from the folder that ``survey`` wrote.

    ``objects``, ``detections`` and ``images`` are lazy polars frames, one row each, in the order of the set; their
    columns stand in ``diagnosis.surveys.tables``. ``names`` {id: name}, ``levels``, ``settings`` by name; ``truth``:
    whether the set had labels. Raises FileNotFoundError where there is no survey or shards are missing, ValueError for
    damaged files.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path).absolute()
        asked = read_asked(self.path)
        left = missing(self.path, asked["shards"])
        if left:
            raise FileNotFoundError(
                f"{len(left)} of {asked['shards']} shards of the survey in {str(path)!r} are missing: it was broken "
                "off. The same call of survey() goes on with it."
            )
        self.settings: dict[str, Any] = asked["settings"]
        self.names: dict[int, str] = {int(index): name for index, name in asked["names"].items()}
        self.levels = tuple(SurveyLevel(**level) for level in asked["levels"])
        self.truth: bool = asked["truth"]
        self._images: int = asked["images"]
        self._shards: int = asked["shards"]

    def __len__(self) -> int:
        return self._images

    def __reduce__(self) -> tuple:
        return Survey, (self.path,)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of their ids."""
        return tuple(self.names.values())

    @property
    def images(self) -> "LazyFrame":
        """One row an image."""
        return self._table("images")

    @property
    def objects(self) -> "LazyFrame":
        """One row an object of the labels: found or not, by which cell, or what stopped the one that came nearest."""
        return self._table("objects")

    @property
    def detections(self) -> "LazyFrame":
        """One row a detection above ``conf``: its cell, its rivals, and whether it is right."""
        return self._table("detections")

    @property
    def evaluation(self) -> "LazyFrame":
        """One row a box and label that scores are computed of, in px of the network input."""
        return self._table("evaluation")

    def recall(self, *by: str) -> "DataFrame":
        """Objects, found, and their share, by any columns of ``objects``; see ``answers.recall``."""
        return answers.recall(self, *by)

    def precision(self, *by: str) -> "DataFrame":
        """Detections, right ones, and their share, by any columns of ``detections``; see ``answers.precision``."""
        return answers.precision(self, *by)

    def calibration(self, *by: str, bins: int = 10) -> "DataFrame":
        """How often detections of a confidence are right, by level; see ``answers.calibration``."""
        return answers.calibration(self, *by, bins=bins)

    def calibration_error(self, *by: str, bins: int = 10) -> "DataFrame":
        """The expected calibration error above ``conf``; see ``answers.calibration_error``."""
        return answers.calibration_error(self, *by, bins=bins)

    def errors(self, *by: str) -> "DataFrame":
        """How many detections are wrong in which way, and how many objects missed; see ``answers.errors``."""
        return answers.errors(self, *by)

    def duplicates(self) -> "DataFrame":
        """Which levels make duplicates of what which levels found; see ``answers.duplicates``."""
        return answers.duplicates(self)

    def reasons(self, *by: str) -> "DataFrame":
        """Why objects are missed, the commonest first; see ``answers.reasons``."""
        return answers.reasons(self, *by)

    def rescue(self, conf: float | Iterable[float]) -> "DataFrame":
        """What a lower confidence would find, and which false alarms come with it; see ``answers.rescue``."""
        return answers.rescue(self, conf)

    def compare(self, after: "Survey") -> answers.SurveyComparison:
        """What another survey of the same set finds, loses and moves to other levels; see ``answers.compare``."""
        return answers.compare(self, after)

    def scores(self, *, engine: str = "hotcoco") -> dict[str, float]:
        """AP by COCO's rules and mAP by Ultralytics', each under its own name; see ``evaluation.scores``."""
        return self._once(evaluation.scores, engine)

    def scores_by_class(self, *, engine: str = "hotcoco") -> "DataFrame":
        """The same scores of every class; see ``evaluation.scores_by_class``."""
        return self._once(evaluation.scores_by_class, engine)

    def worth(self, *, engine: str = "hotcoco") -> "DataFrame":
        """The scores without each level, and without each class row, and what changes; see ``evaluation.worth``."""
        return self._once(evaluation.worth, engine)

    def show(self, where: "Where" = None, n: int = 9, table: str = "objects") -> Photographs:
        """The photographs behind any number: the first ``n`` rows that fit, worst first; see ``photographs.show``."""
        return show(self, where, n, table)

    def to_coco(self, path: str | Path | None = None, *, which: str = "detections") -> answers.CocoExport:
        """Results and labels as COCO JSON has them; see ``answers.to_coco``."""
        return answers.to_coco(self, path, which=which)

    def to_csv(self, folder: str | Path) -> tuple[Path, ...]:
        """The tables as CSV; see ``answers.to_csv``."""
        return answers.to_csv(self, folder)

    def to_fiftyone(self, name: str) -> Any:
        """A FiftyOne data set of the survey; see ``answers.to_fiftyone``."""
        return answers.to_fiftyone(self, name)

    def _once(self, compute: Callable[..., Any], engine: str) -> Any:
        """What takes seconds is computed once; each caller gets a copy, to do with as he likes."""
        key = compute.__name__, engine
        if key not in self._computed:
            self._computed[key] = compute(self, engine=engine)
        return copy.copy(self._computed[key])

    @cached_property
    def _computed(self) -> dict[tuple[str, str], Any]:
        return {}

    @cached_property
    def _counts(self) -> dict[str, int]:
        import polars

        totals = self.images.select(
            polars.col("objects", "found", "detections").sum(), unreadable=polars.col("error").is_not_null().sum()
        )
        return {name: int(value) for name, value in totals.collect().row(0, named=True).items()}

    def _title(self) -> str:
        counts = self._counts
        truth = f", {counts['found']} of {counts['objects']} objects found" if self.truth else ""
        unreadable = f", {counts['unreadable']} unreadable" if counts["unreadable"] else ""
        return f"{str(self.path)!r}, {len(self)} images{unreadable}, {counts['detections']} detections{truth}"

    def _parts(self) -> Iterable[Part]:
        if not self.truth:
            return
        rows = [tuple(row.values()) for row in self.precision("level_name").to_dicts()]
        colors = [level_color(str(row[0])) for row in rows]
        yield Table(tuple(self.precision("level_name").columns), rows, len(rows), colors)
        reasons = self.reasons().to_dicts()
        if reasons:
            yield Table(tuple(reasons[0]), (tuple(row.values()) for row in reasons), len(reasons))

    def _table(self, name: str) -> "LazyFrame":
        import polars

        return polars.scan_parquet(table_files(self.path, name, self._shards)).sort(ORDER[name], maintain_order=True)
