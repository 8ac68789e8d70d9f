"""A new ONNX file with edited class rows, and the record of edits that rides along in its metadata."""

import base64
import binascii
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from ...errors import CheckpointError, UnsupportedModelError
from .network import Export
from .reading import GraphReader

ENTRY = "workbench"  # the key of the metadata entry


def edited_file(export: Export, path: Path, beside: Mapping[str, Any]) -> bytes:
    """The content of a new file: the opened one with the rows as they are now, and ``beside`` in its metadata.

    Raises UnsupportedModelError where rows cannot be edited, ValueError where ``path`` is the file that was opened.
    """
    if export.refusal:
        raise UnsupportedModelError(
            f"{export.path.name!r} has no rows to save: {export.refusal}. Edit the model it was exported from."
        )
    if path.exists() and export.path.exists() and path.samefile(export.path):
        raise ValueError(
            f"An export is not written over the file that it was opened from, but {str(path)!r} was given. "
            "Give another name."
        )
    reader = cast(GraphReader, export.reader)
    proto = onnx.ModelProto()
    proto.CopyFrom(reader.graph.proto)
    for source, conv in zip(reader.layout.classes, export.classes, strict=True):
        node = next(node for node in proto.graph.node if list(node.output) == list(source.conv.output))
        held = cast(nn.Conv2d, conv)
        _put(proto, node, 1, held.weight, reader)
        if held.bias is not None:
            _put(proto, node, 2, held.bias, reader)
    kept = [entry for entry in proto.metadata_props if entry.key != ENTRY]
    del proto.metadata_props[:]
    proto.metadata_props.extend(kept)
    proto.metadata_props.add(key=ENTRY, value=json.dumps(_packed(beside)))
    return proto.SerializeToString()


def _put(proto: onnx.ModelProto, node: onnx.NodeProto, place: int, value: Tensor, reader: GraphReader) -> None:
    """Give a convolution this weight or bias; a stored one that others read as well is left to them."""
    name = node.input[place]
    values = value.detach().cpu().contiguous().numpy()
    stored = reader.graph.value(name)
    if stored is not None and np.array_equal(stored, values):
        return
    if sum(list(other.input).count(name) for other in proto.graph.node) > 1:
        taken = set(reader.graph.stored)
        own = name = next(text for i in range(len(taken) + 1) if (text := f"{name}.{i}") not in taken)
        node.input[place] = own
        proto.graph.initializer.append(numpy_helper.from_array(values, own))
        return
    entry = next(entry for entry in proto.graph.initializer if entry.name == name)
    entry.CopyFrom(numpy_helper.from_array(values, name))


def read_beside(entries: Mapping[str, str], path: object) -> dict[str, Any]:
    """What a file carries of edits, as plain data and tensors; CheckpointError where it cannot be read."""
    if ENTRY not in entries:
        return {}
    try:
        found = _unpacked(json.loads(entries[ENTRY]))
    except (ValueError, KeyError, TypeError, RuntimeError, binascii.Error, RecursionError) as error:
        raise CheckpointError(f"{str(path)!r} carries a record of edits that is broken ({error}).") from error
    return found if isinstance(found, dict) else {}


def _packed(value: Any) -> Any:
    if isinstance(value, Tensor):
        array = value.detach().cpu().contiguous().numpy()
        content = base64.b64encode(array.tobytes()).decode()
        return {"tensor": content, "dtype": str(array.dtype), "shape": list(array.shape)}
    if isinstance(value, Mapping):
        return {str(key): _packed(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_packed(entry) for entry in value]
    return value


def _unpacked(value: Any) -> Any:
    if isinstance(value, dict):
        if "tensor" not in value:
            return {key: _unpacked(entry) for key, entry in value.items()}
        kind = value["dtype"]
        if kind not in ("float16", "float32"):
            raise ValueError(f"its tensors are of {kind!r}")
        array = np.frombuffer(base64.b64decode(value["tensor"], validate=True), kind).reshape(value["shape"])
        return torch.from_numpy(array.copy())
    return [_unpacked(entry) for entry in value] if isinstance(value, list) else value
