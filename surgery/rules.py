"""What a row of the table of operations says: what it does to class rows, what it takes, how it is told in words."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anatomy import whole_number
from anatomy.arguments import shown

from .rows import Merged, NoBias, Rows, joined, split
from .structure.regrouping import Regrouping

Names = Mapping[int, str]  # class id: name


@dataclass(frozen=True)
class Parameter:
    """One parameter of an operation, and how it is checked.

    ``check``: (value, what a message calls it) -> the plain value that an edit keeps; TypeError or ValueError.
    ``called``: what a message to a caller calls it; its name, if empty. ``on_model``: (class names, value) -> the plain
    value, asked instead of ``check`` where the classes of a model decide. ``optional``: a recipe may leave it out.
    ``left_out``: so does an edit, where a caller gives None.
    """

    name: str
    check: Callable[[Any, str], object]
    called: str = ""
    on_model: Callable[[Names, Any], object] | None = None
    optional: bool = False
    left_out: bool = False

    def read(self, value: object, names: Names) -> object:
        """What an edit of a model with these classes keeps of a caller's value; raises TypeError and ValueError."""
        if self.on_model is not None:
            return self.on_model(names, value)
        return self.check(value, self.called or self.name)


@dataclass(frozen=True)
class Classes:
    """Which classes an operation takes.

    ``least``, ``most``: how many ids an edit holds (None: any number). ``choose``: (class names, what a caller gave) ->
    their ids on a model; TypeError or ValueError. ``told``: (their names, how many classes there are) -> in words.
    ``every``: always every class that can be detected, as "all" is.
    """

    least: int
    most: int | None
    choose: Callable[[Names, Any], tuple[int, ...]]
    told: Callable[[Sequence[str], int], str]
    every: bool = False


@dataclass(frozen=True)
class Operation:
    """One row of the table, under the name of the function that a caller knows.

    ``change``: (rows, class ids, parameters by name) -> new rows, for one anchor of a cell; None where an operation is
    about whole classes, at every level and in every branch. ``words``: (the classes in words, parameters by name) ->
    what was done, without the levels. ``regroup``: (class names, parameters) -> the classes that the head gets, of an
    edit that is ``whole``.
    """

    name: str
    words: Callable[..., str]
    classes: Classes
    change: Callable[..., Rows] | None = None
    parameters: tuple[Parameter, ...] = ()
    regroup: Callable[[Names, Mapping[str, Any]], Regrouping] | None = None
    whole: Callable[[Mapping[str, Any]], bool] = lambda values: False

    def changed(
        self, rows: Rows, classes: tuple[int, ...], values: Mapping[str, object], anchors: int = 1, each: int = 1
    ) -> Rows:
        """The rows after it; those of several anchors of a cell, and those that feed one class, are changed alike."""
        if self.change is None:
            raise ValueError(f"{self.name} makes the classes of a head others: it is no edit of the rows of a level.")
        try:
            if anchors == each == 1:
                return self.change(rows, classes, **values)
            return joined([self.change(part, classes, **values) for part in split(rows, anchors, each)], each)
        except Merged as error:
            raise ValueError(
                f"{self.name} by a negative factor: a merged class's logit is the highest of its rows, which would "
                "become the negative of the lowest. Give a factor of 0 or more, or merge with how='mean'."
            ) from error
        except NoBias as error:
            raise ValueError(
                f"{self.name} changes the bias, but this class convolution has none. Use scale_classes."
            ) from error

    def read(self, values: Mapping[str, object], names: Names) -> dict[str, object]:
        """The parameters that an edit of a model keeps of a caller's values; raises TypeError and ValueError."""
        found = {}
        for entry in self.parameters:
            if not entry.left_out or values.get(entry.name) is not None:
                found[entry.name] = entry.read(values.get(entry.name), names)
        return found

    def check(self, levels: object, classes: object, parameters: object, branches: object) -> None:
        """Refuse what this operation can do on no model; ValueError, naming the field and its rule."""
        least, most = (0, 0) if self.change is None else (1, None)
        self._check_list("levels", levels, least, most)
        self._check_list("classes", classes, self.classes.least, self.classes.most)
        if not isinstance(branches, list | tuple) or not _all_text(branches):
            raise ValueError(f"{self.name}: branches must be a list of names, but {shown(branches)} was given.")
        if not isinstance(parameters, Mapping):
            raise ValueError(f"{self.name}: parameters must map names to values, but {shown(parameters)} was given.")
        self._check_parameters(parameters)

    def _check_list(self, what: str, values: object, least: int, most: int | None) -> None:
        """A list of indices or names, as many as the operation takes."""
        if not isinstance(values, list | tuple):
            raise ValueError(f"{self.name}: {what} must be a list, [0] for one, but {shown(values)} was given.")
        for value in values:
            if not isinstance(value, str):
                _raising_value_error(whole_number, value, f"{self.name}: every entry of {what} that is no name")
        if len(values) < least or (most is not None and len(values) > most):
            wanted = _count(least, most)
            raise ValueError(f"{self.name}: {what} must hold {wanted}, but {len(values)} were given.")

    def _check_parameters(self, values: Mapping) -> None:
        known = {entry.name: entry for entry in self.parameters}
        for name, entry in known.items():
            if name not in values and not entry.optional:
                raise ValueError(f"{self.name} needs the parameter {name!r}, which the edit does not give.")
        for name, value in values.items():
            if name not in known:
                taken = ", ".join(map(repr, known)) or "none"
                raise ValueError(f"{self.name} does not know the parameter {name!r}. It takes {taken}.")
            _raising_value_error(known[name].check, value, f"{self.name}: {name}")


def _all_text(values: Iterable) -> bool:
    return all(isinstance(value, str) for value in values)


def _count(least: int, most: int | None) -> str:
    """How many are wanted, in words."""
    if most is None:
        return f"at least {least}"
    return f"exactly {least}" if most else "none"


def _raising_value_error(check: Callable[[Any, str], object], value: object, what: str) -> None:
    try:
        check(value, what)
    except TypeError as error:
        raise ValueError(str(error)) from error
