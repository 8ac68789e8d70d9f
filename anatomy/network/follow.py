"""Follows receptive fields through a forward pass, operation by operation, whatever the network is made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from .field import Axis, Field
from .seen import Seen, made_by, makers, mark, seen, tensors_in

SHAPES = {"view", "_unsafe_view", "reshape", "squeeze", "unsqueeze", "_reshape_alias", "flatten", "unflatten"}
COPIES = {"clone", "detach", "alias", "contiguous", "_to_copy", "copy_", "lift_fresh", "dropout", "native_dropout"}
NORMS = {"native_batch_norm", "cudnn_batch_norm", "_native_batch_norm_legit_no_training", "miopen_batch_norm"}
REDUCTIONS = {"mean", "sum", "amax", "amin", "max", "min", "var", "var_mean", "std", "linalg_vector_norm", "prod"}
SOFTMAX = {"_softmax", "_log_softmax", "softmax", "log_softmax"}
SPLITS = {"split", "split_with_sizes", "chunk", "unsafe_split", "unbind"}
PRODUCTS = {"mm": 0, "bmm": 0, "addmm": 1, "baddbmm": 1, "matmul": 0, "linear": 0}  # which argument is the left factor
POOLS = {"max_pool2d", "max_pool2d_with_indices", "avg_pool2d"}
PADS = {"constant_pad_nd", "pad", "reflection_pad2d", "replication_pad2d"}
TAPS = {"nearest": (0, 0), "_nearest": (0, 0), "bilinear": (0, 1), "bicubic": (-1, 2)}  # first and last cell read


Tracked = list[tuple[Tensor, Seen]]  # tensors that the image has reached, and what they see


def _tracked(values: Any) -> Tracked:
    found = []
    for entry in tensors_in(values):
        here = seen(entry)
        if here is not None:
            found.append((entry, here))
    return found


@dataclass(frozen=True)
class Step:
    """One operation on tensors that the image has reached: its arguments by name, and which of them are ``tracked``.

    ``pointwise``: each cell of what it makes comes of the same cell of what it is given.
    """

    name: str
    pointwise: bool
    given: Mapping[str, Any]
    tracked: Tracked

    @property
    def source(self) -> tuple[Tensor, Seen] | None:
        """The first tracked tensor that is an argument by itself; None where they all stand in lists."""
        for value in self.given.values():
            here = seen(value) if isinstance(value, Tensor) else None
            if here is not None:
                return value, here
        return None

    @property
    def lost(self) -> Seen:
        """What is said of the outputs where nothing better is known."""
        return self.tracked[0][1].lost()


class Following(TorchDispatchMode):
    """Within the block every tensor made of a marked one is marked.

    Exact for convolutions, pooling, padding, upsampling by whole factors, slices, reshaping and what acts on each cell
    alone. An operation that is not known here counts as one that sees everything, so a field is never too small.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Run the operation, and mark what it makes."""
        made = _shapes_normalized(func, args) or func(*args, **(kwargs or {}))
        tracked = _tracked((args, kwargs))
        if tracked:
            step = _step(func, args, kwargs or {}, tracked)
            outputs = tensors_in(made)
            before = _all_makers((args, kwargs))
            for output, found in zip(outputs, _spread(step, outputs), strict=False):
                made_by(mark(output, found), before)
        return made


def _shapes_normalized(func: Any, args: tuple) -> tuple[Tensor, ...] | None:
    """What a batch normalization in evaluation makes on the meta device, which torch would compute step by step.

    None for any other operation, and for statistics that do not fit the channels, of which torch is to complain.
    """
    if func is not torch.ops.aten.native_batch_norm.default:
        return None
    x, held, training = args[0], [value for value in args[1:5] if value is not None], args[5]
    if training or not x.is_meta or x.ndim < 2 or any(value.shape != x.shape[1:2] for value in held):
        return None
    return torch.empty_like(x), x.new_empty(0), x.new_empty(0)


def _step(func: Any, args: tuple, kwargs: dict, tracked: Tracked) -> Step:
    names = [argument.name for argument in func._schema.arguments]
    return Step(
        name=func._schema.name.partition("::")[2],
        pointwise=torch.Tag.pointwise in func.tags,
        given=dict(zip(names, args, strict=False)) | kwargs,
        tracked=tracked,
    )


def _all_makers(values: Any) -> list[str]:
    """The paths that all tensors among these values come from."""
    paths: list[str] = []
    for entry in tensors_in(values):
        paths.extend(makers(entry))
    return paths


def _spread(step: Step, outputs: list[Tensor]) -> list[Seen]:
    """What each output of an operation sees."""
    if not outputs:
        return []
    if step.source is None:
        return [_joined(step, outputs[0]) if step.name == "cat" else step.lost] * len(outputs)
    source, here = step.source
    if step.name in SPLITS:
        return _parts(step, source, here, outputs)
    rule = _each_cell if step.pointwise else RULES.get(step.name) or IN_PLACE_TOO.get(step.name.rstrip("_"), _windowed)
    return [rule(step, source, here, outputs[0])] * len(outputs)


def _each_cell(step: Step, source: Tensor, here: Seen, output: Tensor) -> Seen:
    """Cells computed one by one from the same cells of what is given."""
    return _together(step.tracked, output)


def _expanded(step: Step, source: Tensor, here: Seen, output: Tensor) -> Seen:
    return _together([(source, here)], output)


def _normalized_over_all(step: Step, source: Tensor, here: Seen, output: Tensor) -> Seen:
    return here.mixed()


def _softened(step: Step, source: Tensor, here: Seen, output: Tensor) -> Seen:
    """A softmax mixes the cells where it runs along them."""
    return here.mixed() if step.given["dim"] % source.ndim in here.at else here


def _layer_normalized(step: Step, source: Tensor, here: Seen, output: Tensor) -> Seen:
    """A layer norm mixes the cells where one of its last dimensions runs along them."""
    first = source.ndim - len(step.given["normalized_shape"])
    return here.mixed() if first <= max(here.at, default=-1) else here


def _turned(step: Step, source: Tensor, here: Seen, output: Tensor) -> Seen:
    return here.moved(_order(step.name, step.given, source.ndim))


def _windowed(step: Step, source: Tensor, here: Seen, output: Tensor) -> Seen:
    """Operations whose cells read a window of the grid in the last two dimensions; any other has lost the grid."""
    name, given = step.name, step.given
    if name == "convolution" and _is_of_single_cells(given):
        return here if min(here.at, default=2) > 1 else step.lost
    if here.dims != (source.ndim - 2, source.ndim - 1):
        return step.lost
    if name == "convolution":
        return _through_windows(here, given, tuple(given["weight"].shape[2:]))
    if name in POOLS:
        return _through_windows(here, given, _pair(given["kernel_size"]))
    if name in PADS:
        return _padded(here, given["pad" if "pad" in given else "padding"])
    if name.startswith(("upsample_", "_upsample_")):
        return _enlarged(here, name, given, source, output)
    return here.mixed() if "adaptive" in name and "pool" in name else step.lost


def _is_of_single_cells(given: Mapping[str, Any]) -> bool:
    """Whether a convolution has one weight a channel, takes every cell and pads none."""
    return prod((*given["weight"].shape[2:], *given["stride"])) == 1 and not any(given["padding"])


def _through_windows(here: Seen, given: Mapping[str, Any], kernel: tuple[int, ...]) -> Seen:
    """A convolution or pooling with this kernel (y, x)."""
    turn = _transposed if given.get("transposed") else _window
    stride, padding = _pair(given.get("stride") or kernel), _pair(given.get("padding", 0))
    dilation = _pair(given.get("dilation", 1))
    axes = map(turn, (here.field.y, here.field.x), kernel, stride, padding, dilation)
    return replace(here, field=Field(*axes))


def _padded(here: Seen, pads: Sequence[int]) -> Seen:
    """Padding (left, right, top, bottom), or (left, right), in cells."""
    left, top = pads[0], pads[2] if len(pads) > 2 else 0
    return replace(here, field=Field(_shifted(here.field.y, top), _shifted(here.field.x, left)))


def _enlarged(here: Seen, name: str, given: Mapping[str, Any], source: Tensor, output: Tensor) -> Seen:
    """An upsampling by a whole factor; by any other every cell counts as seeing everything."""
    kind = name.split("upsample_")[1].removesuffix("2d").removesuffix("_exact").removesuffix("_aa")
    taps = TAPS.get(kind)
    factors = [big / small for big, small in zip(output.shape[2:], source.shape[2:], strict=True)]
    if taps is None or given.get("align_corners") or any(factor % 1 for factor in factors):
        return here.mixed()
    axes = [
        _upsampled(axis, int(factor), taps) for axis, factor in zip((here.field.y, here.field.x), factors, strict=True)
    ]
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


def _pair(value: Any) -> tuple[int, int]:
    value = list(value) if isinstance(value, list | tuple) else [value]
    return (value[0], value[-1])


def _together(tracked: Tracked, output: Tensor) -> Seen:
    """Cells computed one by one from the same cells of several tensors, broadcast as usual."""
    return reduce(_union, [_broadcast(tensor, here, output) for tensor, here in tracked])


def _broadcast(tensor: Tensor, here: Seen, output: Tensor) -> Seen:
    """What a tensor sees, its dimensions counted as those of the output; lost where its cells are repeated."""
    shift = output.ndim - tensor.ndim
    moved = here.moved({i: i + shift for i in range(tensor.ndim)})
    repeated = any(tensor.shape[i - shift] != output.shape[i] for i in moved.at)
    return moved.lost() if repeated else moved


def _union(first: Seen, second: Seen) -> Seen:
    if first.at != second.at and first.at and second.at:
        return first.lost()
    placed = first if first.at else second
    field = Field(first.field.y.union(second.field.y), first.field.x.union(second.field.x))
    return replace(placed, field=field)


def _joined(step: Step, output: Tensor) -> Seen:
    """Tensors one after another along a dimension."""
    total = reduce(_union, [here for _, here in step.tracked])
    return total.lost() if step.given.get("dim", 0) % output.ndim in total.at else total


def _parts(step: Step, source: Tensor, here: Seen, outputs: list[Tensor]) -> list[Seen]:
    """The pieces of a tensor along a dimension, which ``unbind`` drops."""
    dim, drops = step.given.get("dim", 0) % source.ndim, step.name == "unbind"
    start, pieces = 0, []
    for output in outputs:
        pieces.append(_piece(here, source, dim, start=start, drops=drops))
        start += 0 if drops else output.shape[dim]
    return pieces


def _cut(step: Step, source: Tensor, here: Seen, output: Tensor) -> Seen:
    """A slice, or one index of a dimension, which is then gone."""
    given = step.given
    return _piece(
        here,
        source,
        given.get("dim", 0) % source.ndim,
        start=given.get("start") or 0,
        every=given.get("step") or 1,
        drops=step.name == "select",
    )


def _piece(here: Seen, source: Tensor, dim: int, *, start: int, every: int = 1, drops: bool) -> Seen:
    """Every n-th cell from ``start`` along a dimension; ``drops``: one of them, and the dimension is gone."""
    if dim not in here.at:
        return here.moved({i: i - (drops and dim < i) for i in range(source.ndim)})
    if drops or not here.dims:
        return here.lost()
    first = start % source.shape[dim] if start < 0 else start
    axes = [here.field.y, here.field.x]
    side = here.dims.index(dim)
    axes[side] = axes[side].through(lambda cell: (first + cell * every,), inputs=every)
    return replace(here, field=Field(*axes))


def _order(name: str, given: Mapping[str, Any], ndim: int) -> dict[int, int]:
    order = list(range(ndim))
    if name == "permute":
        order = [dim % ndim for dim in given["dims"]]
    elif ndim > 1:
        a, b = (0, 1) if name == "t" else (given["dim0"], given["dim1"])
        order[a], order[b] = order[b], order[a]
    return {old: new for new, old in enumerate(order)}


def _reduced(step: Step, source: Tensor, here: Seen, output: Tensor) -> Seen:
    """A mean, sum or the like along some dimensions, by default along all."""
    asked = step.given.get("dim")
    if asked is None or asked == []:
        asked = list(range(source.ndim))
    dims = {dim % source.ndim for dim in (asked if isinstance(asked, list) else [asked])}
    if dims & set(here.at):
        return here.lost()
    gone = dims if output.ndim < source.ndim else set()
    left = [dim for dim in range(source.ndim) if dim not in gone]
    return here.moved({old: new for new, old in enumerate(left)})


def _product(step: Step, source: Tensor, here: Seen, output: Tensor) -> Seen:
    """A matrix product mixes what it sums over; with a matrix of weights from the right the rows stay apart."""
    left = list(step.given.values())[PRODUCTS[step.name]]
    by_weights = source is left and len(step.tracked) == 1
    return here if by_weights and left.ndim - 1 not in here.at else here.lost()


def _reshaped(step: Step, source: Tensor, here: Seen, output: Tensor) -> Seen:
    """The grid after a change of shape that keeps the order of the elements: found again by what lies inside it."""
    old, new = source.shape, output.shape
    if here.dims:
        if here.dims[1] != here.dims[0] + 1:
            return here.lost()
        rows, cols = (old[i] for i in here.dims)
    elif here.flat:
        _, rows, cols = here.flat
    else:
        return here
    inside = prod(old[here.at[-1] + 1 :])
    for i in range(len(new) - 1):
        if (new[i], new[i + 1]) == (rows, cols) and prod(new[i + 2 :]) == inside:
            return Seen(here.field, dims=(i, i + 1))
    for i in range(len(new)):
        if new[i] % (rows * cols) == 0 and prod(new[i + 1 :]) == inside:
            return Seen(here.field, flat=(i, rows, cols))
    return here.lost()


Rule = Callable[[Step, Tensor, Seen, Tensor], Seen]  # from the step, its source and what that sees, to an output's
RULES: dict[str, Rule] = {
    **dict.fromkeys(COPIES, _each_cell),
    **dict.fromkeys(SHAPES, _reshaped),
    **dict.fromkeys(("permute", "transpose", "t"), _turned),
    **dict.fromkeys(("slice", "select"), _cut),
    **dict.fromkeys(REDUCTIONS, _reduced),
    **dict.fromkeys(PRODUCTS, _product),
    "expand": _expanded,
    "native_layer_norm": _layer_normalized,
    "native_group_norm": _normalized_over_all,
}
IN_PLACE_TOO: dict[str, Rule] = {**dict.fromkeys(NORMS, _each_cell), **dict.fromkeys(SOFTMAX, _softened)}
