"""Why is the loss NaN? Forward and backward passes listened to, layer by layer, over as many steps as asked."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any, cast

import numpy as np
import torch
from torch import (
    Tensor,
    _foreach_norm,  # pyright: ignore[reportPrivateImportUsage]  # no public name; all norms in one call
    nn,
)
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer
from tqdm.auto import tqdm

from anatomy import whole_number
from anatomy.families.registry import plain_network
from anatomy.head.turns import undisturbed

from .findings import find
from .listen import Listener, tensors
from .operations import Operations
from .read import Heard, put_together, read
from .result import Numerics
from .state import resting_collector, untouched

PATIENCE = 2  # passes with a non-finite loss before the rest is left out


def numerics(
    model: Any,
    x: Any,
    loss: Callable[..., Tensor] | None = None,
    *,
    steps: int = 0,
    optimizer: Optimizer | Callable[[list[nn.Parameter]], Optimizer] | None = None,
    inside: bool = False,
    progress: bool = True,
    on_pass: Callable[[Numerics], None] | None = None,
) -> Numerics:
    """Measure the scale of every layer's output and gradient, and name the first that breaks and what leads to it.

    ``model``: a module, or an Ultralytics YOLO object, in the mode it is in. ``x``: a tensor; a tuple of arguments; a
    mapping, given as one argument; or an iterable (list, loader) of such tensors and mappings or of pairs (input,
    targets), one a pass, from the start again at its end. ``loss(outputs)``, or ``loss(outputs, targets)`` for pairs,
    makes a scalar. Without it: the sum of the outputs if all are losses (no output has two dimensions), otherwise the
    sum of absolute outputs over the root of their number, whose gradient there has norm 1.

    ``steps`` > 0 needs an ``optimizer``, or what makes one from a list of parameters, and measures ``steps`` + 1
    passes with one step between two. The network is trained in place and then put back bit for bit: weights, buffers,
    gradients, modes, optimizer, random states. A progress bar shows loss and growth; ``on_pass`` gets the result so
    far. Ctrl-C ends it and returns the passes that are complete. Works under autocast and in half precision.

    ``inside`` also measures every operation in the forwards of modules that are not torch's own, each a layer with an
    ``operation``: ``conv(x * 1e4)``, or a division by what nearly cancels, is then named; a pass takes longer. An
    infinity is an error where it reaches a NaN, the output or the loss: a mask of -inf is none.

    Raises ValueError at the door (device, type, steps, loss), RuntimeError naming the layer in which a pass fails.

    >>> len(diagnosis.numerics(torch.nn.Linear(2, 2), torch.ones(1, 2)))
    1
    """
    net = _network(model)
    steps = whole_number(steps, "steps, the number of optimizer steps,")
    if steps < 0:
        raise ValueError(f"steps must be 0 or more, but {steps} was given.")
    weights = dict(net.named_parameters())
    _check_weights(net, weights)
    stepper = _optimizer(weights, optimizer, steps)
    batches = _batches(x)
    about = {
        "subject": f"numerics of {type(net).__name__}",
        "parameters": tuple(weights),
        "trainable": frozenset(path for path, weight in weights.items() if weight.requires_grad),
        "shapes": tuple(tuple(weight.shape) for weight in weights.values()),
        "dtype": str(next((w.dtype for w in weights.values()), torch.get_default_dtype())).removeprefix("torch."),
    }
    passes: list[Heard] = []

    def result(**ended: Any) -> Numerics:
        measured = put_together(passes, listener.paths, **about, **ended)
        return replace(measured, findings=find(measured))

    ended: dict[str, Any] = {}
    listener = Listener(net)
    operations = Operations(listener, every=inside)
    with undisturbed(net), untouched(listener.paths, stepper, weights=steps > 0), listener:
        try:
            with tqdm(total=steps + 1, desc="numerics", unit="pass", disable=not (progress and steps)) as bar:
                for heard in _follow(net, weights, batches, loss, operations, stepper, steps):
                    passes.append(heard)
                    bar.set_postfix_str(_postfix(passes), refresh=False)
                    bar.update()
                    if on_pass is not None:
                        on_pass(result())
                    if len(passes) <= steps and not any(np.isfinite(one.loss) for one in passes[-PATIENCE:]):
                        ended = {"stopped": f"stopped: no finite loss in {PATIENCE} passes"}
                        break
        except KeyboardInterrupt:
            if not passes:
                raise
            ended = {"interrupted": True}
    if not passes:
        raise ValueError("At least one batch is needed, but the iterable was empty.")
    if len(passes) <= steps and not ended:
        ended = {"stopped": f"the batches ended after {len(passes)} of {steps + 1} passes"}
    return result(**ended)


def _follow(
    net: nn.Module,
    named: dict[str, nn.Parameter],
    batches: "Iterator[Batch]",
    loss: Callable[..., Tensor] | None,
    operations: Operations,
    stepper: Optimizer | None,
    steps: int,
) -> Iterator[Heard]:
    """The passes, each measured, with an optimizer step between two; ``named`` are the weights by path."""
    weights, listener = list(named.values()), operations.listener
    buffers = {path: buffer for path, buffer in net.named_buffers() if buffer.is_floating_point()}
    names = [*named, *buffers]
    nothing = [float("nan")] * len(weights)
    heard = None
    for step, batch in zip(range(steps + 1), batches, strict=False):
        with resting_collector():
            listener.clear()
            norms = [_norms(weights), _norms(buffers.values())]
            for weight in weights:
                weight.grad = None
            with torch.inference_mode(False), torch.enable_grad():
                value = _forward(net, weights, batch, loss, operations)
                listener.listening = False
                value.backward()
            pulled = iter(_norms([weight.grad for weight in weights if weight.grad is not None]))
            gradients = [-1.0 if weight.grad is None else next(pulled) for weight in weights]
            updates = nothing if stepper is None or step >= steps else _step(stepper, weights)
            heard = read(listener, value, (norms[0], gradients, updates, norms[1]), names, heard)
        yield heard


def _forward(
    net: nn.Module,
    weights: list[nn.Parameter],
    batch: "Batch",
    loss: Callable[..., Tensor] | None,
    operations: Operations,
) -> Tensor:
    """The loss of one batch, checked."""
    arguments = _arguments(weights, batch.arguments)
    try:
        with operations:
            outputs = net(*arguments)
    except Exception as error:
        place = operations.listener.failed_in()
        if place is None:
            raise
        raise RuntimeError(f"The forward pass fails in {place}: {error}") from error
    if loss is None:
        return _default_loss(outputs)
    value = loss(outputs, batch.targets) if batch.paired else loss(outputs)
    if not isinstance(value, Tensor) or value.numel() != 1:
        given = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"The loss must be a scalar tensor, but {given} came back. Reduce it, with .sum() or .mean().")
    if not value.requires_grad:
        raise ValueError(
            "The loss needs no gradient: nothing in it depends on trainable weights. Compute it from the outputs, "
            "without detach(), item() or no_grad()."
        )
    return value.reshape(())


def _default_loss(outputs: Any) -> Tensor:
    """The sum of losses, or of absolute outputs over the root of their number."""
    found = [tensor for tensor in tensors(outputs) if tensor.requires_grad]
    if not found:
        raise ValueError("No output of the model depends on its weights with a gradient: there is nothing to follow.")
    wide = torch.promote_types(found[0].dtype, torch.float32)
    if all(tensor.ndim < 2 for tensor in found):
        return cast(Tensor, sum(tensor.sum(dtype=wide) for tensor in found))
    size = sum(tensor.numel() for tensor in found)
    return cast(Tensor, sum(tensor.abs().sum(dtype=wide) for tensor in found)) / size**0.5


def _step(stepper: Optimizer, weights: list[nn.Parameter]) -> list[Tensor]:
    """One optimizer step; how far it moved each parameter."""
    before = [weight.detach().clone() for weight in weights]
    stepper.step()
    return _norms([weight.detach() - old for weight, old in zip(weights, before, strict=True)])


def _norms(values: Iterable[Tensor]) -> list[Tensor]:
    """Of many tensors at once; in float64 where it matters: finite weights must not look infinite."""
    values = [value.detach() for value in values]
    if not values:
        return []
    on_cpu = all(value.is_cpu for value in values)
    wide = any(value.is_cuda or value.dtype == torch.float64 for value in values)
    norms = list(_foreach_norm(values, dtype=torch.float64 if wide else torch.float32))
    if on_cpu and not wide:
        for i in torch.stack(norms).isfinite().logical_not().nonzero().view(-1).tolist():
            norms[i] = torch.linalg.vector_norm(values[i], dtype=torch.float64)
    return norms


def _postfix(passes: list[Heard]) -> str:
    """The loss, and how much the layer that grew most has grown since pass 0."""
    first, last = passes[0].rms, passes[-1].rms
    floor = 0.1 * float(np.median([value for value in first.values() if np.isfinite(value)] or [1.0]))
    growth = [last[key] / max(first[key], floor) for key in last.keys() & first.keys() if first[key] + floor > 0]
    most = f"{max(growth, default=1.0):.3g}×" if np.isfinite(growth).all() else "not finite"
    return f"loss {passes[-1].loss:.4g}, growth {most}"


@dataclass(frozen=True)
class Batch:
    """What one pass gets: positional arguments of the model, and targets for the loss where it came in pairs."""

    arguments: tuple
    targets: object = None
    paired: bool = False


def _batches(x: Any) -> Iterator[Batch]:
    """One batch for ever, or those of an iterable, again from the start if it has one."""
    if isinstance(x, Tensor | Mapping):
        return repeat(Batch((x,)))
    if isinstance(x, tuple):
        return repeat(Batch(x))
    if isinstance(x, str | np.ndarray) or not isinstance(x, Iterable):
        raise ValueError(
            "x must be a tensor, a tuple of arguments, a mapping or an iterable of batches, but "
            f"{type(x).__name__} was given. torch.from_numpy(x) makes a tensor of an array."
        )
    return _each(x)


def _each(x: Iterable) -> Iterator[Batch]:
    again = True
    while again:
        again = False
        for batch in x:
            again = iter(x) is not x  # an iterator is used up after one round
            if isinstance(batch, tuple | list):
                if len(batch) != 2:
                    raise ValueError(
                        f"A batch of several parts must be a pair (input, targets), but one of {len(batch)} was given."
                    )
                yield Batch((batch[0],), batch[1], paired=True)
            else:
                yield Batch((batch,))


def _arguments(weights: list[nn.Parameter], arguments: tuple) -> tuple:
    """The arguments ready for autograd; raises ValueError where device or type do not fit the weights."""
    weights = [weight for weight in weights if weight.is_floating_point()]
    devices, types = {weight.device for weight in weights}, {weight.dtype for weight in weights}
    for tensor in tensors([value for value in arguments if not isinstance(value, Mapping)]):
        if devices and tensor.device not in devices:
            raise ValueError(
                f"The input is on {tensor.device}, but the model on {_listed(devices)}. Move one of them with .to()."
            )
        if types and tensor.dtype not in types and not torch.is_autocast_enabled(tensor.device.type):
            raise ValueError(
                f"The input is {tensor.dtype}, but the model {_listed(types)}. Convert one of them with .to(), or call "
                "this under torch.autocast."
            )
    follow = not any(weight.requires_grad for weight in weights)
    return tuple(_leaf(value, follow) for value in arguments)


def _leaf(value: Any, follow: bool) -> Any:
    """A tensor that autograd can save; one that wants a gradient itself where no weight does."""
    if not isinstance(value, Tensor):
        return value
    value = value.clone() if value.is_inference() else value.detach()
    return value.requires_grad_() if follow and value.is_floating_point() else value


def _network(model: Any) -> nn.Module:
    net = plain_network(model)
    if not isinstance(net, nn.Module):
        raise ValueError(f"model must be a torch.nn.Module or a YOLO object, but {type(model).__name__} was given.")
    return net


def _check_weights(net: nn.Module, weights: dict[str, nn.Parameter]) -> None:
    lazy = next((path for path, weight in weights.items() if is_lazy(weight)), None)
    if lazy is not None:
        raise ValueError(
            f"'{lazy}' has no shape yet. Call the {type(net).__name__} once so that its layers get theirs."
        )
    made = next((path for path, weight in weights.items() if weight.is_inference()), None)
    if made is not None:
        raise ValueError(
            f"'{made}' was made under torch.inference_mode(), so no gradient can pass: a predictor fused this model. "
            "Load it again and measure it before predict()."
        )


def _optimizer(weights: dict[str, nn.Parameter], optimizer: Any, steps: int) -> Optimizer | None:
    if not steps:
        return None
    if optimizer is None:
        raise ValueError(
            "Steps need an optimizer: give the one that trains this model, or one to be made, "
            "optimizer=lambda weights: torch.optim.SGD(weights, lr=0.01)."
        )
    if not isinstance(optimizer, Optimizer):
        optimizer = optimizer([weight for weight in weights.values() if weight.requires_grad])
    own = set(map(id, weights.values()))
    held = [weight for group in optimizer.param_groups for weight in group["params"]]
    if not any(id(weight) in own for weight in held):
        raise ValueError(
            f"The optimizer holds {len(held)} parameters, but none of this model. Make it from this model."
        )
    return optimizer


def _listed(values: Iterable) -> str:
    return ", ".join(sorted(map(str, values)))
