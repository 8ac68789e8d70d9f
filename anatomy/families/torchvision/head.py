"""What the heads of torchvision's detectors share: arguments, sizes, the end of a pass; its files alone import them."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self, cast

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS_ResNet50_FPN_Weights
from torchvision.models.detection.transform import resize_boxes
from torchvision.ops import batched_nms

from ...arguments import share, whole_number
from ...errors import UnsupportedModelError
from ...head.forward import Candidates, Limits, Pass
from ...head.head import ClassRows, Head
from ...head.images import open_images
from ...head.letterbox import Letterbox
from .declared import Selecting
from .selection import TorchvisionResult


@dataclass(frozen=True)
class Asked:
    """What a pass was asked for: thresholds in [0, 1]; ``imgsz`` the longer side in px, None for the model's own."""

    conf: float
    iou: float
    imgsz: int | None


@dataclass(frozen=True)
class Made:
    """What a pass left behind, as its kind heard it (``resized``: (h, w) of the image in the input), and what its
    selection was asked for; ``most`` detections."""

    heard: Any
    asked: Asked
    most: int


class TorchvisionHead(Head):
    """The head of one of torchvision's detectors; making one makes that of its kind.

    Classes are called by the model's attribute ``names`` (a sequence, or a mapping from id) if it has one, as COCO if
    there are 91, else by their numbers. ``conf``, ``iou`` and ``imgsz`` of a pass stand in for the model's own
    thresholds and size; with None the model's own hold. ``imgsz`` is the longer side in px.
    """

    reads: ClassVar[tuple[type, ...]] = ()  # the detectors of this kind
    net: Any
    branches = ("one2many",)
    reg_max = 1

    def __new__(cls, net: nn.Module | None = None) -> Self:
        if cls is not TorchvisionHead:
            return super().__new__(cls)
        kinds = [kind for kind in cls.__subclasses__() if isinstance(net, kind.reads)]
        if not kinds:
            known = [reads.__name__ for kind in cls.__subclasses__() for reads in kind.reads]
            raise UnsupportedModelError(
                f"{type(net).__name__} is not supported: of torchvision's detectors {', '.join(known)} are read. "
                "Give the model a describe_head() that says how it selects; see anatomy.Head."
            )
        return super().__new__(kinds[0])

    @property
    def selecting(self) -> Selecting:
        """The part of the network that holds the thresholds of its selection."""
        return self.net

    def twins(self, level: int, branch: str) -> Iterator[ClassRows]:
        """None: the network itself predicts."""
        return iter(())

    @torch.inference_mode()
    def passes(
        self, source: Any, *, conf: float | None = 0.25, iou: float | None = 0.7, imgsz: int | None = 640
    ) -> Iterator[Pass]:
        """One forward pass an image; ``conf``, ``iou`` and ``imgsz`` as the class says.

        Raises TypeError and ValueError for what they cannot be.
        """
        asked = Asked(
            conf=share(self.selecting.score_thresh if conf is None else conf, "conf"),
            iou=share(self.selecting.nms_thresh if iou is None else iou, "iou"),
            imgsz=self.sized(imgsz),
        )
        for path, image in open_images(source):
            yield self.finish(self.run(path, image, asked))

    def sized(self, imgsz: Any) -> int | None:
        """``imgsz``, checked; raises TypeError and ValueError."""
        if imgsz is not None and whole_number(imgsz, "imgsz, the longer side in px,") < 1:
            raise ValueError(f"imgsz must be a positive number of px, or None for the model's own, not {imgsz!r}.")
        return imgsz

    @abstractmethod
    def run(self, path: str, image: np.ndarray, asked: Asked) -> Pass:
        """The model's own forward pass of one (H, W, 3) uint8 BGR image; its end is not done yet."""

    def made(self, heard: Any, asked: Asked) -> Made:
        """What a pass keeps to itself."""
        return Made(heard=heard, asked=asked, most=self.selecting.detections_per_img)

    @abstractmethod
    def candidates(self, run: Pass) -> Candidates:
        """What stands for NMS, in the model's own order; boxes are clipped, as NMS sees them."""

    @torch.inference_mode()
    def finish(self, run: Pass) -> Pass:
        """NMS and result anew from the class logits, as ``postprocess_detections`` does it."""
        found, made = self.candidates(run), cast(Made, run.private)
        kept = batched_nms(found.boxes, found.confidence, found.class_id, made.asked.iou)[: made.most]
        original = cast("list[int]", run.original.shape[:2])  # height and width; torchvision asks for no list
        boxes = resize_boxes(found.boxes[kept], made.heard.resized, original)
        result = TorchvisionResult(boxes, found.confidence[kept], found.class_id[kept])
        return run.evolve(anchors=found.anchor[kept], result=result)

    def found(self, run: Pass) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes (n, 4) xyxy px of the original, scores and labels (n,)."""
        return run.result.boxes, run.result.scores, run.result.labels

    def xyxy(self, run: Pass, anchors: Tensor) -> Tensor:
        """Boxes of these anchors (n, 4) xyxy px of the network input, not clipped."""
        return run.boxes[:, anchors].T

    def letterbox(self, run: Pass) -> Letterbox:
        """The image is scaled into the upper left corner; each side is rounded on its own."""
        (height, width), (high, wide) = run.original.shape[:2], run.private.heard.resized
        return Letterbox(
            original_shape=(height, width),
            input_shape=run.input_shape,
            gain=(wide / width, high / height),
            pad=(0, 0),
        )

    def steps(self, run: Pass) -> tuple[tuple[float, float], ...]:
        """(x, y) px of the network input a level: the input's side // grid, as the anchor generator counts."""
        return tuple((run.input_shape[1] // cols, run.input_shape[0] // rows) for rows, cols in run.shapes)

    def limits(self, run: Pass) -> Limits:
        """The model's own numbers, or those that the pass was asked for."""
        return Limits(conf=run.private.asked.conf, most=run.private.most, every_class=True)

    def parts(self) -> dict[str, str]:
        """Paths of the network by part; the pyramid within the backbone is the neck."""
        return super().parts() | {"backbone.fpn": "neck"}


def check_selection(part: nn.Module, family: type, method: str) -> None:
    """Refuse what selects in a way of its own (UnsupportedModelError)."""
    kind: Any = type(part)
    if getattr(kind, method) is not getattr(family, method):
        raise UnsupportedModelError(
            f"{kind.__name__} has a {method} of its own, which cannot be followed from index to box. "
            "Give the model a describe_head() that says how it selects; see anatomy.Head."
        )


def class_names(net: nn.Module, count: int) -> dict[int, str]:
    """The ``count`` class names by id, in order; ValueError where they are not one for each class."""
    coco = FCOS_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
    given: Any = getattr(net, "names", coco if count == len(coco) else list(map(str, range(count))))
    entries = given.items() if hasattr(given, "items") else enumerate(given)
    names = {int(index): str(name) for index, name in entries}
    if sorted(names) != list(range(count)):
        raise ValueError(
            f"The model's names must name the classes 0 to {count - 1} (0 is usually background), but {given!r} names "
            f"{len(names)}. Set model.names to a list of {count} names."
        )
    return dict(sorted(names.items()))
