"""Images to detections in px of the original: letterbox, forward pass, selection, and the way back."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anatomy.head.evaluating import evaluating
from anatomy.head.images import open_images
from anatomy.head.letterbox import Letterbox
from anatomy.head.turns import undisturbed

from .images import input_size, letterbox, to_tensor
from .selection import Candidate, check_thresholds


@dataclass(frozen=True)
class Prediction:
    """What the detector found on one image: ``boxes`` (n, 4) xyxy px of the original, clipped to it, best first."""

    path: str
    image: np.ndarray
    """(H, W, 3) uint8 BGR."""
    names: dict[int, str]
    boxes: Tensor
    confidence: Tensor
    class_id: Tensor


@dataclass(frozen=True)
class Frame:
    """One image on its way through the network."""

    path: str
    image: np.ndarray
    input_shape: tuple[int, int]
    tensor: Tensor
    """The network input (1, 3, h, w)."""
    outputs: tuple
    """Raw outputs of a batch of one, a level each."""
    letterbox: Letterbox

    def finish(self, found: Candidate, names: dict[int, str]) -> Prediction:
        """The prediction of these detections, taken back to the original."""
        gain, pad = (found.boxes.new_tensor([*part, *part]) for part in (self.letterbox.gain, self.letterbox.pad))
        height, width = self.image.shape[:2]
        boxes = torch.minimum(((found.boxes - pad) / gain).clamp(min=0), gain.new_tensor([width, height] * 2))
        return Prediction(self.path, self.image, names, boxes, found.confidence, found.class_id)


@torch.inference_mode()
def run(model, path: str, image: np.ndarray, imgsz: int) -> Frame:
    """The model's raw outputs for one image, in evaluation mode whatever mode the model is in."""
    size = input_size(image.shape[:2], imgsz)
    frame, box = letterbox(image, size)
    tensor = to_tensor(frame).to(next(model.parameters()))
    with undisturbed(model), evaluating(model):
        outputs = model(tensor)
    return Frame(path=path, image=image, input_shape=size, tensor=tensor, outputs=outputs, letterbox=box)


def frames(model, source, imgsz: int) -> Iterator[Frame]:
    """Every image of a source, run through the model one at a time; ValueError for an imgsz that is no size."""
    if isinstance(imgsz, bool) or not isinstance(imgsz, int) or imgsz < 1:
        raise ValueError(f"imgsz must be a positive whole number of px, but was {imgsz!r}.")
    return (run(model, path, image, imgsz) for path, image in open_images(source))


def predict(model, source, *, conf: float, iou: float, imgsz: int) -> Iterator[Prediction]:
    """A prediction for each image of a source."""
    check_thresholds(conf, iou)
    for frame in frames(model, source, imgsz):
        boxes, logits = model.boxes(frame.outputs), model.logits(frame.outputs)
        yield frame.finish(model.select(boxes, logits, conf, iou)[0], model.names)
