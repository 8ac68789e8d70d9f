"""Follows receptive fields through a forward pass, operation by operation, whatever the network is made of."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from .field import Axis, Field, everything

MARK, MAKERS = "_field_seen", "_makers"
SHAPES = {"view", "_unsafe_view", "reshape", "squeeze", "unsqueeze", "_reshape_alias", "flatten", "unflatten"}
COPIES = {"clone", "detach", "alias", "contiguous", "_to_copy", "copy_", "lift_fresh", "dropout", "native_dropout"}
NORMS = {"native_batch_norm", "cudnn_batch_norm", "_native_batch_norm_legit_no_training", "miopen_batch_norm"}
REDUCTIONS = {"mean", "sum", "amax", "amin", "max", "min", "var", "var_mean", "std", "linalg_vector_norm", "prod"}
SOFTMAX = {"_softmax", "_log_softmax", "softmax", "log_softmax"}
PRODUCTS = {"mm": (0, 1), "bmm": (0, 1), "addmm": (1, 2), "baddbmm": (1, 2), "matmul": (0, 1), "linear": (0, 1)}
POOLS = {"max_pool2d", "max_pool2d_with_indices", "avg_pool2d"}
PADS = {"constant_pad_nd", "pad", "reflection_pad2d", "replication_pad2d"}
TAPS = {"nearest": (0, 0), "_nearest": (0, 0), "bilinear": (0, 1), "bicubic": (-1, 2)}  # first and last cell read


@dataclass(frozen=True)
class Seen:
    """What a tensor's cells see, and where in it they lie: rows and columns at ``dims``, or both at ``flat``.

    ``flat``: (dimension, rows, columns), row by row in one dimension. Neither: the cells are no grid any more.
    """

    field: Field
    dims: tuple[int, int] | None = None
    flat: tuple[int, int, int] | None = None

    @property
    def at(self) -> tuple[int, ...]:
        return self.dims or (self.flat[:1] if self.flat else ())

    def mixed(self) -> "Seen":
        """The same cells, each of which now sees everything."""
        return replace(self, field=Field(everything(self.field.y), everything(self.field.x)))

    def lost(self) -> "Seen":
        return Seen(self.mixed().field)

    def moved(self, order: dict[int, int]) -> "Seen":
        """After dimensions have moved: ``order`` old -> new."""
        if self.dims:
            return replace(self, dims=(order[self.dims[0]], order[self.dims[1]]))
        return replace(self, flat=(order[self.flat[0]], *self.flat[1:])) if self.flat else self


def mark(tensor: Tensor, seen: Seen) -> Tensor:
    setattr(tensor, MARK, seen)
    return tensor


def seen(tensor) -> Seen | None:
    """What a tensor sees of the image; None for one that the image has not reached."""
    return getattr(tensor, MARK, None)


def makers(tensor: Tensor) -> tuple[str, ...]:
    """The paths of the modules that a tensor comes from, if nothing but plain operations happened since."""
    return getattr(tensor, MAKERS, ())


def made_by(tensor: Tensor, paths: tuple[str, ...]) -> None:
    setattr(tensor, MAKERS, tuple(dict.fromkeys(paths)))


class Following(TorchDispatchMode):
    """Within the block every tensor made of a marked one is marked.

    Exact for convolutions, pooling, padding, upsampling by whole factors, slices, reshaping and what acts on each cell
    alone. An operation that is not known here counts as one that sees everything, so a field is never too small.
    """

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        tensors = [entry for entry in tree_leaves((args, kwargs)) if isinstance(entry, Tensor)]
        if any(map(seen, tensors)):
            given = {argument.name: value for argument, value in zip(func._schema.arguments, args, strict=False)}
            given |= kwargs or {}
            name = func._schema.name.partition("::")[2]
            outputs = [entry for entry in tree_leaves(made) if isinstance(entry, Tensor)]
            before = [path for entry in tensors for path in makers(entry)]
            for output, found in zip(outputs, _spread(func, name, given, outputs), strict=False):
                made_by(mark(output, found), tuple(before))
        return made


def _spread(func, name: str, given: dict, outputs: list[Tensor]) -> Iterable[Seen]:
    """What each output of an operation sees."""
    source = next((value for value in given.values() if isinstance(value, Tensor) and seen(value)), None)
    if name in ("split", "split_with_sizes", "chunk", "unsafe_split", "unbind"):
        return _parts(source, given.get("dim", 0), outputs, name == "unbind")
    found = _one(func, name, given, source, outputs[0]) if outputs else None
    return [found] * len(outputs)


def _one(func, name: str, given: dict, source: Tensor | None, output: Tensor) -> Seen:
    tracked = [value for value in tree_leaves(given) if isinstance(value, Tensor) and seen(value)]
    lost = seen(tracked[0]).lost()
    if source is None:
        return _joined(given, tracked, output) if name == "cat" else lost
    here, bare = seen(source), name.rstrip("_")
    if name in COPIES or bare in NORMS or torch.Tag.pointwise in func.tags:
        return _together(tracked, output)
    if name in SHAPES:
        return _reshaped(here, source.shape, output.shape)
    if name in ("permute", "transpose", "t"):
        return here.moved(_order(name, given, source.ndim))
    if name == "expand":
        return _together([source], output)
    if name in ("slice", "select"):
        return _cut(here, name, given, source)
    if bare in SOFTMAX:
        return here.mixed() if given["dim"] % source.ndim in here.at else here
    if name == "native_layer_norm":
        return here.mixed() if source.ndim - len(given["normalized_shape"]) <= max(here.at, default=-1) else here
    if name == "native_group_norm":
        return here.mixed()
    if name in REDUCTIONS:
        return _reduced(here, given, source, output)
    if name in PRODUCTS:
        return _product(here, given, PRODUCTS[name], tracked, source, output)
    return _windowed(name, given, here, source, output) or lost


def _windowed(name: str, given: dict, here: Seen, source: Tensor, output: Tensor) -> Seen | None:
    """Operations whose cells read a window of the grid in the last two dimensions."""
    kernel = tuple(given["weight"].shape[2:]) if name == "convolution" else _pair(given.get("kernel_size") or 1)
    if name == "convolution" and prod((*kernel, *given["stride"])) == 1 and not any(given["padding"]):
        return here if min(here.at, default=2) > 1 else None
    if here.dims != (source.ndim - 2, source.ndim - 1):
        return None
    grid = (here.field.y, here.field.x)
    if name == "convolution" or name in POOLS:
        stride, padding = _pair(given.get("stride") or kernel), _pair(given.get("padding", 0))
        dilation = _pair(given.get("dilation", 1))
        turn = _transposed if given.get("transposed") else _window
        axes = map(turn, grid, kernel, stride, padding, dilation)
    elif name in PADS:
        axes = map(_shifted, grid, (given["pad" if "pad" in given else "padding"])[2::-2])
    elif name.startswith(("upsample_", "_upsample_")):
        taps = TAPS.get(name.split("upsample_")[1].removesuffix("2d").removesuffix("_exact").removesuffix("_aa"))
        scale = [big / small for big, small in zip(output.shape[2:], source.shape[2:], strict=True)]
        if taps is None or given.get("align_corners") or any(factor % 1 for factor in scale):
            return here.mixed()
        axes = (_upsampled(axis, int(factor), taps) for axis, factor in zip(grid, scale, strict=True))
    elif "adaptive" in name and "pool" in name:
        return here.mixed()
    else:
        return None
    return replace(here, field=Field(*axes))


def _window(axis: Axis, kernel: int, stride: int, padding: int, dilation: int) -> Axis:
    reads = (0, kernel - 1)
    return axis.through(lambda cell: (cell * stride - padding + read * dilation for read in reads), inputs=stride)


def _transposed(axis: Axis, kernel: int, stride: int, padding: int, dilation: int) -> Axis:
    def reads(cell: int) -> list[int]:
        starts = (cell + padding - read * dilation for read in range(kernel))
        return [start // stride for start in starts if start % stride == 0]

    return axis.through(reads, outputs=stride)


def _upsampled(axis: Axis, scale: int, taps: tuple[int, int]) -> Axis:
    if taps == (0, 0):
        return axis.through(lambda cell: (cell // scale,), outputs=scale)
    return axis.through(lambda cell: ((2 * cell + 1 - scale) // (2 * scale) + tap for tap in taps), outputs=scale)


def _shifted(axis: Axis, padding: int) -> Axis:
    return axis.through(lambda cell: (cell - padding,))


def _pair(value) -> tuple[int, int]:
    value = list(value) if isinstance(value, list | tuple) else [value]
    return (value[0], value[-1])


def _together(tensors: list[Tensor], output: Tensor) -> Seen:
    """Cells computed one by one from the same cells of several tensors, broadcast as usual."""
    total = None
    for tensor in tensors:
        shift = output.ndim - tensor.ndim
        here = seen(tensor).moved({i: i + shift for i in range(tensor.ndim)})
        if any(tensor.shape[i - shift] != output.shape[i] for i in here.at):
            here = here.lost()
        total = here if total is None else _union(total, here)
    return total


def _union(first: Seen, second: Seen) -> Seen:
    if first.at != second.at and first.at and second.at:
        return first.lost()
    placed = first if first.at else second
    field = Field(*(a.union(b) for a, b in ((first.field.y, second.field.y), (first.field.x, second.field.x))))
    return replace(placed, field=field)


def _joined(given: dict, tracked: list[Tensor], output: Tensor) -> Seen:
    dim, total = given.get("dim", 0) % output.ndim, None
    for tensor in tracked:
        total = seen(tensor) if total is None else _union(total, seen(tensor))
    return total.lost() if dim in total.at else total


def _parts(source: Tensor, dim: int, outputs: list[Tensor], drop: bool) -> list[Seen]:
    """The pieces of a tensor along a dimension, which ``unbind`` drops."""
    here, dim, start, pieces = seen(source), dim % source.ndim, 0, []
    for output in outputs:
        if drop:
            pieces.append(_cut(here, "select", {"dim": dim}, source))
        else:
            pieces.append(_cut(here, "slice", {"dim": dim, "start": start}, source))
            start += output.shape[dim]
    return pieces


def _cut(here: Seen, name: str, given: dict, source: Tensor) -> Seen:
    dim = given.get("dim", 0) % source.ndim
    if dim not in here.at:
        return here.moved({i: i - (name == "select" and dim < i) for i in range(source.ndim)})
    start, every = given.get("start") or 0, given.get("step") or 1
    if name == "select" or not here.dims:
        return here.lost()
    start = start % source.shape[dim] if start < 0 else start
    axes = [here.field.y, here.field.x]
    side = here.dims.index(dim)
    axes[side] = axes[side].through(lambda cell: (start + cell * every,), inputs=every)
    return replace(here, field=Field(*axes))


def _order(name: str, given: dict, ndim: int) -> dict[int, int]:
    order = list(range(ndim))
    if name == "permute":
        order = [dim % ndim for dim in given["dims"]]
    elif ndim > 1:
        a, b = (0, 1) if name == "t" else (given["dim0"], given["dim1"])
        order[a], order[b] = order[b], order[a]
    return {old: new for new, old in enumerate(order)}


def _reduced(here: Seen, given: dict, source: Tensor, output: Tensor) -> Seen:
    dims = given.get("dim")
    dims = range(source.ndim) if dims is None or dims == [] else (dims if isinstance(dims, list) else [dims])
    dims = {dim % source.ndim for dim in dims}
    if dims & set(here.at):
        return here.lost()
    gone = dims if output.ndim < source.ndim else set()
    return here.moved({i: i - sum(dim < i for dim in gone) for i in range(source.ndim)})


def _product(here: Seen, given: dict, places: tuple[int, int], tracked, source: Tensor, output: Tensor) -> Seen:
    """A matrix product mixes what it sums over; with a matrix of weights from the right the rows stay apart."""
    values = list(given.values())
    left, right = values[places[0]], values[places[1]]
    if source is left and seen(right) is None and len(tracked) == 1 and left.ndim - 1 not in here.at:
        return here
    return here.lost()


def _reshaped(here: Seen, old: torch.Size, new: torch.Size) -> Seen:
    """The grid after a change of shape that keeps the order of the elements: found again by what lies inside it."""
    if not here.at or (here.dims and here.dims[1] != here.dims[0] + 1):
        return here.lost() if here.at else here
    rows, cols = (old[i] for i in here.dims) if here.dims else here.flat[1:]
    inside = prod(old[here.at[-1] + 1 :])
    for i in range(len(new) - 1):
        if (new[i], new[i + 1]) == (rows, cols) and prod(new[i + 2 :]) == inside:
            return Seen(here.field, dims=(i, i + 1))
    for i in range(len(new)):
        if new[i] % (rows * cols) == 0 and prod(new[i + 1 :]) == inside:
            return Seen(here.field, flat=(i, rows, cols))
    return here.lost()
