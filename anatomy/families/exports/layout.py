"""Where in an exported graph a detector's parts are: class logits and box outputs by level, and what selects boxes."""

from dataclasses import dataclass

import numpy as np

from ...errors import CheckpointError, UnsupportedModelError
from .graph import Graph, Node, attributes
from .selection import Selection, selection_of
from .sources import Source, sources

ROUNDING = ("QuantizeLinear", "DequantizeLinear", "Cast", "Identity")  # which leave a tensor what it is, nearly


@dataclass(frozen=True)
class Layout:
    """The tensors of a graph, by name, from which a pass is read.

    ``classes`` and ``box_outputs``: the convolution of each level that puts out class logits, and raw box outputs
    (empty where they are not to be told). ``prediction`` (B, 4 + nc + extra, A): of all levels one after another boxes,
    scores in [0, 1], and what comes after them, as the file puts it out, or as it selects from it. ``selection``: what
    the graph itself selects, or None.
    """

    image: str
    classes: tuple[Source, ...]
    box_outputs: tuple[Source, ...]
    prediction: str
    selection: Selection | None

    @property
    def nc(self) -> int:
        """How many classes there are."""
        return self.classes[0].channels

    @property
    def tensors(self) -> tuple[str, ...]:
        """All that a pass needs."""
        convs = (*self.classes, *self.box_outputs)
        read = [source.conv.input[0] for source in self.classes]
        chosen = self.selection.tensors if self.selection is not None else ()
        return (*(source.conv.output[0] for source in convs), *read, self.prediction, *chosen)


def layout_of(graph: Graph, classes: int | None) -> Layout:
    """The layout of a graph; ``classes``: how many the file names, None where it names none.

    Raises UnsupportedModelError where it is no detector with per-level class logits, CheckpointError where it is one of
    another number of classes.
    """
    image = _image_input(graph)
    found = [(name, parts) for name in _sigmoids(graph) if (parts := _by_level(graph, name))]
    standing = [(name, parts, whole) for name, parts in found if (whole := _prediction(graph, name)) is not None]
    placed = [entry for entry in standing if classes is None or entry[1][0].channels == classes]
    if standing and not placed:
        raise CheckpointError(
            f"The class convolutions of this graph put out {standing[0][1][0].channels} classes, but {classes} are "
            "named, by names= or else by the file. Give names=, one for each class."
        )
    if not placed:
        raise UnsupportedModelError(
            f"No detector was found in this graph, whose outputs are {_said(graph)}: the class logits of its levels "
            f"({classes or 'any number of'} channels each) should meet in one concatenation and a sigmoid, and stand "
            "behind 4 box channels. Export with Ultralytics, or describe the detector itself; see anatomy.Head."
        )
    _, parts, whole = placed[0]
    boxes = whole.input[0]
    selection = selection_of(graph, whole.output[0], boxes)
    return Layout(
        image=image,
        classes=tuple(parts),
        box_outputs=_box_outputs(graph, boxes, parts),
        prediction=graph.outputs[0] if selection is None else whole.output[0],
        selection=selection,
    )


def _image_input(graph: Graph) -> str:
    given = graph.inputs
    shape = graph.shapes.get(given[0].name, ()) if given else ()
    if len(given) != 1 or len(shape) != 4 or (shape[1] or 0) > 4:
        raise UnsupportedModelError(
            f"A detector takes one image (batch, channels, height, width), but this graph takes "
            f"{', '.join(f'{entry.name} {graph.shapes.get(entry.name)}' for entry in given) or 'nothing'}."
        )
    return given[0].name


def _sigmoids(graph: Graph) -> list[str]:
    return [node.output[0] for node in graph.proto.graph.node if node.op_type == "Sigmoid"]


def _by_level(graph: Graph, name: str) -> list[Source] | None:
    """The class convolutions behind a sigmoid: two levels or more, of as many channels each."""
    parts = sources(graph, graph.maker[name].input[0])
    if parts is None or len(parts) < 2 or len({part.channels for part in parts}) > 1:
        return None
    return parts


def _prediction(graph: Graph, scores: str) -> Node | None:
    """The concatenation of boxes, these scores and whatever comes after them, along the channels."""
    waiting = [scores]
    while waiting:
        name = waiting.pop()
        for node in graph.readers.get(name, ()):
            if node.op_type in ROUNDING and node.input[0] == name:
                waiting.append(node.output[0])
            elif node.op_type == "Concat" and attributes(node)["axis"] in (1, -2) and node.input[1] == name:
                shape = graph.shapes.get(node.input[0], ())
                if len(shape) == 3 and shape[1] == 4:
                    return node
    return None


def _box_outputs(graph: Graph, boxes: str, classes: list[Source]) -> tuple[Source, ...]:
    """The box convolutions of each level: the nearest above the boxes that are four numbers, or bins, a cell."""
    taken = {source.conv.output[0] for source in classes if source.last - source.first == _all(graph, source)}
    for name in graph.above(boxes):
        parts = sources(graph, name) if len(graph.shapes.get(name, ())) == 3 else None
        if parts is None or len(parts) != len(classes) or parts[0].channels % 4:
            continue
        if len({part.channels for part in parts}) == 1 and not {part.conv.output[0] for part in parts} & taken:
            return tuple(parts)
    return ()


def _all(graph: Graph, source: Source) -> int | None:
    return graph.shapes[source.conv.output[0]][1]


def _said(graph: Graph) -> str:
    return ", ".join(f"{name} {tuple(graph.shapes.get(name, ()))}" for name in graph.outputs[:6])


def strides_of(graph: Graph, layout: Layout, coarsest: int | None) -> tuple[tuple[float, float], ...]:
    """From cell to cell, (x, y) px of the input a level.

    From the shapes of the graph; where these are not known, powers of two up to the ``coarsest`` that the exporter
    wrote down (32 if it did not), which every pass is held against.
    """
    height, width = graph.shapes[layout.image][2:]
    found = []
    for place, source in enumerate(reversed(layout.classes)):
        shape = graph.shapes.get(source.conv.output[0], ())
        if len(shape) == 4 and shape[2] and shape[3]:
            found.append(((width or 0) / shape[3], (height or 0) / shape[2]))
        else:
            found.append(((coarsest or 32) / 2**place,) * 2)
    return tuple(reversed(found))


def weights(graph: Graph, source: Source) -> tuple[np.ndarray, np.ndarray | None] | str:
    """Weight (nc, c, kh, kw) and bias (nc,) of a class convolution as the file stores them, or why there are none."""
    node, name = source.conv, source.conv.name or source.conv.output[0]
    if node.op_type != "Conv":
        return f"its class rows ({name}) are stored as whole numbers with a scale ({node.op_type})"
    parts = [graph.stored.get(entry) for entry in node.input[1:] if entry]
    if None in parts or not parts:
        maker = graph.maker.get(node.input[1])
        if maker is not None and maker.op_type == "DequantizeLinear":
            return f"its class rows ({name}) are stored as whole numbers with a scale (INT8)"
        return f"its class rows ({name}) are not among the file's initializers, but computed"
    values = [graph.value(entry) for entry in node.input[1:] if entry]
    weight, bias = values[0], values[1] if len(values) > 1 else None
    if weight is None or weight.dtype not in (np.float16, np.float32):
        return f"its class rows ({name}) are of no precision that is edited here"
    if source.channels != len(weight):
        return f"its class rows ({name}) are {source.channels} of {len(weight)} rows of one convolution"
    return weight, bias
