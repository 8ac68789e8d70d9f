"""TorchScript and OpenVINO: programs whose outputs alone are seen."""

import hashlib
import json
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from ...errors import CheckpointError, UnsupportedModelError
from .metadata import Metadata, read_metadata
from .network import Export, ImageInput
from .preprocessing import Preprocessing
from .reading import OutputsReader
from .runtimes import OpenVinoRuntime, Runtime, TorchScriptRuntime, first_line

CONFIG = "config.txt"  # where Ultralytics keeps its metadata in a TorchScript archive
Names = Mapping[int, str] | None
Strides = Sequence[int] | None
REFUSAL = "a {} file shows its outputs alone, not the rows that made them"


def open_torchscript(
    path: Path, content: bytes, names: Names, preprocessing: Preprocessing, strides: Strides, trusted: bool
) -> Export:
    """A TorchScript file is a program: opening it may run parts of it, so it is opened if ``trusted`` alone."""
    if not zipfile.is_zipfile(BytesIO(content)):
        raise CheckpointError(f"{str(path)!r} is no TorchScript archive, or is cut short. Export or copy it again.")
    if not trusted:
        raise CheckpointError(
            f"{str(path)!r} is a TorchScript program, parts of which may run when it is opened. Say trusted=True if "
            "you know who wrote it, or export to ONNX, which is read without running."
        )
    extra = {CONFIG: ""}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # newer torch would have files of another kind
            program = torch.jit.load(BytesIO(content), map_location="cpu", _extra_files=extra).eval()
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(f"{str(path)!r} is no whole TorchScript file: {first_line(error)}.") from error
    metadata = read_metadata(_json(extra[CONFIG]), path, named=names is not None)
    return _export(path, "TorchScript", TorchScriptRuntime(program), content, metadata, names, preprocessing, strides)


def open_openvino(
    path: Path, content: bytes, names: Names, preprocessing: Preprocessing, strides: Strides, trusted: bool
) -> Export:
    """An OpenVINO model: the .xml with its .bin beside it, and Ultralytics' metadata.yaml where there is one."""
    try:
        import openvino  # pyright: ignore[reportMissingImports]  # where it is installed
    except ImportError as error:
        raise CheckpointError(
            f"{str(path)!r} needs the package openvino, which is not installed: pip install openvino. Or "
            "export to ONNX."
        ) from error
    weights = path.with_suffix(".bin")
    if not weights.is_file():
        raise CheckpointError(f"The weights {weights.name!r} are missing beside {path.name!r}. Copy both.")
    try:
        compiled = openvino.Core().compile_model(openvino.Core().read_model(path, weights), "CPU")
    except Exception as error:  # its errors have no common class but Exception
        raise CheckpointError(f"OpenVINO cannot open {str(path)!r}: {first_line(error)}.") from error
    runtime, metadata = (
        OpenVinoRuntime(compiled),
        read_metadata(_yaml(path.parent / "metadata.yaml"), path, named=names is not None),
    )
    digest = content + hashlib.sha256(weights.read_bytes()).digest()
    return _export(path, "OpenVINO", runtime, digest, metadata, names, preprocessing, strides)


def _export(
    path: Path,
    kind: str,
    runtime: Runtime,
    content: bytes,
    metadata: Metadata,
    names: Names,
    preprocessing: Preprocessing,
    strides: Strides,
) -> Export:
    if metadata.end2end or (metadata.args or {}).get("nms") is True or metadata.task == "obb":
        raise UnsupportedModelError(
            f"{str(path)!r} puts out {'rotated' if metadata.task == 'obb' else 'selected'} boxes, and in a {kind} file "
            "their cells are not to be seen. Export to ONNX, whose graph shows them, or without selection (nms=None)."
        )
    if metadata.imgsz is None:
        raise UnsupportedModelError(
            f"{str(path)!r} does not say for which input size it was made. Export it with Ultralytics, or to ONNX."
        )
    named = names or metadata.names
    classes = None if named is None else len(named)
    height, width = metadata.imgsz
    told = tuple(strides) if strides is not None else strides_up_to(metadata.stride)
    export = Export(
        path=path,
        format=kind,
        reader=OutputsReader(runtime, classes, told, path, alone=metadata.task == "detect"),
        image=ImageInput(batch=1, channels=3, height=height, width=width),
        names=named or {},
        metadata=metadata,
        preprocessing=preprocessing,
        digest=hashlib.sha256(content).digest(),
        beside={},
    )
    export.refusal = REFUSAL.format(kind)
    if not export.names:
        raise UnsupportedModelError(f"{str(path)!r} names no classes. Give names=, one for each.")
    return export


def strides_up_to(coarsest: int | None) -> tuple[int, ...]:
    """8, 16 … up to the coarsest stride, which exporters write down."""
    found = [8]
    while found[-1] < (coarsest or 32):
        found.append(found[-1] * 2)
    return tuple(found)


def _json(text: Any) -> dict:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _yaml(path: Path) -> dict:
    import yaml

    try:
        found = yaml.safe_load(path.read_text()) if path.is_file() else {}
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}
