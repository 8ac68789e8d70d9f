"""Tensors that an ONNX file keeps in other files: taken in from its own folder alone, nothing else is ever opened."""

from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import Message
from onnx import TensorProto

from ...errors import CheckpointError


def take_in(proto: Message, path: Path) -> int:
    """Put into the model all that its tensors keep in other files; returns how many tensors that were.

    Raises CheckpointError, and opens nothing, where one of them names a file outside of the folder of ``path``; and
    where a file is missing or too short.
    """
    kept_elsewhere = [tensor for tensor in tensors(proto) if tensor.data_location == TensorProto.EXTERNAL]
    places = [_place(tensor, path) for tensor in kept_elsewhere]  # all are checked before one is opened
    for tensor, (file, offset, length) in zip(kept_elsewhere, places, strict=True):
        tensor.raw_data = _read(tensor, file, offset, length)
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]
    return len(kept_elsewhere)


def tensors(message: Message) -> Iterator[TensorProto]:
    """Every tensor in a message, however deep: in graphs, attributes, functions and training parts."""
    waiting = [message]
    while waiting:
        here = waiting.pop()
        if isinstance(here, TensorProto):
            yield here
            continue
        for field, value in here.ListFields():
            if field.type == field.TYPE_MESSAGE:
                waiting.extend([value] if isinstance(value, Message) else value)


def _place(tensor: TensorProto, path: Path) -> tuple[Path, int, int | None]:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    folder = path.parent.resolve()
    parts = location.replace("\\", "/").split("/")
    inside = location and not Path(location).is_absolute() and ".." not in parts and ":" not in parts[0]
    file = folder / location
    if not inside or not file.resolve().is_relative_to(folder):
        raise CheckpointError(
            f"{str(path)!r} may keep weights in other files of its own folder alone, but the tensor {tensor.name!r} "
            f"names {location!r}. Nothing of it was opened. Export the file anew, or have it in one piece."
        )
    try:
        offset = int(entries.get("offset", 0))
        length = int(entries["length"]) if "length" in entries else None
    except ValueError as error:
        raise CheckpointError(
            f"{str(path)!r} says of {tensor.name!r} where it lies with no number ({error})."
        ) from error
    if offset < 0 or (length or 0) < 0:
        raise CheckpointError(f"{str(path)!r} says that {tensor.name!r} lies at a negative place ({offset}).")
    return file, offset, length


def _read(tensor: TensorProto, file: Path, offset: int, length: int | None) -> bytes:
    if not file.is_file():
        raise CheckpointError(
            f"The weights {tensor.name!r} are kept in {file.name!r}, which is missing beside the ONNX file. Copy both."
        )
    with file.open("rb") as opened:
        opened.seek(offset)
        content = opened.read() if length is None else opened.read(length)
    if length is not None and len(content) < length:
        raise CheckpointError(
            f"{file.name!r} is cut short: {tensor.name!r} needs {length} bytes from {offset}, but {len(content)} are "
            "there. Copy it again."
        )
    return content
