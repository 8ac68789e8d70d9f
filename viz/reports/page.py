"""The page of a report: what its templates are told; they escape every name, and the page needs no other file."""

import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from anatomy import Trace
from surgery import Edit

from .sheets import Thumbnail
from .templates import templates

if TYPE_CHECKING:
    from markupsafe import Markup

PACKAGES = ("detector-workbench", "torch", "ultralytics", "matplotlib", "polars", "numpy")
COLUMNS = {  # of the table in the page: heading -> column of the DataFrame, decimals
    "image": ("image", None),
    "detection": ("detection", 0),
    "class": ("class_name", None),
    "confidence": ("confidence", 3),
    "level": ("level_name", None),
    "row": ("row", 0),
    "col": ("col", 0),
    "anchor": ("anchor", 0),
    "x1": ("x1", 1),
    "y1": ("y1", 1),
    "x2": ("x2", 1),
    "y2": ("y2", 1),
    "suppressed": ("suppressed", 0),
}
NAMED = 8  # classes of an edit that are called by their names
LONGEST = 120  # letters of a value of an edit
PIECE = 1 << 20  # letters of what is written already that are held at once


@dataclass(frozen=True)
class ClassCount:
    """How often a class was found: on each level of the page, and in all."""

    name: str
    levels: tuple[int, ...]
    total: int


@dataclass(frozen=True)
class Told:
    """What the page tells of all images together.

    ``classes`` count on ``levels``, most frequent first; ``edits``: operation and words of each, None where the model
    was not given. ``shown`` of ``found`` rows are in the table of the page.
    """

    title: str
    note: str
    facts: Mapping[str, str]
    levels: tuple[str, ...]
    classes: tuple[ClassCount, ...]
    edits: tuple[tuple[str, str], ...] | None
    shown: int
    found: int

    @property
    def sums(self) -> list[int]:
        """Detections of each level."""
        columns = zip(*(entry.levels for entry in self.classes), strict=True)
        return [sum(column) for column in columns]


def table_rows(number: int, rows: Iterable[Mapping[str, object]]) -> str:
    """Rows of the table of detections; ``number`` is their image's, ``rows`` are of the DataFrame."""
    return templates().get_template("rows.html").render(number=number, rows=rows, columns=COLUMNS.values())


def image_section(
    number: int,
    name: str,
    path: str,
    trace: Trace,
    figures: Sequence[str],
    thumbnails: Sequence[Thumbnail],
    formats: Sequence[str],
) -> str:
    """What the page shows of one image; ``figures`` are the names of its files, below ``images/<name>/``."""
    found, (height, width) = trace.detections, trace.image.shape[:2]
    rows, columns = trace.input_shape
    tally = Counter(found.level_name)
    template = templates().get_template("image.html")
    return template.render(
        number=number,
        name=name,
        source=Path(path).name,
        size=f"{width} × {height}",
        grid=f"{columns} × {rows}",
        words=" ".join([name, *sorted({*found.class_name, *found.level_name})]),
        count=len(found),
        levels=[(level.name, tally[level.name]) for level in trace.levels],
        thumbnails=thumbnails,
        figures=figures,
        formats=formats,
        full="png" if "png" in formats else formats[0],
    )


def write_page(path: Path, told: Told, rows: Path, images: Path) -> None:
    """Write the page piece by piece; ``rows`` and ``images`` are files of what is to stand in it, as it is."""
    headings = [(heading, decimals) for heading, (_, decimals) in COLUMNS.items()]
    parts = {"rows": _pieces(rows), "images": _pieces(images)}
    stream = templates().get_template("page.html").stream(told=told, headings=headings, **parts)
    with path.open("wb") as file:
        stream.dump(file, "utf-8")


def by_class(tally: Counter[tuple[str, str]], levels: Sequence[str]) -> tuple[ClassCount, ...]:
    """How often each class was found, most frequent first; ``tally`` counts (class name, level name)."""
    totals: Counter[str] = Counter()
    for (name, _), count in tally.items():
        totals[name] += count
    counts = []
    for name, total in totals.most_common():
        of_levels = tuple(tally[name, level] for level in levels)
        counts.append(ClassCount(name, of_levels, total))
    return tuple(counts)


def in_words(first: Trace, edit: Edit, names: Mapping[int, str]) -> tuple[str, str]:
    """An edit: its operation; its levels, its classes by ``names`` as they were then, and its values."""
    where = ", ".join(first.levels[index].name for index in edit.levels)
    parts = [f"on {where or 'the whole head'}"]
    if edit.classes:
        parts.append(f"classes {_listed([names.get(index, f'class {index}') for index in edit.classes])}")
    if edit.parameters:
        parts.append(", ".join(f"{key} = {_shorten(value)}" for key, value in edit.parameters.items()))
    return edit.operation, "; ".join(parts)


def made_with() -> str:
    """The date, and the versions of what made the report."""
    found = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}, {', '.join(found)}"


def _pieces(path: Path) -> Iterator["Markup"]:
    """What a file holds, as markup, so much at a time."""
    from markupsafe import Markup

    with path.open(encoding="utf-8", newline="") as file:
        while piece := file.read(PIECE):
            yield Markup(piece)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _shorten(value: object) -> str:
    text = str(value)
    return text if len(text) < LONGEST else text[: LONGEST - 3] + "…"
