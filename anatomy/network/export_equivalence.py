"""What a comparison of a model with an exported file found, photograph by photograph."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .equivalence import Deviation, Difference
from .text import aligned

if TYPE_CHECKING:
    from polars import DataFrame

FATES = ("same", "moved", "changed", "lost", "new")


@dataclass(frozen=True)
class PreprocessingDifference:
    """One choice of the preprocessing that is another in the file's pipeline than in the model's, in words."""

    what: str
    model: str
    export: str

    def __str__(self) -> str:
        return f"{self.what}: {self.model} for the model, {self.export} for the file"


@dataclass(frozen=True)
class LevelDifference(Deviation):
    """How far the outputs of a level lie apart on the same input, over all images and cells.

    ``quantity`` "class logits", "box outputs" (raw, before they are decoded), "scores" (what the selection sees) or
    "boxes" (px of the input); ``largest`` and ``mean`` of |a - b|, infinite where one of them alone is not finite;
    ``scale`` the largest |a|.
    """

    level: str
    quantity: str
    largest: float
    mean: float
    scale: float

    def __str__(self) -> str:
        return f"{self.quantity} {self.level}: {self.largest:.3g} on values up to {self.scale:.3g}"


@dataclass(frozen=True)
class Fate:
    """What became of one detection: ``status`` "same", "moved", "changed" (its class), "lost" or "new".

    ``level_name`` of the model's detection, of a new one the file's; ``size`` "small", "medium" or "large" by the area
    of its box in the original, by COCO's bounds. ``confidence`` and ``class`` before and after, None where there is
    none; ``edge`` the largest move of an edge, px of the original, ``iou`` of the two boxes.
    """

    image: str
    status: str
    level_name: str
    size: str
    class_before: str | None
    class_after: str | None
    confidence_before: float | None
    confidence_after: float | None
    iou: float | None
    edge: float | None


@dataclass(frozen=True, repr=False)
class ExportEquivalence:
    """What ``equivalent`` found of a model and an exported file (``names``), on ``images`` photographs.

    ``preprocessing``: what differs between the inputs that the two get, empty where they get the same; ``recognized``:
    whether the file's input could be explained at all. ``outputs``: on the same input, level by level. ``rows``: the
    convolutions that both have, in the order of the graph, on the first photograph; ``tolerance``: the relative
    difference up to which two count as equal. ``fates``: every detection, as the two find it each with its own input.
    ``precision`` of the file: "float32", "float16" or "int8". ``larger``: for how many photographs the file's one size
    is larger than the input that the model's ``predict()`` by itself would make. ``renamed``: the classes that have
    another name in the file, (id, name of the model, name of the file).
    """

    names: tuple[str, str]
    images: int
    input_shape: tuple[int, int]
    precision: str
    tolerance: float
    larger: int
    renamed: tuple[tuple[int, str, str], ...]
    recognized: bool
    preprocessing: tuple[PreprocessingDifference, ...]
    outputs: tuple[LevelDifference, ...]
    rows: tuple[Difference, ...]
    fates: tuple[Fate, ...]

    def __repr__(self) -> str:
        verdict = "equal" if self.equal else "different"
        return f"ExportEquivalence({' and '.join(self.names)}: {verdict}; {self._fates_in_words()})"

    def __bool__(self) -> bool:
        return self.equal

    @property
    def equal(self) -> bool:
        """Whether the two get the same input, name the same classes, and every output stays within the tolerance."""
        if not self.recognized or self.preprocessing or self.renamed or not self.outputs:
            return False
        return all(output.relative <= self.tolerance for output in self.outputs)

    @property
    def begins(self) -> Difference | None:
        """The first convolution, in the order of the graph, that differs by more than the tolerance."""
        return next((row for row in self.rows if not row.relative <= self.tolerance), None)

    def count(self, status: str) -> int:
        """How many detections are "same", "moved", "changed", "lost" or "new"."""
        return sum(fate.status == status for fate in self.fates)

    def to_df(self) -> "DataFrame":
        """One row a detection, as a polars DataFrame, with the fields of ``Fate``."""
        import polars

        text, number = polars.String, polars.Float64
        schema: dict[str, Any] = dict.fromkeys(
            ("image", "status", "level_name", "size", "class_before", "class_after"), text
        )
        schema |= dict.fromkeys(("confidence_before", "confidence_after", "iou", "edge"), number)
        return polars.DataFrame([vars(fate) for fate in self.fates], schema=schema)

    def damage(self, *by: str) -> "DataFrame":
        """How many detections stay and go, one row for each value of ``by``: "level_name", "size", both, or another
        column of ``to_df``; by default level and size. With the mean change of confidence and the mean IoU."""
        import polars

        chosen = list(by or ("level_name", "size"))
        counts = [(polars.col("status") == fate).sum().cast(polars.Int64).alias(fate) for fate in FATES]
        change = (polars.col("confidence_after") - polars.col("confidence_before")).abs().mean()
        means = [change.alias("confidence_change"), polars.col("iou").mean()]
        return self.to_df().group_by(chosen).agg(*counts, *means).sort(chosen)

    def __str__(self) -> str:
        height, width = self.input_shape
        verdict = "equal" if self.equal else "different"
        lines = [
            f"{' and '.join(self.names)} are {verdict} (images {self.images}, {self.precision}, {height}×{width} px)",
            f"preprocessing: {self._preprocessing_in_words()}",
            *self._renamed_in_words(),
            f"on the same input: {self._outputs_in_words()}",
            f"begins: {self.begins or 'nowhere'} ({len(self.rows)} convolutions compared; tolerance "
            f"{self.tolerance:g}, relative)",
            f"detections: {self._fates_in_words()}",
        ]
        tables = [
            aligned([_cells(output) for output in self.outputs]),
            aligned([_damage_cells(row) for row in self.damage().iter_rows(named=True)]),
        ]
        return "\n\n".join(("\n".join(lines), *filter(None, tables)))

    def _preprocessing_in_words(self) -> str:
        if not self.recognized:
            return "the input of the file is made in no way that is known; compare it pixel by pixel"
        return ("; ".join(map(str, self.preprocessing)) or "the same") + self._larger_in_words()

    def _renamed_in_words(self) -> list[str]:
        if not self.renamed:
            return []
        told = ", ".join(
            f"{index} {mine} for the model, {other} for the file" for index, mine, other in self.renamed[:3]
        )
        return [f"class names: {told}{', …' * (len(self.renamed) > 3)} ({len(self.renamed)} differ)"]

    def _larger_in_words(self) -> str:
        if not self.larger:
            return ""
        return (
            f" (compared at the size of the file; predict() by itself pads {self.larger} of {self.images} photographs "
            "less, which moves scores a little: rect=False pads as the file does)"
        )

    def _outputs_in_words(self) -> str:
        if not self.outputs:
            return "not compared, as the two take inputs of different sizes"
        worst = max(self.outputs, key=lambda output: output.relative)
        return f"{'within' if worst.relative <= self.tolerance else 'beyond'} the tolerance, at most {worst}"

    def _fates_in_words(self) -> str:
        found = Counter(fate.status for fate in self.fates)
        before = sum(count for status, count in found.items() if status != "new")
        told = ", ".join(f"{found[status]} {status}" for status in FATES if found[status]) or "none"
        return f"{before} by the model, {before - found['lost'] + found['new']} by the file: {told}"


def _cells(output: LevelDifference) -> dict[str, str]:
    return {
        "level": output.level,
        "output": output.quantity,
        "differs by": f"{output.largest:.3g}",
        "on average": f"{output.mean:.2g}",
        "on values up to": f"{output.scale:.3g}",
    }


def _damage_cells(row: dict) -> dict[str, str]:
    told = {"level": row["level_name"], "size": row["size"], **{fate: str(row[fate]) for fate in FATES}}
    for name, column in (("confidence", "confidence_change"), ("IoU", "iou")):
        told[name] = "" if row[column] is None else f"{row[column]:.3f}"
    return told
