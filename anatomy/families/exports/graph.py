"""An ONNX graph as it is walked: who makes a tensor, who reads it, which values are stored, which shapes are known."""

from collections import deque
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.shape_inference import infer_shapes

Node = onnx.NodeProto
Shape = tuple[int | None, ...]
SIDE = 256  # px, for the sides of an input that has none of its own: a multiple of every stride up to it


class Graph:
    """A model's main graph. ``proto`` is read and never written; ``concrete`` shapes stand for sizes left open."""

    def __init__(self, proto: onnx.ModelProto):
        self.proto = proto
        nodes = proto.graph.node
        self.maker: dict[str, Node] = {name: node for node in nodes for name in node.output if name}
        self.stored: dict[str, onnx.TensorProto] = {entry.name: entry for entry in proto.graph.initializer}
        self.outputs: tuple[str, ...] = tuple(entry.name for entry in proto.graph.output)

    @cached_property
    def readers(self) -> dict[str, list[Node]]:
        """By tensor: the nodes that take it."""
        found: dict[str, list[Node]] = {}
        for node in self.proto.graph.node:
            for name in node.input:
                found.setdefault(name, []).append(node)
        return found

    @cached_property
    def ordered(self) -> list[Node]:
        """The nodes, each after those whose outputs it takes; converters append casts at the end."""
        waiting, done = list(self.proto.graph.node), set[str]()
        found: list[Node] = []
        while waiting:
            later: list[Node] = []
            for node in waiting:
                if any(name in self.maker and name not in done for name in node.input):
                    later.append(node)
                    continue
                found.append(node)
                done.update(node.output)
            if len(later) == len(waiting):  # a circle, which whoever runs it refuses
                return found + later
            waiting = later
        return found

    @property
    def inputs(self) -> list[onnx.ValueInfoProto]:
        """What a caller must give: the inputs that have no stored value."""
        return [entry for entry in self.proto.graph.input if entry.name not in self.stored]

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """By tensor: its shape, None for a side that is not known, with open sides of the input at ``SIDE`` px."""
        concrete = onnx.ModelProto()
        concrete.CopyFrom(self.proto)
        given = {entry.name for entry in self.inputs}
        for entry in concrete.graph.input:
            for place, side in enumerate(entry.type.tensor_type.shape.dim if entry.name in given else ()):
                if not side.dim_value:
                    side.Clear()
                    side.dim_value = 1 if place == 0 else SIDE
        for entry in concrete.graph.output:
            entry.type.tensor_type.ClearField("shape")
        del concrete.graph.value_info[:]
        del concrete.graph.node[:]
        concrete.graph.node.extend(self.ordered)
        inferred = infer_shapes(concrete, data_prop=True).graph
        known = {entry.name: _sides(entry) for entry in (*inferred.value_info, *inferred.input, *inferred.output)}
        return known | {name: tuple(entry.dims) for name, entry in self.stored.items()}

    def value(self, name: str) -> np.ndarray | None:
        """What is stored under a name, as an initializer or by a Constant node; None for what is computed."""
        if name in self.stored:
            return numpy_helper.to_array(self.stored[name])
        node = self.maker.get(name)
        if node is None or node.op_type != "Constant":
            return None
        held = attributes(node).get("value")
        return None if held is None else numpy_helper.to_array(held)

    def above(self, name: str) -> Iterator[str]:
        """The tensors from which one is computed, itself first, the nearest before those farther up."""
        seen, waiting = {name}, deque([name])
        while waiting:
            here = waiting.popleft()
            yield here
            node = self.maker.get(here)
            for entry in node.input if node is not None else ():
                if entry and entry not in seen:
                    seen.add(entry)
                    waiting.append(entry)

    def with_outputs(self, names: Iterable[str]) -> onnx.ModelProto:
        """A copy of the model that gives these tensors as well; the file's own outputs stay first."""
        copied = onnx.ModelProto()
        copied.CopyFrom(self.proto)
        there = {entry.name for entry in copied.graph.output}
        made = set(self.maker)
        for name in dict.fromkeys(names):
            if name in made and name not in there:
                copied.graph.output.append(onnx.ValueInfoProto(name=name))
        return copied


def attributes(node: Node) -> dict[str, Any]:
    """The attributes of a node by name."""
    return {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}


def _sides(entry: onnx.ValueInfoProto) -> Shape:
    return tuple(side.dim_value or None for side in entry.type.tensor_type.shape.dim)
