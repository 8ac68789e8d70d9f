"""Numbers that a caller gives, checked at the door: whole, finite, or a share; each error says rule and value."""

import math
import operator
from collections.abc import Mapping, Sequence
from numbers import Real
from os import PathLike, fspath
from pathlib import Path
from reprlib import Repr
from typing import Any

import numpy as np
from torch import Tensor

SOME = 80  # characters of a value that an error shows
SHORT = Repr()  # never deep, however a value is nested
SHORT.maxstring = SHORT.maxother = SHORT.maxlong = SOME


def shown(value: object) -> str:
    """A value and its type, short enough for an error message."""
    text = SHORT.repr(value)
    text = text if len(text) <= SOME else f"{text[:SOME]}…"
    return f"{text} ({type(value).__name__})"


def scalar(value: Any) -> Any:
    """What a 0-d tensor or array holds, as a Python number; anything else as it is."""
    return value.item() if isinstance(value, Tensor | np.ndarray) and value.ndim == 0 else value


def whole_number(value: Any, what: str) -> int:
    """``value`` as an int; integers of numpy and torch pass, 0-d ones too; bools, floats, text and arrays do not.

    Raises TypeError.

    >>> anatomy.whole_number(3, "steps")
    3
    """
    number: Any = scalar(value)
    if not isinstance(number, bool | Tensor | np.ndarray):
        try:
            return operator.index(number)
        except TypeError:
            pass
    raise TypeError(f"{what} must be a whole number, but {shown(value)} was given.")


def finite_number(value: Any, what: str, remedy: str = "") -> float:
    """``value`` as a float; raises TypeError for what is no real number, ValueError for what is not finite.

    >>> anatomy.finite_number(3, "conf")
    3.0
    """
    number = scalar(value)
    if isinstance(number, bool) or not isinstance(number, Real):
        raise TypeError(f"{what} must be a number, but {shown(value)} was given.")
    try:
        number = float(number)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{what} must be finite, but {shown(value)} was given.{remedy and ' '}{remedy}")
    return number


def share(value: Any, what: str) -> float:
    """``value`` as a float from 0 to 1; raises TypeError and ValueError."""
    number = finite_number(value, what)
    if not 0 <= number <= 1:
        raise ValueError(f"{what} must be from 0 to 1, but {value!r} was given.")
    return number


def whole_numbers(values: Any, what: str) -> np.ndarray:
    """One whole number or several as (n,) int64; raises TypeError for anything else, floats without fraction too."""
    if not isinstance(values, str | bytes | Mapping | set | frozenset):
        values = values.cpu() if isinstance(values, Tensor) else values
        try:
            numbers = np.atleast_1d(np.asarray(values))
        except ValueError:  # lists of several lengths
            numbers = np.empty((0, 0, 0))
        if numbers.ndim == 1 and (numbers.size == 0 or numbers.dtype.kind in "iu"):
            return numbers.astype(np.int64)
    raise TypeError(f"{what} must be whole numbers, one or a sequence, but {shown(values)} was given.")


def check_path(value: Any, call: str) -> Path:
    """A path of text or of a path object; TypeError for anything else. ``call``: the function, as it is written."""
    if isinstance(value, str | PathLike) and isinstance(name := fspath(value), str):
        return Path(name)
    raise TypeError(f"{call} takes the path of a file, but {shown(value)} was given.")


def refused(call: str, takes: str, given: object, example: str) -> TypeError:
    """The error of a function that was given something else than what it ``takes``; ``example``: a line that works."""
    plain = given is None or isinstance(given, str | int | float | Sequence | Mapping)
    name = type(given).__name__
    told = shown(given) if plain else f"a{'n' * (name[0] in 'AEIOU')} {name}"
    return TypeError(f"{call} takes {takes}, but {told} was given. Example: {example}.")
