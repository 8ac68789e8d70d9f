"""Files of a split that are left as they are where others vote for a mend."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

SHOWN = 3  # files that a sentence names
SHARED = 0.5  # part of the files left that may bear the name of the mended ones, for the name to be a hint


@dataclass(frozen=True)
class Rest:
    """What becomes of the files of a split that do not vote for ``codes``: nothing, and that is told.

    ``left_as_written``: files that fit as they are; ``could_not_tell``: files that say neither, of which so many were
    ``not_looked_at``. ``hint``: what the names of the files that are mended, and of these, have in common; "" nothing.
    """

    codes: tuple[str, ...]
    left_as_written: tuple[Path, ...] = ()
    could_not_tell: tuple[Path, ...] = ()
    not_looked_at: int = 0
    hint: str = ""
    split: str = ""

    def __str__(self) -> str:
        count = len(self.left_as_written) + len(self.could_not_tell)
        text = f"The other {count} files of this split are left as they are: "
        text += f"in {len(self.left_as_written)} the labels fit better as they are written"
        if self.could_not_tell:
            text += f", of {len(self.could_not_tell)} it cannot be told; look at these: {named(self.could_not_tell)}"
        if self.not_looked_at:
            text += f" ({self.not_looked_at} were not looked at)"
        return f"{text}; {self.hint}" if self.hint else text


def named(files: Sequence[Path]) -> str:
    """The first of some files by name, and how many more there are."""
    more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
    return ", ".join(path.name for path in files[:SHOWN]) + more


def hint_of_names(mended: Sequence[Path], left: Sequence[Path]) -> str:
    """What is to be said where all ``mended`` files begin alike, and most of those ``left`` do not."""
    begin = _begin(mended)
    alike = [path for path in left if path.stem.startswith(begin)]
    if not begin or len(mended) < 2 or len(alike) >= SHARED * len(left):
        return ""
    told = f"all {len(mended)} files that would be mended are named {begin}…, "
    return told + (f"and {len(alike)} of those left too: look at {named(alike)}" if alike else "none of those left")


def _begin(files: Sequence[Path]) -> str:
    """The words that the names of files begin with alike: without what is left of a number, or of another word."""
    stems = [path.stem for path in files]
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(min(stems), max(stems), strict=False))
    shared = "".join(letter for letter, _ in alike)
    cut = shared.rstrip("0123456789")
    if cut == shared and any(stem != shared for stem in stems):
        cut = re.sub(r"(?<=[\W_])[^\W_]+$", "", shared)
    return cut if any(letter.isalpha() for letter in cut) else ""
