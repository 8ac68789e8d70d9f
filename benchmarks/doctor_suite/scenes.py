"""Objects that encoders are asked about when the suite proves itself."""

from dataclasses import dataclass

import numpy as np


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
