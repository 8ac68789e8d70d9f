"""Pickles and zip archives put together by hand."""

import struct
import zipfile
from pathlib import Path

END = b"."
EMPTY = b"}"


def text(value: str) -> bytes:
    content = value.encode()
    return b"X" + struct.pack("<I", len(content)) + content


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def call(function: bytes, *args: bytes) -> bytes:
    return function + b"(" + b"".join(args) + b"tR"


def entries(**values: bytes) -> bytes:
    """A pickle, protocol 2, of a dictionary with these values."""
    return b"\x80\x02}" + b"".join(text(key) + value + b"s" for key, value in values.items()) + END


def storage(key: str, kind: str, count: int) -> bytes:
    """A storage of tensors as torch refers to it."""
    return b"(" + text("storage") + name("torch", kind) + text(key) + text("cpu") + number(count) + b"tQ"


def number(value: int) -> bytes:
    content = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(content)]) + content


def numbers(*values: int) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(stored: bytes, size: bytes, stride: bytes) -> bytes:
    hooks = call(name("collections", "OrderedDict"))
    return call(name("torch._utils", "_rebuild_tensor_v2"), stored, number(0), size, stride, b"\x89", hooks)


def archive(
    path: Path, pickle: bytes, root: str = "archive", compression: int = zipfile.ZIP_STORED, **storages
) -> Path:
    """A torch archive around a pickle; ``storages``: bytes by ``_key``."""
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr(f"{root}/data.pkl", pickle)
        file.writestr(f"{root}/byteorder", "little")
        for key, content in storages.items():
            file.writestr(f"{root}/data/{key.removeprefix('_')}", content)
    return path


def rewritten(path: Path, source: Path, change) -> Path:
    """The archive ``source`` written anew with ``change(name, content)`` -> (name, content) of each entry."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.infolist():
            new.writestr(*change(entry.filename, old.read(entry)))
    return path


def patched(path: Path, content: bytes, old: bytes, new: bytes, which: int = 0) -> Path:
    """A file with one occurrence of some bytes replaced by as many others."""
    at = -1
    for _ in range(which + 1):
        at = content.index(old, at + 1)
    path.write_bytes(content[:at] + new + content[at + len(old) :])
    return path
