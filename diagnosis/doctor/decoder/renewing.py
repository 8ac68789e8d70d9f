"""A decoder as if it had never been asked: with its own copy of what it keeps, in its module too."""

from collections.abc import Callable
from copy import deepcopy
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import Any

from ..copying import copied


def renewed(decode: Callable) -> Callable:
    """A copy with the names of its module that it uses copied as well: lists, objects, functions and their caches."""
    if not isinstance(decode, FunctionType):
        return copied(decode)
    old = decode.__globals__
    names: dict[str, Any] = dict(old)
    for name in _used(decode):
        names[name] = _copy(old[name], old, names)
    found = copied(decode)
    return _rebuilt(found, names) if isinstance(found, FunctionType) else found


def _used(decode: FunctionType) -> set[str]:
    """Names of its module that a function uses, itself or by the functions of that module that it calls."""
    found: set[str] = set()
    waiting: list[Any] = [decode.__code__]
    while waiting:
        code = waiting.pop()
        waiting += [part for part in code.co_consts if hasattr(part, "co_names")]
        for name in code.co_names:
            if name in decode.__globals__ and name not in found:
                found.add(name)
                inner = getattr(decode.__globals__[name], "__wrapped__", decode.__globals__[name])
                if isinstance(inner, FunctionType) and inner.__globals__ is decode.__globals__:
                    waiting.append(inner.__code__)
    return found


def _copy(value: Any, old: dict[str, Any], names: dict[str, Any]) -> Any:
    if isinstance(value, (ModuleType, type)):
        return value
    if isinstance(value, FunctionType):
        return _rebuilt(value, names) if value.__globals__ is old else value
    inner = getattr(value, "__wrapped__", None)
    if isinstance(inner, FunctionType) and hasattr(value, "cache_parameters"):
        return lru_cache(**value.cache_parameters())(_copy(inner, old, names))
    try:
        return deepcopy(value)
    except Exception:  # whatever an object's own copying raises: it cannot be copied
        return value


def _rebuilt(function: FunctionType, names: dict[str, Any]) -> FunctionType:
    defaults = tuple(copied(value) for value in function.__defaults__ or ())
    made = FunctionType(function.__code__, names, function.__name__, defaults, function.__closure__)
    made.__kwdefaults__ = function.__kwdefaults__
    return made
