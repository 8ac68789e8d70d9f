"""Writes a report image by image, and closes it after the last one that was finished."""

import re
import shutil
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import surgery
from anatomy import Trace

from . import page as page
from .sheets import sheets, write
from .table import Table

ROWS = 10_000  # of the table in the page; the files hold all
SIDES = ((10, 1100, 560), (100, 640, None), (None, 240, None))  # up to which image, px of main and of further figures


class Writer:
    """Writes image after image into a folder; what it keeps in memory does not grow with their number."""

    def __init__(self, stage: Path, formats, figures, best: int, dpi: int, style):
        self.stage, self.formats, self.figures = stage, formats, figures
        self.best, self.dpi, self.style = best, dpi, style
        self.count, self.rows, self.first, self.tally = 0, 0, None, Counter()
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
        drawn = list(sheets(trace, self.figures, self.best, self.style))
        shown = [write(it, folder, self.formats, self.dpi, side if it.main else small) for it in drawn]
        frame = self.table.add(name, path, trace)
        told = islice(frame.iter_rows(named=True), max(ROWS - self.rows, 0))
        self.files[1].write("".join(page.table_row(number, row) for row in told).encode())
        names, thumbnails = [it.name for it in drawn], [entry for entry in shown if entry]
        section = page.image_section(number, name, path, trace, names, thumbnails, self.formats)
        self.files[2].write(section.encode())
        for file in self.files:
            file.flush()  # a full disk is met here, and not at the end

    def finish(self, title: str, about: Mapping, edits, note: str) -> None:
        """Write the page, the Parquet file and the recipe; nothing of an image that was not finished is in them."""
        for file, mark in zip(self.files, self.marks, strict=True):
            file.truncate(mark)
        self.close()
        self.table.to_parquet(self.stage / ".table", self.stage / "detections.parquet")
        if edits is not None:
            surgery.write_recipe(edits, self.stage / "recipe.json")
        more = f"The first {ROWS} of {self.rows} rows." if self.rows > ROWS else ""
        head = page.opening(title, self._facts(about), note, self.first, self.tally, edits, more)
        with (self.stage / "index.html").open("wb") as out:
            for part in (head, self.stage / ".rows", page.between(), self.stage / ".images", page.closing()):
                if isinstance(part, str):
                    out.write(part.encode())
                else:
                    with part.open("rb") as file:
                        shutil.copyfileobj(file, out)
                    part.unlink()

    def close(self) -> None:
        for file in self.files:
            file.close()

    def _facts(self, about: Mapping) -> dict[str, str]:
        levels = (f"{level.name} (stride {level.stride:g} px)" for level in self.first.levels)
        facts = {"images": str(self.count), "detections": str(self.rows), "levels": ", ".join(levels)}
        facts["classes"] = f"{len(self.first.names)}, of which {len({name for name, _ in self.tally})} were found"
        if self.first.limits.conf is not None:
            facts["confidence"] = f"at least {self.first.limits.conf:g}"
        if "distribution" in self.figures and self.first.reg_max == 1:
            facts["distributions"] = "none: this head puts out each side of a box as one number (reg_max = 1)"
        return facts | {str(key): str(value) for key, value in about.items()} | {"written": page.made_with()}


class Names:
    """Names for the folders of images: the stem of the source, unique by a number, fit for every file system."""

    def __init__(self):
        self.taken = {}

    def new(self, path: str) -> str:
        stem = re.sub(r"[^\w.-]+", "_", Path(path).stem)[:80].strip(".") or "image"
        key = stem.casefold()
        count = self.taken.get(key, 0) + 1
        while count > 1 and f"{key}-{count}" in self.taken:
            count += 1
        self.taken[key] = count
        name = stem if count == 1 else f"{stem}-{count}"
        self.taken.setdefault(name.casefold(), 1)
        return name


def plain(text) -> str:
    """A path as text that UTF-8 can hold: bytes of a file name that are none become marks."""
    return str(text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
