"""Whether the last module of an Ultralytics network is a head that can be read: levels, strides and class rows."""

import math
from typing import Any, cast

from torch import nn
from ultralytics.nn.modules import head as heads

from ...errors import UnsupportedModelError
from .declared import DetectHead

WORKS = "Heads that work: Detect, Segment, Pose and OBB of YOLOv3 to YOLO26, v10Detect, RT-DETR, YOLO-World and YOLOE."
REFUSED = {
    "Classify": "a classifier gives one answer for the whole image and has no pyramid levels",
    "SemanticSegment": "a semantic segmentation head labels pixels and makes no boxes",
    "Depth": "a depth head puts out a depth map and makes no boxes",
}
BRANCHES = {"one2many": "cv3", "one2one": "one2one_cv3"}
BOXES = {"one2many": "cv2", "one2one": "one2one_cv2"}


def detect_module(net: Any) -> DetectHead:
    """The detection head of a network; raises UnsupportedModelError where rows are no classes or there is no head."""
    if not isinstance(net, nn.Module):
        raise UnsupportedModelError(
            f"This YOLO object runs an exported file ({net}), whose weights cannot be read or edited here. "
            "Load the PyTorch checkpoint (.pt) that it was exported from."
        )
    layers = getattr(net, "model", None)
    last = layers[-1] if isinstance(layers, nn.Sequential) and len(layers) else net
    for kind in type(last).__mro__:
        if kind.__name__ in REFUSED:
            raise UnsupportedModelError(f"{type(last).__name__} is not supported: {REFUSED[kind.__name__]}. {WORKS}")
    if not isinstance(last, heads.Detect):
        raise UnsupportedModelError(f"The last module is {type(last).__name__}, which is no detection head. {WORKS}")
    if last is net:
        raise UnsupportedModelError(f"{type(last).__name__} is a head alone. Give the network that it belongs to.")
    _check_branches(last)
    check_strides(last)
    return cast(DetectHead, last)


def check_names(head: heads.Detect, names: dict[int, str]) -> dict[int, str]:
    """The names, if they are one for each class row; raises UnsupportedModelError."""
    if sorted(names) != list(range(head.nc)):
        raise UnsupportedModelError(
            f"The head has {head.nc} classes, numbered from 0, but the network's `names` are {len(names)}, with "
            f"the ids {sorted(names)[:8]}. Set model.model.names to one name for each class."
        )
    return names


def wants(head: heads.Detect) -> tuple[str, ...]:
    """What training wants of an object beside its box and class."""
    kinds = {"segments": heads.Segment, "keypoints": heads.Pose}
    return tuple(name for name, kind in kinds.items() if isinstance(head, kind))


def _check_branches(head: heads.Detect) -> None:
    """Of every live branch one box and one class stack a level, the class stack ending in one row for each class."""
    live = [name for name, path in BRANCHES.items() if getattr(head, path, None) is not None]
    if not live:
        raise UnsupportedModelError(
            f"{type(head).__name__} has neither {' nor '.join(BRANCHES.values())}: there are no class convolutions of "
            f"their own to read or edit. {WORKS}"
        )
    for name in live:
        for path in (BOXES[name], BRANCHES[name]):
            stacks = getattr(head, path, None)
            if stacks is None or len(stacks) != head.nl:
                count = "none" if stacks is None else len(stacks)
                raise UnsupportedModelError(
                    f"{type(head).__name__} has {head.nl} levels, so {path} must hold {head.nl} stacks of "
                    f"convolutions, but holds {count}. {WORKS}"
                )
        for index, stack in enumerate(getattr(head, BRANCHES[name])):
            last = stack[-1] if isinstance(stack, nn.Sequential | nn.ModuleList) and len(stack) else stack
            if last is stack or not isinstance(last, nn.Conv2d) or last.out_channels != head.nc:
                raise UnsupportedModelError(
                    f"{BRANCHES[name]}.{index} must be a Sequential that ends in a Conv2d with one output channel for "
                    f"each of the {head.nc} classes, but {'is' if last is stack else 'ends in'} {last}. {WORKS}"
                )


def check_strides(head: heads.Detect) -> None:
    """Refuse strides that are no positive numbers, one a level (UnsupportedModelError)."""
    strides = head.stride.tolist()
    if len(strides) != head.nl or not all(math.isfinite(stride) and stride > 0 for stride in strides):
        raise UnsupportedModelError(
            f"The strides of a head must be {head.nl} positive numbers of px, but those of this {type(head).__name__} "
            f"are {strides}. Ultralytics measures them when it builds a network; set head.stride to one number a level "
            "(8, 16, 32), and model.stride to the same."
        )
