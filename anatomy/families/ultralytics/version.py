"""Which Ultralytics this workbench reads: its internals differ from version to version."""

import re
import warnings
from functools import cache

LOWEST, BEYOND = (8, 4, 190), (8, 5, 0)  # from, and up to but not with; as in pyproject.toml


@cache
def check_version() -> None:
    """Refuse an Ultralytics older than those that were checked (ImportError), warn once of a newer one."""
    from ultralytics import __version__ as installed

    found = tuple(int(part) for part in re.findall(r"\d+", installed)[:3])
    asked = f"ultralytics>={'.'.join(map(str, LOWEST))},<{BEYOND[0]}.{BEYOND[1]}"
    if found < LOWEST:
        raise ImportError(
            f"Ultralytics {installed} is older than what this workbench can read. Install '{asked}', with pip say."
        )
    if found >= BEYOND:
        warnings.warn(
            f"Ultralytics {installed} is newer than what this workbench was checked with, and may keep its internals "
            f"elsewhere: results can be wrong. Checked: {asked}.",
            RuntimeWarning,
            stacklevel=3,
        )
