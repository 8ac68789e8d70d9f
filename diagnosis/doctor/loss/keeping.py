"""What a loss keeps in names of its module, as it was before it was asked."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from types import CodeType, FunctionType, MethodType
from typing import Any

import numpy as np
from torch import Tensor

KEPT = (dict, list, set, Tensor, np.ndarray, int, float, type(None))
"""What a module may keep between calls: containers and numbers."""


@dataclass(frozen=True)
class Kept:
    """Global names that a loss uses, ``space`` of its module in which they stand, and what they held."""

    space: dict[str, Any]
    held: Mapping[str, Any]

    @contextmanager
    def anew(self) -> Iterator[None]:
        """The names as they were in the beginning; afterwards as they are now, whatever the call leaves in them."""
        now = {name: self.space[name] for name in self.held if name in self.space}
        self.space.update(deepcopy(dict(self.held)))
        try:
            yield
        finally:
            self.space.update(now)


def kept(loss: Callable) -> Kept:
    """The globals that a loss, and functions and classes of its module that it names, can keep something in."""
    first = _functions(loss) or _functions(type(loss))
    if not first:
        return Kept({}, {})
    space, names, seen = first[0].__globals__, set[str](), set[CodeType]()
    waiting = [function.__code__ for function in first if function.__globals__ is space]
    while waiting:
        code = waiting.pop()
        if code in seen:
            continue
        seen.add(code)
        waiting += [part for part in code.co_consts if isinstance(part, CodeType)]
        for name in set(code.co_names) & space.keys():
            names.add(name)
            waiting += [part.__code__ for part in _functions(space[name]) if part.__globals__ is space]
    held = {name: space[name] for name in names if isinstance(space[name], KEPT)}
    try:
        return Kept(space, deepcopy(held))
    except Exception:  # whatever an object's own copying raises: it cannot be copied
        return Kept({}, {})


def _functions(one: object) -> list[FunctionType]:
    """A function itself, or the methods of a class or of an object's class."""
    if isinstance(one, FunctionType):
        return [one]
    if isinstance(one, MethodType):
        return _functions(type(one.__self__))
    return [part for part in vars(one).values() if isinstance(part, FunctionType)] if isinstance(one, type) else []
