"""An edit as a value: what is done to which class rows, before it is done."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from os import PathLike
from pathlib import Path
from typing import Any

from torch import Tensor

from anatomy import Level
from anatomy.archive import write_whole
from anatomy.arguments import check_path, shown
from anatomy.shown import Told

from .parameters import Parameters, plain
from .rows import Rows
from .table import operation_of


@dataclass(frozen=True, repr=False)
class Edit(Told):
    """One change of class rows: ``operation`` (the name of its function), level and class ids, its parameters.

    ``classes`` is empty where the operation moves all rows. ``branches`` names those it went to. Parameters are plain
    numbers, strings and lists, so that a list of edits is a recipe that JSON can hold; they are read alone, with tuples
    for lists.
    """

    operation: str
    levels: tuple[int, ...]
    classes: tuple[int, ...] = ()
    parameters: Mapping[str, object] = field(default_factory=dict)
    branches: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("levels", "classes", "branches"):
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "parameters", Parameters(self.parameters))

    def to_dict(self) -> dict:
        """The edit as dicts and lists of plain values, which are the caller's own."""
        return {entry.name: plain(getattr(self, entry.name)) for entry in fields(self)}

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> "Edit":
        """The edit of one recipe entry; raises ValueError for a field that is missing, unknown or of no use."""
        wanted = {"operation", "levels", "classes", "parameters", "branches"}
        if not isinstance(entry, Mapping) or not {"operation", "levels"} <= set(entry) <= wanted:
            raise ValueError(f"A recipe entry needs the fields {sorted(wanted)}, but {shown(entry)} was given.")
        edit: dict[str, Any] = {"classes": (), "parameters": {}, "branches": ()} | dict(entry)
        operation_of(edit["operation"]).check(
            levels=edit["levels"],
            classes=edit["classes"],
            parameters=edit["parameters"],
            branches=edit["branches"],
        )
        return cls(
            operation=edit["operation"],
            levels=tuple(edit["levels"]),
            classes=tuple(edit["classes"]),
            parameters=dict(edit["parameters"]),
            branches=tuple(edit["branches"]),
        )

    def __str__(self) -> str:
        values = [f"{name}={_shorten(value)}" for name, value in self.parameters.items()]
        chosen = [f"classes={list(self.classes)}"] if self.classes else []
        return f"{self.operation}({', '.join([f'levels={list(self.levels)}', *chosen, *values])})"


def _shorten(value: object) -> str:
    if isinstance(value, tuple) and len(value) > 8:
        return f"[{', '.join(map(str, value[:8]))}, …]"
    return str(plain(value))


def check(edit: Edit) -> None:
    """Refuse an edit, made by hand, that its operation can make on no model; ValueError, naming field and rule."""
    operation_of(edit.operation).check(edit.levels, edit.classes, edit.parameters, edit.branches)


def edited(weight: Tensor, bias: Tensor | None, edit: Edit, anchors: int = 1) -> Rows:
    """The rows of one convolution after an edit; where a cell has several anchors, those of each are edited alike."""
    return operation_of(edit.operation).changed((weight, bias), edit.classes, edit.parameters, anchors)


def tell(edit: Edit, levels: Sequence[Level], names: Mapping[int, str]) -> str:
    """An edit in words, with the names of levels and classes; those of each operation stand in its row of the table."""
    operation = operation_of(edit.operation)
    where = "all levels"
    if len(edit.levels) != len(levels):
        where = ", ".join(levels[index].name for index in edit.levels)
    chosen = operation.classes.told([names[index] for index in edit.classes], len(names))
    return f"{where}: {operation.words(chosen, **edit.parameters)}"


def as_edits(edits: object) -> tuple[Edit, ...]:
    """One edit, several, or the path of a recipe as a tuple of edits; raises TypeError for anything else."""
    if isinstance(edits, Edit):
        return (edits,)
    if isinstance(edits, str | Path):
        return read_recipe(edits)
    if isinstance(edits, Iterable) and not isinstance(edits, Mapping | bytes):
        return tuple(_as_edit(entry) for entry in edits)
    return (_as_edit(edits),)


def _as_edit(entry: object) -> Edit:
    if isinstance(entry, Edit):
        return entry
    raise TypeError(
        f"Edits are an Edit, a sequence of Edits or the path of a recipe, but {shown(entry)} was given. "
        "Edit.from_dict makes an edit of one entry of a recipe; surgery.history(model) gives those of a model."
    )


def write_recipe(edits: Edit | Iterable[Edit], path: str | PathLike[str]) -> Path:
    """Write edits as a JSON list, whole or not at all; returns the path. TypeError for what is no edit.

    >>> surgery.write_recipe(surgery.history(model), folder / "recipe.json").name
    'recipe.json'
    """
    lines = ",\n".join(json.dumps(edit.to_dict()) for edit in as_edits(edits))
    path = check_path(path, "surgery.write_recipe")
    text = f"[\n{lines}\n]\n" if lines else "[]\n"
    return write_whole(path, lambda file: file.write(text.encode()))


def read_recipe(path: str | PathLike[str]) -> tuple[Edit, ...]:
    """Read the edits of a JSON recipe; raises ValueError for anything else.

    >>> path = surgery.write_recipe(surgery.Edit("mute_level", (0,)), folder / "recipe.json")
    >>> surgery.read_recipe(path)[0].operation
    'mute_level'
    """
    path = check_path(path, "surgery.read_recipe")
    if not path.is_file():
        raise FileNotFoundError(f"There is no recipe {str(path)!r}: surgery.write_recipe(edits, path) writes one.")
    try:
        entries = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{str(path)!r} is no JSON recipe: {error}.") from error
    if not isinstance(entries, list):
        raise ValueError(f"A recipe is a JSON list of edits, but {str(path)!r} holds a {type(entries).__name__}.")
    edits = []
    for number, entry in enumerate(entries):
        try:
            edits.append(Edit.from_dict(entry))
        except ValueError as error:
            raise ValueError(f"Entry {number} of {str(path)!r} is no edit. {error}") from error
    return tuple(edits)
