"""torchvision's FCOS and RetinaNet; this file alone imports torchvision's detectors.

One class convolution serves all levels, so class edits take ``level="all"``. Anchor points stand at the corner of a
stride, (column, row) * step, where step is the input's side // grid: on an input whose sides are no multiples of the
coarsest stride it is smaller than the stride there. An anchor may become a detection of several classes.
"""

import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS, FCOS_ResNet50_FPN_Weights, RetinaNet
from torchvision.models.detection.transform import resize_boxes
from torchvision.ops import batched_nms, box_iou, clip_boxes_to_image

from ...arguments import share, whole_number
from ...errors import UnsupportedModelError
from ...head.evaluating import evaluation_mode
from ...head.forward import Candidates, Limits, Outputs, Pass
from ...head.head import Head
from ...head.images import open_images
from ...head.letterbox import Letterbox
from ...head.levels import Level, level_name
from ...head.pyramid import Pyramid
from ...head.turns import turns
from .declared import Detector
from .passes import Heard, overhear

BRANCH = "one2many"
CLASS_CONV = "head.classification_head.cls_logits"
PROBE = 256  # px: side of the image on which the strides are measured once, a multiple of every stride up to it
APART = 4000, 100_000  # coordinates, CPU and elsewhere, beyond which batched_nms takes class by class, unshifted

_strides: weakref.WeakKeyDictionary[nn.Module, tuple[int, ...]] = weakref.WeakKeyDictionary()  # of each backbone


@dataclass(frozen=True)
class TorchvisionResult:
    """What the model returns for one image: ``boxes`` (n, 4) xyxy px of the original, ``scores``, ``labels`` (n,)."""

    boxes: Tensor
    scores: Tensor
    labels: Tensor


@dataclass(frozen=True)
class _Made:
    """What a pass left behind, and what its selection was asked for; ``most_a_level`` before NMS, ``most`` after."""

    heard: Heard
    conf: float
    iou: float
    most: int
    most_a_level: int


class TorchvisionHead(Head):
    """The head of an FCOS or a RetinaNet.

    Classes are called by the model's attribute ``names`` (a sequence, or a mapping from id) if it has one, as COCO if
    there are 91, else by their numbers. ``conf``, ``iou`` and ``imgsz`` of a pass stand in for the model's own
    thresholds and size; with None the model's own hold. ``imgsz`` is the longer side in px.
    """

    net: Detector
    branches = (BRANCH,)
    reg_max = 1
    grid_offset = 0.0

    def __init__(self, net: nn.Module):
        _check(net)
        self.net = net = cast(Detector, net)
        self.anchors_per_cell = net.head.classification_head.num_anchors
        self.names = _names(net)
        self.levels = tuple(
            Level(
                index=index,
                name=level_name(stride),
                stride=float(stride),
                in_channels=net.backbone.out_channels,
                paths={BRANCH: CLASS_CONV},
            )
            for index, stride in enumerate(_measure_strides(net))
        )

    def class_conv(self, level: int, branch: str) -> nn.Conv2d:
        """The one class convolution of all levels."""
        return self.net.head.classification_head.cls_logits

    def twins(self, level: int, branch: str) -> Iterator[nn.Conv2d]:
        """None: the network itself predicts."""
        return iter(())

    @torch.inference_mode()
    def passes(
        self, source: Any, *, conf: float | None = 0.25, iou: float | None = 0.7, imgsz: int | None = 640
    ) -> Iterator[Pass]:
        """One forward pass an image; ``conf``, ``iou`` and ``imgsz`` as the class says.

        Raises TypeError and ValueError for what they cannot be.
        """
        conf = share(self.net.score_thresh if conf is None else conf, "conf")
        iou = share(self.net.nms_thresh if iou is None else iou, "iou")
        if imgsz is not None and whole_number(imgsz, "imgsz, the longer side in px,") < 1:
            raise ValueError(f"imgsz must be a positive number of px, or None for the model's own, not {imgsz!r}.")
        for path, image in open_images(source):
            yield self.finish(self._run(path, image, conf, iou, imgsz))

    def _run(self, path: str, image: np.ndarray, conf: float, iou: float, imgsz: int | None) -> Pass:
        """The model's own forward pass of one (H, W, 3) uint8 BGR image; its end is not done yet."""
        net, conv = self.net, self.class_conv(0, BRANCH)
        with turns(net).passes.held():
            heard = overhear(net, image, imgsz)
            rows = conv.weight.detach().clone(), None if conv.bias is None else conv.bias.detach().clone()
        return Pass(
            path=path,
            original=image,
            input_shape=(heard.frame.shape[2], heard.frame.shape[3]),
            branch=BRANCH,
            features=heard.features,
            rows=(rows,) * len(heard.logits),
            logits=heard.logits,
            box_logits=heard.regression.T,
            boxes=self._decode(heard.regression, heard.priors).T,
            anchors=torch.empty(0, dtype=torch.int64),
            result=None,
            private=_Made(
                heard=heard, conf=conf, iou=iou, most=net.detections_per_img, most_a_level=net.topk_candidates
            ),
            frame=heard.frame,
            inputs=heard.inputs,
        )

    @torch.inference_mode()
    def finish(self, run: Pass) -> Pass:
        """NMS and result anew from the class logits, as ``postprocess_detections`` does it."""
        found = self.candidates(run)
        kept = batched_nms(found.boxes, found.confidence, found.class_id, run.private.iou)[: run.private.most]
        original = cast("list[int]", run.original.shape[:2])  # height and width; torchvision asks for no list
        boxes = resize_boxes(found.boxes[kept], run.private.heard.resized, original)
        result = TorchvisionResult(boxes, found.confidence[kept], found.class_id[kept])
        return run.evolve(anchors=found.anchor[kept], result=result)

    def found(self, run: Pass) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes (n, 4) xyxy px of the original, scores and labels (n,)."""
        return run.result.boxes, run.result.scores, run.result.labels

    @torch.inference_mode()
    def candidates(self, run: Pass) -> Candidates:
        """Of each level the best pairs of anchor and class above the threshold; boxes are clipped, as NMS sees them."""
        made: _Made = run.private
        raw, parts = made.heard, []
        for score, here in zip(self._scores(run), self.pyramid(run).slices, strict=True):
            over = (score.flatten() > made.conf).nonzero().view(-1)
            confidence, order = score.flatten()[over].topk(min(len(over), made.most_a_level))
            anchor = here.start + over[order] // len(self.names)
            boxes = self._decode(raw.regression[anchor], raw.priors[anchor])
            parts.append((anchor, over[order] % len(self.names), confidence, clip_boxes_to_image(boxes, raw.resized)))
        anchor, class_id, confidence, boxes = map(torch.cat, zip(*parts, strict=True))
        return Candidates(
            anchor=anchor,
            class_id=class_id,
            confidence=confidence,
            boxes=boxes,
            iou_threshold=made.iou,
            shift=_class_shift(boxes),
            pairwise_iou=lambda a, b: box_iou(a, b).double(),
        )

    def xyxy(self, run: Pass, anchors: Tensor) -> Tensor:
        """Boxes of these anchors (n, 4) xyxy px of the network input, not clipped."""
        return run.boxes[:, anchors].T

    def scores(self, run: Pass) -> Tensor:
        """Class probabilities (nc, anchors) float64; those of FCOS weighed with its centerness."""
        return torch.cat(self._scores(run, torch.float64)).T

    def objectness(self, run: Pass) -> tuple[Tensor, ...]:
        """The largest score, centerness included where the head has it, as it is what the threshold is held against."""
        levels = zip(self._scores(run), run.shapes, strict=True)
        return tuple(scores.view(*shape, -1).amax(2) for scores, shape in levels)

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
        return Limits(conf=run.private.conf, most=run.private.most, every_class=True)

    def parts(self) -> dict[str, str]:
        """Paths of the network by part; the pyramid within the backbone is the neck."""
        return super().parts() | {"backbone.fpn": "neck"}

    @staticmethod
    def call(net: nn.Module, images: Tensor) -> Any:
        """The outputs of the head, by name, for a batch (B, 3, H, W)."""
        detector = cast(Detector, net)
        return detector.head(list(_maps(detector, images)))

    def forward(self, images: Tensor, branch: str) -> Outputs:
        """What backbone, neck and head make of a batch (B, 3, H, W), differentiable."""
        inputs = _maps(self.net, images)
        made = [self.level_outputs(level, x, branch) for level, x in enumerate(inputs)]
        logits, raw = zip(*made, strict=True)
        return Outputs(inputs=inputs, logits=logits, raw=raw)

    def level_outputs(self, level: int, x: Tensor, branch: str) -> tuple[Tensor, Tensor]:
        """Of several anchors of a cell the largest logit of each class, and the box outputs of them all."""
        classify, regress = self.net.head.classification_head, self.net.head.regression_head
        logits = classify.cls_logits(classify.conv(x)).unflatten(1, (self.anchors_per_cell, -1)).amax(1)
        raw = regress.bbox_reg(regress.conv(x))
        return logits, (raw.relu() if isinstance(self.net, FCOS) else raw)

    def _decode(self, regression: Tensor, priors: Tensor) -> Tensor:
        coder = self.net.box_coder
        return getattr(coder, "decode_single", coder.decode)(regression, priors)

    def _scores(self, run: Pass, dtype: torch.dtype | None = None) -> list[Tensor]:
        """What the threshold is held against, (anchors, nc) a level."""
        pyramid: Pyramid = self.pyramid(run)
        logits = [pyramid.flatten_level(level).T.contiguous() for level in run.logits]
        scores = [level.to(dtype or level.dtype).sigmoid() for level in logits]
        centerness: Tensor | None = run.private.heard.centerness
        if centerness is None:
            return scores
        centers = centerness.split(pyramid.counts)
        return [(score * center.to(score).sigmoid()).sqrt() for score, center in zip(scores, centers, strict=True)]


def _class_shift(boxes: Tensor) -> float | None:
    """How far ``batched_nms`` moves boxes (n, 4) apart for each class id, px; None where it takes class by class."""
    if boxes.numel() > APART[boxes.device.type != "cpu"]:
        return None
    return float(boxes.max() + 1) if len(boxes) else 0.0


def _maps(net: Detector, images: Tensor) -> tuple[Tensor, ...]:
    """The feature maps (B, c, h, w) that the head reads, one a level."""
    made = net.backbone(images)
    return (made,) if isinstance(made, Tensor) else tuple(made.values())


def _check(net: nn.Module) -> None:
    """Refuse what is no FCOS or RetinaNet, or selects or classifies in a way of its own (UnsupportedModelError)."""
    family = next((kind for kind in (FCOS, RetinaNet) if isinstance(net, kind)), None)
    name = type(net).__name__
    if family is None:
        raise UnsupportedModelError(
            f"{name} is not supported: of torchvision's detectors FCOS and RetinaNet have one class convolution over "
            "pyramid levels; SSD has default boxes, and the R-CNNs classify proposals, not cells."
        )
    kind: Any = type(net)
    if kind.postprocess_detections is not family.postprocess_detections:
        raise UnsupportedModelError(
            f"{name} has a postprocess_detections of its own, which cannot be followed from index to box. "
            "Give the model a describe_head() that says how it selects; see anatomy.Head."
        )
    part = cast(Detector, net).head.classification_head
    conv = part.cls_logits
    if not isinstance(conv, nn.Conv2d) or conv.out_channels != part.num_anchors * part.num_classes:
        raise UnsupportedModelError(
            f"{CLASS_CONV} is {conv}, where a Conv2d with {part.num_anchors} × {part.num_classes} channels (anchors of "
            "a cell × classes) is needed. Set num_classes of the classification head to what the convolution puts out."
        )


def _names(net: Detector) -> dict[int, str]:
    """The class names by id, in order; ValueError where they are not one for each class."""
    count = net.head.classification_head.num_classes
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


def _measure_strides(net: Detector) -> tuple[int, ...]:
    """The stride of each level, from the grids of one small empty image, once a backbone."""
    if net.backbone not in _strides:
        with torch.inference_mode(), turns(net).passes.held(), evaluation_mode(net):
            maps = _maps(net, next(net.parameters()).new_zeros(1, 3, PROBE, PROBE))
        _strides[net.backbone] = tuple(PROBE // level.shape[3] for level in maps)
    return _strides[net.backbone]
