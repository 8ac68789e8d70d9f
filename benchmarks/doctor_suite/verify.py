"""Prove the suite itself, without the doctor: correct encoders decode back, and every fault changes its encoder.

``python -m benchmarks.doctor_suite.verify``
"""

from dataclasses import dataclass

import numpy as np

from .base import Encoder
from .readback import Declared, Reading, read
from .schemes import SCHEMES

SIZES = ((256, 256), (128, 256), (384, 256), (256, 640))  # (height, width) px, multiples of 128; square, oblong, odd
CLOSE = 0.05  # px


@dataclass(frozen=True)
class Scene:
    """Objects of an image: boxes (n, 4) xyxy px, labels (n,), (height, width)."""

    boxes: np.ndarray
    labels: np.ndarray
    size: tuple[int, int]


def scenes(size: tuple[int, int], classes: int, seed: int = 0) -> list[Scene]:
    """Single objects of all sizes, a crowd, pairs in one place, objects at and beyond every border, none at all."""
    rng = np.random.default_rng(seed)
    height, width = size
    found = []

    def add(boxes: list) -> None:
        made = np.array(boxes, dtype=np.float32).reshape(-1, 4)
        found.append(Scene(made, rng.integers(0, classes, len(made)), size))

    for side in (5, 9, 17, 40, 75, 130, 240):
        extent = side * np.array([1.2, 0.85])
        middle = rng.uniform(0.2, 0.8, 2) * (width, height)
        add([[*(middle - extent / 2), *(middle + extent / 2)]])
    crowd = []
    for _ in range(25):
        extent = rng.uniform(6, 0.5 * min(size), 2)
        middle = rng.uniform(0, 1, 2) * (width, height)
        crowd.append([*(middle - extent / 2), *(middle + extent / 2)])
    add(crowd)
    add([[60, 60, 100, 90], [61, 60.5, 100.5, 91], [70, 66, 88, 83]])
    for x in (0.0, 0.5 * width, float(width)):
        for y in (0.0, 0.5 * height, float(height)):
            add([[x - 23, y - 31, x + 24, y + 29]])
            add([[x - 23 + 6, y - 31 - 7, x + 24 + 6, y + 29 - 7]])
    add([])
    add([[50, 60, 50, 90]])
    add([[50, 60, 80, 60]])
    return found


def answers(readings: list[Reading], scene: Scene) -> np.ndarray:
    """The object that each reading is of; -1 for none."""
    found = []
    for reading in readings:
        off = np.abs(scene.boxes - reading.box).max(1) if len(scene.boxes) else np.zeros(0)
        same = np.nonzero((off < CLOSE) & (scene.labels == reading.label))[0]
        found.append(int(same[0]) if len(same) else -1)
    return np.array(found, dtype=int)


def complaints(kind: type[Encoder], size: tuple[int, int]) -> tuple[list[str], int, int]:
    """What is wrong with a correct encoder at this size; and how many objects were asked, and had no place."""
    encoder, wrong, asked, lost = kind(), [], 0, 0
    layout = encoder.layout(Declared)
    for number, scene in enumerate(scenes(size, encoder.classes)):
        before = scene.boxes.copy()
        outputs = encoder(scene.boxes, scene.labels, size)
        if not np.array_equal(before, scene.boxes):
            wrong.append(f"scene {number}: boxes changed in place")
        parts = [outputs] if hasattr(outputs, "shape") else outputs
        if not all(np.isfinite(np.asarray(part)).all() for part in parts):
            wrong.append(f"scene {number}: not finite")
        readings = read(outputs, layout, size)
        owners = answers(readings, scene)
        flat = len(scene.boxes) == 1 and (scene.boxes[0, 2:] - scene.boxes[0, :2]).min() <= 0
        if (owners < 0).any() and not flat:
            bad = readings[int((owners < 0).argmax())]
            wrong.append(f"scene {number}: {bad} is of no object of {scene.boxes.tolist()[:3]}")
        if layout.class_values != "gaussian" and any(len(reading.labels) != 1 for reading in readings):
            wrong.append(f"scene {number}: several classes in a place")
        asked += len(scene.boxes)
        lost += len(scene.boxes) - len(set(owners[owners >= 0]))
    return wrong, asked, lost


def main() -> None:
    for name, kind in SCHEMES.items():
        for size in SIZES:
            wrong, asked, lost = complaints(kind, size)
            print(
                f"{name:24} {size}: {len(wrong)} wrong, {lost} of {asked} objects without a place",
                *wrong[:2],
                sep="\n  ",
            )


if __name__ == "__main__":
    main()
