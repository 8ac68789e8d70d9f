"""The door for image sources of every family: one rule, cheap enough for every call; files are only looked at."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..arguments import shown
from ..errors import SourceError
from .pixels import as_arrays, as_batch, as_bgr, check_picture

ENDINGS = {".jpg": b"\xff\xd9", ".jpeg": b"\xff\xd9", ".png": b"IEND\xaeB`\x82"}
TAKEN = "Give an image file, a folder, an array (H, W, 3) uint8 BGR, a PIL image, a tensor, or a list of those."
TAIL = 65536  # bytes at the end in which the closing mark is looked for; some cameras write notes behind it


def open_door(source: Any, *, multiple: int | None = None, channels: int = 3) -> Any:
    """The source as a head reads it: arrays are (H, W, ``channels``) uint8, tensors (B, C, H, W) in [0, 1].

    With ``multiple`` None a family reads no tensors, and gets arrays. Raises SourceError (a ValueError) for a file that
    is missing, empty or cut short, an array or tensor that is no image, and what is no source at all. Files are not
    decoded here; URLs, globs, cameras and the like pass: their reader answers for them.
    """
    if isinstance(source, np.ndarray):
        return as_bgr(source, channels)
    if isinstance(source, Tensor):
        batch = as_batch(source, multiple or 1, channels)
        return batch if multiple else as_arrays(batch)
    if isinstance(source, list | tuple):
        return _open_list(source, multiple, channels)
    if isinstance(source, str | Path):
        _check_path(source)
    elif hasattr(source, "convert") and hasattr(source, "mode"):
        check_picture(source)
    elif isinstance(source, bool) or not isinstance(source, int) or source < 0 or not multiple:
        raise SourceError(f"{_why_not(source)} {TAKEN}")
    return source


def _open_list(source: list | tuple, multiple: int | None, channels: int) -> list | Tensor:
    """Every entry on its own; tensors together, as a batch, where the family reads one."""
    if not source:
        raise SourceError("At least one image is needed, but an empty list was given.")
    if all(isinstance(entry, Tensor) for entry in source) and multiple:
        batches = [as_batch(entry, multiple, channels) for entry in source]
        if len({batch.shape[1:] for batch in batches}) > 1:
            raise SourceError("Tensors of one list enter the network together, so they must have one shape.")
        return torch.cat(batches)
    opened = []
    for entry in source:
        if isinstance(entry, int | list | tuple) or (multiple and isinstance(entry, Tensor)):
            raise SourceError(f"A list holds files, arrays and PIL images, but has {_shorten(entry)} in it. {TAKEN}")
        made = open_door(entry, multiple=multiple, channels=channels)
        opened.extend(made) if isinstance(made, list) else opened.append(made)
    return opened


def _why_not(source: Any) -> str:
    """What an object is that is no source of images, and what to give in its place."""
    kind = type(source).__name__
    if source is None:
        return "An image is needed, but None was given."
    if kind == "Trace":
        return "A Trace was given, which is what comes out. Its image is trace.image[..., ::-1]."
    if hasattr(source, "orig_img"):
        return "A Results object was given, which is what comes out. Its image is result.orig_img."
    if isinstance(source, bytes | bytearray):
        return "Bytes of a file were given. Open them first: PIL.Image.open(io.BytesIO(data))."
    if hasattr(source, "__next__"):
        return f"A {kind} was given. Make it a list, or trace its images one by one."
    return f"{shown(source)} was given, which is no image."


def _check_path(source: str | Path) -> None:
    text = str(source)
    if not text.strip():
        raise SourceError(f"The name of a file is empty. {TAKEN}")
    if "://" in text or any(mark in text for mark in "*?[") or text.isdigit():
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


def nothing_read(source: Any) -> SourceError:
    """The error for a source out of which no image came."""
    return SourceError(
        f"{_shorten(source)} could not be read as an image. Give an image file, an array or a PIL image."
    )


def several(source: Any) -> SourceError:
    """The error for a source with more than one image where one is wanted."""
    return SourceError(f"trace takes one image, but {_shorten(source)} holds several. Use anatomy.stream for those.")


def check_single(source: Any) -> None:
    """Refuse a source that is never one image alone: a camera (SourceError)."""
    if isinstance(source, int) and not isinstance(source, bool):
        raise SourceError(f"trace takes one image, but {source!r} was given, which names a camera. {TAKEN}")


def check_original(path: str, original: np.ndarray) -> None:
    """Refuse an image out of whose file came something other than 8 bits a channel (SourceError)."""
    if original.dtype != np.uint8:
        raise SourceError(
            f"{path!r} holds pixels of {original.dtype}, but an image has 8 or 16 bits a channel. Scale it to 0..255 "
            "and save it anew."
        )


def _shorten(source: Any) -> str:
    text = repr(str(source)) if isinstance(source, str | Path) else f"the {type(source).__name__}"
    return text if len(text) < 200 else text[:197] + "..."
