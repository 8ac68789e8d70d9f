"""Small random networks of Ultralytics as exported files: each exported once a session, to a folder of its own."""

import logging
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

import anatomy


def export_file(name: str, picture: np.ndarray, kind: str = "onnx", **settings) -> Path:
    """The file of a small network for inputs of the size of the picture; ``settings`` go to ``YOLO.export``."""
    return _made(name, picture.tobytes(), picture.shape, kind, tuple(sorted(settings.items())))


def exported(name: str, picture: np.ndarray, **settings) -> anatomy.Export:
    """The same, opened anew."""
    return anatomy.open_export(export_file(name, picture, **settings))


def plain(name: str, picture: np.ndarray):
    """The YOLO object that ``export_file`` exports: the same weights each time."""
    from tests.ultralytics_nets import small

    return small(name, picture, 4, bodiless=True, seed=26)


@cache
def _made(name: str, pixels: bytes, shape: tuple[int, ...], kind: str, settings: tuple) -> Path:
    from ultralytics.utils import LOGGER

    model = plain(name, np.frombuffer(pixels, np.uint8).reshape(shape))
    path = Path(mkdtemp(prefix="exported-")) / f"{name}.pt"
    model.ckpt_path = model.model.pt_path = str(path)
    level = LOGGER.level
    LOGGER.setLevel(logging.ERROR)
    try:
        return Path(model.export(format=kind, imgsz=shape[:2], verbose=False, simplify=False, **dict(settings)))
    finally:
        LOGGER.setLevel(level)


def export_predict(model: anatomy.Export, image, args):
    """A fresh pass as its description makes it: boxes, confidences and class ids."""
    (found,) = anatomy.describe(model).passes(image, **args)
    return export_answer(found.result)


def export_answer(result):
    """The same of a result."""
    return result.boxes, result.confidence, result.class_id
