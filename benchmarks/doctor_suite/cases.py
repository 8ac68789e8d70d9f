"""A case of the suite: a question to the doctor with the right answer; and how an answer is judged."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

KINDS = ("targets", "decoder", "loss", "grid", "layout")
GROUPS = ("correct", "single", "pair", "triple", "published")


@dataclass(frozen=True)
class Case:
    """``ask()`` gives the doctor's report.

    ``expected``: for each fault the names that are equally right, and whether "error", "warning" or "any" is.
    ``tolerated``: codes of errors that are neither asked for nor held against the doctor.
    """

    kind: str
    group: str
    scheme: str
    faults: tuple[str, ...]
    expected: tuple[tuple[frozenset[str], str], ...]
    ask: Callable[[], Any]
    tolerated: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        return " + ".join((f"{self.kind}: {self.scheme}", *self.faults))


@dataclass(frozen=True)
class Judgement:
    """``named``: every cause was named; ``alone``: nothing else was an error, and no cause had two names."""

    named: bool
    alone: bool

    @property
    def right(self) -> bool:
        return self.named and self.alone


def judge(case: Case, errors: frozenset[str], warnings: frozenset[str]) -> Judgement:
    """Of the codes that came. A correct encoder, decoder, loss or grid has no error; warnings are free."""
    where = {"error": errors, "warning": warnings, "any": errors | warnings}
    named = all(names & where[severity] for names, severity in case.expected)
    possible = [names for names, severity in case.expected if severity != "warning"]
    counted = errors - case.tolerated
    known = frozenset().union(*possible)
    return Judgement(named, counted <= known and len(counted) <= len(possible))
