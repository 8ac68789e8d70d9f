"""The text that a head compares its features with, folded into class rows: both heads, to be compared and exchanged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True, eq=False)
class TextFold:
    """A head that compares with text, and the ordinary one that is equal to it. Made by ``Head.fold_text``.

    ``before`` and ``after`` by (branch, level): modules that make class logits (B, nc, h, w) of the feature maps
    (B, c, h, w) that the head reads; before, -inf stands where a filter leaves a cell out. ``put`` gives the network
    the ordinary head, and ``take_back`` the other one again, the very same modules.
    """

    before: Mapping[tuple[str, int], nn.Module]
    after: Mapping[tuple[str, int], nn.Module]
    put: Callable[[], None]
    take_back: Callable[[], None]
