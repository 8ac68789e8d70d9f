"""A finished survey: its tables, and the questions that they answer."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .folder import SHARDS, missing, read_asked

if TYPE_CHECKING:
    from polars import LazyFrame

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


class Survey:
    """What a detector made of a data set, opened from the folder that ``survey`` wrote.

    ``objects``, ``detections`` and ``images`` are lazy polars frames, one row each, in the order of the set; their
    columns stand in ``diagnosis.surveys.tables``. ``names`` {id: name}, ``levels``, ``settings`` by name; ``truth``:
    whether the set had labels. Raises FileNotFoundError where there is no survey or shards are missing.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
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

    @cached_property
    def _counts(self) -> dict[str, int]:
        import polars

        totals = self.images.select(
            polars.col("objects", "found", "detections").sum(), unreadable=polars.col("error").is_not_null().sum()
        )
        return {name: int(value) for name, value in totals.collect().row(0, named=True).items()}

    def __repr__(self) -> str:
        counts = self._counts
        truth = f", {counts['found']} of {counts['objects']} objects found" if self.truth else ""
        return f"Survey({str(self.path)!r}, {len(self)} images, {counts['detections']} detections{truth})"

    def _table(self, name: str) -> "LazyFrame":
        import polars

        files = sorted((self.path / SHARDS).glob(f"*/{name}.parquet"))
        return polars.scan_parquet(files).sort(ORDER[name], maintain_order=True)
