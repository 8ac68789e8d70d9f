"""A case of the suite: a question to the doctor with the right answer; and how an answer is judged."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import diagnosis

from .planting import Fault, module

KINDS = ("decoders", "losses", "grids")
GROUPS = ("correct", "single", "pair")
FILES = {"decoders": "decoder", "losses": "loss", "grids": "grid"}  # how the files of a kind begin
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """``make()`` gives a fresh module with ``faults`` in it, ``ask()`` the doctor's report on it."""

    kind: str
    group: str
    third: int
    base: str
    faults: tuple[Fault, ...] = ()

    @property
    def key(self) -> str:
        return " + ".join((f"{self.kind} {self.third}: {self.base}", *(one.form for one in self.faults)))

    @property
    def expected(self) -> tuple[tuple[frozenset[str], str], ...]:
        return tuple((one.codes, one.severity) for one in self.faults)

    def make(self) -> ModuleType:
        return module(self.third, self.base, self.faults)

    def ask(self) -> Any:
        return ASKED[self.kind](self.make())


def ask_decoder(made: ModuleType) -> Any:
    prepare = getattr(made, "prepare", None)
    options = getattr(made, "OPTIONS", {})
    return diagnosis.check_decoder(made.decode, made.layout(diagnosis.TargetLayout), prepare=prepare, **options)


def ask_loss(made: ModuleType) -> Any:
    prepare, options = getattr(made, "prepare", None), getattr(made, "OPTIONS", {})
    return diagnosis.check_loss(made.loss, made.layout(diagnosis.TargetLayout), prepare=prepare, **options)


def ask_grid(made: ModuleType) -> Any:
    return diagnosis.check_grid(made.make(), **getattr(made, "OPTIONS", {}))


ASKED: dict[str, Callable[[ModuleType], Any]] = {"decoders": ask_decoder, "losses": ask_loss, "grids": ask_grid}
"""Of ``OPTIONS`` a base may have: arguments of the check that belong to its convention, such as an image size."""


def cases(kind: str, third: int) -> list[Case]:
    """All cases of a kind in a third: bases, single faults, pairs."""
    home = importlib.import_module(f"{__package__}.third{third}.{FILES[kind]}_faults")
    known = {one.form: one for one in home.FAULTS}
    found = [Case(kind, "correct", third, base) for base in bases(kind, third)]
    found += [Case(kind, "single", third, one.base, (one,)) for one in home.FAULTS]
    for forms in home.PAIRS:
        both = tuple(known[form] for form in forms)
        if len({one.base for one in both}) != 1:
            raise ValueError(f"Faults of a pair stand in one base, not in {[one.base for one in both]}.")
        found.append(Case(kind, "pair", third, both[0].base, both))
    return found


def bases(kind: str, third: int) -> list[str]:
    """Names of the modules that are right."""
    names = sorted(path.stem for path in HERE.glob(f"third{third}/{FILES[kind]}_*.py"))
    return [name for name in names if not name.endswith("_faults")]


@dataclass(frozen=True)
class Judgement:
    """``named``: every cause was named; ``alone``: nothing else was an error, and no cause had two names."""

    named: bool
    alone: bool

    @property
    def right(self) -> bool:
        return self.named and self.alone


def judge(case: Case, errors: frozenset[str], warnings: frozenset[str]) -> Judgement:
    """Of the codes that came. What is correct has no error; warnings are free."""
    where = {"error": errors, "any": errors | warnings}
    named = all(names & where[severity] for names, severity in case.expected)
    known = frozenset().union(*(names for names, _ in case.expected))
    return Judgement(named, errors <= known and len(errors) <= len(case.expected))
