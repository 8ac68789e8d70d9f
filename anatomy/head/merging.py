"""Merging of normalizations and parallel branches into convolutions, as the blocks of a network themselves know it."""

from torch import nn

from ..errors import UnsupportedModelError

MERGES = ("reparameterize", "switch_to_deploy", "fuse")  # what blocks of timm and others call it


def merge_blocks(net: nn.Module) -> nn.Module:
    """Merge in place by the network's own method, or by those of its blocks; UnsupportedModelError if there is none."""
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
