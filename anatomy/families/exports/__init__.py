"""Exported detectors: ONNX files through onnxruntime, TorchScript, and OpenVINO where it is installed."""

from typing import Any

from ...head.head import Head

HOMES = ("anatomy.families.exports.",)


def load_head(model: Any) -> type[Head]:
    """The class that describes these heads."""
    from .head import ExportHead

    return ExportHead
