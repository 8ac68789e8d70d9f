"""Random class rows that detect something: what the tests give to networks that were never trained."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

LOGIT = -1.1  # just below 0.25 as a probability, the least confidence by default


def as_frame(picture: np.ndarray) -> Tensor:
    """A (H, W, 3) uint8 BGR picture as a network reads it: (1, 3, H, W) RGB in [0, 1]."""
    return torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1)[None] / 255


@torch.no_grad()
def what_convs_read(net: Callable, frame: Tensor, convs: Sequence[nn.Conv2d]) -> list[Tensor]:
    """The input of each of these convolutions while the network runs."""
    caught: dict[int, Tensor] = {}
    hooks = [conv.register_forward_pre_hook(partial(_note, caught, place)) for place, conv in enumerate(convs)]
    net(frame)
    for hook in hooks:
        hook.remove()
    return [caught[place] for place in range(len(convs))]


def _note(caught: dict, place: int, module: nn.Module, inputs: tuple) -> None:
    caught[place] = inputs[0]


@torch.no_grad()
def spread_out(net: Callable, picture: np.ndarray, convs: Sequence[nn.Conv2d], seed: int, share: float = 0.3) -> None:
    """Class rows at random; in about ``share`` of the cells of a level the largest exceeds the least confidence."""
    for conv, features in zip(convs, unit_outputs(net, picture, convs, seed), strict=True):
        conv.bias.add_(LOGIT - conv(features).amax(1).flatten().quantile(1 - share))


@torch.no_grad()
def unit_outputs(net: Callable, picture: np.ndarray, convs: Sequence[nn.Conv2d], seed: int) -> list[Tensor]:
    """Rows at random, whose outputs have mean 0 and spread 1 over the cells of a level; gives what they read."""
    generator = torch.Generator().manual_seed(seed)
    read = what_convs_read(net, as_frame(picture), convs)
    for conv, features in zip(convs, read, strict=True):
        conv.weight.normal_(generator=generator)
        conv.bias.zero_()
        outputs = conv(features)
        mean, spread = outputs.mean((0, 2, 3)), outputs.std((0, 2, 3)) + 1e-6
        conv.weight.div_(spread[:, None, None, None])
        conv.bias.copy_(-mean / spread)
    return read
