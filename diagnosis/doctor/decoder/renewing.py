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
                waiting += [one.__code__ for one in _functions(decode.__globals__[name], decode.__globals__)]
    return found


def _functions(value: Any, names: dict[str, Any]) -> list[FunctionType]:
    """The functions of a module that a value of it is, or wraps, or has as a class."""
    parts = vars(value).values() if isinstance(value, type) else (value,)
    inner = [getattr(part, "__wrapped__", getattr(part, "__func__", part)) for part in parts]
    return [one for one in inner if isinstance(one, FunctionType) and one.__globals__ is names]


def _copy(value: Any, old: dict[str, Any], names: dict[str, Any]) -> Any:
    if isinstance(value, ModuleType):
        return value
    if isinstance(value, type):
        told = any("__init_subclass__" in vars(base) for base in value.__mro__[:-1])  # of each class under it
        plain = type(value) is type and not told
        return _class(value, old, names) if plain and _functions(value, old) else value
    if isinstance(value, FunctionType):
        return _rebuilt(value, names) if value.__globals__ is old else value
    inner = getattr(value, "__wrapped__", None)
    if isinstance(inner, FunctionType) and hasattr(value, "cache_parameters"):
        return lru_cache(**value.cache_parameters())(_copy(inner, old, names))
    try:
        return deepcopy(value)
    except Exception:  # whatever an object's own copying raises: it cannot be copied
        return value


def _class(value: type, old: dict[str, Any], names: dict[str, Any]) -> type:
    """A class under the one given, with copies of all that is its own; itself where none can stand under it."""
    own = {
        name: part
        for name, part in vars(value).items()
        if not name.startswith("__") or name in ("__init__", "__call__")
    }
    try:
        return type(value)(value.__name__, (value,), {name: _copy(part, old, names) for name, part in own.items()})
    except TypeError:
        return value


def _rebuilt(function: FunctionType, names: dict[str, Any]) -> FunctionType:
    defaults = tuple(copied(value) for value in function.__defaults__ or ())
    made = FunctionType(function.__code__, names, function.__name__, defaults, function.__closure__)
    made.__kwdefaults__ = function.__kwdefaults__
    return made
