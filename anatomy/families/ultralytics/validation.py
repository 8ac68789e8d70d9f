"""Batches as Ultralytics' validation makes them: sorted by shape, resized and padded in its own way."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from ultralytics.data.augment import LetterBox
from ultralytics.engine.results import Results

from ...head.batches import Batch, in_parts
from ...head.forward import Pass
from ...head.letterbox import Letterbox

PAD = 0.5  # strides: what build_yolo_dataset adds to the shape of a batch that is not trained on


@dataclass(frozen=True)
class Framed:
    """``frames`` (B, 3, h, w) float32 RGB in [0, 1], and where each original lies in its frame."""

    frames: Tensor
    letterboxes: tuple[Letterbox, ...]


def batches(sizes: Sequence[tuple[int, int]], imgsz: int, size: int, stride: int) -> list[Batch]:
    """Images of like shape together, as ``BaseDataset.set_rectangle`` puts them; ``sizes`` are (height, width) px."""
    if not sizes:
        return []
    sides = np.asarray(sizes)
    ratio = sides[:, 0] / sides[:, 1]
    order = ratio.argsort()  # as there: ties fall as NumPy lets them
    made = []
    for part in in_parts(order.tolist(), size):
        flattest, tallest = ratio[list(part)].min(), ratio[list(part)].max()
        shape = np.ones(2)
        if tallest < 1:
            shape[0] = tallest
        elif flattest > 1:
            shape[1] = 1 / flattest
        height, width = (np.ceil(shape * imgsz / stride + PAD).astype(int) * stride).tolist()
        made.append(Batch(indices=part, input_shape=(height, width)))
    return made


def framed(images: Sequence[np.ndarray], input_shape: tuple[int, int], imgsz: int) -> Framed:
    """Images (H, W, 3) uint8 BGR in frames of one shape, (h, w) px."""
    put = LetterBox(new_shape=input_shape, auto=False, scaleup=False)
    frames, letterboxes = [], []
    for image in images:
        small = _long_side(image, imgsz)
        frame: Any = put(image=small)  # an image in, an image out
        frames.append(torch.from_numpy(np.ascontiguousarray(frame[..., ::-1].transpose(2, 0, 1))))
        letterboxes.append(_letterbox(image.shape[:2], small.shape[:2], input_shape))
    return Framed(frames=torch.stack(frames).float() / 255, letterboxes=tuple(letterboxes))


def seated(pass_: Pass, original: np.ndarray, letterbox: Letterbox) -> Pass:
    """The pass of a frame as one of the original; of masks, key points and angles nothing is kept."""
    result = pass_.result
    rows = result.boxes.data.clone()
    boxes = torch.as_tensor(letterbox.to_original(rows[:, :4].cpu()), dtype=rows.dtype, device=rows.device)
    height, width = original.shape[:2]
    rows[:, 0:4:2], rows[:, 1:4:2] = boxes[:, 0::2].clamp(0, width), boxes[:, 1::2].clamp(0, height)
    result = Results(orig_img=original, path=pass_.path, names=result.names, boxes=rows)
    return pass_.evolve(original=original, letterbox=letterbox, result=result)


def _long_side(image: np.ndarray, imgsz: int) -> np.ndarray:
    """The image with its long side at ``imgsz`` px, as ``BaseDataset.load_image`` resizes it."""
    height, width = image.shape[:2]
    ratio = imgsz / max(height, width)
    if ratio == 1:
        return image
    sides = [min(math.ceil(side * ratio), imgsz) for side in (width, height)]
    return cv2.resize(image, sides, interpolation=cv2.INTER_LINEAR)


def _letterbox(original: tuple[int, int], small: tuple[int, int], input_shape: tuple[int, int]) -> Letterbox:
    """Where ``LetterBox`` puts an image that was resized from ``original`` to ``small``, all (height, width) px."""
    ratio = min(input_shape[0] / small[0], input_shape[1] / small[1], 1.0)
    height, width = (max(round(side * ratio), 1) for side in small)
    pad = (round((input_shape[1] - width) / 2 - 0.1), round((input_shape[0] - height) / 2 - 0.1))
    return Letterbox(original, input_shape, (width / original[1], height / original[0]), pad)
