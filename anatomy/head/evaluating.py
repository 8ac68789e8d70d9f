"""A network as its steps can be run one by one, with or without gradient, for the length of a block."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from .head import Head


@contextmanager
def evaluating(model: nn.Module | Head) -> Iterator[None]:
    """Evaluation mode within the block, and no tensor of inference mode, through which no gradient can flow.

    A network that was copied under ``torch.inference_mode`` holds such tensors; clones stand in for them here.
    Afterwards every module has its own mode and its own tensors again. Gradient is on or off as it was.
    Of a ``Head`` it is the network that ``predict()`` runs, and other threads leave it alone within the block.
    """
    if isinstance(model, Head):
        with model.undisturbed(), evaluating(model.running):
            yield
        return
    net = model
    modes = [(module, module.training) for module in net.modules()]
    swapped, gradient = [], torch.is_grad_enabled()  # leaving inference mode would switch it on
    try:
        with torch.inference_mode(False), torch.set_grad_enabled(gradient):
            net.eval()
            for module, _ in modes:
                for held in (module._parameters, module._buffers):
                    for name, value in held.items():
                        if value is not None and value.is_inference():
                            swapped.append((held, name, value))
                            held[name] = value.clone()
            yield
    finally:
        for held, name, value in swapped:
            held[name] = value
        for module, mode in modes:
            module.training = mode
