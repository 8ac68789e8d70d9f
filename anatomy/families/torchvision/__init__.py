"""torchvision's FCOS, RetinaNet, SSD and Faster R-CNN: a file each for what they do not share.

``head`` what all have, ``dense`` FCOS and RetinaNet, ``ssd`` SSD and SSDlite, ``two_stages`` Faster R-CNN.
"""

from typing import Any

from ...head.head import Head

HOMES = ("torchvision.models.detection.",)


def load_head(model: Any) -> type[Head]:
    """The class that describes these heads: making one makes that of the model's kind."""
    from . import dense, ssd, two_stages  # noqa: F401  # each names the detectors that it reads
    from .head import TorchvisionHead

    return TorchvisionHead
