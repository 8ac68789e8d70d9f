"""One level's class stack of a head that compares with text, as a module, and the class stack that is equal to it.

The text is fixed, so its comparison with normalized features is linear. Where features are normalized by a batch norm
(``BNContrastiveHead``), convolution, norm, text, scale and bias are one convolution. Where they are divided by their
own length (``ContrastiveHead``), a layer norm divides: the length of x is, but for a factor, the spread of (x, -x),
whose mean is 0. Where a filter leaves cells out (``LRPCHead``), a channel that only they have speaks against every
class.
"""

import math
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from ultralytics.nn.modules.block import BNContrastiveHead
from ultralytics.nn.modules.transformer import LayerNorm2d

TINY = 1e-20  # added to a mean square: it keeps a cell without any feature at 0, and changes no other
AGAINST = 1e4  # how fast logits sink below the threshold of a filter


class Contrasted(nn.Module):
    """A class stack and what compares its features with text."""

    text: Tensor

    def __init__(self, stack: nn.Module, contrast: nn.Module, text: Tensor):
        super().__init__()
        self.stack, self.contrast = stack, contrast
        self.register_buffer("text", text.clone())

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps (B, c, h, w) to class logits (B, nc, h, w)."""
        return self.contrast(self.stack(x), self.text.to(x).expand(len(x), -1, -1))


class Filtered(nn.Module):
    """A class stack and a vocabulary behind a filter; the cells that it leaves out have -inf."""

    def __init__(self, stack: nn.Module, head: Any, conf: float):
        super().__init__()
        self.stack, self.vocabulary, self.filter, self.conf = stack, as_conv(head.vocab), None, conf
        if head.enabled and conf:
            self.filter = head.pf

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps (B, c, h, w) to class logits (B, nc, h, w)."""
        features = self.stack(x)
        logits = self.vocabulary(features)
        if self.filter is None:
            return logits
        return logits.masked_fill(self.filter(features).sigmoid() <= self.conf, -math.inf)


@torch.no_grad()
def folded(stack: nn.Sequential, contrast: Any, text: Tensor) -> nn.Sequential:
    """A stack that ends in a convolution with a row a class, equal to ``Contrasted``; earlier layers are the same."""
    *towers, end = stack
    last: Any = end
    if not hasattr(contrast, "logit_scale"):  # fused by Ultralytics: the rows are there
        return nn.Sequential(*towers, _conv(last, last.weight, last.bias))
    scale, unit = contrast.logit_scale.double().exp(), F.normalize(text[0].double(), dim=-1)
    if isinstance(contrast, BNContrastiveHead):
        weight, bias = _normed(last, contrast.norm)
        rows = torch.einsum("ne,echw->nchw", scale * unit, weight)
        return nn.Sequential(*towers, _conv(last, rows, scale * unit @ bias + contrast.bias.double()))
    doubled = _conv(last, torch.cat((last.weight, -last.weight)), torch.cat((last.bias, -last.bias)))
    return nn.Sequential(*towers, doubled, _divider(last), _rows_of(scale * unit, contrast.bias, last))


@torch.no_grad()
def unfiltered(stack: nn.Sequential, head: Any, conf: float) -> nn.Sequential:
    """A stack that ends in the vocabulary's convolution, equal to ``Filtered`` where cells are kept."""
    vocabulary = as_conv(head.vocab)
    if not (head.enabled and conf):
        return nn.Sequential(*stack, vocabulary)
    rows, bias = vocabulary.weight, cast(Tensor, vocabulary.bias)
    one = torch.eye(rows.shape[1]).to(rows)[..., None, None]
    threshold = math.log(conf / (1 - conf))
    parted = _conv(
        vocabulary,
        torch.cat((one, -one, -AGAINST * head.pf.weight)),
        torch.cat((rows.new_zeros(2 * rows.shape[1]), AGAINST * (threshold - head.pf.bias))),
    )
    against = -torch.ones_like(rows[:, :1])
    return nn.Sequential(*stack, parted, nn.ReLU(), _conv(vocabulary, torch.cat((rows, -rows, against), 1), bias))


@torch.no_grad()
def as_conv(layer: nn.Module) -> nn.Conv2d:
    """A linear layer over channels as a convolution of its own; a convolution as another of the same weights."""
    weight, bias = layer.get_parameter("weight").detach(), layer.get_parameter("bias").detach()
    return _conv(weight, weight if weight.ndim == 4 else weight[..., None, None], bias)


def _conv(like: Any, weight: Tensor, bias: Tensor) -> nn.Conv2d:
    """A convolution of one cell with these weights, in precision, device and need of gradient as ``like``."""
    like = getattr(like, "weight", like)
    made = nn.Conv2d(weight.shape[1], weight.shape[0], 1).to(like)
    made.weight.copy_(weight.detach())
    cast(Tensor, made.bias).copy_(bias.detach())
    return made.requires_grad_(like.requires_grad)


def _normed(conv: Any, norm: Any) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution and the batch norm behind it, in evaluation mode, float64."""
    gain = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    bias = (conv.bias.double() - norm.running_mean.double()) * gain + norm.bias.double()
    return conv.weight.double() * gain[:, None, None, None], bias


def _divider(last: Any) -> LayerNorm2d:
    """(x, -x) of ``last``'s channels to (x, -x) / |x|."""
    made = LayerNorm2d(2 * last.out_channels, eps=TINY).to(last.weight)
    made.weight.fill_(1 / math.sqrt(last.out_channels))
    return made.requires_grad_(last.weight.requires_grad)


def _rows_of(unit: Tensor, bias: Tensor, last: Any) -> nn.Conv2d:
    """Class rows that read the first half of the channels; the other half is there for the mean alone."""
    weight = torch.cat((unit, torch.zeros_like(unit)), 1)[..., None, None]
    return _conv(last, weight, bias.double().expand(len(unit)))
