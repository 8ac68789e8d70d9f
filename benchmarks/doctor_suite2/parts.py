"""Cases of all parts: of the thirds as ``cases`` makes them, of the fourth part, which came later, from its folder.

It stands apart so that the files that make the cases of the thirds, and so their fingerprints, stay as they were.
"""

import importlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from . import cases as thirds
from .cases import FILES, Case
from .planting import Fault, edited

FOURTH = 4
HERE = Path(__file__).parent


@dataclass(frozen=True)
class FourthCase(Case):
    """A case whose base stands in ``part4``."""

    def make(self) -> ModuleType:
        return module(self.base, self.faults)


def cases(kind: str, part: int) -> list[Case]:
    """All cases of a kind in a part: bases, single faults, pairs. The fourth part has no grids."""
    return fourth(kind) if part == FOURTH else thirds.cases(kind, part)


def fourth(kind: str) -> list[Case]:
    names = sorted(path.stem for path in HERE.glob(f"part4/{FILES[kind]}_*.py"))
    if not names:
        return []
    home = importlib.import_module(f"{__package__}.part4.{FILES[kind]}_faults")
    known = {one.form: one for one in home.FAULTS}
    found: list[Case] = [FourthCase(kind, "correct", FOURTH, name) for name in names if not name.endswith("_faults")]
    found += [FourthCase(kind, "single", FOURTH, one.base, (one,)) for one in home.FAULTS]
    for forms in home.PAIRS:
        both = tuple(known[form] for form in forms)
        if len({one.base for one in both}) != 1:
            raise ValueError(f"Faults of a pair stand in one base, not in {[one.base for one in both]}.")
        found.append(FourthCase(kind, "pair", FOURTH, both[0].base, both))
    return found


def module(base: str, faults: Sequence[Fault] = ()) -> ModuleType:
    """A fresh module of a base of the fourth part with these faults, which shares no state with another."""
    home = f"{__package__}.part4"
    text = inspect.getsource(importlib.import_module(f"{home}.{base}"))
    made = ModuleType(f"{home}.{base}")
    made.__package__ = home
    exec(compile(edited(text, [edit for one in faults for edit in one.edits]), f"<{base}>", "exec"), vars(made))
    return made
