"""Everything that a pass or a training step changes in a network, kept and put back bit for bit."""

import gc
import random
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer


@contextmanager
def untouched(
    modules: Collection[nn.Module], optimizer: Optimizer | None = None, *, weights: bool = False
) -> Iterator[None]:
    """Put back buffers, gradients, attributes of all ``modules`` and random states at the end, however it comes.

    ``weights`` also keeps a copy of every parameter, and of an ``optimizer``'s state. Gradients are None at the start.
    """
    parameters = _distinct(value for module in modules for value in module._parameters.values())
    held = _distinct(value for module in modules for value in module._buffers.values())
    attributes = [(module, dict(vars(module)), dict(module._buffers)) for module in modules]
    kept = [(tensor, tensor.detach().clone()) for tensor in (*held, *(parameters if weights else ()))]
    gradients = [parameter.grad for parameter in parameters]
    states = _optimizer_state(optimizer) if optimizer is not None else None
    devices = sorted({tensor.device.index for tensor in parameters if tensor.is_cuda})
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002, loaders and losses draw from it
    with torch.random.fork_rng(devices=devices):
        try:
            for parameter in parameters:
                parameter.grad = None
            yield
        finally:
            for module, before, buffers in attributes:
                _put_back(vars(module), before)
                _put_back(module._buffers, buffers)
            with torch.no_grad():
                for tensor, copy in kept:
                    tensor.copy_(copy)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
            if optimizer is not None and states is not None:
                _restore_optimizer(optimizer, *states)
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


@contextmanager
def resting_collector() -> Iterator[None]:
    """Hold Python's cycle collector within the block: its full rounds took longer than all measuring of a pass."""
    ran = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if ran:
            gc.enable()


def _distinct(values: Iterable[Tensor | None]) -> list[Tensor]:
    return list({id(value): value for value in values if value is not None}.values())


def _put_back(now: dict, before: dict) -> None:
    """Make a mapping what it was, touching only what differs."""
    for name in now.keys() - before.keys():
        del now[name]
    for name, value in before.items():
        if name not in now or now[name] is not value:
            now[name] = value


def _optimizer_state(optimizer: Optimizer) -> tuple[dict, list[dict]]:
    """Its state and its groups, tensors copied."""
    state = {key: _copied(values) for key, values in optimizer.state.items()}
    return state, [_settings(group) for group in optimizer.param_groups]


def _settings(group: dict) -> dict:
    """What a group of parameters holds beside them, tensors copied."""
    return _copied({key: value for key, value in group.items() if key != "params"})


def _copied(values: dict) -> dict:
    return {key: value.clone() if isinstance(value, Tensor) else value for key, value in values.items()}


def _restore_optimizer(optimizer: Optimizer, state: dict, groups: list[dict]) -> None:
    optimizer.state.clear()
    optimizer.state.update(state)
    for group, before in zip(optimizer.param_groups, groups, strict=True):
        _put_back(group, before | {"params": group["params"]})
