"""torchvision's FCOS and RetinaNet."""

from ...head.head import Head

HOMES = ("torchvision.models.detection.",)


def load_head() -> type[Head]:
    """The class that describes these heads."""
    from .head import TorchvisionHead

    return TorchvisionHead
