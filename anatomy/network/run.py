"""One pass through a network that leaves it as it was: every call of every module, and where a pass breaks off."""

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ..errors import UnsupportedModelError
from ..families.registry import describe, plain_network
from ..head.head import Head
from ..head.turns import undisturbed
from .field import Field
from .follow import Following
from .seen import Seen, made_by, makers, mark, seen, tensors_in

Shapes = tuple[tuple[int, ...], ...]
Made = TypeVar("Made")


@dataclass
class Call:
    """One call of a module: ``path`` in the network ("" for the network itself), ``turn`` counts its calls from 0.

    ``inputs`` and ``outputs`` shapes of the tensors; ``sees`` what the first output sees, ``parent`` the call within
    which it happened; ``sources`` the paths whose outputs it was given.
    """

    path: str
    module: nn.Module
    turn: int
    parent: "Call | None"
    inputs: Shapes
    outputs: Shapes = ()
    sees: Field | None = None
    sources: tuple[str, ...] = ()


class BrokenPass(RuntimeError):
    """A forward pass that failed: it tells of the innermost layer and of the shapes that this was given.

    ``reason``: the error that came first.
    """

    def __init__(self, call: Call | None, error: Exception):
        self.reason = _first_cause(error)
        where = "before any layer" if call is None else f"in {named(call.path, call.module)}, given {said(call.inputs)}"
        super().__init__(f"The forward pass failed {where}: {_first_line(self.reason)}.")


def network(model: Any) -> tuple[nn.Module, Head | None]:
    """The network of a model and the description of its head; None where it has no head with levels."""
    try:
        head = describe(model)
        return head.net, head
    except UnsupportedModelError:
        net = plain_network(model)
        if isinstance(net, nn.Module):
            return net, None
        raise


def shadow(net: nn.Module, convert: Callable[[Tensor], Tensor]) -> nn.Module:
    """A copy in evaluation mode whose parameters and buffers are ``convert`` of the network's own, without gradient.

    With ``Tensor.detach`` they share their memory, on the meta device they have none; the network is not touched.
    """
    memo: dict[int, object] = {}
    with undisturbed(net):  # the hooks of a pass must not be copied along
        for module in net.modules():
            for held, made in (
                (module._parameters, _parameter),
                (module._buffers, Tensor.detach),
                (vars(module), None),
            ):
                for value in held.values():
                    if isinstance(value, Tensor) and id(value) not in memo:
                        memo[id(value)] = made(convert(value.detach())) if made else value.detach().clone()
        return deepcopy(net, memo).eval()


def _parameter(value: Tensor) -> nn.Parameter:
    return nn.Parameter(value, requires_grad=False)


def listen(
    net: nn.Module,
    run: Callable[[Tensor], Made],
    images: Tensor,
    *,
    follow: bool = False,
    keep: Callable[[Call, list[Tensor]], None] | None = None,
) -> tuple[list[Call], Made]:
    """The calls of ``run(images)`` in the order in which they began, and what it returned.

    ``net`` keeps the hooks: give a ``shadow``. ``follow``: with receptive fields; ``keep(call, outputs)`` hears
    every call. Raises BrokenPass.
    """
    calls: list[Call] = []
    open_calls: list[Call] = []
    turns: Counter[str] = Counter()
    paths: dict[int, list[str]] = {}
    for path, module in net.named_modules(remove_duplicate=False):
        paths.setdefault(id(module), []).append(path)

    def enter(module: nn.Module, args, kwargs) -> None:
        parent = open_calls[-1] if open_calls else None
        path = _nearest(paths[id(module)], parent)
        given = tensors_in((args, kwargs))
        call = Call(path=path, module=module, turn=turns[path], parent=parent, inputs=shapes(given))
        call.sources = tuple(dict.fromkeys(path for entry in given for path in makers(entry)))
        turns[path] += 1
        calls.append(call)
        open_calls.append(call)

    def leave(module: nn.Module, args, kwargs, output) -> None:
        call = open_calls.pop()
        tensors = tensors_in(output)
        call.outputs = shapes(tensors)
        call.sees = _field(tensors[0], images) if tensors else None
        if keep is not None:
            keep(call, tensors)
        for entry in tensors if follow else ():
            handed_on = any(True for _ in module.children()) and any(entry is value for value in tensors_in(args))
            below = call.path + "." if call.path and not handed_on else ""
            made_by(entry, (*(made for made in makers(entry) if made.startswith(below)), call.path))

    for module in net.modules():
        module.register_forward_pre_hook(enter, with_kwargs=True)
        module.register_forward_hook(leave, with_kwargs=True)
    try:
        with torch.no_grad():
            if not follow:
                return calls, run(images)
            with Following():
                return calls, run(mark(images, Seen(Field(), dims=(images.ndim - 2, images.ndim - 1))))
    except Exception as error:
        raise BrokenPass(open_calls[-1] if open_calls else None, error) from error


def _nearest(paths: list[str], parent: Call | None) -> str:
    """Of the paths of a module that stands in several places, the one in the module that is calling it."""
    if parent is None:
        return paths[0]
    within = parent.path + "." if parent.path else ""
    return next((path for path in paths if path.startswith(within)), paths[0])


def _field(tensor: Tensor, images: Tensor) -> Field | None:
    """What the cells of a tensor see, if they still are a grid over the image."""
    found = seen(tensor)
    if found is None or tensor.ndim != 4:
        return None
    if found.dims or found.flat:
        return found.field
    (high, wide), (rows, cols) = images.shape[2:], tensor.shape[2:]
    return found.field if rows * cols == 1 or high * cols == wide * rows else None


def shapes(values: Any) -> Shapes:
    """The shapes of all tensors among these values."""
    return tuple(tuple(entry.shape) for entry in tensors_in(values))


def said(found: Shapes) -> str:
    """Shapes in words: "(1, 64, 80, 80) and (1, 32, 80, 80)"."""
    return " and ".join(map(str, found)) or "no tensor"


def named(path: str, module: nn.Module) -> str:
    """A module in words, by its path and class."""
    return f"{path} ({type(module).__name__})" if path else f"{type(module).__name__} itself"


def _first_cause(error: BaseException) -> BaseException:
    """What an error was raised from, back to the first of them."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
