"""What an exporter wrote beside the graph: class names, task, stride, size; read as values alone, and checked."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import CheckpointError

LONGEST = 1_000_000  # characters of an entry that is read


@dataclass(frozen=True)
class Metadata:
    """``names`` by class id, None where the file has none; ``task`` and ``stride`` likewise; ``imgsz`` (h, w) px.

    ``end2end``: the one-to-one branch was exported. ``args``: what the exporter was called with.
    """

    names: Mapping[int, str] | None = None
    task: str | None = None
    stride: int | None = None
    imgsz: tuple[int, int] | None = None
    end2end: bool = False
    args: Mapping[str, Any] | None = None


def read_metadata(entries: Mapping[str, Any], path: object, *, named: bool = False) -> Metadata:
    """The metadata of a file; CheckpointError for names that are not one for each class.

    ``named``: the caller names the classes, so that the names of the file are not read.
    """
    values = {key: _value(text) for key, text in entries.items() if not (named and key == "names")}
    names, stride, imgsz = values.get("names"), values.get("stride"), values.get("imgsz")
    args = values.get("args")
    if isinstance(names, list | tuple):
        names = dict(enumerate(names))
    if isinstance(names, dict):
        names = _names(names, path)
    if isinstance(imgsz, int):
        imgsz = [imgsz, imgsz]
    whole = isinstance(imgsz, list | tuple) and len(imgsz) == 2 and all(isinstance(side, int) for side in imgsz)
    return Metadata(
        names=names if isinstance(names, dict) else None,
        task=values.get("task") if isinstance(values.get("task"), str) else None,
        stride=stride if isinstance(stride, int) else None,
        imgsz=(imgsz[0], imgsz[1]) if whole and isinstance(imgsz, list | tuple) else None,
        end2end=values.get("end2end") is True,
        args=args if isinstance(args, dict) else None,
    )


def _names(names: dict, path: object) -> dict[int, str]:
    found = {}
    for key, name in names.items():
        if not str(key).isdigit():
            break
        found[int(key)] = str(name)
    if sorted(found) != list(range(len(names))):
        raise CheckpointError(
            f"{str(path)!r} must name its classes 0 to {len(names) - 1}, but its names are numbered "
            f"{sorted(map(str, names))[:8]}. Give names= that are one for each class."
        )
    return dict(sorted(found.items()))


def _value(entry: Any) -> Any:
    """A value written as Python writes it; text stays text."""
    if not isinstance(entry, str) or len(entry) > LONGEST:
        return entry
    try:
        return ast.literal_eval(entry)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return entry
