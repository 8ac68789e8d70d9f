"""Listens to one forward and backward pass: every value is measured where it arises, on its device, and let go."""

import math
import weakref
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from .state import resting_collector

unheard = torch._C.DisableTorchFunction  # what a listener computes itself is no operation of the network
FP16_LARGEST = torch.finfo(torch.float16).max
FP16_SMALLEST = 2.0**-25  # up to here fp16 rounds to zero: half of its smallest number
# type: (low, high), the bounds where its gradient vanishes; None where that end is 0 and counts among the zeros
BOUNDS: dict[type[nn.Module], tuple[float | None, float]] = {
    nn.Sigmoid: (0.0, 1.0),
    nn.Hardsigmoid: (0.0, 1.0),
    nn.Tanh: (-1.0, 1.0),
    nn.Softsign: (-1.0, 1.0),
    nn.ReLU6: (None, 6.0),
}
SAMPLE, RUN = 2**14, 64  # elements of which shares of zeros are told, in runs spread evenly; norm and extremes see all
NEAR = 1e-3  # of the distance between the bounds: closer than this to one of them is saturated


class Measure(NamedTuple):
    """What is known of one tensor; all but ``count`` and ``seen`` are scalars on its device."""

    count: int
    seen: int  # how many of them ``nonzero`` and ``in_fp16`` were counted among
    norm: Tensor
    low: Tensor
    high: Tensor
    nonzero: Tensor
    bad: Tensor | float  # NaN and infinities; at least 1 where there are any
    in_fp16: Tensor | float  # how many stay non-zero in fp16, or nothing where nobody asked


class Value(NamedTuple):
    """Where a measured tensor came from: the output of ``layer``, or of an operation in ``parent`` just before it."""

    layer: str
    parent: str | None
    made: bool


Key = tuple[str, str, int]


class Row(NamedTuple):
    """One call of one module that made something new; ``inputs`` and ``outputs`` are indices of values.

    Or of an ``operation``, by name, in the forward of that module.
    """

    path: str
    call: int
    kind: str
    leaf: bool
    frozen: bool
    residual: bool
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operation: str = ""

    @property
    def key(self) -> Key:
        """Path, operation and which call of that it is: what makes it the same row in the next pass."""
        return self.path, self.operation, self.call


class Masked(NamedTuple):
    """Attention of which at least one row may be masked wholly.

    ``order``: how many values were known before it; ``path``, ``kind`` of the module; ``operation`` by name; ``wholly``
    a scalar on the device; ``images`` (B,) which of the batch, or None.
    """

    order: int
    path: str
    kind: str
    operation: str
    wholly: Tensor
    images: Tensor | None


class Inside(NamedTuple):
    """A call under way: its module, the path by which it was reached, the values and shapes that went in."""

    module: nn.Module
    path: str
    inputs: tuple[int, ...]
    shapes: tuple[torch.Size, ...]


class Listener:
    """Hooks on every module of a network while the block lasts; they are gone after it, however it ends.

    A tensor that passes through several modules unchanged is measured once, for the innermost that made it; a module
    whose outputs are all known makes no row. Tensor hooks take the gradients, so activations may work in place.
    """

    def __init__(self, net: nn.Module):
        self.net = net
        self.paths: dict[nn.Module, str] = {module: path or "(model)" for path, module in net.named_modules()}
        self._hooks: list[RemovableHandle] = []
        self.clear()

    def clear(self) -> None:
        """Forget the pass before."""
        self.values: list[Value] = []
        self.measures: list[Measure] = []
        self.rows: list[Row] = []
        self.saturated: dict[int, tuple[Tensor, int]] = {}  # row -> units at a bound, units in all
        self.gradients: dict[int, Measure] = {}  # value -> its gradient, in the order of the backward pass
        self.images: dict[int, Tensor] = {}  # value -> (B,) bad values in each image of the batch
        self.gradient_images: dict[int, Tensor] = {}  # likewise of its gradient
        self.results: tuple[int, ...] = ()  # the values that the network put out
        self.masked: list[Masked] = []
        self.batch = 0  # images in the batch, 0 where that is not known
        self.calls: Counter[tuple[str, str]] = Counter()
        self.called: set[nn.Module] = set()
        self.inside: list[Inside] = []
        self.listening = True
        self._known: dict[int, tuple[weakref.ref, int, int]] = {}  # id -> (tensor, version, value)
        self._operated: dict[int, str] = {}  # value -> the module in whose own forward an operation made it
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> "Listener":
        with ExitStack() as stack, resting_collector():
            stack.callback(self._drop_hooks)
            for module in self.paths:
                self._hooks.append(module.register_forward_pre_hook(self._enter, with_kwargs=True))
                self._hooks.append(module.register_forward_hook(self._leave))
            stack.pop_all()
        return self

    def __exit__(self, *error) -> None:
        self._drop_hooks()

    def _drop_hooks(self) -> None:
        for handle in (*self._hooks, *self._handles):
            handle.remove()
        self._hooks.clear()
        self._handles.clear()
        self._known.clear()

    def failed_in(self) -> str | None:
        """The innermost module under way and the shapes of its inputs in words, or None between calls."""
        if not self.inside:
            return None
        now = self.inside[-1]
        shapes = " and ".join(str(tuple(shape)) for shape in now.shapes)
        return f"'{now.path}' ({type(now.module).__name__}), given {shapes or 'nothing'}"

    def _path(self, module: nn.Module) -> str:
        """Where a module is called: below the module that calls it, if it holds it; one may sit in many places."""
        if self.inside:
            outer = self.inside[-1]
            for name, child in outer.module._modules.items():
                if child is module:
                    return f"{outer.path}.{name}" if outer.module is not self.net else name
        return self.paths[module]

    def _enter(self, module: nn.Module, args, kwargs) -> None:
        if self.listening:
            with unheard():
                self._entered(module, args, kwargs)

    def _entered(self, module: nn.Module, args, kwargs) -> None:
        path = self._path(module)
        place = Value(path, self.inside[-1].path if self.inside else None, made=False)
        given = tensors(args) + tensors(kwargs) if kwargs else tensors(args)
        if module is self.net and given:
            self.batch = given[0].shape[0] if given[0].ndim > 1 else 0
        inputs = tuple(self._note(tensor, place)[0] for tensor in given)
        self.inside.append(
            Inside(module=module, path=path, inputs=inputs, shapes=tuple(tensor.shape for tensor in given))
        )
        self.called.add(module)

    def _leave(self, module: nn.Module, args, output) -> None:
        if self.listening:
            with unheard():
                self._left(module, args, output)

    def _left(self, module: nn.Module, args, output) -> None:
        now = self.inside.pop()
        while now.module is not module:  # a model may have caught what a part of it raised
            now = self.inside.pop()
        path, call = now.path, self.calls[now.path, ""]
        self.calls[path, ""] += 1
        found = tensors(output)
        noted = [self._note(tensor, Value(path, None, made=True)) for tensor in found]
        if module is self.net:
            self.results = tuple(index for index, _ in noted)
        new = tuple(index for index, fresh in noted if fresh or self._made_inside(index, path))
        if not new:
            return
        for tensor, (index, fresh) in zip(found, noted, strict=True):
            if not fresh and not self.values[index].made and index in new:
                self._follow(tensor, index)
        own = [weight for weight in module._parameters.values() if weight is not None]
        frozen = bool(own) and not any(weight.requires_grad for weight in own)
        leaf = next(module.children(), None) is None
        same = found[0].shape in [tensor.shape for tensor in tensors(args)]
        self.rows.append(
            Row(
                path=path,
                call=call,
                kind=type(module).__name__,
                leaf=leaf,
                frozen=frozen,
                residual=same,
                inputs=now.inputs,
                outputs=new,
            )
        )
        if type(module) in BOUNDS or isinstance(module, nn.Hardtanh | nn.Softmax):
            self.saturated[len(self.rows) - 1] = _saturated(module, found[0].detach())

    def knows(self, tensor: Tensor) -> bool:
        """Whether these values of a tensor were measured."""
        known = self._known.get(id(tensor))
        return known is not None and known[0]() is tensor and known[1] == tensor._version

    def given(self, values: list[Tensor]) -> tuple[int, ...]:
        """The indices of what an operation takes, noted before it may write there."""
        if not values:
            return ()
        now = self.inside[-1]
        return tuple(self._note(tensor, Value(now.path, now.path, made=False))[0] for tensor in values)

    def operation(self, name: str, inputs: tuple[int, ...], outputs: list[Tensor]) -> None:
        """A row for an operation in the forward of the module under way, if it made something new."""
        now = self.inside[-1]
        noted = [self._note(tensor, Value(now.path, None, made=True)) for tensor in outputs]
        new = tuple(index for index, fresh in noted if fresh)
        if not new:
            return
        self._operated |= dict.fromkeys(new, now.path)
        call = self.calls[now.path, name]
        self.calls[now.path, name] += 1
        self.rows.append(
            Row(
                path=now.path,
                call=call,
                kind=type(now.module).__name__,
                leaf=True,
                frozen=False,
                residual=False,
                inputs=inputs,
                outputs=new,
                operation=name,
            )
        )

    def _made_inside(self, index: int, path: str) -> bool:
        """Whether an operation in a module's own forward made a value that no layer in it changed any more."""
        value = self.values[index]
        return self._operated.get(index) == path or (not value.made and value.parent == path != value.layer)

    def _note(self, tensor: Tensor, place: Value) -> tuple[int, bool]:
        """The index of a tensor's value, and whether it was new."""
        for alias in (tensor, tensor._base):
            if alias is not None and alias.numel() == tensor.numel():
                known = self._known.get(id(alias))
                if known and known[0]() is alias and known[1] == tensor._version:
                    return known[2], False
        index = len(self.values)
        self.values.append(place)
        entry, images = measured(tensor.detach(), self.batch)
        self.measures.append(entry)
        if images is not None:
            self.images[index] = images
        self._known[id(tensor)] = (weakref.ref(tensor), tensor._version, index)
        if place.made:
            self._follow(tensor, index)
        return index, True

    def _follow(self, tensor: Tensor, index: int) -> None:
        if tensor.requires_grad:
            self._handles.append(tensor.register_hook(lambda gradient: self._pull(index, gradient)))

    def _pull(self, index: int, gradient: Tensor) -> None:
        if index not in self.gradients and measurable(gradient):
            entry, images = measured(gradient.detach(), self.batch, fp16=gradient.dtype != torch.float16)
            self.gradients[index] = entry
            if images is not None:
                self.gradient_images[index] = images


def tensors(value: Any) -> list[Tensor]:
    """The tensors of floating point in nested sequences and mappings, that is, those that can be measured."""
    if isinstance(value, Tensor):
        return [value] if measurable(value) else []
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    found: list[Tensor] = []
    for part in value:
        found += tensors(part)
    return found


def measurable(tensor: Tensor) -> bool:
    """Whether a tensor has numbers with a point, and lies in memory as a plain array."""
    return tensor.is_floating_point() and tensor.numel() > 0 and tensor.layout == torch.strided


def measure(tensor: Tensor, *, fp16: bool = False) -> Measure:
    """Reduce a tensor to scalars that stay on its device; ``fp16`` also counts what fp16 keeps from becoming zero.

    The norm adds up in float32 or better. Counts of zeros are those of a sample where there are many. On a CPU, where
    looking costs nothing, bad values are counted if there are any; elsewhere always, so that nothing waits for the
    device.
    """
    return measured(tensor, fp16=fp16)[0]


def measured(tensor: Tensor, batch: int = 0, *, fp16: bool = False) -> tuple[Measure, Tensor | None]:
    """As ``measure``, and the number of bad values in each image (batch,) of a tensor whose first axis is the batch.

    None where it is not, or where nothing was counted.
    """
    by_image = 1 < batch == len(tensor) if tensor.ndim > 1 else False
    across = tuple(range(1, tensor.ndim)) if by_image else None
    plain, tensor = tensor, _in_memory_order(tensor)
    low, high = torch.aminmax(tensor)
    norm = torch.linalg.vector_norm(tensor, dtype=torch.float64 if tensor.dtype == torch.float64 else torch.float32)
    suspect = not tensor.is_cpu or not math.isfinite(low.item() + high.item())
    bad = torch.count_nonzero(plain - plain, across) if suspect else None  # infinity minus itself is NaN, and not zero
    sample = _sample(tensor)
    kept = torch.count_nonzero(torch.hardshrink(sample, FP16_SMALLEST)) if fp16 else float("nan")
    entry = Measure(
        count=tensor.numel(),
        seen=sample.numel(),
        norm=norm,
        low=low,
        high=high,
        nonzero=torch.count_nonzero(sample),
        bad=0.0 if bad is None else bad.sum() if by_image else bad,
        in_fp16=kept,
    )
    return entry, bad if by_image else None


def _sample(tensor: Tensor) -> Tensor:
    """At most ``SAMPLE`` of its elements, in runs that a CPU counts quickly."""
    count, runs = tensor.numel(), SAMPLE // RUN
    if count <= SAMPLE:
        return tensor
    return tensor.reshape(-1)[: count // runs * runs].view(runs, -1)[:, :RUN].contiguous()


def _in_memory_order(tensor: Tensor) -> Tensor:
    """The same values with the axes in the order of memory, where reductions are fastest."""
    if tensor.is_contiguous():
        return tensor
    return tensor.permute(sorted(range(tensor.ndim), key=tensor.stride, reverse=True))


def _saturated(module: nn.Module, output: Tensor) -> tuple[Tensor, int]:
    """How many units are at a bound, of how many; of a softmax, how many distributions are nearly one-hot."""
    if isinstance(module, nn.Softmax):
        dim = module.dim if module.dim is not None else 1 if output.ndim > 1 else 0
        return torch.count_nonzero(output > 1 - NEAR), output.numel() // output.shape[dim]
    low, high = _bounds(module)
    near = NEAR * (high - (low or 0.0))
    full = output >= high - near
    return torch.count_nonzero(full if low is None else full | (output <= low + near)), output.numel()


def _bounds(module: nn.Module) -> tuple[float | None, float]:
    """Where the gradient of an activation vanishes; of a Hardtanh, where its own bounds lie."""
    known = BOUNDS.get(type(module))
    if known is not None:
        return known
    own = cast(nn.Hardtanh, module)
    return own.min_val, own.max_val
