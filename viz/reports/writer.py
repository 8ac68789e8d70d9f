"""Writes a report image by image, and closes it after the last one that was finished."""

import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import surgery
from anatomy import Trace
from surgery import Edit

from ..canvas.style import Style
from . import page as page
from .sheets import sheets, write
from .table import Table

ROWS = 10_000  # of the table in the page; the files hold all
SIDES = ((10, 1100, 560), (100, 640, None), (None, 240, None))  # up to which image, px of main and of further figures
Edits = Sequence[tuple[Edit, Mapping[int, str]]]


class Writer:
    """Writes image after image into a folder; what it keeps in memory does not grow with their number."""

    def __init__(
        self,
        stage: Path,
        formats: Sequence[str],
        figures: Sequence[str],
        best: int,
        dpi: int,
        style: Style,
        progress: bool = False,
    ) -> None:
        self.stage, self.formats, self.figures = stage, formats, figures
        self.best, self.dpi, self.style, self.progress = best, dpi, style, progress
        self.count, self.rows = 0, 0
        self.first: Trace | None = None
        self.tally: Counter[tuple[str, str]] = Counter()
        self.files = [(stage / name).open("wb") for name in ("detections.csv", ".rows", ".images", ".table")]
        self.table = Table(self.files[0], self.files[3])
        self.marks = [0] * len(self.files)
        self.names = Names()

    def add(self, trace: Trace) -> None:
        """Write all that belongs to one image; ``finish`` takes back what an interrupted call has left."""
        if not isinstance(trace, Trace):
            raise TypeError(f"A report is made of traces, but entry {self.count} is a {type(trace).__name__}.")
        path, number = plain(trace.path), self.count + 1
        folder = self.stage / "images" / self.names.new(path)
        folder.mkdir(parents=True)
        try:
            self._append(trace, path, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self.tally.update(zip(trace.detections.class_name, trace.detections.level_name, strict=True))
        self.first = self.first or trace
        self.count, self.rows = number, self.rows + len(trace.detections)
        self.marks = [file.tell() for file in self.files]

    def _append(self, trace: Trace, path: str, folder: Path) -> None:
        """Draw the figures of an image, then add it to the tables and to the page."""
        number, name = self.count + 1, folder.name
        side, small = next((big, little) for last, big, little in SIDES if last is None or number <= last)
        drawn = list(sheets(trace, self.figures, self.best, self.style, progress=self.progress))
        shown = [write(it, folder, self.formats, self.dpi, side if it.main else small) for it in drawn]
        frame = self.table.add(name, path, trace)
        told = islice(frame.iter_rows(named=True), max(ROWS - self.rows, 0))
        self.files[1].write(page.table_rows(number, told).encode())
        names, thumbnails = [it.name for it in drawn], [entry for entry in shown if entry]
        section = page.image_section(number, name, path, trace, names, thumbnails, self.formats)
        self.files[2].write(section.encode())
        for file in self.files:
            file.flush()  # a full disk is met here, and not at the end

    def finish(self, title: str, about: Mapping[str, object], edits: Edits | None, note: str) -> None:
        """Write the page, the Parquet file and the recipe; nothing of an image that was not finished is in them.

        Each of ``edits`` stands with the names by id of the classes that it was made on. Raises ValueError where no
        image was.
        """
        if self.first is None:
            raise ValueError("A report needs at least one trace, but the iterable was empty. Nothing was written.")
        for file, mark in zip(self.files, self.marks, strict=True):
            file.truncate(mark)
        self.close()
        self.table.to_parquet(self.stage / ".table", self.stage / "detections.parquet")
        if edits is not None:
            surgery.write_recipe([edit for edit, _ in edits], self.stage / "recipe.json")
        self._write_page(self.first, title, about, edits, note)

    def _write_page(
        self, first: Trace, title: str, about: Mapping[str, object], edits: Edits | None, note: str
    ) -> None:
        levels = tuple(level.name for level in first.levels)
        told = page.Told(
            title=title,
            note=note,
            facts=self._facts(first, about),
            levels=levels,
            classes=page.by_class(self.tally, levels),
            edits=None if edits is None else tuple(page.in_words(first, *entry) for entry in edits),
            shown=min(self.rows, ROWS),
            found=self.rows,
        )
        rows, images = self.stage / ".rows", self.stage / ".images"
        page.write_page(self.stage / "index.html", told, rows, images)
        rows.unlink()
        images.unlink()

    def close(self) -> None:
        """Close the files that every image is appended to."""
        for file in self.files:
            file.close()

    def _facts(self, first: Trace, about: Mapping[str, object]) -> dict[str, str]:
        levels = (f"{level.name} (stride {level.stride:g} px)" for level in first.levels)
        facts = {"images": str(self.count), "detections": str(self.rows), "levels": ", ".join(levels)}
        facts["classes"] = f"{len(first.names)}, of which {len({name for name, _ in self.tally})} were found"
        if first.limits.conf is not None:
            facts["confidence"] = f"at least {first.limits.conf:g}"
        if "distribution" in self.figures and first.reg_max == 1:
            facts["distributions"] = "none: this head puts out each side of a box as one number (reg_max = 1)"
        return facts | {str(key): str(value) for key, value in about.items()} | {"written": page.made_with()}


class Names:
    """Names for the folders of images: the stem of the source, unique by a number, fit for every file system."""

    def __init__(self) -> None:
        self.taken: dict[str, int] = {}

    def new(self, path: str) -> str:
        """A name for the folder of this image that no other has, upper and lower case alike."""
        stem = re.sub(r"[^\w.-]+", "_", Path(path).stem)[:80].strip(".") or "image"
        key = stem.casefold()
        count = self.taken.get(key, 0) + 1
        while count > 1 and f"{key}-{count}" in self.taken:
            count += 1
        self.taken[key] = count
        name = stem if count == 1 else f"{stem}-{count}"
        self.taken.setdefault(name.casefold(), 1)
        return name


def plain(text: object) -> str:
    """A path as text that UTF-8 can hold: bytes of a file name that are none become marks."""
    return str(text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
