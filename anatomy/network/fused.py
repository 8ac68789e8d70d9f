"""A copy of a network as it runs in deployment: normalizations and parallel branches merged into convolutions."""

from copy import deepcopy
from typing import Any

from torch import nn

from ..families.registry import merge
from ..head.turns import undisturbed
from .run import network


def fused(model: Any) -> nn.Module:
    """A copy of a model's network, or of any block, merged for inference; the original stays as it is.

    Ultralytics' own ``fuse()`` for its networks and blocks; elsewhere the ``reparameterize``, ``switch_to_deploy`` or
    ``fuse`` of the network or of its blocks. Raises UnsupportedModelError where nothing can be merged.

    >>> type(anatomy.fused(model)).__name__
    'DetectionModel'
    """
    net, head = network(model)
    with undisturbed(net):
        copied = deepcopy(net)
    return merge(copied.eval(), head)
