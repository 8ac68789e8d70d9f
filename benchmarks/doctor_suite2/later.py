"""Cases of all parts: of the first four as ``parts`` makes them, of a later one from a folder of its own.

It stands apart so that ``parts``, which the fingerprint of the fourth part covers, stays as it was.
"""

import importlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from . import parts
from .cases import FILES, Case
from .planting import Fault, edited

LATER = (5,)
HERE = Path(__file__).parent


@dataclass(frozen=True)
class LaterCase(Case):
    """A case whose base stands in the folder of its part."""

    def make(self) -> ModuleType:
        return module(self.third, self.base, self.faults)


def cases(kind: str, part: int) -> list[Case]:
    """All cases of a kind in a part: bases, single faults, pairs. Later parts have no grids."""
    return later(kind, part) if part in LATER else parts.cases(kind, part)


def later(kind: str, part: int) -> list[Case]:
    names = sorted(path.stem for path in HERE.glob(f"part{part}/{FILES[kind]}_*.py"))
    if not names:
        return []
    home = importlib.import_module(f"{__package__}.part{part}.{FILES[kind]}_faults")
    known = {one.form: one for one in home.FAULTS}
    found: list[Case] = [LaterCase(kind, "correct", part, name) for name in names if not name.endswith("_faults")]
    found += [LaterCase(kind, "single", part, one.base, (one,)) for one in home.FAULTS]
    for forms in home.PAIRS:
        both = tuple(known[form] for form in forms)
        if len({one.base for one in both}) != 1:
            raise ValueError(f"Faults of a pair stand in one base, not in {[one.base for one in both]}.")
        found.append(LaterCase(kind, "pair", part, both[0].base, both))
    return found


def module(part: int, base: str, faults: Sequence[Fault] = ()) -> ModuleType:
    """A fresh module of a base of this part with these faults, which shares no state with another."""
    home = f"{__package__}.part{part}"
    text = inspect.getsource(importlib.import_module(f"{home}.{base}"))
    made = ModuleType(f"{home}.{base}")
    made.__package__ = home
    exec(compile(edited(text, [edit for one in faults for edit in one.edits]), f"<{base}>", "exec"), vars(made))
    return made
