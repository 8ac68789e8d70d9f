"""The correct encoders of the suite, by name."""

from .anchored import ATSS, YOLOF, EfficientDet, NanoDet, RetinaNet
from .base import Encoder
from .free import YOLOX, NanoDetPlus, RTMDet, SimOTA, YOLOv8
from .reach import FCOS, CenterNet, FCOSCentre
from .yolo import YOLOv1, YOLOv2, YOLOv3, YOLOv3EveryScale, YOLOv4, YOLOv5, YOLOv7

SCHEMES: dict[str, type[Encoder]] = {
    kind.name: kind
    for kind in (
        YOLOv1,
        YOLOv2,
        YOLOv3,
        YOLOv3EveryScale,
        YOLOv4,
        YOLOv5,
        YOLOv7,
        YOLOv8,
        YOLOX,
        SimOTA,
        FCOS,
        FCOSCentre,
        NanoDet,
        NanoDetPlus,
        RTMDet,
        ATSS,
        YOLOF,
        RetinaNet,
        EfficientDet,
        CenterNet,
    )
}
