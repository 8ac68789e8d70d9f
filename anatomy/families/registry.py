"""Which family of detectors reads a model; this file alone tells families apart."""

from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any

from torch import nn

from ..errors import UnsupportedModelError
from ..head.head import Head
from .ultralytics.version import check_version


def _ultralytics() -> type[Head]:
    check_version()
    from .ultralytics.head import UltralyticsHead

    return UltralyticsHead


def _torchvision() -> type[Head]:
    from .torchvision.head import TorchvisionHead

    return TorchvisionHead


# where the classes of a family's models and modules are defined, and what loads the description of its heads
FAMILIES: Mapping[str, Callable[[], type[Head]]] = {
    "ultralytics.": _ultralytics,
    "torchvision.models.detection.": _torchvision,
}


def family(model: Any) -> type[Head] | None:
    """The class that describes models such as this one, or modules such as they are made of; None: no known family."""
    homes = [kind.__module__ for kind in type(model).__mro__]
    return next((load() for place, load in FAMILIES.items() if any(home.startswith(place) for home in homes)), None)


def describe(model: Any) -> Head:
    """The description of a model's head.

    ``model`` is a YOLO object, its ``.model``, torchvision's FCOS or RetinaNet, or any detector whose
    ``describe_head()`` returns a ``Head``.
    Raises UnsupportedModelError, with the reason and what works, for a model without per-level class rows.
    """
    if describes_itself(model):
        return model.describe_head()
    found = family(model)
    if found is not None:
        return found(model)  # pyright: ignore[reportCallIssue]  # each family's own head is made of a model
    raise UnsupportedModelError(
        f"{type(model).__name__} is no detector that the workbench knows: it takes an Ultralytics YOLO object, its "
        "`.model`, torchvision's FCOS or RetinaNet, or a detector with a `describe_head()` method. Consider "
        "`YOLO('yolov8n.pt')`."
    )


def describes_itself(model: Any) -> bool:
    """Whether a model has a ``describe_head()`` of its own."""
    return callable(getattr(type(model), "describe_head", None))


def plain_network(model: Any) -> Any:
    """The network of a model object, detector or not; what is neither a module nor known to hold one comes back."""
    if describes_itself(model) and not isinstance(model, nn.Module):
        return model.describe_head().net
    return (family(model) or Head).network(model)


def merge(net: nn.Module, head: Head | None = None) -> nn.Module:
    """Merge a network or block in place: as the head says, else as the family of its modules does it.

    Raises UnsupportedModelError where nothing can be merged.
    """
    if head is not None and type(head).fuse is not Head.fuse:
        return type(head).fuse(net)
    known = (family(module) or Head for module in net.modules())
    return next((found for found in known if found.fuse is not Head.fuse), Head).fuse(net)


def open_checkpoint(path: str | PathLike, *, trusted: bool = False) -> Any:
    """A YOLO object from exactly this ``.pt`` file; nothing of the file runs unless ``trusted``.

    The file is read once, as values alone; its tensors and plain attributes are put into modules made here, of classes
    of torch and Ultralytics. Raises FileNotFoundError, and CheckpointError (a ValueError) for a file that is no whole
    checkpoint, or that asks for more: the message names what. ``trusted`` opens it as ``YOLO(path)`` does, which runs
    whatever the file asks for.
    """
    check_version()
    from .ultralytics.opening import open_checkpoint

    return open_checkpoint(path, trusted=trusted)
