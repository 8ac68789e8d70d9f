"""Which convolutions a tensor of the head's end is put together from, and which of their channels."""

from collections.abc import Callable
from dataclasses import dataclass

from .graph import Graph, Node, attributes

PASSING = {"Identity", "Cast", "DequantizeLinear", "QuantizeLinear", "Reshape", "Flatten", "Squeeze"}
CONVOLUTIONS = ("Conv", "QLinearConv")
Span = tuple[int, int]  # channels, the last one not included


@dataclass(frozen=True)
class Source:
    """One convolution, and the channels of it that are meant."""

    conv: Node
    first: int
    last: int

    @property
    def channels(self) -> int:
        """How many."""
        return self.last - self.first


def sources(graph: Graph, name: str, span: Span | None = None) -> list[Source] | None:
    """The convolutions, level after level, whose outputs lie one after another in a tensor (B, c, cells) or (B, c, h,
    w); None where anything else has a part in it. ``span``: of these channels alone.
    """
    node = graph.maker.get(name)
    if node is None:
        return None
    if node.op_type in CONVOLUTIONS:
        channels = _channels(graph, name)
        first, last = span or (0, channels or 0)
        return [Source(node, first, last)] if channels and last <= channels else None
    if node.op_type in PASSING:
        same = _channels(graph, node.input[0]) in (None, _channels(graph, name))
        return sources(graph, node.input[0], span) if same else None
    step = STEPS.get(node.op_type)
    return step(graph, node, name, span) if step is not None else None


def _channels(graph: Graph, name: str) -> int | None:
    shape = graph.shapes.get(name, ())
    return shape[1] if len(shape) in (3, 4) else None


def _through_concat(graph: Graph, node: Node, name: str, span: Span | None) -> list[Source] | None:
    rank = len(graph.shapes.get(name, ()))
    axis = attributes(node)["axis"]
    axis = axis + rank if axis < 0 else axis
    if rank and axis == rank - 1:
        return _joined(graph, node, span)
    return _of_channels(graph, node, span) if axis == 1 else None


def _joined(graph: Graph, node: Node, span: Span | None) -> list[Source] | None:
    """Of parts that lie one after another along the cells."""
    found: list[Source] = []
    for entry in node.input:
        part = sources(graph, entry, span)
        if part is None:
            return None
        found += part
    return found


def _of_channels(graph: Graph, node: Node, span: Span | None) -> list[Source] | None:
    """Of the one part that holds all of these channels."""
    if span is None:
        return None
    start = 0
    for entry in node.input:
        count = _channels(graph, entry)
        if count is None:
            return None
        if start <= span[0] and span[1] <= start + count:
            return sources(graph, entry, (span[0] - start, span[1] - start))
        start += count
    return None


def _through_split(graph: Graph, node: Node, name: str, span: Span | None) -> list[Source] | None:
    if attributes(node).get("axis", 0) != 1:
        return None
    counts = [_channels(graph, entry) for entry in node.output]
    place = list(node.output).index(name)
    before = counts[: place + 1]
    if None in before:
        return None
    start = sum(count or 0 for count in counts[:place])
    first, last = span or (0, counts[place] or 0)
    return sources(graph, node.input[0], (start + first, start + last))


def _through_slice(graph: Graph, node: Node, name: str, span: Span | None) -> list[Source] | None:
    parts = [graph.value(entry) if entry else None for entry in node.input[1:]]
    one = [None if part is None or part.size != 1 else int(part.reshape(-1)[0]) for part in parts]
    start, axis, step = one[0], one[2] if len(one) > 2 else None, one[3] if len(one) > 3 else 1
    count = _channels(graph, name)
    if axis != 1 or step != 1 or start is None or start < 0 or count is None:
        return None
    first, last = span or (0, count)
    return sources(graph, node.input[0], (start + first, start + last))


STEPS: dict[str, Callable[[Graph, Node, str, Span | None], list[Source] | None]] = {
    "Concat": _through_concat,
    "Split": _through_split,
    "Slice": _through_slice,
}
