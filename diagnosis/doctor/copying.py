"""What is asked, as it was before it was asked: a copy with all that it keeps."""

from copy import deepcopy
from types import CellType, FunctionType
from typing import Any


def copied(asked: Any, depth: int = 4) -> Any:
    """A callable as it is now, with what its closures and defaults keep; itself where it cannot be copied."""
    if isinstance(asked, FunctionType) and depth:
        cells = asked.__closure__ or ()
        try:
            kept = tuple(CellType(copied(cell.cell_contents, depth - 1)) for cell in cells)
        except ValueError:  # a cell that is filled later
            return asked
        defaults = tuple(copied(value, depth - 1) for value in asked.__defaults__ or ())
        made = FunctionType(asked.__code__, asked.__globals__, asked.__name__, defaults, kept)
        made.__kwdefaults__ = asked.__kwdefaults__
        return made
    try:
        return deepcopy(asked)
    except Exception:  # whatever an object's own copying raises: it cannot be copied
        return asked
