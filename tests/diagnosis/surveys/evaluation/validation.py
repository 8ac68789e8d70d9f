"""Ultralytics' validator, listened to: the tables of a survey from exactly the passes that it judges."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars
import torch
import yaml
from ultralytics.models.yolo.detect import DetectionValidator
from ultralytics.utils.ops import xywh2xyxy

from anatomy import levels
from diagnosis.surveys.evaluation import evaluation_rows
from diagnosis.surveys.tables import EVALUATION


@dataclass(frozen=True)
class Tables:
    """As much of a survey as its evaluation asks for."""

    objects: polars.LazyFrame
    images: polars.LazyFrame
    evaluation: polars.LazyFrame
    names: dict[int, str]
    levels: tuple[Any, ...]
    settings: dict[str, Any]
    truth: bool = True


class Listener(DetectionValidator):
    """A validator that notes the rows of every image, its size and its labels."""

    ablation, nms = True, True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.rows, self.pictures, self.labels, self.kept, self.seconds = [], [], [], [], 0.0

    def init_metrics(self, model):
        super().init_metrics(model)
        self.head = model.model.model[-1]

    def postprocess(self, preds):
        self.raw = self.head._inference(preds[1]["one2one"]) if self.end2end else preds[0]
        return super().postprocess(preds)

    def update_metrics(self, preds, batch):
        super().update_metrics(preds, batch)
        for index, pred in enumerate(preds):
            number = len(self.pictures)
            self.kept.append(torch.cat((pred["bboxes"], pred["conf"][:, None], pred["cls"][:, None]), 1))
            self.rows.append(self._evaluated(index, batch).to_df(number))
            self._note(number, self._prepare_batch(index, batch))

    def _evaluated(self, index, batch):
        height, width = batch["img"].shape[2:]
        strides = self.head.stride.tolist()
        cells = torch.tensor([int(height / stride) * int(width / stride) for stride in strides])
        level = torch.repeat_interleave(torch.arange(len(strides)), cells)
        boxes, scores = self.raw[index, :4].T, self.raw[index, 4:]
        boxes = boxes if self.end2end else xywh2xyxy(boxes)
        limits = {"conf": self.args.conf, "iou": self.args.iou, "max_det": self.args.max_det}
        return evaluation_rows(boxes, scores, level, **limits, nms=not self.end2end, ablation=self.ablation)

    def _note(self, number, prepared):
        (gain_y, gain_x), (pad_x, pad_y) = prepared["ratio_pad"]
        (height, width), (input_height, input_width) = prepared["ori_shape"], prepared["imgsz"]
        self.pictures.append(
            {
                "number": number,
                "width": width,
                "height": height,
                "input_width": input_width,
                "input_height": input_height,
                "gain_x": float(gain_x),
                "gain_y": float(gain_y),
                "pad_x": float(pad_x),
                "pad_y": float(pad_y),
            }
        )
        boxes = prepared["bboxes"].double().numpy().reshape(-1, 4)
        boxes = (boxes - (pad_x, pad_y) * 2) / ((gain_x, gain_y) * 2)
        for box, class_id in zip(boxes.tolist(), prepared["cls"].tolist(), strict=True):
            sides = dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))
            self.labels.append({"number": number, "class_id": int(class_id), **sides})


def survey_by_validation(model, data: Path, folder: Path, **arguments) -> tuple[Tables, Listener]:
    """The tables of a model's validation, and the validator, whose metrics are Ultralytics' own numbers."""
    settings = {
        "imgsz": 640,
        "batch": 8,
        "rect": True,
        "plots": False,
        "verbose": False,
        "workers": 0,
        "device": "cpu",
    } | arguments
    listener = Listener(save_dir=folder, args={"data": str(data), "mode": "val", "task": "detect", **settings})
    listener(model=model.model)
    side = dict.fromkeys(("x1", "y1", "x2", "y2"), polars.Float64)
    objects = polars.DataFrame(listener.labels, schema={"number": polars.Int64, "class_id": polars.Int32, **side})
    evaluation = polars.concat([polars.DataFrame(schema=EVALUATION), *listener.rows])
    tables = Tables(
        objects=objects.lazy(),
        images=polars.DataFrame(listener.pictures).lazy(),
        evaluation=evaluation.lazy(),
        names=dict(model.names),
        levels=levels(model),
        settings={"max_det": listener.args.max_det, "ablation": True},
    )
    return tables, listener


def validated(model, data: Path, folder: Path, **arguments) -> tuple[float, float]:
    """mAP50 and mAP50-95 as ``model.val`` says them."""
    settings = {
        "imgsz": 640,
        "batch": 8,
        "rect": True,
        "plots": False,
        "verbose": False,
        "workers": 0,
        "device": "cpu",
    } | arguments
    box = model.val(data=str(data), conf=0.001, project=str(folder), **settings).box
    return float(box.map50), float(box.map)


def copy_of_photographs(real: Path, folder: Path, count: int) -> Path:
    """Some labelled photographs in a folder of their own, as validation writes caches; gives the data file."""
    for kind in ("images", "labels"):
        (folder / kind / "val").mkdir(parents=True)
    for picture in sorted((real / "coco128" / "images").rglob("*.jpg"))[:count]:
        label = picture.parent.parent / "labels" / f"{picture.stem}.txt"
        (folder / "images" / "val" / picture.name).write_bytes(picture.read_bytes())
        if label.is_file():
            (folder / "labels" / "val" / label.name).write_text(label.read_text())
    names = yaml.safe_load((real / "coco128" / "data.yaml").read_text())["names"]
    return data_file(folder, names)


def data_file(folder: Path, names: Any) -> Path:
    path = folder / "data.yaml"
    path.write_text(yaml.safe_dump({"path": str(folder), "train": "images/val", "val": "images/val", "names": names}))
    return path


def small_set(folder: Path, images: int, classes: int, seed: int = 0) -> Path:
    """Pictures of noise with boxes drawn at random; gives the data file."""
    import cv2

    rng = np.random.default_rng(seed)
    for kind in ("images", "labels"):
        (folder / kind / "val").mkdir(parents=True)
    for index in range(images):
        coarse = rng.integers(0, 255, (6 + index % 3, 8, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
        cv2.imwrite(str(folder / "images" / "val" / f"{index}.png"), coarse)
        objects = np.column_stack(
            (rng.integers(0, classes, 6), rng.uniform(0.3, 0.7, (6, 2)), rng.uniform(0.1, 0.6, (6, 2)))
        )
        lines = [" ".join(f"{value:g}" for value in row) for row in objects]
        (folder / "labels" / "val" / f"{index}.txt").write_text("\n".join(lines))
    return data_file(folder, [f"class{index}" for index in range(classes)])
