"""Edits of a recipe that need more than the model itself: another head beside it, or rows that the recipe holds."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import nn

from anatomy import Head, describe, open_checkpoint

from ..edit import Edit
from .adding import add_again
from .beside import fingerprint_of, stack
from .told import listed

Others = object | Iterable[object]


def apply_with_others(head: Head, edit: Edit, others: Others) -> Edit:
    """Do to a head what an edit says; ``others``: models among which the one that it needs may be."""
    if edit.operation == "add_class":
        return add_again(head, edit)
    return stack(head, _donor(edit, others), dict(edit.parameters))


def _donor(edit: Edit, others: Others) -> Head:
    """The head whose classes the edit put beside: of a given model, or of the file that the edit names."""
    said: dict[str, Any] = dict(edit.parameters)
    wanted, path = said["donor"], said.get("path")
    given = list(others) if isinstance(others, Iterable) and not isinstance(others, nn.Module) else [others]
    for model in given:
        donor = describe(model)
        if fingerprint_of(donor) == wanted:
            return donor
    if path and Path(path).is_file():
        donor = describe(open_checkpoint(path))
        if fingerprint_of(donor) == wanted:
            return donor
    where = f" It came from {path!r}." if path else ""
    told = listed([str(name) for name in said["names"]])
    raise ValueError(
        f"The edit stack_heads puts the classes {told} of another model beside, "
        f"which is not among the {len(given)} given (by its fingerprint {wanted[:12]}…).{where} Give it as others=."
    )
