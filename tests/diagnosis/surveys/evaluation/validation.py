"""Ultralytics' validator, listened to: the tables of a survey from exactly the passes that it judges."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars
import torch
import yaml
from ultralytics.models.yolo.detect import DetectionValidator
from ultralytics.utils.ops import xywh2xyxy

from anatomy import levels
from diagnosis.surveys.evaluation import evaluation_rows
from diagnosis.surveys.evaluation.pairs import read_images, read_pairs
from diagnosis.surveys.tables import EVALUATION
from tests.class_rows import spread_out, unit_outputs
from tests.ultralytics_nets import last_convs

SETTINGS = {"imgsz": 640, "batch": 8, "rect": True, "workers": 0, "device": "cpu", "plots": False, "verbose": False}


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

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.rows, self.pictures, self.labels, self.kept, self.files = [], [], [], [], []

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
            self.files.append(batch["im_file"][index])
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
        return evaluation_rows(boxes, scores, level, **limits, nms=not self.end2end, ablation=True)

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
    settings = SETTINGS | arguments
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
    settings = SETTINGS | arguments
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
    names = dict(enumerate(names)) if isinstance(names, list) else dict(names)
    path.write_text(yaml.safe_dump({"path": str(folder), "train": "images/val", "val": "images/val", "names": names}))
    return path


@torch.no_grad()
def with_small_boxes(model, picture: np.ndarray):
    """The random model, such that cells differ (batch norms as after training on noise) and boxes reach about one
    stride from their cell, so that they lie in the image.
    """
    net = model.model
    norms = [module for module in net.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    net.train()(torch.rand(4, 3, 128, 128, generator=torch.Generator().manual_seed(3)))
    net.eval()
    reg_max = net.model[-1].reg_max
    near = -torch.arange(reg_max).repeat(4) if reg_max > 1 else torch.ones(4)
    for seed, convs in enumerate(last_convs(net, "cv3")):
        spread_out(net, picture, convs, seed)
    for convs in last_convs(net, "cv2"):
        unit_outputs(net, picture, convs, seed=5)
        for conv in convs:
            conv.weight.mul_(0.2)
            conv.bias.mul_(0.2).add_(near)
    return model


def small_set(model, folder: Path, images: int, seed: int = 0, **arguments) -> Path:
    """Noise, 128 px square, labelled with boxes that the model finds there, moved a little; its data file."""
    rng = np.random.default_rng(seed)
    for kind in ("images", "labels"):
        (folder / kind / "val").mkdir(parents=True)
    for index in range(images):
        noise = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
        cv2.imwrite(str(folder / "images" / "val" / f"{index}.png"), noise)
        (folder / "labels" / "val" / f"{index}.txt").write_text("0 0.5 0.5 0.1 0.1")
    data = data_file(folder, model.names)
    survey, listener = survey_by_validation(model, data, folder / "runs", **arguments)
    images_of = read_images(survey)
    pairs = read_pairs(survey, images_of)
    seen = (pairs.xyxy[:, 2:] - pairs.xyxy[:, :2]).prod(1) / (pairs.in_input[:, 2:] - pairs.in_input[:, :2]).prod(1)
    inside = (seen > 0.75) & pairs.listed[-1]  # the pictures are as large as the input
    for number, file in enumerate(listener.files):
        mine = np.flatnonzero(inside & (pairs.image == number))[:20:2]
        boxes = pairs.xyxy[mine] / np.tile(images_of.size[number], 2) + rng.normal(0, 0.005, (len(mine), 4))
        centred = np.column_stack(((boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]))
        rows = np.column_stack((pairs.class_id[mine], centred.clip(0.01, 0.99)))
        text = "\n".join(" ".join(f"{value:g}" for value in row) for row in rows)
        (folder / "labels" / "val" / f"{Path(file).stem}.txt").write_text(text)
    return data
