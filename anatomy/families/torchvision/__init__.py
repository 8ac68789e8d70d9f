"""torchvision's FCOS and RetinaNet."""

from typing import Any

from ...head.head import Head

HOMES = ("torchvision.models.detection.",)


def load_head(model: Any) -> type[Head]:
    """The class that describes these heads, whichever the model."""
    from .head import TorchvisionHead

    return TorchvisionHead
