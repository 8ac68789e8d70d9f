"""One photograph through a model and through an exported file, each with its own input and both with the model's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..arguments import shown
from ..families.exports.network import Export
from ..families.exports.preprocessing import Preprocessing, smallest_input
from ..families.registry import describe
from ..head.head import Head
from ..head.letterbox import Letterbox
from ..tracing.trace import Trace, trace
from .export_equivalence import PreprocessingDifference
from .recognized import Recognized, recognize, scale_in_words

Preprocess = Callable[[np.ndarray], Any]


@dataclass(frozen=True)
class Pair:
    """``before`` the model's trace, ``after`` the file's with its own input, ``same`` the file's with the model's.

    ``same`` is None where the file cannot take that; ``differences`` of the two inputs; ``recognized``: whether the
    file's input could be explained; ``larger``: the model by itself would make a smaller input.
    """

    before: Trace
    after: Trace
    same: Trace | None
    differences: tuple[PreprocessingDifference, ...]
    recognized: bool
    larger: bool


def look(
    model: Any, export: Export, path: str, image: np.ndarray, preprocess: Preprocess | None, args: Mapping[str, Any]
) -> Pair:
    """The traces of one image (H, W, 3) uint8 BGR."""
    head: Any = describe(export)  # an ExportHead, whose module imports onnx
    original = image.shape[0], image.shape[1]
    frame = None if preprocess is None else _frame(preprocess(image), export, head.channels)
    shape = head.input_shape(original, _asked_size(args)) if frame is None else (frame.shape[2], frame.shape[3])
    before = trace(model, image, imgsz=shape, **model_args(model, export, args))
    if frame is None:
        frame = export.preprocessing.frame(image, shape)
        letterbox: Letterbox | None = export.preprocessing.letterbox(original, shape)
    else:
        letterbox = None
    theirs = _model_frame(before)
    alike = theirs is not None and theirs.shape == frame.shape and np.array_equal(theirs, frame)
    mine = None if alike else recognize(image, frame[0])
    differences = () if mine is None else _differences(image, theirs, mine)
    if letterbox is None:
        letterbox = mine.letterbox if mine is not None else Letterbox.fit(original, shape)
    asked = head.asked(_selection(args))
    after = Trace(head, head.pass_of(path, image, frame, letterbox, asked))
    same = after if alike else None
    if not alike and theirs is not None and theirs.shape == frame.shape:
        same = Trace(head, head.pass_of(path, image, theirs, before.letterbox, asked))
    return Pair(
        before=before,
        after=after,
        same=same,
        differences=differences,
        recognized=mine is None or mine.certain,
        larger=_would_be_smaller(model, original, shape),
    )


def _would_be_smaller(model: Any, original: tuple[int, int], shape: tuple[int, int]) -> bool:
    """Whether the model's own prediction pads an image of (height, width) px less than to this input."""
    head = describe(model)
    return _takes(head, "rect", True) and smallest_input(original, shape, head.tensor_multiple or 32) != shape


def model_args(model: Any, export: Export, args: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments for the model's own prediction, such that it gets the input and runs the branch that the file has."""
    told, theirs = dict(args), describe(model)
    told.pop("imgsz", None)
    wished: dict[str, Any] = {}
    if export.image.fixed is not None:
        wished["rect"] = False
    if export.metadata.end2end:
        wished["nms"] = False
    for name, value in wished.items():
        if name not in told and _takes(theirs, name, value):
            told[name] = value
    return told


def _takes(head: Head, name: str, value: Any) -> bool:
    try:
        head.predict_args({name: value})
    except TypeError:
        return False
    return True


def _asked_size(args: Mapping[str, Any]) -> tuple[int, int]:
    size = args.get("imgsz", 640)
    return (size[0], size[1]) if isinstance(size, list | tuple) else (size, size)


def _selection(args: Mapping[str, Any]) -> dict[str, Any]:
    """What of the arguments the file's selection takes as well."""
    return {name: args[name] for name in ("conf", "iou", "max_det", "classes", "agnostic_nms") if name in args}


def _frame(given: Any, export: Export, channels: int) -> np.ndarray:
    """What a caller's own preprocessing made, as (1, C, h, w) float32; ValueError for what the file cannot take."""
    value = given.detach().cpu().numpy() if isinstance(given, torch.Tensor) else np.asarray(given)
    value = value[None] if value.ndim == 3 else value
    fixed = export.image.fixed
    if value.ndim != 4 or value.shape[:2] != (1, channels) or (fixed and value.shape[2:] != fixed):
        size = "any size" if fixed is None else f"{fixed[0]} × {fixed[1]} px"
        raise ValueError(
            f"preprocess must make of an image (H, W, 3) uint8 BGR an input (1, {channels}, h, w) of {size}, but it "
            f"made {value.shape if value.size else shown(given)}."
        )
    if not np.isfinite(value).all():
        raise ValueError("preprocess must make an input of finite numbers, but NaN or infinity is among them.")
    return np.ascontiguousarray(value, dtype=np.float32)


def _model_frame(before: Trace) -> np.ndarray | None:
    frame = before.run.frame
    return None if frame is None else frame.detach().float().cpu().numpy()


def _differences(image: np.ndarray, theirs: np.ndarray | None, mine: Recognized) -> tuple[PreprocessingDifference, ...]:
    """The choices by which two inputs of one image differ, as far as both can be told."""
    if theirs is None:
        return ()
    found = recognize(image, theirs[0])
    sizes = tuple("×".join(map(str, box.input_shape)) for box in (found.letterbox, mine.letterbox))
    told = [("input size", *sizes)]
    if found.certain and mine.certain:
        told += _choices(found, mine)
    return tuple(PreprocessingDifference(what, a, b) for what, a, b in told if a != b)


def _choices(found: Recognized, mine: Recognized) -> list[tuple[str, str, str]]:
    first, second = found.preprocessing, mine.preprocessing
    told = [
        ("fit", _fit(first), _fit(second)),
        ("interpolation", first.interpolation, second.interpolation),
        ("channel order", first.order, second.order),
        ("scale", scale_in_words(first), scale_in_words(second)),
    ]
    if found.padded and mine.padded and abs(first.pad - second.pad) > 1:
        told.append(("grey of the padding", f"{first.pad:g}", f"{second.pad:g}"))
    return told


def _fit(made: Preprocessing) -> str:
    return FIT_IN_WORDS[made.fit]


FIT_IN_WORDS = {
    "letterbox": "ratio kept, centred",
    "corner": "ratio kept, in the upper left corner",
    "stretch": "stretched",
}
