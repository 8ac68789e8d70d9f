"""Writes synthetic scenes to disk as a data set in YOLO's format."""

import json
import os
import pathlib

import cv2
import numpy as np
from tqdm.auto import tqdm

from .scenes import CLASS_NAMES, Scene, draw_scene

_STRIDE = 1_000_000  # seeds per data set: the two halves are for training and validation


def write_dataset(
    folder: str | os.PathLike,
    n_train: int,
    n_val: int,
    size: tuple[int, int] = (320, 320),
    seed: int = 0,
    *,
    n_objects: int | None = None,
    suffix: str = ".jpg",
) -> pathlib.Path:
    """Draws a data set into `folder` (images/, labels/, data.yaml) and returns the path of its data.yaml.

    `size` is (height, width) px; no training scene is ever a validation scene, nor one of another `seed`. A second call
    with the same arguments draws only what an interrupted one left out; each file appears whole or not at all, and
    data.yaml last. The data.yaml holds no absolute path: the folder may move.
    Raises ValueError for arguments out of range, FileExistsError where `folder` holds a different data set.
    """
    for name, count in (("n_train", n_train), ("n_val", n_val)):
        if not isinstance(count, int) or not 0 <= count < _STRIDE // 2:
            raise ValueError(f"{name} must be an int from 0 to {_STRIDE // 2 - 1}, but was {count!r}.")
    if suffix not in (".jpg", ".png"):
        raise ValueError(f"suffix must be '.jpg' or '.png', but was {suffix!r}.")
    draw_scene(seed, size, n_objects)  # raises at the door, before a file exists
    folder = pathlib.Path(folder)
    recipe = {"n_train": n_train, "n_val": n_val, "size": list(map(int, size)), "seed": int(seed)}
    recipe |= {"n_objects": n_objects, "suffix": suffix, "classes": list(CLASS_NAMES)}
    _claim(folder, recipe)
    data = folder / "data.yaml"
    if data.exists():
        return data
    for split, count, first in (("train", n_train, 0), ("val", n_val, _STRIDE // 2)):
        (folder / "images" / split).mkdir(parents=True, exist_ok=True)
        (folder / "labels" / split).mkdir(parents=True, exist_ok=True)
        for i in tqdm(range(count), desc=f"drawing {split}", unit="scene"):
            image = folder / "images" / split / f"{i:06d}{suffix}"
            if not image.exists():  # written after its labels
                scene = draw_scene(seed * _STRIDE + first + i, size, n_objects)
                replace(folder / "labels" / split / f"{i:06d}.txt", yolo_labels(scene).encode())
                replace(image, _encode(scene.image, suffix))
    names = "".join(f"  {i}: {name}\n" for i, name in enumerate(CLASS_NAMES))
    train = "train" if n_train else "val"
    replace(data, f"train: images/{train}\nval: images/val\nnames:\n{names}".encode())
    return data


def yolo_labels(scene: Scene) -> str:
    """The scene's boxes as YOLO label lines: class, then centre x, centre y, width, height over the image's size."""
    height, width = scene.image.shape[:2]
    lines = []
    for label, (x1, y1, x2, y2) in zip(scene.labels, scene.boxes.astype(float), strict=True):
        box = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
        lines.append(f"{label} " + " ".join(f"{v:.6f}" for v in box) + "\n")
    return "".join(lines)


def _claim(folder: pathlib.Path, recipe: dict) -> None:
    """Marks the folder as this data set's, or finds that it already is."""
    marker = folder / "scenes.json"
    if marker.exists() and json.loads(marker.read_text()) != recipe:
        raise FileExistsError(
            f"{folder} must be empty or hold this same data set, but scenes.json describes another one: "
            f"{marker.read_text()}. Delete the folder or choose another."
        )
    if not marker.exists() and folder.exists() and any(folder.iterdir()):
        raise FileExistsError(
            f"{folder} must be empty or hold this same data set, but it holds other files. Choose another folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    replace(marker, json.dumps(recipe).encode())


def _encode(image: np.ndarray, suffix: str) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix == ".jpg" else [cv2.IMWRITE_PNG_COMPRESSION, 3]
    return cv2.imencode(suffix, np.ascontiguousarray(image[..., ::-1]), options)[1].tobytes()


def replace(path: pathlib.Path, content: bytes) -> None:
    """Writes one of thousands of files, none of which is ever seen half-written."""
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(content)
    os.replace(partial, path)
