"""Ultralytics' detectors, YOLOv3 to YOLO26, YOLO-World, YOLOE, RT-DETR: heads, predictors, checkpoints."""

from os import PathLike
from typing import Any

from ...head.head import Head

HOMES = ("ultralytics.",)


def load_head(model: Any) -> type[Head]:
    """The class that describes the head of this model; ImportError for an Ultralytics too old to be read."""
    from .version import check_version

    check_version()
    from .kinds import kind_of

    return kind_of(model)


def open_checkpoint(path: str | PathLike, *, trusted: bool = False) -> Any:
    """The YOLO object of exactly this file; see ``anatomy.open_checkpoint``. ImportError as in ``load_head``."""
    from .version import check_version

    check_version()
    from .opening import open_checkpoint

    return open_checkpoint(path, trusted=trusted)
