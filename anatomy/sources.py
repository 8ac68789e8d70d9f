"""Checks on image sources, cheap enough for every call: files are not decoded here, only looked at."""

from pathlib import Path

import numpy as np
import torch

from .errors import SourceError

ENDINGS = {".jpg": b"\xff\xd9", ".jpeg": b"\xff\xd9", ".png": b"IEND\xaeB`\x82"}
TAIL = 65536  # bytes at the end in which the closing mark is looked for; some cameras write notes behind it


def check_source(source) -> None:
    """Refuse a file that is missing, empty or cut short, and an array without pixels (SourceError, a ValueError).

    URLs, globs, cameras and the like pass: their reader answers for them.
    """
    if isinstance(source, np.ndarray | torch.Tensor):
        if 0 in tuple(source.shape):
            raise SourceError(f"An image needs pixels, but an array of shape {tuple(source.shape)} was given.")
        return
    if isinstance(source, list | tuple):
        if not source:
            raise SourceError("At least one image is needed, but an empty list was given.")
        for entry in source:
            check_source(entry)
        return
    text = str(source)
    if not isinstance(source, str | Path) or "://" in text or any(mark in text for mark in "*?[") or text.isdigit():
        return
    path = Path(text)
    if path.is_dir() or text == "screen" or path.suffix in (".streams", ".txt", ".csv"):
        return
    if not path.exists():
        raise SourceError(f"There is no file {text!r} (working folder: {Path.cwd()}).")
    _check_file(path)


def _check_file(path: Path) -> None:
    size = path.stat().st_size
    if size == 0:
        raise SourceError(f"{str(path)!r} is empty (0 bytes), so it holds no image. Fetch or write it again.")
    mark = ENDINGS.get(path.suffix.lower())
    if mark is None:
        return
    with path.open("rb") as file:
        start = file.read(8)
        file.seek(max(0, size - TAIL))
        tail = file.read()
    if start.startswith((b"\xff\xd8", b"\x89PNG")) and mark not in tail:
        raise SourceError(
            f"{str(path)!r} is cut short: {size} bytes without the mark that ends a {path.suffix[1:].upper()} image. "
            "Copy or download it again."
        )


def nothing_read(source) -> SourceError:
    """The error for a source out of which no image came."""
    return SourceError(
        f"{_shorten(source)} could not be read as an image. Give an image file, an array or a PIL image."
    )


def several(source) -> SourceError:
    """The error for a source with more than one image where one is wanted."""
    return SourceError(f"trace takes one image, but {_shorten(source)} holds several. Use anatomy.stream for those.")


def _shorten(source) -> str:
    text = repr(str(source)) if isinstance(source, str | Path) else f"the {type(source).__name__}"
    return text if len(text) < 200 else text[:197] + "..."
