"""A short pass through a network that came from a file: its layers must fit each other, its head, and the memory."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from ultralytics.nn.modules import block, transformer
from ultralytics.nn.modules.head import Detect

from .declared import Network

SIDE = 64  # px of the image
LARGEST_STRIDE = 256  # as Ultralytics' own networks are built: images are padded to a multiple of it
MOST_CHANNELS = 64  # of an image
LARGEST = 8 << 20  # bytes that one layer may be given, or make, of an image of 64 px; a hundred times that at 640
TOGETHER = 32 << 20  # bytes that all layers may make, and twice the bytes of the file
FINEST_ATTENTION = 8  # px: attention takes the memory of all pairs of cells
ATTENTION = (block.Attention, block.AAttn, transformer.AIFI, transformer.TransformerBlock)
NOT_WHOLE = (TypeError, ValueError, AttributeError, LookupError, RuntimeError, ArithmeticError, NotImplementedError)


def rehearse(net: Network, size: int, refusal: Callable[[str], Exception]) -> None:
    """Run a network, in evaluation mode, on one small image; ``size``: the bytes of its file.

    Each layer is asked what it would make before it runs. Nothing of the pass is left in the network.
    """
    head = net.model[-1]
    channels = (getattr(net, "yaml", None) or {}).get("channels", 3)
    if type(channels) is not int or not 1 <= channels <= MOST_CHANNELS:
        raise refusal("does not say how many channels an image has")
    side = max(SIDE, _largest_stride(net, refusal))
    meter = Meter(TOGETHER + 2 * size, side / SIDE, refusal)
    kept, handles = dict(vars(head)), [module.register_forward_pre_hook(meter) for module in net.modules()]
    try:
        with torch.no_grad():
            net(torch.zeros(1, channels, side, side))
    except NOT_WHOLE as error:
        if meter.refused is error:
            raise
        raise refusal(f"has layers that do not fit each other ({_first_line(error)})") from error
    finally:
        for handle in handles:
            handle.remove()
        vars(head).clear()
        vars(head).update(kept)


class Meter:
    """A forward pre-hook: refuses a layer that would take more memory than one of a network of this size can need."""

    def __init__(self, most: int, scale: float, refusal: Callable[[str], Exception]):
        self._left, self._scale, self._refusal = most * scale**2, scale, refusal
        self.refused: Exception | None = None

    def __call__(self, module: nn.Module, inputs: tuple) -> None:
        given = sum(tensor.numel() for tensor in _tensors(inputs)) * 4
        makes = sum(_makes(module, tensor) for tensor in _tensors(inputs[:1])) * 4
        self._left -= makes if not module._modules else 0
        fine = isinstance(module, ATTENTION) and inputs[0].shape[-1] * FINEST_ATTENTION > SIDE * self._scale
        if max(given, makes) > LARGEST * self._scale**2 or self._left < 0 or fine:
            self.refused = self._refusal(f"has a {type(module).__name__} that would fill the memory")
            raise self.refused


def _tensors(given) -> Iterator[Tensor]:
    if isinstance(given, Tensor):
        yield given
    elif isinstance(given, tuple | list):
        for entry in given:
            yield from _tensors(entry)
    elif isinstance(given, dict):
        yield from _tensors(list(given.values()))


def _makes(module: nn.Module, given: Tensor) -> int:
    """How many numbers a layer makes of a tensor."""
    if isinstance(module, nn.modules.conv._ConvNd):
        return given.shape[0] * module.out_channels * math.prod(_sides(module, given))
    if isinstance(module, nn.Linear):
        return given.numel() // max(given.shape[-1], 1) * module.out_features
    if isinstance(module, nn.Upsample):
        sides = given.shape[2:]
        wanted, scales = _each(module.size, sides), _each(module.scale_factor, sides)
        grown = [side * scale for side, scale in zip(sides, scales, strict=True)] if module.size is None else wanted
        return given.shape[0] * given.shape[1] * int(math.prod(grown))
    if isinstance(module, nn.modules.pooling._AdaptiveAvgPoolNd | nn.modules.pooling._AdaptiveMaxPoolNd):
        wanted = _each(module.output_size, given.shape[2:])
        return given.shape[:2].numel() * math.prod(
            side if want is None else want for want, side in zip(wanted, given.shape[2:], strict=True)
        )
    if isinstance(module, nn.modules.padding._ConstantPadNd):
        left, right, top, bottom = module.padding
        return given.shape[:-2].numel() * (given.shape[-2] + top + bottom) * (given.shape[-1] + left + right)
    return given.numel()


def _sides(conv, given: Tensor) -> list[int]:
    sides = []
    for axis, side in enumerate(given.shape[2:]):
        step, reach = conv.stride[axis], conv.dilation[axis] * (conv.kernel_size[axis] - 1)
        pad = reach if isinstance(conv.padding, str) else 2 * conv.padding[axis]
        if conv.transposed:
            sides.append((side - 1) * step - pad + reach + conv.output_padding[axis] + 1)
        else:
            sides.append((side + pad - reach - 1) // step + 1)
    return sides


def _each(value, sides) -> tuple:
    return tuple(value) if isinstance(value, tuple | list) else (value,) * len(sides)


def _largest_stride(net: Network, refusal: Callable[[str], Exception]) -> int:
    """The largest stride in px; those of network and head must be plain numbers, and the head's one for each level."""
    head = net.model[-1]
    strides = [net.stride]
    if isinstance(head, Detect):
        strides.append(head.stride)
        if not isinstance(head.stride, Tensor) or head.stride.shape != (head.nl,):
            raise refusal("has a head without one stride for each level")
    for stride in strides:
        if stride.numel() < 1 or not bool(((stride >= 1) & (stride <= LARGEST_STRIDE)).all()):
            raise refusal(f"has strides that are not from 1 to {LARGEST_STRIDE} px")
    return math.ceil(max(float(stride.max()) for stride in strides))


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:160]
