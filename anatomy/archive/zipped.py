"""The zip archive around a checkpoint: checked before a byte of it is unpacked."""

import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path, PurePosixPath

from ..errors import CheckpointError

MOST_INDEX = 2 << 20  # bytes of the list of entries; genuine ones take 10 to 200 kB
MOST_PICKLE = 32 << 20  # bytes of the description of objects; genuine ones take 0.1 to 2 MB
BROKEN = (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, UnicodeError, ValueError)
BROKEN += (KeyError, struct.error, OverflowError)  # what zipfile raises for archives that are not whole


class Archive:
    """The entries of a torch archive: ``pickle``, and ``storage(key)``, the bytes of one tensor storage.

    Every entry is stored as it is, once, below one folder, and all together are no larger than the file.
    """

    def __init__(self, path: Path, file: zipfile.ZipFile):
        self.path, self._file = path, file
        self._sizes = _check_entries(path, file)
        self._root = _root(path, self._sizes)
        if self._sizes.get(f"{self._root}byteorder") and self._read("byteorder") != b"little":
            raise CheckpointError(f"{str(path)!r} was written on a big-endian machine, which is not supported.")
        if self._sizes[f"{self._root}data.pkl"] > MOST_PICKLE:
            raise CheckpointError(f"{str(path)!r} describes its objects in more than {MOST_PICKLE >> 20} MB.")
        self.pickle = self._read("data.pkl")

    @property
    def size(self) -> int:
        """Bytes of all entries together."""
        return sum(self._sizes.values())

    def storage_size(self, key: str) -> int | None:
        """Bytes of a storage, None where there is no such entry."""
        return self._sizes.get(f"{self._root}data/{key}")

    def storage(self, key: str) -> bytes:
        """The bytes of a storage; CheckpointError where they cannot be read."""
        return self._read(f"data/{key}")

    def _read(self, name: str) -> bytes:
        try:
            return self._file.read(self._root + name)
        except BROKEN as error:
            raise CheckpointError(f"{str(self.path)!r} is damaged and cannot be read: {error}") from error


@contextmanager
def open_archive(path: str | PathLike) -> Iterator[Archive]:
    """The archive at exactly this path. FileNotFoundError, or CheckpointError for what is no whole torch archive."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no checkpoint {str(path)!r} (working folder: {Path.cwd()}).")
    if not path.is_file():
        raise CheckpointError(f"A checkpoint is a file, but {str(path)!r} is none.")
    with path.open("rb") as stream:
        size = _index_size(stream)
        if size > MOST_INDEX:
            raise CheckpointError(f"{str(path)!r} has an index of {size >> 20} MB, more than a checkpoint can need.")
        try:
            file = zipfile.ZipFile(stream)
        except BROKEN as error:
            raise CheckpointError(f"{str(path)!r} {_what_else(path, error)}.") from error
        with file:
            yield Archive(path, file)


def _index_size(stream) -> int:
    """Bytes that the list of entries claims to have, 0 where there is none to be seen; see APPNOTE.TXT 4.3.16."""
    end = stream.seek(0, 2)
    stream.seek(max(0, end - (22 + 20 + 56 + 0xFFFF)))  # the records, and the longest comment
    tail = stream.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        return 0
    size = int.from_bytes(tail[at + 12 : at + 16], "little")
    wide = tail[max(0, at - 76) :]  # the record for large archives and its locator stand before
    return int.from_bytes(wide[40:48], "little") if wide.startswith(b"PK\x06\x06") else size


def _what_else(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        start = file.read(4)
    size = path.stat().st_size
    if not size:
        return "is empty (0 bytes)"
    if start.startswith(b"PK"):
        return f"is cut short ({size} bytes) or damaged: the index at the end of the archive cannot be read ({error})"
    if start.startswith(b"\x80"):
        return "is a bare pickle, older than torch's zip format; open it with its own program and save it anew"
    return "is no torch checkpoint (it is not a zip archive)"


def _check_entries(path: Path, file: zipfile.ZipFile) -> dict[str, int]:
    """Bytes of each entry by name; refuses what torch never writes."""
    if any(name.endswith("/constants.pkl") for name in file.namelist()):
        raise CheckpointError(
            f"{str(path)!r} is a TorchScript archive, whose class rows cannot be edited. Load the .pt it was made from."
        )
    sizes: dict[str, int] = {}
    for entry in file.infolist():
        name, parts = entry.filename, PurePosixPath(entry.filename).parts
        if name in sizes:
            why = f"holds two entries named {name!r}"
        elif name.startswith("/") or "\\" in name or ".." in parts or "\0" in entry.orig_filename:
            why = f"holds an entry with the path {name!r}"
        elif entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            why = f"holds a compressed entry, {name!r}, where torch stores them as they are"
        elif entry.flag_bits & 0x1:
            why = f"holds an encrypted entry, {name!r}"
        else:
            sizes[name] = entry.file_size
            continue
        raise CheckpointError(f"{str(path)!r} {why}; torch.save never writes such an archive, so it is not read.")
    if sum(sizes.values()) > path.stat().st_size:
        raise CheckpointError(f"The entries of {str(path)!r} claim more bytes than the file has, so it is not read.")
    return sizes


def _root(path: Path, sizes: dict[str, int]) -> str:
    """The one folder below which everything lies, with its slash."""
    found = [name.removesuffix("data.pkl") for name in sizes if PurePosixPath(name).name == "data.pkl"]
    if len(found) != 1 or found[0].count("/") != 1:
        raise CheckpointError(f"{str(path)!r} is a zip archive without a torch checkpoint in it.")
    strange = [name for name in sizes if not name.startswith(found[0])]
    if strange:
        raise CheckpointError(f"{str(path)!r} holds {strange[0]!r} outside of its folder {found[0]!r}; it is not read.")
    return found[0]
