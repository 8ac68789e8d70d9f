"""Ultralytics' detectors, YOLOv3 to YOLO26: their heads, their predictors, their checkpoints."""

from os import PathLike
from typing import Any

from ...head.head import Head

HOMES = ("ultralytics.",)


def load_head() -> type[Head]:
    """The class that describes these heads; ImportError for an Ultralytics too old to be read."""
    from .version import check_version

    check_version()
    from .head import UltralyticsHead

    return UltralyticsHead


def open_checkpoint(path: str | PathLike, *, trusted: bool = False) -> Any:
    """The YOLO object of exactly this file; see ``anatomy.open_checkpoint``. ImportError as in ``load_head``."""
    from .version import check_version

    check_version()
    from .opening import open_checkpoint

    return open_checkpoint(path, trusted=trusted)
