"""An edit as a value: what is done to which class rows, before it is done."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from anatomy.arguments import shown

from .files import write_whole
from .parameters import Parameters, plain
from .signatures import check_edit


@dataclass(frozen=True)
class Edit:
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

    def __post_init__(self):
        for name in ("levels", "classes", "branches"):
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "parameters", Parameters(self.parameters))

    def to_dict(self) -> dict:
        """The edit as dicts and lists of plain values, which are the caller's own."""
        return {entry.name: plain(getattr(self, entry.name)) for entry in fields(self)}

    @classmethod
    def from_dict(cls, entry: Mapping) -> "Edit":
        """The edit of one recipe entry; raises ValueError for a field that is missing, unknown or of no use."""
        wanted = {"operation", "levels", "classes", "parameters", "branches"}
        if not isinstance(entry, Mapping) or not {"operation", "levels"} <= set(entry) <= wanted:
            raise ValueError(f"A recipe entry needs the fields {sorted(wanted)}, but {shown(entry)} was given.")
        edit = {"classes": (), "parameters": {}, "branches": ()} | dict(entry)
        check_edit(**edit)
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


def _shorten(value) -> str:
    return (
        f"[{', '.join(map(str, value[:8]))}, …]" if isinstance(value, tuple) and len(value) > 8 else str(plain(value))
    )


def as_edits(edits) -> tuple[Edit, ...]:
    """One edit, several, or the path of a recipe as a tuple of edits; raises TypeError for anything else."""
    if isinstance(edits, Edit):
        return (edits,)
    if isinstance(edits, str | Path):
        return read_recipe(edits)
    several = isinstance(edits, Iterable) and not isinstance(edits, Mapping | bytes)
    found = tuple(edits) if several else (edits,)
    for entry in found:
        if not isinstance(entry, Edit):
            raise TypeError(
                f"Edits are an Edit, a sequence of Edits or the path of a recipe, but {shown(entry)} was given. "
                "Edit.from_dict makes an edit of one entry of a recipe; surgery.history(model) gives those of a model."
            )
    return found


def write_recipe(edits: Sequence[Edit], path) -> Path:
    """Write edits as a JSON list, whole or not at all; returns the path. TypeError for what is no edit."""
    edits = as_edits(edits)
    lines = ",\n".join(json.dumps(edit.to_dict()) for edit in edits)
    text = f"[\n{lines}\n]\n" if lines else "[]\n"
    return write_whole(Path(path), lambda file: file.write(text.encode()))


def read_recipe(path) -> tuple[Edit, ...]:
    """Read the edits of a JSON recipe; raises ValueError for anything else."""
    try:
        entries = json.loads(Path(path).read_text())
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
