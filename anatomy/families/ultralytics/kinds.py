"""Which description reads an Ultralytics model: by the last layer of its network."""

from typing import Any

from torch import nn
from ultralytics.engine.model import Model
from ultralytics.nn.modules.head import RTDETRDecoder, WorldDetect, YOLOEDetect

from .head import UltralyticsHead
from .queries.head import QueryHead
from .text.head import TextHead

KINDS: tuple[tuple[tuple[type[nn.Module], ...], type[UltralyticsHead]], ...] = (
    ((RTDETRDecoder,), QueryHead),
    ((WorldDetect, YOLOEDetect), TextHead),
)


def kind_of(model: Any) -> type[UltralyticsHead]:
    """The class that describes the head of a YOLO object or network; any other module counts as one of YOLO's."""
    net = model.model if isinstance(model, Model) else model
    layers = getattr(net, "model", None)
    last = layers[-1] if isinstance(layers, nn.Sequential) and len(layers) else net
    return next((kind for modules, kind in KINDS if isinstance(last, modules)), UltralyticsHead)
