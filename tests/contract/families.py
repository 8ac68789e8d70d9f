"""The table of families: one row each. Add a row here, and every law is tested for it."""

import torch

import surgery
from detectors.fastvit import FastViTDetector, NaiveDetector, load
from detectors.pafpn import PLACES, PafpnDetector
from tests.class_rows import spread_out
from tests.contract.decoupled_detector import DecoupledNet
from tests.contract.own_detector import TwoLevels
from tests.contract.rows import (
    PICTURE,
    Family,
    Files,
    named_predict,
    other_head,
    own_answer,
    own_predict,
    pyramid_answer,
    pyramid_predict,
    torchvision_answer,
    torchvision_predict,
    ultralytics,
)
from tests.corner_net import CornerNet
from tests.exported import export_answer, export_predict, exported
from tests.fastvit_nets import SMALL
from tests.other_heads import of_text, rtdetr
from tests.ssd_and_rcnn_nets import tiny_faster_rcnn, tiny_ssd
from tests.torchvision_nets import tiny

BODIES = (
    "yolov3-tiny",
    "yolov5n",
    "yolov6n",
    "yolov8n",
    "yolov8n-p6",
    "yolov8n-ghost",
    "yolov9t",
    "yolo11n",
    "yolo12n",
    "yolov10n",
    "yolo26n",
)
HEADS = (
    *("yolov8n-p2", "yolov8n-seg", "yolov8n-pose", "yolov8n-obb"),
    *("yolo26n-seg", "yolo26n-pose", "yolo26n-obb"),  # whose bodies stand above
)
TWO_BRANCHES = ("yolov10n", "yolo26n", "yolo26n-seg", "yolo26n-pose", "yolo26n-obb")

NO_STEPS = "does not say how to run its network step by step"
NO_TRAINING = "does not say how it is trained"
SHARED_BY_QUERIES = r"P3, P4, P5 share one class convolution.*level='all'"
AT_ONCE = "decoder reads all levels at once"
TO_FOLD = r"surgery\.fold_text\(model\)"
MIXED = "The published decoder mixes the cells, so no box belongs to one of them"
SHARED = r"P3, P4, P5, P6, P7 share one class convolution.*level='all'"
POOLED = "class rows of a FasterRCNN read pooled proposals, not cells"
OURS = {"conf": 0.3, "iou": 0.5, "imgsz": 128}
MODELS_OWN = {"conf": None, "iou": None, "imgsz": None}  # torchvision: the thresholds and the size of the model itself
FASTVIT_ALONE = """
import tests.fastvit_nets
from detectors.fastvit import load

def predict(path, image, args):
    (found,) = load(path).predict(image, **args)
    return found.boxes, found.confidence, found.class_id
"""


def folded(kind: str):
    """A head of text whose text became class rows, for good."""
    model = of_text(kind, PICTURE, seed=3)
    surgery.fold_text(model)
    surgery.forget(model)
    return model


def fastvit(kind: type):
    torch.manual_seed(1)
    net = kind(["ball", "box", "star", "ring"], SMALL, branches=1).eval()
    spread_out(net, PICTURE, [head.classify for head in net.heads], seed=1)
    return net


def pafpn(normalized: tuple):
    torch.manual_seed(1)
    net = PafpnDetector(["ball", "box", "star", "ring"], (8, 16, 32, 64), (1, 1, 1, 1), normalized=normalized).eval()
    spread_out(net, PICTURE, [head.classify for head in net.heads], seed=1)
    with torch.no_grad():
        for head in net.heads:
            head.detect.bias.fill_(2.0)  # every cell is likely to be an object
    return net


def two_levels():
    torch.manual_seed(0)
    net = TwoLevels()
    with torch.no_grad():
        for conv in net.cls:
            conv.weight.mul_(20)
    return net


def decoupled():
    torch.manual_seed(0)
    net = DecoupledNet(["ball", "box", "star", "ring"])
    spread_out(net, PICTURE, list(net.cls), seed=1)
    with torch.no_grad():
        for conv in net.box:
            conv.bias.copy_(torch.tensor([0.5, 0.5, 1.0, 1.0, 2.0]))  # about the middle; likely to be an object
    return net


def fastvit_row(name: str, kind: type, **more) -> Family:
    files = Files(FASTVIT_ALONE, open=load, foreign=frozenset({"anatomy", "detectors"}))
    return Family(name, lambda: fastvit(kind), pyramid_predict, pyramid_answer, OURS, files=files, **more)


def pafpn_row(name: str, normalized: tuple) -> Family:
    refuses = {"file": r"PafpnDetector has no checkpoint format.*state_dict"}
    return Family(name, lambda: pafpn(normalized), pyramid_predict, pyramid_answer, OURS, refuses=refuses)


def torchvision_row(name: str, kind: str) -> Family:
    return Family(
        name=name,
        build=lambda: tiny(name, min_size=128, max_size=256),
        predict=torchvision_predict,
        answer=torchvision_answer,
        args=MODELS_OWN,
        levels=("P3", "P4", "P5", "P6", "P7"),
        refuses={
            "levels": SHARED,
            "file": rf"{kind} has no checkpoint format.*surgery\.write_recipe",
            "boxes by level": NO_STEPS,
            "targets": NO_TRAINING,
        },
    )


def ssd_row(name: str, **made) -> Family:
    return Family(
        name=name,
        build=lambda: tiny_ssd(**made),
        predict=torchvision_predict,
        answer=torchvision_answer,
        args={**MODELS_OWN, "imgsz": 128},
        refuses={
            "file": r"SSD has no checkpoint format.*surgery\.write_recipe",
            "boxes by level": NO_STEPS,
            "targets": NO_TRAINING,
        },
    )


def onnx_row(name: str, model: str, conf: float = 0.25, **settings) -> Family:
    return Family(
        name=name,
        build=lambda: exported(model, PICTURE, **settings),
        predict=export_predict,
        answer=export_answer,
        args={"conf": conf, "iou": 0.7, "imgsz": 128},
        refuses={
            "file": r"onnxruntime opens files by their ending, so the file must end in \.onnx",
            "steps": NO_STEPS,
            "boxes by level": NO_STEPS,
            "targets": NO_TRAINING,
        },
    )


FAMILIES = (
    *(ultralytics(name) for name in BODIES),
    *(ultralytics(name, bodiless=True) for name in HEADS),
    *(ultralytics(name, nms=False, bodiless=True) for name in TWO_BRANCHES),
    *(ultralytics(name, fused=True) for name in ("yolov8n", "yolo11n", "yolov10n")),
    ultralytics("yolo26n-seg", nms=False, fused=True, bodiless=True),
    ultralytics("yolov8n", published=True),
    other_head("rtdetr", rtdetr, {"levels": SHARED_BY_QUERIES, "one level": AT_ONCE, "targets": NO_TRAINING}),
    other_head("yolov8-worldv2", lambda: of_text("worldv2", PICTURE), {"edits": TO_FOLD, "targets": TO_FOLD}),
    other_head("yoloe-seg folded", lambda: folded("yoloe-seg"), {}, agnostic_nms=False),
    torchvision_row("fcos", "FCOS"),
    torchvision_row("retinanet", "RetinaNet"),
    ssd_row("ssd"),
    ssd_row("ssdlite", lite=True),
    Family(
        name="faster rcnn",
        build=tiny_faster_rcnn,
        predict=torchvision_predict,
        answer=torchvision_answer,
        args=MODELS_OWN,
        levels=("P3", "P4", "P5", "P6", "P7"),
        refuses={
            "levels": SHARED,
            "file": r"FasterRCNN has no checkpoint format.*surgery\.write_recipe",
            "steps": POOLED,
            "one level": POOLED,
            "boxes by level": POOLED,
            "targets": NO_TRAINING,
        },
        second_stage=True,
    ),
    fastvit_row("fastvit", FastViTDetector),
    fastvit_row("fastvit as published", NaiveDetector, refuses={"boxes by level": MIXED, "targets": NO_TRAINING}),
    pafpn_row("pafpn as described", ()),
    pafpn_row("pafpn repaired", tuple(PLACES)),
    onnx_row("onnx", "yolov8n"),
    onnx_row("onnx with its own nms", "yolov8n", nms=True),
    onnx_row("onnx one2one", "yolo26n", nms=False),
    Family(
        name="own detector",
        build=two_levels,
        predict=own_predict,
        answer=own_answer,
        args={"conf": 0.6},
        levels=("P3", "P4"),
        refuses={
            "file": r"TwoLevels has no checkpoint format.*surgery\.write_recipe",
            "steps": NO_STEPS,
            "one level": NO_STEPS,
            "boxes by level": NO_STEPS,
            "targets": NO_TRAINING,
        },
        checks=(),
    ),
    Family(
        name="decoupled head",
        build=decoupled,
        predict=named_predict,
        answer=own_answer,
        args={"conf": 0.3, "iou": 0.5},
        levels=("P3", "P4"),
        refuses={
            "file": r"DecoupledNet has no checkpoint format.*surgery\.write_recipe",
            "targets": NO_TRAINING,
        },
        checks=(),
    ),
    Family(
        name="corner net",
        build=CornerNet,
        predict=own_predict,
        answer=own_answer,
        args={"conf": 0.92},
        levels=("P3", "P4"),
        refuses={
            "file": r"CornerNet has no checkpoint format.*surgery\.write_recipe",
            "boxes by level": r"Give its head a method level_boxes\(level, raw\)",
        },
        checks=(),
    ),
)
