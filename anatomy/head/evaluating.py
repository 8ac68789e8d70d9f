"""A network as its steps can be run one by one, with or without gradient, for the length of a block."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..arguments import refused
from .endings import ending_with
from .head import Head

Tensors = dict[str, Any]  # parameters or buffers of a module by name, as torch holds them


@contextmanager
def evaluation_mode(net: nn.Module) -> Iterator[None]:
    """Evaluation mode within the block; afterwards every module has its own mode again."""
    modes = [(module, module.training) for module in net.modules()]

    def put_back() -> None:
        for module, mode in modes:
            module.training = mode

    with ending_with(put_back):
        net.eval()
        yield


@contextmanager
def evaluating(model: nn.Module | Head) -> Iterator[None]:
    """Evaluation mode within the block, and no tensor of inference mode, through which no gradient can flow.

    A network that was copied under ``torch.inference_mode`` holds such tensors; clones stand in for them here.
    Afterwards every module has its own mode and its own tensors again. Gradient is on or off as it was.
    Of a ``Head`` it is the network that ``predict()`` runs, and other threads leave it alone within the block.

    >>> with anatomy.evaluating(model.model) as nothing:
    ...     model.model.training
    False
    """
    if not isinstance(model, nn.Module | Head):
        raise refused("anatomy.evaluating", "a network or a Head", model, "with anatomy.evaluating(net): ...")
    if isinstance(model, Head):
        with model.undisturbed(), evaluating(model.running):
            yield
        return
    gradient = torch.is_grad_enabled()  # leaving inference mode would switch it on
    with torch.inference_mode(False), torch.set_grad_enabled(gradient), evaluation_mode(model), _differentiable(model):
        yield


@contextmanager
def _differentiable(net: nn.Module) -> Iterator[None]:
    """Within the block clones stand for the parameters and buffers that were made in inference mode."""
    replaced = list(_of_inference_mode(net))

    def put_back() -> None:
        for held, name, value in replaced:
            held[name] = value

    with ending_with(put_back):
        for held, name, value in replaced:
            held[name] = value.clone()
        yield


def _of_inference_mode(net: nn.Module) -> Iterator[tuple[Tensors, str, Tensor]]:
    """The tensors of a network that were made in inference mode, each with its name and the dict that holds it."""
    for module in net.modules():
        for held in (module._parameters, module._buffers):
            for name, value in held.items():
                if value is not None and value.is_inference():
                    yield held, name, value
