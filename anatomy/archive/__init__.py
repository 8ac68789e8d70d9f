"""Files of checkpoints: read as values alone, so that nothing they name is run, and written whole or not at all."""

from os import PathLike
from typing import Any

from .machine import Program, Reference, read_program
from .plain import Reader
from .whole import write_whole
from .zipped import Archive, open_archive

__all__ = ["Archive", "Program", "Reader", "Reference", "open_archive", "read_plain", "read_program", "write_whole"]


def read_plain(path: str | PathLike, key: str | None = None) -> Any:
    """What an archive of plain data and tensors holds; CheckpointError, naming what it asks for, where it is more.

    With ``key`` the value of this one entry of its dictionary, None where there is none; the others are not looked at.
    """
    with open_archive(path) as archive:
        program, reader = read_program(archive.pickle, path), Reader(archive)
        if key is not None:
            return reader.value(program.root.get(key)) if type(program.root) is dict else None
        reader.check_names(program)
        return reader.value(program.root)
