"""Which family of detectors reads a model. The families are the packages beside this file, found by looking.

Each says in its ``__init__``, which loads no foreign library: ``HOMES``, where the classes of its models and modules
are defined, and ``load_head()``, the class that describes its heads.
"""

from functools import cache
from importlib import import_module
from os import PathLike
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from torch import nn

from ..errors import UnsupportedModelError
from ..head.head import Head


@cache
def families() -> tuple[ModuleType, ...]:
    """The families that there are, each as its package."""
    here = __package__
    beside = iter_modules([str(Path(__file__).parent)])
    return tuple(import_module(f"{here}.{entry.name}") for entry in beside if entry.ispkg)


def family(model: Any) -> type[Head] | None:
    """The class that describes models such as this one, or modules such as they are made of; None: no known family."""
    homes = tuple(kind.__module__ for kind in type(model).__mro__)
    for entry in families():
        if any(home.startswith(entry.HOMES) for home in homes):
            return entry.load_head()
    return None


def describe(model: Any) -> Head:
    """The description of a model's head.

    ``model`` is a YOLO object, its ``.model``, torchvision's FCOS or RetinaNet, or any detector whose
    ``describe_head()`` returns a ``Head``.
    Raises UnsupportedModelError, with the reason and what works, for a model without per-level class rows.

    >>> anatomy.describe(model).branches
    ('one2many',)
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
    from . import ultralytics

    return ultralytics.open_checkpoint(path, trusted=trusted)
