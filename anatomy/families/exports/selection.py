"""What a graph selects by itself (non-maximum suppression, or the best k), and through which indices."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...errors import UnsupportedModelError
from .graph import Graph, Node, attributes

FIRST = {"Reshape", "Pad", "Squeeze", "Unsqueeze", "Slice", "Transpose", "Cast", "Identity", "Split", "Flatten"}
FIRST |= {"Concat", "Expand", "QuantizeLinear", "DequantizeLinear"}
GATHERS = {"Gather", "GatherND", "GatherElements"}


@dataclass(frozen=True)
class Selection:
    """Detections that the graph puts out: rows (k, 6 + extra) of x1, y1, x2, y2, score, class, of anchors by index.

    ``kind`` "nms" or "topk"; ``output``: the rows' tensor; ``indices``: the tensors of indices that lead from the rows
    to the anchors, the last one into the anchors themselves. ``conf`` and ``iou`` as the graph holds them; ``most``
    rows; ``agnostic``: classes are not told apart.
    """

    kind: str
    output: str
    indices: tuple[str, ...]
    conf: float
    iou: float
    most: int
    agnostic: bool

    @property
    def tensors(self) -> tuple[str, ...]:
        """What must be read in a pass."""
        return self.output, *self.indices

    def anchors(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """The anchors (k,) of the rows, by the indices themselves."""
        parts = [_flat(values[name]) for name in self.indices]
        found = parts[-1]
        for outer in parts[-2::-1]:
            found = found[outer]
        return found.astype(np.int64)


def selection_of(graph: Graph, prediction: str, boxes: str) -> Selection | None:
    """What the graph selects after its prediction; None where that is what it puts out.

    Raises UnsupportedModelError for a selection that cannot be followed from row to anchor.
    """
    name, indices = graph.outputs[0], []
    output = name
    while name not in (prediction, boxes):
        node = graph.maker.get(name)
        if node is None:
            raise _lost(output)
        if node.op_type in GATHERS:
            if not _one_place(graph, node):
                indices.append(node.input[1])
            name = node.input[0]
        elif node.op_type == "ScatterND":
            name = node.input[2]
        elif node.op_type in FIRST:
            name = node.input[0]
        else:
            raise _lost(output, node)
    if not indices:
        return None
    return _told(graph, output, tuple(indices))


def _told(graph: Graph, output: str, indices: tuple[str, ...]) -> Selection:
    shape = graph.shapes.get(output, ())
    above = [graph.maker[name] for name in graph.above(output) if name in graph.maker]
    suppressing = {id(node): node for node in above if node.op_type == "NonMaxSuppression"}
    ranking = {id(node): node for node in above if node.op_type == "TopK"}
    if len(suppressing) > 1:
        raise UnsupportedModelError(
            "The graph suppresses several images of a batch one by one. Export it with batch=1, or without NMS "
            "(nms=None)."
        )
    if len(shape) != 3 or (not suppressing and not ranking):
        raise _lost(output)
    node = next(iter(suppressing.values()), None)
    return Selection(
        kind="topk" if node is None else "nms",
        output=output,
        indices=indices,
        conf=0.0 if node is None else _threshold(graph, above),
        iou=1.0 if node is None else _number(graph, node, 3),
        most=shape[1] or 300,
        agnostic=len(ranking) == 1 if node is None else not _by_class(graph, node),
    )


def _by_class(graph: Graph, node: Node) -> bool:
    """Whether the boxes that are suppressed stand apart by class."""
    makers = (graph.maker.get(name) for name in graph.above(node.input[0]))
    return any(maker is not None and maker.op_type == "ArgMax" for maker in makers)


def _threshold(graph: Graph, above: list[Node]) -> float:
    """The confidence that a candidate must exceed, from the comparison that NonZero reads."""
    for node in above:
        if node.op_type == "NonZero":
            maker = graph.maker.get(node.input[0])
            if maker is not None and maker.op_type == "Greater":
                return _number(graph, maker, 1)
    return 0.0


def _number(graph: Graph, node: Node, place: int) -> float:
    held = graph.value(node.input[place]) if len(node.input) > place and node.input[place] else None
    return 0.0 if held is None else float(np.float32(held.reshape(-1)[0]))


def _one_place(graph: Graph, node: Node) -> bool:
    """Whether a gathering takes one stored place, as of the one image of a batch."""
    held = graph.value(node.input[1])
    return node.op_type == "Gather" and held is not None and held.size == 1 and attributes(node).get("axis", 0) == 0


def _flat(indices: np.ndarray) -> np.ndarray:
    """Indices as a graph holds them, (k,), (k, 1), (1, k) or (1, k, repeated), as (k,)."""
    if indices.ndim == 3:
        return indices[0, :, 0]
    if indices.ndim == 2:
        return indices[:, 0] if indices.shape[1] == 1 else indices[0]
    return indices


def _lost(output: str, node: Node | None = None) -> UnsupportedModelError:
    where = f" at {node.op_type} {node.name!r}" if node is not None else ""
    return UnsupportedModelError(
        f"What the graph selects ({output!r}) cannot be followed from its rows to the cells{where}, so no detection's "
        "level would be known. Export without selection (nms=None), or with Ultralytics' own nms=True."
    )
