"""One traced forward pass: which level and which cell made every detection."""

import copy
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..arguments import whole_number, whole_numbers
from ..families.registry import describe
from ..head.evaluating import evaluating
from ..head.forward import Limits, Pass, Targets
from ..head.head import Head
from ..head.letterbox import Letterbox
from ..head.levels import Level, select_class, select_classes, select_level, select_levels
from ..head.passes import run_passes
from ..head.pyramid import Cells, Pyramid
from ..head.rotated import corners_of
from ..head.sources import check_single, nothing_read, several
from ..head.turns import turns
from ..shown import Part, Shown
from .ceiling import sides_at_the_ceiling
from .columns import framed
from .detections import Detections
from .given import check_branch, check_keypoints, check_segments
from .other_tools import as_coco, as_supervision
from .provenance import Provenance, decoded
from .recorded import RecordedHead, recorded, travelled
from .replay import rerun
from .showing import pieces, told
from .silence import silent

if TYPE_CHECKING:
    from polars import DataFrame


class Trace(Shown):
    """What one forward pass made of one image, with the provenance of every detection. Made by ``trace``.

    ``image`` (H, W, 3) uint8 RGB, the original; ``levels``, ``names``; ``input_shape`` (h, w) of the network input in
    px; ``letterbox`` maps between both; ``logits`` one (nc, h, w) tensor a level, before the sigmoid or softmax,
    detached, of ``anchors_per_cell`` anchors the largest;
    ``features`` one (c, h, w) tensor a level, what the class convolution reads; ``inputs`` likewise what the head
    reads, and ``frame`` (3, h, w) what the network reads; ``reg_max`` DFL bins a side, 1: no DFL;
    ``branch`` the one that ran; ``path`` of the source; ``result`` the family's own. Traces do not change.

    A deep copy keeps the model and copies what is the trace's own. Pickled, a trace travels without its model: image,
    network input, feature maps, logits, boxes and detections go along as CPU tensors, 16 MB for YOLOv8n at 640 × 640 px
    and the image. It answers everything else bit for bit, but ``replay``, ``silenced``, ``recomputed`` and ``targets``
    raise RuntimeError.
    """

    def __init__(self, head: Head, pass_: Pass):
        self._head, self._run = head, pass_
        self.levels: tuple[Level, ...] = head.levels
        self.names: dict[int, str] = head.names
        self.input_shape, self.reg_max = pass_.input_shape, head.reg_max
        self.anchors_per_cell, self.grid_offset = head.anchors_per_cell, head.grid_offset
        self.logits: tuple[Tensor, ...] = pass_.logits
        if self.anchors_per_cell != 1:
            self.logits = tuple(level.unflatten(0, (-1, len(self.names))).amax(0) for level in pass_.logits)
        self.branch, self.path, self.result = pass_.branch, pass_.path, pass_.result

    def __reduce__(self) -> tuple:
        return _arrived, (*recorded(self._head, self._run), self._found())

    def __copy__(self) -> "Trace":
        return Trace(self._head, self._run)

    def __deepcopy__(self, memo: dict) -> "Trace":
        memo[id(self._head)] = self._head
        if not isinstance(self._head, RecordedHead):
            memo[id(self._head.net)] = self._head.net
        copied = Trace(self._head, copy.deepcopy(self._run, memo))
        copied.__dict__["detections"] = copy.deepcopy(self._found(), memo)
        return copied

    def _title(self) -> str:
        return told(self)

    def _parts(self) -> Iterable[Part]:
        return pieces(self)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Grid (rows, columns) of each level."""
        return self._run.shapes

    @property
    def head(self) -> Head:
        """The description of the head that this pass was read through."""
        return self._head

    @property
    def run(self) -> Pass:
        """The pass as the head left it."""
        return self._run

    @property
    def features(self) -> tuple[Tensor, ...]:
        """What the class convolution reads, (c, h, w) a level."""
        return tuple(feature[0] for feature in self._run.features)

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What the head reads, (c, h, w) a level."""
        return tuple(level[0] for level in self._run.inputs)

    @property
    def frame(self) -> Tensor | None:
        """What the network reads, (3, h, w) RGB in [0, 1] unless the family scales it otherwise; None: not kept."""
        return None if self._run.frame is None else self._run.frame[0]

    @cached_property
    def image(self) -> np.ndarray:
        """The original, (H, W, 3) uint8 RGB."""
        original = self._run.original
        if original.shape[2] < 3:
            return original[..., :1].repeat(3, 2)
        return np.ascontiguousarray(original[..., 2::-1])

    @cached_property
    def letterbox(self) -> Letterbox:
        """The map between the original and the network input."""
        return self._head.letterbox(self._run)

    @cached_property
    def pyramid(self) -> Pyramid:
        """Where the anchors of this pass lie and how they are numbered."""
        return self._head.pyramid(self._run)

    @property
    def steps(self) -> tuple[tuple[float, float], ...]:
        """From one anchor point to the next, (x, y) px of the network input a level: nearly always the stride."""
        return self.pyramid.steps

    def places(self, anchors: Any = None) -> Cells:
        """Level, row, column and anchor of the cell (``turn``) of ``anchors`` (n,), by default of all."""
        return self.pyramid.cells(anchors)

    def points(self, anchors: Any = None) -> np.ndarray:
        """The anchor points of ``anchors``, by default of all: (n, 2) xy px of the network input."""
        return self.pyramid.points(anchors)

    def anchor(self, level: int | str, row: int, col: int) -> int:
        """The flat anchor of a cell; of several, the one with the largest class logit, where there is a background the
        likeliest. ValueError outside the grid.

        ``level`` by index or by name.
        """
        index = select_level(self.levels, level)
        first = self.pyramid.anchor(index, whole_number(row, "row"), whole_number(col, "col"))
        rows = self._run.logits[index][:, row, col].reshape(-1, len(self.names))
        if self._head.background is not None:
            rows = rows.log_softmax(1)[:, list(self._head.detectable)]
        return first + int(rows.amax(1).argmax())

    def probabilities(self) -> tuple[Tensor, ...]:
        """The class probabilities, one (nc, h, w) tensor a level; of several anchors of a cell each class's largest."""
        levels = (level.unflatten(0, (-1, len(self.names))) for level in self._run.logits)
        return tuple(self._head.probabilities(level, dim=1).amax(0) for level in levels)

    def scores(self) -> Tensor:
        """What the selection holds against its threshold, (nc, anchors) float64 in [0, 1].

        The class probability; FCOS weighs it with its centerness.
        """
        return self._head.scores(self._run)

    def anchor_logits(self) -> Tensor:
        """The class logits of every anchor, (nc, anchors); of several in a cell each has its own."""
        return self.pyramid.flatten(self._run.logits)

    @property
    def rotated(self) -> bool:
        """Whether boxes have an angle: then ``detections.xyxy`` are their upright hulls."""
        return self._head.rotated

    @cached_property
    def corners(self) -> np.ndarray:
        """The corners of each detection's box, (n, 4, 2) float64 xy px of the original; of a rotated box its own."""
        return self._head.corners(self._run).cpu().numpy().astype(np.float64).reshape(-1, 4, 2)

    def objectness(self) -> tuple[Tensor, ...]:
        """How sure each cell is of any object, one (h, w) tensor a level in [0, 1].

        The largest class probability, or the head's own objectness where it has one.
        """
        return self._head.objectness(self._run)

    def decode(self, anchors: Any, classes: Any = None) -> np.ndarray:
        """The boxes of any anchors, (n,) -> (n, 4) xyxy px of the network input, unclipped.

        Where a second stage moves boxes these are its proposals, and with ``classes`` (n,) ids what it makes of them.
        """
        anchors = whole_numbers(anchors, "Anchors")
        self.places(anchors)  # refuses anchors outside the grids
        classes = None if classes is None else whole_numbers(classes, "Classes")
        return decoded(self._head, self._run, anchors, classes)

    def distribution(self, i: int) -> Tensor:
        """DFL bins of detection i: (4, reg_max) probabilities for left, top, right, bottom; bin k is k strides away.

        Generalized Focal Loss, https://arxiv.org/abs/2006.04388. Raises ValueError for a head without DFL.
        """
        if self.reg_max == 1:
            raise ValueError(
                "This head has reg_max = 1: it puts out each side as one number, so there is no distribution to show. "
                "YOLO26 has none; YOLOv8 to YOLO12 have 16 bins a side."
            )
        i = whole_number(i, "A detection, given by its index,")
        if not 0 <= i < len(self.detections):
            raise IndexError(f"Detection {i} does not exist: this image has {len(self.detections)}.")
        bins = self._run.box_logits[:, int(self.detections.anchor[i])].view(4, self.reg_max)
        return bins.float().softmax(1)

    @cached_property
    def cut_sides(self) -> np.ndarray:
        """(n, 4) bool: the left, top, right, lower side of a detection's box ends at the ceiling of its level."""
        return sides_at_the_ceiling(self._run.box_logits, self.reg_max, self.detections.anchor)

    @property
    def cut(self) -> np.ndarray:
        """(n,) bool: detections that the ceiling of their level cuts, on one side at least (``cut_sides``)."""
        return np.any(self.cut_sides, axis=1)

    @property
    def detections(self) -> Detections:
        """What was found, with the level and the cell that made each box."""
        return self._found().of(self)

    def _found(self) -> Detections:
        """The detections, made once; kept without this trace, whose memory a circle would keep."""
        if "detections" not in self.__dict__:
            made = Provenance(self._head, self._run, self.names, self.pyramid, self.letterbox)
            self.__dict__["detections"] = made.detections()
        return self.__dict__["detections"]

    @property
    def limits(self) -> Limits:
        """What the selection was asked for: least confidence, classes, largest number of detections."""
        return self._head.limits(self._run)

    def targets(
        self,
        boxes: Any,
        labels: Iterable[Any],
        *,
        branch: str | None = None,
        segments: Any = None,
        keypoints: Any = None,
    ) -> Targets:
        """What the model's own training makes of this pass and these objects.

        ``boxes`` (n, 4) xyxy px of the original, for a head of rotated boxes (n, 5) xywh and radians or (n, 4, 2)
        corners; ``labels`` (n,) class ids or names. ``branch`` by default that of the pass. ``segments``: of each
        object its polygons, (k, 2) xy px of the original; ``keypoints`` (n, K, 2 or 3), px and whether they are seen:
        for heads whose training wants them. Raises UnsupportedModelError for a head that does not say how it is
        trained, or whose assigner wants more than is given. ``diagnosis.assign`` puts the answer into words.
        """
        if isinstance(self._head, RecordedHead):
            raise travelled("assigning targets")
        device = self._run.boxes.device
        boxes = self.letterbox.to_input(corners_of(boxes) if self.rotated else boxes)
        boxes = torch.as_tensor(boxes, dtype=torch.float32, device=device)
        boxes = boxes if self.rotated else boxes.reshape(-1, 4)
        chosen = [select_class(self.names, label) for label in labels]
        if len(chosen) != len(boxes):
            raise ValueError(f"Each box needs one label, but {len(boxes)} boxes and {len(chosen)} labels were given.")
        classes = torch.as_tensor(chosen, dtype=torch.int64, device=device)
        more: dict[str, Any] = {}
        if branch is not None and branch != self._run.branch:
            more["branch"] = check_branch(branch, self._head.branches)
        if segments is not None and "segments" in self._head.wants:
            more["segments"] = check_segments(segments, len(boxes), self.letterbox)
        if keypoints is not None and "keypoints" in self._head.wants:
            more["keypoints"] = torch.from_numpy(check_keypoints(keypoints, len(boxes), self.letterbox)).to(device)
        return self._head.targets(self._run, boxes, classes, **more)

    def replay(self) -> "Trace":
        """What the model as its class rows are now makes of this image; backbone and neck are not run.

        Class convolutions whose rows have changed since are run again on the features of this pass, then scores,
        selection and result; equal to a fresh ``predict()`` bit for bit, up to rounding where the pass was one of a
        batch. No other change is seen. Raises RuntimeError where the branch is gone, or rows read other features.
        """
        if isinstance(self._head, RecordedHead):
            raise travelled("replay()")
        with turns(self._head.net).rows.held():
            pass_ = rerun(head := self._head.as_now(), self._run)
        return Trace(head, head.finish(pass_))

    def silenced(self, level: Any, classes: Any = "all") -> "Trace":
        """What the head makes of this pass while class rows are silent: their logits here, nothing in the model.

        ``level`` as everywhere, ``classes`` ids, names or "all", which leaves a background as it is; equal to a
        ``replay`` after ``surgery.zero_classes(model, level, classes)``, also where levels share rows, and as quick.
        """
        known = self._head.detectable if isinstance(classes, str) and classes == "all" else self.names
        levels, chosen = select_levels(self.levels, level), select_classes(known, classes)
        pass_ = silent(self._run, levels, chosen, len(self.names), self._head.rows_per_class)
        return Trace(self._head, self._head.finish(pass_))

    def recomputed(self) -> "Trace":
        """The same network input through the network as all its weights are now: ``inputs`` and ``logits`` anew.

        Boxes and detections stay what they were. UnsupportedModelError where a head does not say how to run by steps.
        """
        with torch.inference_mode(False), torch.no_grad(), evaluating(self._head):
            made = self._head.forward(self._head.network_input(self._run).clone(), self.branch)
        many = (len(level) // len(self.names) for level in self._run.logits)
        logits = tuple(level[0].repeat(turns, 1, 1) for level, turns in zip(made.logits, many, strict=True))
        return Trace(self._head, self._run.evolve(inputs=made.inputs, logits=logits))

    def to_df(self) -> "DataFrame":
        """One row a detection, as a polars DataFrame; boxes, centres in px of the original; ``cut`` by its ceiling;
        where a second stage pools boxes, from which level (``level`` proposed them)."""
        return framed(self.detections, self.cut, self.levels if self._run.refined is not None else ())

    def to_supervision(self) -> Any:
        """A ``supervision.Detections`` with level, row, col and anchor in its ``data``; ImportError without it."""
        return as_supervision(self.detections)

    def to_coco(self, image_id: int | str | None = None, categories: Mapping[int, int] | None = None) -> list[dict]:
        """COCO's results format, (x, y, w, h) px of the original; ``image_id`` by default the file's name, as a number
        where it is one, ``categories`` {class id: category}. ValueError for a class that ``categories`` lacks."""
        return as_coco(self.detections, self.path, image_id, categories)


def _arrived(head: Head, pass_: Pass, detections: Detections) -> Trace:
    """A trace that has travelled, with its detections as they were."""
    trace = Trace(head, pass_)
    trace.__dict__["detections"] = detections
    return trace


def stream(
    model: Any,
    source: Any,
    *,
    conf: float = 0.25,
    iou: float = 0.7,
    imgsz: int | Sequence[int] = 640,
    **predict_args: Any,
) -> Generator[Trace, None, None]:
    """Trace every image of a source, one at a time, in constant memory.

    ``source``: whatever ``model.predict`` takes (folder, glob, video, list, array (H, W, 3) uint8 BGR, PIL image,
    tensor (B, 3, H, W) RGB in [0, 1]). ``conf`` and ``iou`` are thresholds in [0, 1], ``imgsz`` the input size in px;
    ``predict_args`` go to ``model.predict``, ``classes`` by id or by name. Both are checked at once: SourceError for
    what is no image, TypeError for an argument that there is not. A file of a folder that cannot be read is skipped
    with Ultralytics' warning. Between two images the model is free: inside the loop it can be edited, traced anew and
    made to predict, by other threads too.
    """
    head = describe(model)
    return _traces(head, run_passes(head, source, conf=conf, iou=iou, imgsz=imgsz, **predict_args))


def _traces(head: Head, passes: Generator[Pass, None, None]) -> Generator[Trace, None, None]:
    with closing(passes):
        for pass_ in passes:
            yield Trace(head, pass_)


def trace(
    model: Any,
    image: Any,
    *,
    conf: float = 0.25,
    iou: float = 0.7,
    imgsz: int | Sequence[int] = 640,
    **predict_args: Any,
) -> Trace:
    """Run one image through the model's own ``predict`` and keep where each detection came from.

    ``model``: a YOLO object, its ``.model``, torchvision's FCOS, RetinaNet, SSD or Faster R-CNN, or any detector that
    fulfils the contract of ``anatomy.Head``. ``image`` and the rest as in ``stream``, but one image: SourceError for
    several, none, or a file that cannot be read.

    >>> anatomy.trace(model, photo, imgsz=192).detections[0].level_name in ("P3", "P4", "P5")
    True
    """
    check_single(image)
    traces = stream(model, image, conf=conf, iou=iou, imgsz=imgsz, **predict_args)
    try:
        first = next(traces, None)
        if first is None:
            raise nothing_read(image)
        if next(traces, None) is not None:
            raise several(image)
        return first
    except OSError as error:
        raise nothing_read(image) from error
    finally:
        traces.close()
