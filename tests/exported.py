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
        own = {"simplify": False} if kind == "onnx" else {}
        return Path(model.export(format=kind, imgsz=shape[:2], verbose=False, **own, **dict(settings)))
    finally:
        LOGGER.setLevel(level)


def export_predict(model: anatomy.Export, image, args):
    """A fresh pass as its description makes it: boxes, confidences and class ids."""
    (found,) = anatomy.describe(model).passes(image, **args)
    return export_answer(found.result)


def export_answer(result):
    """The same of a result."""
    return result.boxes, result.confidence, result.class_id


def quantized_file(path: Path, images: list[np.ndarray], folder: Path) -> Path:
    """An ONNX file in INT8 by onnxruntime's own quantizer, its convolutions alone, as Ultralytics quantizes."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    shape = PIXELS.frame(images[0], images[0].shape[:2]).shape

    class Images(CalibrationDataReader):
        """One image after another."""

        left = iter(images)

        def get_next(self):
            image = next(self.left, None)
            return None if image is None else {"images": PIXELS.frame(image, shape[2:])}

    others = [node.name for node in onnx.load(path).graph.node if node.op_type != "Conv"]
    made = folder / f"{path.stem}_int8.onnx"
    quantize_static(path, made, Images(), nodes_to_exclude=others)
    return made


PIXELS = anatomy.Preprocessing()
