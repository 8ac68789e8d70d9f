"""Exported files opened: read once, checked at the door; nothing of a file runs, and no other file is opened."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from google.protobuf.message import DecodeError
from torch import nn

from ...arguments import shown, whole_number, whole_numbers
from ...errors import CheckpointError, UnsupportedModelError
from .external import take_in
from .graph import Graph, attributes
from .layout import layout_of, weights
from .metadata import Metadata, read_metadata
from .network import Export, ImageInput
from .others import open_openvino, open_torchscript, strides_up_to
from .preprocessing import Preprocessing
from .reading import GraphReader, OutputsReader, pyramid_of
from .runtimes import OnnxOutputs
from .saving import read_beside
from .sources import Source

LARGEST = 2**31 - 1  # bytes of one protobuf message
OPERATORS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}  # the domains that onnxruntime itself brings
HIDDEN = "its class logits were not found in the graph, so neither were the rows that make them"
OPENERS = {".torchscript": open_torchscript, ".xml": open_openvino}
Names = Sequence[str] | Mapping[int, str]


def open_export(
    path: str | os.PathLike,
    *,
    names: Names | None = None,
    preprocessing: Preprocessing | None = None,
    strides: Sequence[int] | None = None,
    trusted: bool = False,
) -> Export:
    """Open an exported detector; see ``anatomy.open_export``."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"An export is given by its path, but {type(path).__name__} was given.")
    path, named = Path(path), _given(names)
    _check_preprocessing(preprocessing)
    strides = None if strides is None else _steps(strides)
    if path.is_dir():
        path = _within(path)
    if path.suffix == ".onnx":
        found = _open_onnx(path, named, preprocessing or Preprocessing(), strides)
    elif path.suffix in OPENERS:
        content = _content(path)
        opener = OPENERS[path.suffix]
        found = opener(path, content, named, preprocessing or Preprocessing(), strides, trusted)
    else:
        raise CheckpointError(
            f"Exports are opened as .onnx, .torchscript or .xml (OpenVINO), but {path.name!r} was given. "
            "Export to one of these: YOLO(…).export(format='onnx')."
        )
    found.reader.prepare()
    return found


def _within(folder: Path) -> Path:
    models = sorted(folder.glob("*.xml"))
    if len(models) != 1:
        raise CheckpointError(f"An OpenVINO folder holds one .xml file, but {str(folder)!r} holds {len(models)}.")
    return models[0]


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r} (working folder: {Path.cwd()}).")
    size = path.stat().st_size
    if size == 0:
        raise CheckpointError(f"{str(path)!r} is empty (0 bytes). Export or copy it again.")
    if size > LARGEST:
        raise CheckpointError(f"{str(path)!r} has {size} bytes, more than the 2 GiB that one message can hold.")
    return path.read_bytes()


def _open_onnx(
    path: Path, given: dict[int, str] | None, preprocessing: Preprocessing, strides: Sequence[int] | None
) -> Export:
    content = _content(path)
    proto = _parsed(content, path)
    _check_operators(proto, path)
    take_in(proto, path)
    entries = {entry.key: entry.value for entry in proto.metadata_props}
    metadata = read_metadata(entries, path, named=given is not None)
    named = given or metadata.names
    graph = Graph(proto)
    _check_task(metadata, path)
    try:
        layout = layout_of(graph, None if named is None else len(named))
        convs, refusal = _convolutions(graph, layout.classes)
        rows = tuple((_kept(conv.weight), None if conv.bias is None else _kept(conv.bias)) for conv in convs)
        reader: Any = GraphReader(graph, layout, rows, metadata.stride, path)
        classes = layout.nc
    except UnsupportedModelError:
        reader = _outputs_alone(graph, named, strides, metadata, content, path)
        if reader is None:
            raise
        convs, refusal, classes = [], HIDDEN, len(named or ())
    export = Export(
        path=path,
        format="ONNX",
        reader=reader,
        image=_image(graph),
        names=named or {index: str(index) for index in range(classes)},
        metadata=metadata,
        preprocessing=preprocessing,
        digest=hashlib.sha256(content).digest(),
        beside=read_beside(entries, path),
    )
    export.classes.extend(convs)
    export.refusal = refusal
    return export


def _image(graph: Graph) -> ImageInput:
    """What the one input of a graph takes."""
    sides = [side.dim_value for side in graph.inputs[0].type.tensor_type.shape.dim]
    return ImageInput(batch=sides[0] or 1, channels=sides[1] or 3, height=sides[2] or None, width=sides[3] or None)


def _outputs_alone(
    graph: Graph,
    names: Mapping[int, str] | None,
    strides: Sequence[int] | None,
    metadata: Metadata,
    content: bytes,
    path: Path,
) -> OutputsReader | None:
    """A reader of the first output, where that is a prediction of all cells by its shape; None where it is not."""
    shape, image = graph.shapes.get(graph.outputs[0], ()), graph.inputs[0].name if len(graph.inputs) == 1 else ""
    size = graph.shapes.get(image, ())
    steps = tuple(strides) if strides is not None else strides_up_to(metadata.stride)
    if names is None or len(shape) != 3 or len(size) != 4 or (shape[1] or 0) < 4 + len(names):
        return None
    if pyramid_of(shape[2] or 0, [side or 0 for side in size[2:]], [(step, step) for step in steps]) is None:
        return None
    runtime = OnnxOutputs(graph.proto.SerializeToString(), image, graph.outputs, path)
    return OutputsReader(runtime, len(names), steps, path, alone=metadata.task == "detect")


def _kept(value: torch.Tensor) -> torch.Tensor:
    """A copy that no edit reaches."""
    return value.detach().float().clone()


def _parsed(content: bytes, path: Path) -> onnx.ModelProto:
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(content)
        whole = bool(proto.graph.node) and bool(proto.graph.output) and bool(proto.opset_import)
    except (DecodeError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"{str(path)!r} is no ONNX file, or is cut short ({len(content)} bytes; {error}). Export or copy it again."
        ) from error
    if not whole:
        raise CheckpointError(
            f"{str(path)!r} holds no whole ONNX graph ({len(proto.graph.node)} nodes, "
            f"{len(proto.graph.output)} outputs, opset "
            f"{[entry.version for entry in proto.opset_import]}). Export or copy it again."
        )
    return proto


def _check_operators(proto: onnx.ModelProto, path: Path) -> None:
    """Refuse operators that are newer than the library, and those that would need code from elsewhere."""
    newest = onnx.defs.onnx_opset_version()
    opset = max((entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")), default=1)
    if opset > newest:
        raise CheckpointError(
            f"{str(path)!r} is written in opset {opset}, but onnx {onnx.__version__} knows opsets up to {newest}. "
            "Export with an older one (opset=17), or update onnx and onnxruntime."
        )
    own = {function.domain for function in proto.functions}
    strange = sorted({node.domain for node in proto.graph.node} - OPERATORS - own)
    compiled = [node.name for node in proto.graph.node if node.op_type == "EPContext"]
    if strange or compiled:
        raise CheckpointError(
            f"{str(path)!r} needs operators that are not onnxruntime's own ({', '.join(strange) or 'compiled code'}); "
            "nothing is loaded for them. Export without custom operators."
        )


def _check_task(metadata: Metadata, path: Path) -> None:
    if metadata.task == "obb":
        raise UnsupportedModelError(
            f"{str(path)!r} has rotated boxes, which are not read from exports. Trace the model it was exported from."
        )


def _convolutions(graph: Graph, classes: Sequence[Source]) -> tuple[list[nn.Conv2d], str]:
    """The class convolutions with the rows of the file; or none of them, and why they cannot be edited."""
    made = []
    for source in classes:
        held = weights(graph, source)
        if isinstance(held, str):
            return [], held
        made.append(_convolution(attributes(source.conv), *held))
    return made, ""


def _convolution(told: Mapping[str, Any], weight: Any, bias: Any) -> nn.Conv2d:
    groups, pads = told.get("group", 1), list(told.get("pads", (0, 0, 0, 0)))
    conv = nn.Conv2d(
        weight.shape[1] * groups,
        weight.shape[0],
        tuple(weight.shape[2:]),
        stride=tuple(told.get("strides", (1, 1))),
        padding=(pads[0], pads[1]),
        dilation=tuple(told.get("dilations", (1, 1))),
        groups=groups,
        bias=bias is not None,
    )
    conv.weight = nn.Parameter(torch.from_numpy(weight.copy()), requires_grad=False)
    if bias is not None:
        conv.bias = nn.Parameter(torch.from_numpy(bias.copy()), requires_grad=False)
    return conv


def _given(names: Names | None) -> dict[int, str] | None:
    """Names as a caller gives them, by id; TypeError and ValueError where they are not one for each class."""
    if names is None:
        return None
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        raise TypeError(f"names must be a sequence of class names, or a mapping of ids to names, not {shown(names)}.")
    entries = names.items() if isinstance(names, Mapping) else enumerate(names)
    found = {whole_number(index, "names are given by class id, which"): str(name) for index, name in entries}
    if not found or sorted(found) != list(range(len(found))):
        raise ValueError(f"names must name the classes 0, 1, 2 … each once, but {names!r} was given.")
    return dict(sorted(found.items()))


def _steps(strides: Any) -> tuple[int, ...]:
    """Strides as a caller gives them, one a level; TypeError and ValueError for what they cannot be."""
    found = tuple(whole_numbers(strides, "strides, in px, one a level,").tolist())
    if not found or min(found) < 1:
        raise ValueError(f"strides must be positive numbers of px, one a level, but {shown(strides)} was given.")
    return found


def _check_preprocessing(given: object) -> None:
    if given is not None and not isinstance(given, Preprocessing):
        raise TypeError(
            f"preprocessing must be an anatomy.Preprocessing, such as Preprocessing(order='BGR'), but {shown(given)} "
            "was given."
        )
