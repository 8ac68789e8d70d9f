"""A copy of a network as it runs in deployment: normalizations and parallel branches merged into convolutions."""

from copy import deepcopy

from torch import nn

from .errors import UnsupportedModelError
from .layers_run import network
from .turns import undisturbed

MERGES = ("reparameterize", "switch_to_deploy", "fuse")  # what blocks of timm and others call it


def fused(model) -> nn.Module:
    """A copy of a model's network, or of any block, merged for inference; the original stays as it is.

    Ultralytics' own ``fuse()`` for its networks and blocks; elsewhere the ``reparameterize``, ``switch_to_deploy`` or
    ``fuse`` of the network or of its blocks. Raises UnsupportedModelError where nothing can be merged.
    """
    net = network(model)[0]
    with undisturbed(net):
        copied = deepcopy(net)
    return merge(copied.eval())


def merge(net: nn.Module) -> nn.Module:
    """Merge in place what the network's own methods can merge."""
    if any(type(module).__module__.startswith("ultralytics.") for module in net.modules()):
        from .ultralytics_head import fuse

        return fuse(net)
    whole = _method(net)
    blocks = [whole] if whole else [found for found in map(_method, list(net.modules())[1:]) if found]
    if not blocks:
        raise UnsupportedModelError(
            f"{type(net).__name__} has nothing that can be merged: neither it nor its blocks have a method "
            f"{', '.join(MERGES)}. Compare it as it is."
        )
    for block in blocks:
        block()
    return net.eval()


def _method(module: nn.Module):
    return next((found for name in MERGES if callable(found := getattr(module, name, None))), None)
