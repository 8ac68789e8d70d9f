"""Tiny trainings of Ultralytics, the same every time: eight pictures of 64 px, and a network without a body."""

import contextlib
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import cv2
import numpy as np
import torch
import yaml

from tests.ultralytics_nets import narrow, without_other_loggers

SIDE, CLASSES = 64, 3
SETTINGS = {
    "imgsz": SIDE,
    "batch": 4,
    "epochs": 2,
    "device": "cpu",
    "plots": False,
    "verbose": False,
    "workers": 0,
    "amp": False,
    "val": False,
    "exist_ok": True,
    "optimizer": "SGD",
    "nbs": 4,
    "mosaic": 0.0,
}


def labels_of(task: str, rng: np.random.Generator) -> list[str]:
    """Three objects of a picture, as a label file of a task has them."""
    lines = []
    for label in range(CLASSES):
        w, h = rng.uniform(0.15, 0.5, 2)
        x, y = rng.uniform(w / 2, 1 - w / 2), rng.uniform(h / 2, 1 - h / 2)
        corners = [x - w / 2, y - h / 2, x + w / 2, y - h / 2, x + w / 2, y + h / 2, x - w / 2, y + h / 2]
        box = [x, y, w, h]
        points = [x, y, 2, x + w / 4, y, 2]
        numbers = {"detect": box, "segment": corners, "obb": corners, "pose": box + points}[task]
        lines.append(" ".join([str(label), *(f"{number:.6f}" for number in numbers)]))
    return lines


def write_set(folder: Path, task: str = "detect", images: int = 8) -> Path:
    """A data set of a task with as many pictures to train on, and two to validate; returns its YAML."""
    rng = np.random.default_rng(0)
    for split, count in (("train", images), ("val", 2)):
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for number in range(count):
            picture = rng.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
            cv2.imwrite(str(folder / "images" / split / f"{number}.png"), picture)
            (folder / "labels" / split / f"{number}.txt").write_text("\n".join(labels_of(task, rng)))
    told = {"path": str(folder), "train": "images/train", "val": "images/val", "names": ["a", "b", "c"]}
    if task == "pose":
        told |= {"kpt_shape": [2, 3], "flip_idx": [0, 1]}
    (folder / "data.yaml").write_text(yaml.safe_dump(told))
    return folder / "data.yaml"


@cache
def plan(name: str) -> str:
    """The model file of a network without a body, with a head of this name."""
    told = narrow(name, CLASSES, bodiless=True).model.yaml
    told = {key: value for key, value in told.items() if key not in ("scale", "scales", "yaml_file", "channels")}
    if "pose" in name:
        told["kpt_shape"] = [2, 3]
    path = Path(mkdtemp()) / f"{name}.yaml"
    path.write_text(yaml.safe_dump(told))
    return str(path)


def fresh(name: str = "yolov8n"):
    """An untrained YOLO object; loggers of other packages are left out of its trainings."""
    from ultralytics import YOLO

    without_other_loggers()
    return YOLO(plan(name))


def break_a_layer(model) -> dict:
    """Once, before the second epoch's first batch, a convolution of P4's boxes grows beyond float32.

    Returns the weights by name that this batch meets; empty until then.
    """
    met = {}

    def grow(trainer):
        if trainer.epoch == 1 and not met:
            with torch.no_grad():
                trainer.model.model[-1].cv2[1][2].weight.mul_(1e20).mul_(1e19)
            met.update({name: value.clone() for name, value in trainer.model.named_parameters()})

    model.add_callback("on_train_batch_start", grow)
    return met


def train(model, data: Path, project: Path, **settings):
    """Train quietly; returns the trainer."""
    from ultralytics.utils import LOGGER

    level = LOGGER.level
    LOGGER.setLevel("ERROR")
    try:
        with contextlib.redirect_stdout(None):
            model.train(data=str(data), project=str(project), name="run", **(SETTINGS | settings))
    finally:
        LOGGER.setLevel(level)
    return model.trainer
