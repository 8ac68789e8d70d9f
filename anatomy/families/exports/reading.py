"""One run of an exported file, read level by level: from the tensors of its graph, or from its outputs alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper
from torch import Tensor

from ...errors import UnsupportedModelError
from ...head.classes import Rows
from ...head.pyramid import Pyramid
from .graph import Graph
from .layers import convolutions, precision_of
from .layout import Layout, strides_of
from .runtimes import OnnxRuntime, Runtime, Values
from .sources import Source

SURE = 15.0  # the largest logit that is told from a score: 1 - 3e-7, where float32 has a few values left


@dataclass(frozen=True)
class Chosen:
    """Detections that the file itself put out: ``rows`` (k, 6 + extra) x1, y1, x2, y2, score, class; ``anchors`` (k,).

    ``kind`` "nms" or "topk"; the rest as in ``Selection``.
    """

    kind: str
    rows: Tensor
    anchors: Tensor
    conf: float
    iou: float
    most: int
    agnostic: bool


@dataclass(frozen=True)
class Read:
    """What a file made of one input, float32.

    A level each: class ``logits`` (nc, h, w), and ``features`` (1, c, h, w) that the class convolution reads, without
    channels where the file does not show them. Of all anchors: ``box_logits`` (4 * reg_max, A), ``boxes`` (4, A) xyxy
    px of the input, ``scores`` (nc, A), ``extras`` (e, A). ``chosen``: what the file selected, or None.
    """

    logits: tuple[Tensor, ...]
    features: tuple[Tensor, ...]
    box_logits: Tensor
    boxes: Tensor
    scores: Tensor
    extras: Tensor
    chosen: Chosen | None


class GraphReader:
    """An ONNX file whose graph was understood: every tensor of ``layout`` is read. The graph is never changed.

    ``rows``: weight and bias of the class convolution of each level as the file has them, float32; none where they
    cannot be edited. ``strides``: (x, y) px of the input a level.
    """

    def __init__(self, graph: Graph, layout: Layout, rows: tuple[Rows, ...], coarsest: int | None, path: object):
        self.graph, self.layout, self.rows, self._path = graph, layout, rows, path
        self.strides = strides_of(graph, layout, coarsest)
        self._session: OnnxRuntime | None = None
        channels = layout.box_outputs[0].channels if layout.box_outputs else 4
        self.reg_max = channels // 4

    def __getstate__(self) -> dict:
        return {**vars(self), "_session": None}  # a session is made anew where it is wanted

    def prepare(self) -> None:
        """Make the session; CheckpointError where onnxruntime cannot."""
        if self._session is None:
            names = (*self.graph.outputs, *self.layout.tensors)
            content = self.graph.with_outputs(names).SerializeToString()
            self._session = OnnxRuntime(content, self.layout.image, names, self._path)

    @property
    def precision(self) -> str:
        """In which the convolutions are stored: "float32", "float16" or "int8"."""
        return precision_of(self.graph)

    def convolutions(self) -> dict[str, tuple[str, ...]]:
        """By tensor: the paths that a convolution may have had in the network that was exported."""
        return convolutions(self.graph)

    def intermediate(self, frame: np.ndarray, names: Iterable[str]) -> Values:
        """These tensors for an input, by a session of their own, which is not kept."""
        wanted = list(names)
        content = self.graph.with_outputs(wanted).SerializeToString()
        return OnnxRuntime(content, self.layout.image, wanted, self._path).run(frame)

    def values(self, frame: np.ndarray) -> Values:
        """All tensors of the layout and the outputs, by name."""
        self.prepare()
        assert self._session is not None  # prepared above
        return self._session.run(frame)

    def outputs(self, frame: np.ndarray) -> list[np.ndarray]:
        """What the file puts out."""
        values = self.values(frame)
        return [values[name] for name in self.graph.outputs]

    def read(self, frame: np.ndarray) -> Read:
        """What the file makes of an input (1, C, H, W)."""
        values, layout = self.values(frame), self.layout
        logits = tuple(_channels(values, source) for source in layout.classes)
        pyramid = self._pyramid(frame, logits)
        prediction = _tensor(values[layout.prediction])[0]
        raw = [_channels(values, source).flatten(1) for source in layout.box_outputs]
        box_logits = torch.cat(raw, 1) if raw else prediction[:4]
        return Read(
            logits=logits,
            features=tuple(_tensor(values[source.conv.input[0]])[:1] for source in layout.classes),
            box_logits=box_logits,
            boxes=_corners(prediction[:4], box_logits if raw else None, pyramid),
            scores=prediction[4 : 4 + layout.nc],
            extras=prediction[4 + layout.nc :],
            chosen=self._chosen(values),
        )

    def _pyramid(self, frame: np.ndarray, logits: tuple[Tensor, ...]) -> Pyramid:
        """The grids of a pass; UnsupportedModelError where they are not those of the strides."""
        shapes = tuple((level.shape[1], level.shape[2]) for level in logits)
        whole = [(round(frame.shape[2] / y), round(frame.shape[3] / x)) for x, y in self.strides]
        if list(shapes) != whole:
            strides = ", ".join(f"{x:g}" for x, _ in self.strides)
            raise UnsupportedModelError(
                f"{str(self._path)!r} has grids of {list(shapes)} cells on an input of {frame.shape[2]} × "
                f"{frame.shape[3]} px, where strides of {strides} px make {whole}. "
                "Give an input whose sides are multiples of the coarsest stride."
            )
        return Pyramid(shapes=shapes, steps=self.strides)

    def _chosen(self, values: Values) -> Chosen | None:
        selection = self.layout.selection
        if selection is None:
            return None
        anchors = selection.anchors(values)
        rows = _tensor(values[selection.output])[0][: len(anchors)]
        return Chosen(
            kind=selection.kind,
            rows=rows,
            anchors=torch.from_numpy(anchors[: len(rows)]),
            conf=selection.conf,
            iou=selection.iou,
            most=selection.most,
            agnostic=selection.agnostic,
        )

    def class_logits(self, level: int, feature: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The class logits (rows, h, w) of a level with other rows, by the same runtime and kind of kernel."""
        source = self.layout.classes[level]
        content = one_convolution(source, feature, weight, bias)
        values = OnnxRuntime(content, "x", ["y"], self._path).run(feature.numpy())
        return _tensor(values["y"])[0]


class OutputsReader:
    """A file of which the outputs alone are read: (1, 4 + nc + extra, A), boxes xywh px, scores in [0, 1].

    Logits are told from scores, as large as ``SURE`` at most. ``alone``: nothing comes after the scores.
    """

    reg_max = 1
    rows: tuple[Rows, ...] = ()

    def __init__(
        self, runtime: Runtime, classes: int | None, strides: Sequence[int], path: object, *, alone: bool = False
    ):
        self._runtime, self._classes, self._path, self._alone = runtime, classes, path, alone
        self.strides = tuple((float(stride), float(stride)) for stride in strides)

    def prepare(self) -> None:
        """Make the runtime ready; CheckpointError where it cannot be."""
        getattr(self._runtime, "prepare", bool)()

    def _told(self) -> str:
        return ", ".join(f"{stride:g}" for stride, _ in self.strides)

    def _fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an output has boxes, a score for each class, and no more where nothing else should be there."""
        if len(shape) != 3:
            return False
        beside = shape[1] - 4 - (self._classes or 0)
        return beside == 0 or (beside > 0 and (self._classes is None or not self._alone))

    def outputs(self, frame: np.ndarray) -> list[np.ndarray]:
        """What the file puts out."""
        return list(self._runtime.run(frame).values())

    def read(self, frame: np.ndarray) -> Read:
        """What the file makes of an input; UnsupportedModelError where that is no prediction of all cells."""
        prediction = _tensor(self.outputs(frame)[0])
        shape = tuple(prediction.shape)
        pyramid = pyramid_of(shape[2], frame.shape[2:], self.strides) if self._fits(shape) else None
        if pyramid is None:
            raise UnsupportedModelError(
                f"{str(self._path)!r} puts out {shape} for an input of {tuple(frame.shape)}, which is no prediction of "
                f"all cells (1, 4 + {self._classes or ''} classes, cells): which cell made a detection is not known. "
                "Export without selection (nms=None), or as ONNX, whose graph shows it; names= says other classes, "
                f"strides= says other strides than {self._told()}."
            )
        classes = self._classes or shape[1] - 4
        centre, scores = prediction[0, :4], prediction[0, 4 : 4 + classes]
        logits = torch.logit(scores.double()).float().clamp(-104, SURE)  # below it a float32 score is 0
        levels = pyramid.split(logits)
        return Read(
            logits=levels,
            features=tuple(level.new_empty((1, 0, *level.shape[1:])) for level in levels),
            box_logits=centre,
            boxes=from_centre(centre),
            scores=scores,
            extras=prediction[0, 4 + classes :],
            chosen=None,
        )


def pyramid_of(cells: int, shape: Sequence[int], strides: Sequence[tuple[float, float]]) -> Pyramid | None:
    """The pyramid of these strides on an input of (h, w) px; None where it has another number of cells."""
    steps = [round(stride) for stride, _ in strides]
    found = Pyramid.of([(shape[0] // step, shape[1] // step) for step in steps], steps)
    return found if found.count == cells and all(side % max(steps) == 0 for side in shape) else None


def one_convolution(source: Source, feature: Tensor, weight: Tensor, bias: Tensor | None) -> bytes:
    """A model of this one convolution with other rows; it takes "x" and gives "y"."""
    half = weight.dtype == torch.float16
    kind = onnx.TensorProto.FLOAT16 if half else onnx.TensorProto.FLOAT
    held = {"w": weight} if bias is None else {"w": weight, "b": bias}
    node = onnx.NodeProto()
    node.CopyFrom(source.conv)
    del node.input[:], node.output[:]
    node.input.extend(["x", *held])
    node.output.append("y")
    graph = helper.make_graph(
        [node],
        "rows",
        [helper.make_tensor_value_info("x", kind, list(feature.shape))],
        [helper.make_tensor_value_info("y", kind, None)],
        [onnx.numpy_helper.from_array(part.detach().contiguous().numpy(), name) for name, part in held.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


@cache
def _sigmoid_session() -> OnnxRuntime:
    sides = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", "m"]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Sigmoid", ["x"], ["y"])], "sigmoid", sides[:1], sides[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return OnnxRuntime(model.SerializeToString(), "x", ["y"], "sigmoid")


def sigmoid(values: Tensor) -> Tensor:
    """The sigmoid of values (n, m), bit for bit as onnxruntime computes it in a file."""
    return _tensor(_sigmoid_session().run(values.numpy())["y"])


def from_centre(boxes: Tensor) -> Tensor:
    """(4, A) xywh as xyxy."""
    return torch.cat((boxes[:2] - boxes[2:] / 2, boxes[:2] + boxes[2:] / 2))


def _corners(boxes: Tensor, raw: Tensor | None, pyramid: Pyramid) -> Tensor:
    """The decoded boxes (4, A) as xyxy: whether they are so already the raw box outputs tell."""
    centred = from_centre(boxes)
    if raw is None:
        return centred
    told = _decoded(raw, pyramid)
    apart = [(form - told).abs().median() for form in (centred, boxes)]
    return boxes if apart[1] < apart[0] else centred


def _decoded(raw: Tensor, pyramid: Pyramid) -> Tensor:
    """Raw box outputs (4 * reg_max, A) as boxes (4, A) xyxy px: distances to the sides in strides, means of bins.

    Generalized Focal Loss, https://arxiv.org/abs/2006.04388.
    """
    bins = raw.unflatten(0, (4, -1))
    if bins.shape[1] > 1:
        bins = bins.softmax(1) * torch.arange(bins.shape[1]).view(-1, 1)
    sides = bins.sum(1)
    point = torch.from_numpy(pyramid.points()).T
    step = torch.tensor(pyramid.steps)[torch.from_numpy(pyramid.cells().level)].T
    return torch.cat((point - sides[:2] * step, point + sides[2:] * step)).float()


def _channels(values: Mapping[str, Any], source: Source) -> Tensor:
    """The channels of a source in the first image of a batch."""
    return _tensor(values[source.conv.output[0]])[0, source.first : source.last]


def _tensor(value: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(value)).float()
