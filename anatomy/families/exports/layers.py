"""The convolutions of an exported graph by the paths that they had in the network, and the precision they are in."""

from onnx import TensorProto

from .graph import Graph, Node

INTEGERS = {TensorProto.INT8, TensorProto.UINT8, TensorProto.INT4, TensorProto.UINT4}


def convolutions(graph: Graph) -> dict[str, tuple[str, ...]]:
    """By output tensor, in the order of the graph: the paths that a convolution may have had, the likeliest first."""
    found = {}
    for node in graph.ordered:
        if node.op_type == "Conv":
            paths = [path for path in (_by_weight(graph, node), _by_scope(node)) if path]
            paths += [path.partition(".")[2] for path in paths if path.startswith("model.model.")]
            found[node.output[0]] = tuple(dict.fromkeys(paths))
    return found


def precision_of(graph: Graph) -> str:
    """ "int8" where a convolution is stored in whole numbers, else "float16" or "float32"."""
    kinds = set()
    for node in graph.proto.graph.node:
        if node.op_type in ("Conv", "QLinearConv"):
            stored = graph.stored.get(_stored_name(graph, node))
            kinds.add(stored.data_type if stored is not None else None)
    if kinds & INTEGERS:
        return "int8"
    return "float16" if TensorProto.FLOAT16 in kinds else "float32"


def _stored_name(graph: Graph, node: Node) -> str:
    """The initializer that holds the weights, behind a DequantizeLinear where there is one."""
    name = node.input[3] if node.op_type == "QLinearConv" else node.input[1]
    maker = graph.maker.get(name)
    return maker.input[0] if maker is not None and maker.op_type == "DequantizeLinear" else name


def _by_weight(graph: Graph, node: Node) -> str:
    """The path in the name of the weights: model.0.conv of model.0.conv.weight; empty where it has none."""
    name = _stored_name(graph, node).removesuffix("_quantized")
    return name.removesuffix(".weight") if name.endswith(".weight") else ""


def _by_scope(node: Node) -> str:
    """The path in the name of the node: model.22.cv2.0.2 of /model.22/cv2.0/cv2.0.2/Conv."""
    path: list[str] = []
    for part in node.name.split("/")[1:-1]:
        if path and part.startswith(f"{path[-1]}."):
            path.pop()
        path.append(part)
    return ".".join(path)
