"""Boxes to explain, of three sizes in equal numbers, from a folder of photographs."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

import anatomy
from anatomy import Trace

SIZES = ("small", "medium", "large")  # as COCO has them: below 32², below 96² px of the photograph, and beyond
ENDINGS = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Box:
    """A detection of a photograph, by its number, and its size."""

    path: Path
    detection: int
    size: str

    @property
    def name(self) -> str:
        """What it is kept by: photograph and number."""
        return f"{self.path.name}:{self.detection}"


def photographs(folder: Path) -> list[Path]:
    """The photographs of a folder by name; ValueError where there are none."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
    if not found:
        raise ValueError(f"{folder} must hold photographs ({', '.join(ENDINGS)}), but there is none.")
    return found


def size_of(box: np.ndarray) -> str:
    """The size of a box (4,) xyxy px, by COCO's areas."""
    side = float(np.prod(np.maximum(box[2:] - box[:2], 0))) ** 0.5
    return SIZES[int(side >= 32) + int(side >= 96)]


def chosen(model, folder: Path, count: int, imgsz: int) -> list[Box]:
    """About ``count`` boxes, sizes in turn: of each size the surest of a photograph, photographs by name."""
    found: dict[str, list[Box]] = {size: [] for size in SIZES}
    each = -(-count // len(SIZES))
    for path in photographs(folder):
        for box in surest(path, anatomy.trace(model, path, imgsz=imgsz)):
            if len(found[box.size]) < each:
                found[box.size].append(box)
        if all(len(boxes) == each for boxes in found.values()):
            break
    turns = zip_longest(*found.values())
    return [box for turn in turns for box in turn if box is not None][:count]


def surest(path: Path, trace: Trace) -> Iterator[Box]:
    """The surest detection of each size in a photograph."""
    sizes = [size_of(box) for box in trace.detections.xyxy]
    order = np.argsort(-trace.detections.confidence, kind="stable").tolist()
    for size in SIZES:
        first = next((i for i in order if sizes[i] == size), None)
        if first is not None:
            yield Box(path=path, detection=first, size=size)
