"""An interruption at a chosen line of the code under test, as Ctrl-C can come between any two lines."""

import dis
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, FrameType

from hypothesis import strategies as st
from torch import Tensor

import anatomy
import surgery

WATCHED = tuple(str(Path(package.__file__).parent) for package in (anatomy, surgery))


@dataclass(frozen=True)
class At:
    """Before the n-th line: of all, or of those after the first write into a class row, where it hurts most."""

    n: int
    written: bool = False


MOMENTS = st.one_of(
    st.none(),
    st.none(),
    st.builds(At, st.one_of(st.integers(1, 60), st.integers(1, 600))),
    st.builds(At, st.integers(1, 80), st.just(True)),
)


class Interrupt:
    """Within the block, KeyboardInterrupt is raised once in surgery or anatomy, at the moment ``at`` (None: never).

    ``rows`` are the tensors whose first change counts as the first write. ``raised`` says afterwards whether it came,
    and ``where`` before which line; a short block ends earlier.
    """

    def __init__(self, at: At | None, rows: Sequence[Tensor] = ()):
        self._at, self._left = at, 0 if at is None else at.n
        self._rows = list(rows) if at is not None and at.written else []
        self._versions = self._now()
        self.raised, self.where = False, ""

    def __enter__(self) -> "Interrupt":
        self._before = sys.gettrace()
        if self._at is not None:
            sys.settrace(self._enter_function)
        return self

    def __exit__(self, *error) -> None:
        if self._at is not None:
            sys.settrace(self._before)

    def _now(self) -> list[int]:
        return [row._version for row in self._rows]

    def _enter_function(self, frame: FrameType, event: str, value):
        file = frame.f_code.co_filename
        return self._line if file.startswith(WATCHED) and not self.raised else None

    def _can_come(self, frame: FrameType) -> bool:
        """Once, after the first write where that is wanted, and not where a ``with`` statement is about to be left."""
        due = not self.raised and (not self._rows or self._now() != self._versions)
        return due and frame.f_lasti <= _entries(frame.f_code).get(frame.f_lineno, frame.f_lasti)

    def _line(self, frame: FrameType, event: str, value):
        if event == "line" and self._can_come(frame):
            self._left -= 1
            if self._left <= 0:
                self.raised = True
                self.where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
                raise KeyboardInterrupt(self.where)
        return self._line


@cache
def _entries(code: CodeType) -> dict[int, int]:
    """By line, where in a code object a ``with`` statement has been entered.

    Python itself cannot protect a block whose ``__exit__`` was not called yet, so no interruption is tried there.
    """
    found, line = {}, 0
    for instruction in dis.get_instructions(code):
        line = instruction.starts_line or line
        if instruction.opname == "BEFORE_WITH":
            found[line] = instruction.offset
    return found
