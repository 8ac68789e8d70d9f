"""Operations in the forwards of modules: each one listened to where asked, attention that is masked wholly always."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .listen import Listener, Masked, tensors

SOFTMAX = ("softmax", "log_softmax")
ATTENTION = ("scaled_dot_product_attention", "multi_head_attention_forward")
WATCHED = frozenset(SOFTMAX + ATTENTION)
MASKS = ("attn_mask", "key_padding_mask")
ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "pow", "matmul", "mod")
SPOKEN = {"truediv": "div", "true_divide": "div", "divide": "div", "multiply": "mul", "subtract": "sub"}


class Operations(TorchFunctionMode):
    """While the block lasts, operations that modules call in their forwards tell the listener of themselves.

    With ``every`` all whose result is new in memory, but for those that a layer of torch itself is made of; without it
    attention alone is looked at.
    """

    def __init__(self, listener: Listener, every: bool):
        super().__init__()
        self.listener, self.every = listener, every

    def __torch_function__(
        self, func: Callable, types: Sequence[type], args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Called by torch in place of each of its functions."""
        kwargs, listener = kwargs or {}, self.listener
        plain = getattr(func, "__name__", "")
        if not (self.every or plain in WATCHED) or not (listener.listening and listener.inside):
            return func(*args, **kwargs)
        name = spoken(plain)
        heard = self.every and not _sets_up(name) and not _is_torchs(listener.inside[-1].module)
        given = tensors((args, list(kwargs.values()))) if heard else []
        if heard and _overwrites(func) and not listener.knows(args[0]):
            given = [tensor for tensor in given if tensor is not args[0]]  # it may not have been written yet
        inputs = listener.given(given)
        places = {tensor.untyped_storage().data_ptr() for tensor in given}
        versions = [tensor._version for tensor in given]
        output = func(*args, **kwargs)
        if name in SOFTMAX or name in ATTENTION:
            self._look_for_masks(name, args, kwargs, output)
        if heard:
            moved = [tensor for tensor, version in zip(given, versions, strict=True) if tensor._version != version]
            listener.operation(name, inputs, [out for out in tensors(output) if _is_new(out, places, moved)])
        return output

    def _look_for_masks(self, name: str, args: tuple, kwargs: Mapping[str, Any], output: Any) -> None:
        listener = self.listener
        now, made = listener.inside[-1], tensors(output)
        wholly = _softmax_rows(args, kwargs) if name in SOFTMAX else _attention_rows(name, args, kwargs)
        if wholly is None or not made:
            return
        images = None
        if wholly.ndim and wholly.shape[0] == listener.batch > 1:
            images = wholly.flatten(1).any(1) if wholly.ndim > 1 else wholly
        hit = wholly.any()
        if name in ATTENTION:  # newer kernels put out zeros for such a row
            hit = hit & made[0].detach().isnan().any()
        listener.masked.append(
            Masked(
                order=len(listener.values),
                path=now.path,
                kind=type(now.module).__name__,
                operation=name,
                wholly=hit,
                images=images,
            )
        )


def spoken(name: str) -> str:
    """A function of torch by its plain name: ``x * y``, ``y *= x`` and ``torch.mul`` are all "mul"."""
    plain = name.strip("_") if name.startswith("__") else name.rstrip("_")
    if name.startswith("__") and plain[:1] in ("r", "i") and plain[1:] in ARITHMETIC:
        plain = plain[1:]
    return SPOKEN.get(plain, plain)


def _sets_up(name: str) -> bool:
    """Whether a function makes a tensor that takes no more than shape and type of another."""
    return name.startswith("new_") or name.endswith("_like") or name in ("empty", "type_as")


def _overwrites(func: Callable) -> bool:
    name = getattr(func, "__name__", "")
    return name == "__setitem__" or (name.endswith("_") and not name.startswith("_"))


def _is_torchs(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch.nn.")


def _is_new(output: Tensor, places: set[int], moved: Sequence[Tensor]) -> bool:
    """Whether an operation wrote this tensor, in memory of its own or in place; a view of an input is not new."""
    return any(output is tensor for tensor in moved) or output.untyped_storage().data_ptr() not in places


def _softmax_rows(args: tuple, kwargs: Mapping[str, Any]) -> Tensor | None:
    """Which rows of a softmax's input are -inf throughout; None where that is not known."""
    scores = args[0] if args else kwargs.get("input")
    dim = args[1] if len(args) > 1 else kwargs.get("dim")
    if not isinstance(scores, Tensor) or not isinstance(dim, int) or not scores.is_floating_point():
        return None
    return scores.detach().amax(dim) == -torch.inf if scores.numel() else None


def _attention_rows(name: str, args: tuple, kwargs: Mapping[str, Any]) -> Tensor | None:
    """Which rows of the masks of an attention leave nothing over; None without masks."""
    given = [kwargs.get(key) for key in MASKS]
    if name == "scaled_dot_product_attention" and len(args) > 3:
        given[0] = args[3]
    rows = [_left_out(mask, allowed=name == "scaled_dot_product_attention") for mask in given if mask is not None]
    if not rows:
        return None
    return rows[0] if len(rows) == 1 else torch.stack([row.any() for row in rows]).any()


def _left_out(mask: Tensor, *, allowed: bool) -> Tensor:
    """Rows of a mask that leave nothing over; of bool, ``allowed``: True stands for what may be looked at."""
    mask = mask.detach()
    if mask.dtype == torch.bool:
        return (~mask if allowed else mask).all(-1)
    return (mask == -torch.inf).all(-1)
