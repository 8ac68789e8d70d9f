"""Files that are written whole or not at all."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from .drafts import abandoned, draft_prefix


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> Path:
    """Let ``write`` fill a draft beside ``path``, which then takes its place in one step; returns the path.

    A full disk, an interruption or a kill leaves what was there before; the draft of a process that was killed goes
    when the next one writes here. Raises OSError where it cannot be written.
    """
    for left in abandoned(path):
        with suppress(OSError):
            left.unlink()
    try:
        handle, draft = tempfile.mkstemp(prefix=draft_prefix(path), suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(draft, path.stat().st_mode & 0o777 if path.exists() else allowed(0o666))
            os.replace(draft, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(draft)
    except (OSError, RuntimeError) as error:  # torch.save turns a full disk into a RuntimeError
        raise OSError(f"{str(path)!r} was not written ({error}); what was there before is whole.") from error
    return path


def allowed(mode: int) -> int:
    """What the umask leaves of the permissions of something new."""
    umask = os.umask(0)
    os.umask(umask)
    return mode & ~umask
