"""Convolution by convolution: where an exported graph begins to deviate from the network that it was exported from."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import UnsupportedModelError
from ..families.exports.network import Export
from ..families.registry import merge
from ..head.head import Head
from ..tracing.trace import Trace
from .differences import difference
from .equivalence import Difference
from .run import Call, listen, shadow


def same_layers(head: Head, export: Export, before: Trace) -> tuple[Difference, ...]:
    """How far the convolutions that both have lie apart on the model's input of a pass, in the order of the graph.

    Those of an Ultralytics network are compared with batch norms merged, as they were exported. Empty where the file
    shows its outputs alone, or none of its convolutions is named as one of the model.
    """
    frame = before.run.frame
    named = getattr(export.reader, "convolutions", None)
    if named is None or frame is None:
        return ()
    mine = _of_export(head.net, frame) if isinstance(head.net, Export) else _of_network(head, frame)
    names = {name: path for name, paths in named().items() if (path := _first(paths, mine)) is not None}
    values = export.reader.intermediate(export.filled(frame.detach().float().cpu().numpy()), names)
    rows = []
    for name, path in names.items():
        theirs = torch.from_numpy(np.array(values[name]))[:1].float()
        if mine[path].shape == theirs.shape:
            rows.append(difference(path, "Conv2d", 0, mine[path], theirs))
    return tuple(rows)


def _first(paths: tuple[str, ...], mine: Mapping[str, Tensor]) -> str | None:
    return next((path for path in paths if path in mine), None)


def _of_export(export: Export, frame: Tensor) -> dict[str, Tensor]:
    """The convolutions of another exported file, by the first path that each may have had."""
    named = getattr(export.reader, "convolutions", dict)()
    values = export.reader.intermediate(export.filled(frame.numpy()), named) if named else {}
    return {paths[0]: torch.from_numpy(np.array(values[name]))[:1].float() for name, paths in named.items() if paths}


def _of_network(head: Head, frame: Tensor) -> dict[str, Tensor]:
    """The outputs of every convolution of the network that predicts, batch norms merged; the first call of each."""
    copied = shadow(head.running, Tensor.detach)
    if any(isinstance(module, nn.BatchNorm2d) for module in copied.modules()):
        try:
            copied = merge(copied, head)
        except UnsupportedModelError:  # nothing to be merged: its convolutions are compared as they are
            copied = copied.eval()
    kept: dict[str, Tensor] = {}

    def keep(call: Call, outputs: list[Tensor]) -> None:
        if isinstance(call.module, nn.Conv2d) and call.path not in kept:
            kept[call.path] = outputs[0].detach().float().cpu().clone()

    def run(images: Tensor) -> Any:
        return type(head).call(copied, images)

    held = next(copied.parameters())
    listen(copied, run, frame.to(held.device, held.dtype).clone(), keep=keep)
    return kept
