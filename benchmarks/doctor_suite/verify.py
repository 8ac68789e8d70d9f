"""Prove the suite itself, without the doctor: correct encoders decode back, and every fault changes its encoder.

``python -m benchmarks.doctor_suite.verify``
"""

import numpy as np

from .base import Encoder
from .changes import idle
from .encoder_cases import pairs, singles, triples
from .readback import Declared, Reading, read
from .scenes import Scene, scenes
from .schemes import SCHEMES

SIZES = ((256, 256), (128, 256), (384, 256), (256, 640))  # (height, width) px, multiples of 128; square, oblong, odd
CLOSE = 0.05  # px


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
            print(f"{name:24} {size}: {len(wrong)} wrong, {lost} of {asked} objects without a place")
            print("".join(f"  {words}\n" for words in wrong[:2]), end="", flush=True)
    for case in (*singles(), *pairs(), *triples()):
        for without, kept in idle(case):
            print(f"{case.key}: nothing changes by {without} beside {kept}", flush=True)


if __name__ == "__main__":
    main()
