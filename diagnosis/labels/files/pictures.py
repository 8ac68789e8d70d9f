"""The image files of a set, looked at by header and end alone: readable, whole, turned."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from anatomy.head.sources import ENDINGS, TAIL

from ...findings import Finding
from ...objects.reading.header import read_header
from .rows import SHOWN, files_of

LEAST = 10  # px, sides below which Ultralytics leaves an image out
SCAN = b"\xff\xda"  # where the pixels of a JPEG begin
FAULTS = {
    "image_unreadable": "hold no image that can be read. Fetch them again, or remove them",
    "image_truncated": "are cut short. Fetch them again: what is missing is read as grey, labels and all",
    "image_tiny": f"have sides below {LEAST} px, and Ultralytics leaves them out. Are they thumbnails",
}


@dataclass(frozen=True)
class ImageFile:
    """One image: ``bytes`` of the file; ``size`` (width, height) px as shown, None where it cannot be read.

    ``orientation``: EXIF's, 1 to 8, where Ultralytics heeds it; 1: upright. ``fault``: a key of ``FAULTS``, or "".
    """

    path: Path
    bytes: int
    size: tuple[int, int] | None
    orientation: int = 1
    fault: str = ""


def look_at(path: Path) -> ImageFile:
    """Look at an image's header and end; nothing is decoded. Raises OSError for a file that is not there."""
    count = os.stat(path).st_size
    header = read_header(path)
    if header is None:
        return ImageFile(path=path, bytes=count, size=None, fault="image_unreadable")
    fault = "image_truncated" if _is_cut(path, count) else "image_tiny" if min(header.size) < LEAST else ""
    return ImageFile(path=path, bytes=count, size=header.shown, orientation=header.orientation, fault=fault)


def look_at_all(paths: Sequence[Path], progress: bool = True) -> list[ImageFile]:
    """Look at every image that is there."""
    there = tqdm(paths, desc="looking at image files", unit="file", disable=not progress)
    return [look_at(path) for path in there if path.is_file()]


def image_findings(files: Iterable[ImageFile]) -> list[Finding]:
    """What is wrong with image files, one finding a code; ``exif_turned`` is no fault where labels fit the upright."""
    files = list(files)
    found = []
    for code, words in FAULTS.items():
        faulty = [entry.path for entry in files if entry.fault == code]
        if faulty:
            message = f"{len(faulty)} of {len(files)} image files {words}: {shown_places(faulty)}."
            found.append(_finding(code, "error", message, faulty, len(files)))
    turned = [entry.path for entry in files if entry.orientation != 1]
    if turned:
        message = (
            f"{len(turned)} of {len(files)} images are turned by their EXIF orientation when they are read: "
            f"{shown_places(turned)}. Are their labels those of the upright image? Rotating the pixels and removing "
            "the mark settles it."
        )
        found.append(_finding("exif_turned", "warning", message, turned, len(files)))
    return found


def shown_places(paths: Sequence[Path]) -> str:
    """The first few paths, and how many more."""
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return ", ".join(map(str, paths[:SHOWN])) + more


def _finding(code: str, severity: str, message: str, paths: Sequence[Path], among: int) -> Finding:
    evidence: dict[str, Any] = {"count": len(paths), "share": len(paths) / among, **files_of(paths)}
    return Finding(code=code, severity=severity, level=None, message=message, evidence=evidence)


def _is_cut(path: Path, count: int) -> bool:
    """Whether a JPEG or PNG lacks the mark that ends it; the mark of a thumbnail within it does not count."""
    mark = ENDINGS.get(path.suffix.lower())
    if mark is None:
        return False
    with path.open("rb") as file:
        begin = file.read(4)
        file.seek(max(0, count - len(mark)))
        if file.read() == mark:
            return False
        file.seek(max(0, count - TAIL))
        tail = file.read()
    if not begin.startswith((b"\xff\xd8", b"\x89PNG")):
        return False  # an image of another kind than its ending says
    end = tail.rfind(mark)
    return end < 0 or (mark == ENDINGS[".jpg"] and end < tail.rfind(SCAN))
