"""What a row of the table of families says, and how the rows of each library are made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from tests.class_rows import as_frame

Answer = tuple[Tensor, ...]  # what a prediction found: boxes, confidences and the like, in the family's own form


def blocks(height: int, width: int, seed: int) -> np.ndarray:
    """An image (height, width, 3) uint8 BGR of blocks of 16 px with noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 180, (height // 16, width // 16, 3)).repeat(16, 0).repeat(16, 1)
    return (coarse + rng.integers(0, 76, coarse.shape)).astype(np.uint8)


PICTURE = blocks(64, 128, seed=7)  # both sides are multiples of every stride up to 64


@dataclass(frozen=True)
class Files:
    """``program``: source of a function ``predict(path, image, args)`` for a process that has the family's library
    alone; ``open``: what ``surgery.load`` takes as its opener; ``foreign``: packages of ours that the program may load.
    """

    program: str
    open: Callable | None = None
    foreign: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Family:
    """One family of detectors in one state.

    ``build`` makes it small, with random weights that detect something on several levels of ``PICTURE``.
    ``predict(model, image, args)`` is its own prediction, of which the workbench knows nothing; ``answer`` reads the
    same out of ``trace.result``. ``levels``: the names of its levels. ``shared``: they have one class convolution.
    ``second_stage``: its class rows read pooled proposals, not the cells of a map.
    ``refuses``: what it does not offer, and the words in which it says so; the offers are in ``test_refusals.OFFERS``.
    ``checks``: the arguments of its prediction that are checked.
    """

    name: str
    build: Callable[[], Any]
    predict: Callable[[Any, np.ndarray, Mapping], Answer]
    answer: Callable[[Any], Answer]
    args: Mapping[str, Any]
    levels: tuple[str, ...] = ("P3", "P4", "P5")
    files: Files | None = None
    refuses: Mapping[str, str] = field(default_factory=dict)
    checks: tuple[str, ...] = ("conf", "iou", "imgsz")
    second_stage: bool = False

    @property
    def editable(self) -> bool:
        return "edits" not in self.refuses

    @property
    def shared(self) -> bool:
        return "levels" in self.refuses

    def __str__(self) -> str:
        return self.name


def boxes_of(result) -> Tensor:
    """The rows of an Ultralytics result, upright or rotated."""
    return (result.boxes if result.obb is None else result.obb).data


def ultralytics_answer(result) -> Answer:
    parts = [getattr(result, name) for name in ("masks", "keypoints")]
    return boxes_of(result), *(part.data for part in parts if part is not None)


def ultralytics_predict(model, image, args) -> Answer:
    return ultralytics_answer(model.predict(image, verbose=False, **args)[0])


ULTRALYTICS_ALONE = """
from ultralytics import YOLO

def predict(path, image, args):
    result = YOLO(path).predict(image, verbose=False, **args)[0]
    parts = [result.boxes if result.obb is None else result.obb, result.masks, result.keypoints]
    return tuple(part.data for part in parts if part is not None)
"""
LEVELS = {
    "yolov3-tiny": ("P4", "P5"),
    "yolov8n-p2": ("P2", "P3", "P4", "P5"),
    "yolov8n-p6": ("P3", "P4", "P5", "P6"),
}


def ultralytics(
    name: str, *, nms: bool | None = None, fused: bool = False, published: bool = False, bodiless: bool = False
) -> Family:
    """A row of a model file: ``nms=False`` takes the one-to-one branch; ``published``: in the size of the file.

    ``bodiless``: the head on no more of a body than it needs, where another row has the body of the file.
    """
    label = name + {None: "", False: " one2one"}[nms] + " fused" * fused + " as published" * published
    made = {} if published else {"end2end": nms is False, "fused": fused, "bodiless": bodiless}
    return Family(
        name=label,
        build=partial(published_net if published else small_net, label, name, **made),
        predict=ultralytics_predict,
        answer=ultralytics_answer,
        args={"imgsz": 128, "conf": 0.25, **({} if nms is None else {"nms": nms})},
        levels=LEVELS.get(name, ("P3", "P4", "P5")),
        files=Files(ULTRALYTICS_ALONE),
        refuses=ultralytics_refusals(name),
    )


def ultralytics_refusals(name: str) -> dict[str, str]:
    """What rotated boxes leave out, and heads whose assigner wants more of an object than its upright box."""
    found = {}
    if "obb" in name:
        found["boxes by level"] = "rotated"
    if "obb" in name or name in ("yolo26n-seg", "yolo26n-pose"):
        found["targets"] = "boxes alone do not say"
    return found


def other_head(name: str, build: Callable[[], Any], refuses: Mapping[str, str], **args: Any) -> Family:
    """A row of a head of queries or of text."""
    return Family(
        name=name,
        build=build,
        predict=ultralytics_predict,
        answer=ultralytics_answer,
        args={"imgsz": 128, "conf": 0.25, **args},
        files=Files(ULTRALYTICS_ALONE),
        refuses=refuses,
    )


def published_net(label: str, name: str):
    """A YOLO object in the size of its file. No two rows have equal weights: the workbench tells predictors by them."""
    from tests.ultralytics_nets import as_published

    return as_published(name, PICTURE, crc32(label.encode()))


def small_net(label: str, name: str, *, end2end: bool, fused: bool, bodiless: bool):
    """The same of a small network."""
    from tests.ultralytics_nets import small

    classes, width = 1 if "pose" in name else 4, 1 / 4 if "yolo12" in name else 1 / 16
    model = small(name, PICTURE, classes, width=width, seed=crc32(label.encode()), bodiless=bodiless)
    if fused:
        model.model.end2end = end2end
        model.fuse(verbose=False)
    return model


def torchvision_predict(net, image, args) -> Answer:
    with torch.no_grad():
        (found,) = net([as_frame(image)[0].contiguous()])
    return found["boxes"], found["scores"], found["labels"]


def torchvision_answer(result) -> Answer:
    return result.boxes, result.scores, result.labels


def pyramid_predict(net, image, args) -> Answer:
    (prediction,) = net.predict(image, **args)
    return pyramid_answer(prediction)


def pyramid_answer(prediction) -> Answer:
    return prediction.boxes, prediction.confidence, prediction.class_id


def own_predict(net, image, args) -> Answer:
    """A fresh pass as its description makes it: the workbench has no part in it."""
    (found,) = net.describe_head().passes(image, args["conf"], None, None)
    return found.result


def named_predict(net, image, args) -> Answer:
    """As ``own_predict``, of a description whose arguments go by name."""
    (found,) = net.describe_head().passes(image, **args)
    return found.result


def own_answer(result) -> Answer:
    return result
