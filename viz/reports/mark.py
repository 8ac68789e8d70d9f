"""The mark that reports alone carry: a file that names the format and lists what the report wrote."""

import hashlib
import json
from contextlib import suppress
from itertools import chain
from pathlib import Path

from anatomy.archive import write_whole

MARK = "report.json"
FORMAT = "detector-workbench report"
VERSION = 1


def begin(folder: Path) -> None:
    """Mark a draft as one of ours, before anything is in it."""
    (folder / MARK).write_bytes(_text({}))


def seal(folder: Path) -> None:
    """List every file of a finished report in its mark, each with its SHA-256."""
    files = {name: _digest(folder / name) for name in sorted(_files(folder)) if name != MARK}
    write_whole(folder / MARK, lambda file: file.write(_text(files)))


def is_ours(folder: Path) -> bool:
    """Whether a folder carries the mark."""
    return read(folder) is not None


def read(folder: Path) -> dict[str, str] | None:
    """The files that a report lists, by their paths in it, with their digests; None where there is no such mark."""
    try:
        found = json.loads((folder / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    whole = isinstance(found, dict) and found.get("format") == FORMAT and isinstance(found.get("files"), dict)
    return found["files"] if whole else None


def foreign(folder: Path) -> list[str]:
    """What lies in a report that the report did not write as it is now: paths in it, sorted; folders end in "/"."""
    listed = read(folder) or {}
    ours = {MARK, *listed}
    parents = set(chain.from_iterable(Path(name).parents for name in ours)) - {Path(".")}
    folders = {f"{parent.as_posix()}/" for parent in parents}
    there = _files(folder) | {f"{name}/" for name in _folders(folder)}
    changed = {name for name in listed if name in there and _digest(folder / name) != listed[name]}
    return sorted((there - ours - folders) | changed)


def remove(folder: Path) -> bool:
    """Delete what a report wrote, and then the folders that are empty; returns whether nothing else was left.

    Paths that lead out of the folder are no files in it, whatever the list says.
    """
    for name in _files(folder) & {MARK, *(read(folder) or {})}:
        with suppress(OSError):
            (folder / name).unlink()
    for name in sorted(_folders(folder), key=len, reverse=True):
        with suppress(OSError):
            (folder / name).rmdir()
    with suppress(OSError):
        folder.rmdir()
    return not folder.exists()


def _text(files: dict[str, str]) -> bytes:
    return json.dumps({"format": FORMAT, "version": VERSION, "files": files}, indent=0).encode()


def _files(folder: Path) -> set[str]:
    """Paths of everything in a folder that is no folder; links are not followed."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()}


def _folders(folder: Path) -> set[str]:
    plain = (path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink())
    return {path.relative_to(folder).as_posix() for path in plain}


def _digest(path: Path) -> str:
    """SHA-256 of a plain file; of anything else, a word that is no digest."""
    if path.is_symlink() or not path.is_file():
        return "no plain file"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
