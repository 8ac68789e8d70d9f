"""The fixed vocabulary of a YOLO-World or YOLOE network, and in which state its head holds it."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from ultralytics.nn.modules.head import WorldDetect

from ....errors import UnsupportedModelError
from ..declared import DetectHead
from ..layout import check_strides

CONTRASTS = {"one2many": "cv4", "one2one": "one2one_cv4"}
FILTERED = {"one2many": "lrpc", "one2one": "one2one_lrpc"}


def text_module(net: Any) -> DetectHead:
    """The head of a network that is known to end in one of these; UnsupportedModelError without a vocabulary."""
    head = net.model[-1] if hasattr(net, "model") else net
    if head is net:
        raise UnsupportedModelError(f"{type(head).__name__} is a head alone. Give the network that it belongs to.")
    check_strides(head)
    if not holds_text(head) and _text(net, head) is None:
        raise UnsupportedModelError(
            f"{type(head).__name__} has no vocabulary yet: its classes are whatever text it is given. Fix them with "
            "model.set_classes(names)."
        )
    return cast(DetectHead, head)


def holds_text(head: nn.Module) -> bool:
    """Whether the text has become class rows within the head: fused by Ultralytics, or made prompt-free."""
    return bool(getattr(head, "is_fused", False)) or hasattr(head, "lrpc")


def is_prompt_free(head: nn.Module) -> bool:
    """Whether a filter of proposals stands before the class rows, which then read a vocabulary of their own."""
    return hasattr(head, "lrpc")


def filters(head: Any, branch: str) -> Any:
    """The filters of a branch, one a level, each with its vocabulary; None where the head is not prompt-free."""
    own = getattr(head, FILTERED[branch], None)
    return getattr(head, "lrpc", None) if own is None else own


def words(net: Any) -> Tensor:
    """What the contrasts of a network read, (1, nc, embed); of class rows within the head, text that nothing reads."""
    head = net.model[-1]
    text = None if is_prompt_free(head) else _text(net, head)
    return torch.zeros(1, head.nc, 1) if text is None else text.detach()


def _text(net: Any, head: nn.Module) -> Tensor | None:
    return net.txt_feats if isinstance(head, WorldDetect) else getattr(net, "pe", None)
