"""Draws a small data set to train on: synthetic scenes whose twelve shapes are sorted into three kinds.

Run as `python -m detectors.scenes.kinds FOLDER [--train N] [--val N] [--side PX] [--seed N]`.
"""

import argparse
import os
import sys
from pathlib import Path

import cv2
import numpy as np
from tqdm.auto import tqdm

from .dataset import yolo_labels
from .scenes import CLASS_NAMES, Scene, draw_scene

KINDS = {
    "curved": ("disc", "ring", "crescent", "heart", "drop"),
    "cornered": ("square", "triangle", "hourglass"),
    "spiky": ("star", "cross", "arrow", "bolt"),
}
"""The classes of the data set, and the shapes that count as each."""
VAL_SEED = 500_000


def draw_kinds(seed: int, side: int) -> Scene:
    """A square scene of 2 to 4 objects, a seventh to six tenths of the side, labelled by their kinds."""
    count = 2 + seed % 3
    scene = draw_scene(seed, (side, side), count, object_px=(max(side / 7, 8.0), side * 0.6))
    kind = {shape: index for index, shapes in enumerate(KINDS.values()) for shape in shapes}
    labels = np.array([kind[CLASS_NAMES[label]] for label in scene.labels], np.int64)
    return Scene(scene.image, scene.boxes, labels, scene.owner)


def write_kinds(folder, train: int, val: int, side: int = 192, seed: int = 0) -> Path:
    """Draws the data set into ``folder`` in YOLO's format and returns its data.yaml; files that exist stay."""
    folder = Path(folder)
    for split, count, first in (("train", train, 0), ("val", val, VAL_SEED)):
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True, exist_ok=True)
        for i in tqdm(range(count), desc=f"drawing {split}", unit="scene"):
            image = folder / "images" / split / f"{i:06d}.png"
            if not image.exists():  # written after its labels
                scene = draw_kinds(seed * 1_000_000 + first + i, side)
                (folder / "labels" / split / f"{i:06d}.txt").write_text(yolo_labels(scene))
                partial = image.with_suffix(".part")
                partial.write_bytes(cv2.imencode(".png", np.ascontiguousarray(scene.image[..., ::-1]))[1].tobytes())
                os.replace(partial, image)
    data = folder / "data.yaml"
    names = "".join(f"  {i}: {name}\n" for i, name in enumerate(KINDS))
    data.write_text(f"train: images/train\nval: images/val\nnames:\n{names}")
    return data


def main(argv: list[str] | None = None) -> int:
    """The command; returns 0."""
    program = "python -m detectors.scenes.kinds"
    parser = argparse.ArgumentParser(prog=program, description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", type=int, default=1200, help="number of training scenes")
    parser.add_argument("--val", type=int, default=150, help="number of held-out scenes")
    parser.add_argument("--side", type=int, default=192, help="px")
    parser.add_argument("--seed", type=int, default=0, help="other scenes, for training and for holding out")
    given = parser.parse_args(argv)
    print(write_kinds(given.folder, given.train, given.val, given.side, given.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
