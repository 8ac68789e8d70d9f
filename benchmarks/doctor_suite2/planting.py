"""Faults as edits of a base's text, and modules made of the edited text."""

import importlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

Edit = tuple[str, str]


@dataclass(frozen=True)
class Fault:
    """``form``: the fault in words; ``base``: the module that is edited; ``codes``: names that are equally right.

    ``edits``: text that stands once in the base, and what stands there instead. ``severity``: "error", or "any" where a
    warning is right as well.
    """

    form: str
    base: str
    codes: frozenset[str]
    edits: tuple[Edit, ...]
    severity: str = "error"


def fault(form: str, base: str, codes: str, *edits: Edit, severity: str = "error") -> Fault:
    """``codes`` apart by blanks."""
    return Fault(form=form, base=base, codes=frozenset(codes.split()), edits=edits, severity=severity)


def source(third: int, base: str) -> str:
    """The text of a base."""
    return inspect.getsource(importlib.import_module(f"{__package__}.third{third}.{base}"))


def edited(text: str, edits: Sequence[Edit]) -> str:
    """ValueError where what is to be replaced does not stand there exactly once."""
    for old, new in edits:
        if text.count(old) != 1:
            raise ValueError(f"An edit needs text that stands once, {text.count(old)} times stands {old!r}.")
        text = text.replace(old, new)
    return text


def module(third: int, base: str, faults: Sequence[Fault] = ()) -> ModuleType:
    """A fresh module of the base with these faults, which shares no state with another."""
    edits = [edit for one in faults for edit in one.edits]
    made = ModuleType(f"{__package__}.third{third}.{base}")
    made.__package__ = f"{__package__}.third{third}"
    exec(compile(edited(source(third, base), edits), f"<{base}>", "exec"), vars(made))
    return made
