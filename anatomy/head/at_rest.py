"""Values as they are pickled: every tensor on the CPU, and no more memory than it needs."""

import copy
from dataclasses import Field, fields, is_dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor


def at_rest(value: Any) -> Any:
    """The same value with every tensor on the CPU, in memory of its own; tuples, lists, dicts and dataclasses anew."""
    if isinstance(value, Tensor):
        return value.detach().cpu().clone(memory_format=torch.contiguous_format)
    if isinstance(value, tuple):
        parts = [at_rest(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, list):
        return [at_rest(part) for part in value]
    if isinstance(value, dict):
        return {key: at_rest(part) for key, part in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        rested = copy.copy(value)
        for field in fields(value):
            object.__setattr__(rested, field.name, at_rest(getattr(value, field.name)))
        return rested
    to_cpu = getattr(value, "cpu", None)
    return to_cpu() if callable(to_cpu) else value


class PickledAtRest:
    """A dataclass whose tensors are pickled from the CPU; a copy in memory keeps them where they are."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]  # of the dataclass that inherits this

    def __getstate__(self) -> dict:
        return {field.name: at_rest(getattr(self, field.name)) for field in fields(self)}

    def __copy__(self) -> Self:
        return type(self)(**vars(self))

    def __deepcopy__(self, memo: dict) -> Self:
        return type(self)(**{name: copy.deepcopy(value, memo) for name, value in vars(self).items()})
