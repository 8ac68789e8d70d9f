"""Heads of Ultralytics alone, on random feature maps of 64 px, and batches of labelled objects for their criteria."""

from types import SimpleNamespace
from unittest.mock import patch

import torch
from torch import nn
from ultralytics.nn.modules import head as heads
from ultralytics.utils import DEFAULT_CFG_DICT
from ultralytics.utils import loss as losses

CHANNELS, CLASSES, SIDE, POINTS = (8, 8, 8), 3, 64, 4
STRIDES = (8, 16, 32)
TWO = ("yolov10", "yolo26", "yolo26-seg", "yolo26-pose", "yolo26-obb")
PLAIN = {"nc": CLASSES, "ch": CHANNELS}
ENDS = {**PLAIN, "reg_max": 1, "end2end": True}  # as the files of YOLO26 say
KINDS = {
    "yolov8": (heads.Detect, PLAIN, losses.v8DetectionLoss),
    "yolov8-seg": (heads.Segment, {**PLAIN, "nm": 4, "npr": 8}, losses.v8SegmentationLoss),
    "yolov8-pose": (heads.Pose, {**PLAIN, "kpt_shape": [POINTS, 3]}, losses.v8PoseLoss),
    "yolov8-obb": (heads.OBB, PLAIN, losses.v8OBBLoss),
    "yolov10": (heads.v10Detect, PLAIN, losses.v8DetectionLoss),
    "yolo26": (heads.Detect, ENDS, losses.v8DetectionLoss),
    "yolo26-seg": (heads.Segment26, {**ENDS, "nm": 4, "npr": 8}, losses.SegmentLoss26),
    "yolo26-pose": (heads.Pose26, {**ENDS, "kpt_shape": [POINTS, 3]}, losses.PoseLoss26),
    "yolo26-obb": (heads.OBB26, ENDS, losses.v8OBBLoss),
}
ITEMS = {
    "yolov8": ("box", "cls", "dfl"),
    "yolov8-seg": ("box", "seg", "cls", "dfl", "sem"),
    "yolov8-pose": ("box", "pose", "kobj", "cls", "dfl"),
    "yolov8-obb": ("box", "cls", "dfl", "angle"),
    "yolov10": ("box", "cls", "dfl"),
    "yolo26": ("box", "cls", "l1"),
    "yolo26-seg": ("box", "seg", "cls", "l1", "sem"),
    "yolo26-pose": ("box", "pose", "kobj", "cls", "l1", "rle"),
    "yolo26-obb": ("box", "cls", "l1", "angle"),
}


class Alone(nn.Module):
    """A head of one kind with the attributes that criteria read of its network."""

    def __init__(self, kind: str):
        super().__init__()
        made, arguments, self.loss_kind = KINDS[kind]
        torch.manual_seed(0)
        with patch.object(made, "legacy", False):  # which stands on the class, as the model file read last has it
            head = made(**arguments)
        head.stride = torch.tensor(STRIDES).float()
        self.model = nn.ModuleList([head])
        self.args = SimpleNamespace(**DEFAULT_CFG_DICT)
        for name, parameter in head.named_parameters():
            if parameter.ndim > 1 and "flow" not in name:
                nn.init.normal_(parameter, std=0.3)
        self.train()

    def features(self) -> list[torch.Tensor]:
        generator = torch.Generator().manual_seed(4)
        return [torch.randn(3, 8, SIDE // stride, SIDE // stride, generator=generator) for stride in STRIDES]

    def criterion(self):
        if getattr(self.model[0], "one2one_cv2", None) is not None:
            return losses.E2ELoss(self, self.loss_kind)
        return self.loss_kind(self)

    def forward(self, features: list[torch.Tensor]):
        return self.model[0](features)


def batch_for(kind: str) -> dict[str, torch.Tensor]:
    """Three images with 3, 0 and 4 objects; of rotated boxes the second and the fifth are less than 2 px high."""
    generator = torch.Generator().manual_seed(1)
    image = torch.tensor([0.0, 0, 0, 2, 2, 2, 2])
    centre = torch.rand(7, 2, generator=generator) * 0.6 + 0.2
    side = torch.rand(7, 2, generator=generator) * 0.3 + 0.1
    labels = torch.randint(0, CLASSES, (7, 1), generator=generator).float()
    batch = {"batch_idx": image, "cls": labels, "bboxes": torch.cat((centre, side), 1)}
    if "obb" in kind:
        batch["bboxes"] = torch.cat((centre, side, torch.rand(7, 1, generator=generator)), 1)
        batch["bboxes"][[1, 4], 3] = 0.02
    if "pose" in kind:
        points = torch.rand(7, POINTS, 3, generator=generator)
        points[..., :2] = centre[:, None] + (points[..., :2] - 0.5) * side[:, None]
        points[..., 2] = (points[..., 2] > 0.4) * 2.0
        points[3, :, 2] = 0  # none of them is seen
        batch["keypoints"] = points
    if "seg" in kind:
        batch["masks"] = rectangles(batch)
        batch["sem_masks"] = (batch["masks"] > 0).long()
    return batch


def without_objects(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same three images, all of them empty."""
    empty = {name: value[:0] for name, value in batch.items()}
    return empty | {name: batch[name] * 0 for name in ("masks", "sem_masks") if name in batch}


def rectangles(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Masks (3, 16, 16): of each image its boxes, numbered from 1, later ones on top."""
    masks, counts = torch.zeros(3, SIDE // 4, SIDE // 4), [0, 0, 0]
    corners = torch.cat(
        (batch["bboxes"][:, :2] - batch["bboxes"][:, 2:] / 2, batch["bboxes"][:, :2] + batch["bboxes"][:, 2:] / 2), 1
    )
    for index, (left, top, right, bottom) in zip(
        batch["batch_idx"].int().tolist(), (corners * 16).round().int().tolist(), strict=True
    ):
        counts[index] += 1
        masks[index, max(top, 0) : bottom, max(left, 0) : right] = counts[index]
    return masks
