"""Plain data and tensors out of what a pickle describes; everything else is refused by name."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import CheckpointError
from .machine import KEYS, LONGEST_KEY, Object, Program, Reference, Stored
from .zipped import Archive

DEEPEST = 60  # containers and modules within one another
MOST_VALUES = 1_000_000  # and one more a byte of the pickle, a container that is met again counted with all it holds
MOST_AXES, LONGEST_EMPTY = 16, 4096  # axes of a tensor; sides of one without numbers
DTYPES = {
    f"torch.{name}Storage": dtype
    for name, dtype in {
        "Float": torch.float32,
        "Half": torch.float16,
        "BFloat16": torch.bfloat16,
        "Double": torch.float64,
        "Long": torch.int64,
        "Int": torch.int32,
        "Short": torch.int16,
        "Char": torch.int8,
        "Byte": torch.uint8,
        "Bool": torch.bool,
    }.items()
}
TENSOR, PARAMETER = "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter"
DICTIONARY = "collections.OrderedDict"
SETS = ("builtins.set", "__builtin__.set", "builtins.frozenset", "__builtin__.frozenset")
PATHS = {
    f"{module}.{kind}": made
    for module in ("pathlib", "pathlib._local")
    for kind, made in (("PosixPath", PurePosixPath), ("WindowsPath", PureWindowsPath))
}
SCALARS = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
NUMBERS = {f"{kind}{size}" for kind in "iuf" for size in (1, 2, 4, 8)} - {"f1"} | {"b1"}
NAMES = {TENSOR, PARAMETER, DICTIONARY, *SETS, *PATHS, *SCALARS, *DTYPES, "torch.Size", "torch.device"}
NAMES |= {"numpy.dtype", "_codecs.encode"}


class Reader:
    """Turns the values of a program into plain data; the same value becomes the same object, as in the file.

    ``known``: names beyond plain data and tensors that a caller makes something of, by ``make(object)``. ``remedy``:
    what a refusal says that can be done about it.
    """

    def __init__(
        self,
        archive: Archive,
        known: Callable[[str], bool] = lambda name: False,
        make: Callable[[Object], Any] | None = None,
        remedy: str = "",
    ):
        self.archive, self._remedy = archive, remedy
        self._known, self._make = known, make
        self._made: dict[int, Any] = {}
        self._counts: dict[int, int] = {}  # values within each container, by the same ids
        self._open: set[int] = set()  # containers that are being read
        self._kept: list = []  # what has an id in _made must live as long
        self._storages: dict[str, Tensor] = {}
        self._left = archive.size + (1 << 20)  # bytes of tensors: several may share a storage, but not many
        self._values, self._most = 0, MOST_VALUES + len(archive.pickle)

    def check_names(self, program: Program) -> None:
        """Refuse a program that mentions anything but plain data, tensors and what the caller knows."""
        foreign = sorted(name for name in program.names if name not in NAMES and not self._known(name))
        if foreign:
            raise CheckpointError(
                f"{str(self.archive.path)!r} asks for more than model classes: {', '.join(map(_shorten, foreign[:8]))}"
                f"{' and more' if len(foreign) > 8 else ''}. Opening it could run any code of its author, so nothing "
                f"was run.{self._remedy}"
            )

    def value(self, given: Any) -> Any:
        """Plain data, or a tensor; CheckpointError for anything else.

        What holds itself, or is so often shared that it could not be written out, is refused: whatever walks through
        these values later ends, and soon.
        """
        self._values += 1
        if given is None or isinstance(given, bool | int | float | str | bytes):
            return given
        key = id(given)
        if key in self._made:
            self._values += self._counts.get(key, 0)
        else:
            self._read(given, key)
        if self._values > self._most:
            raise self.refusal("holds more values than a checkpoint of its size can need")
        return self._made[key]

    def _read(self, given: Any, key: int) -> None:
        if key in self._open:
            raise self.refusal("holds a container within itself")
        if len(self._open) >= DEEPEST:
            raise self.refusal(f"nests more than {DEEPEST} containers")
        self._open.add(key)
        self._kept.append(given)
        before = self._values
        made = self._convert(given)
        self._made.setdefault(key, made)
        self._counts[key] = self._values - before
        self._open.remove(key)

    def remember(self, given: Any, made: Any) -> None:
        """Let ``made`` stand for a value of the program, before what lies within is read: that may refer to it."""
        self._kept.append(given)
        self._made[id(given)] = made

    def refusal(self, why: str) -> CheckpointError:
        """The error for a file of which this is so: what ``why`` says of it."""
        return CheckpointError(
            f"{str(self.archive.path)!r} is damaged, or asks for more than can be checked: it {why}. Nothing was run."
            f"{self._remedy}"
        )

    def _convert(self, given: Any) -> Any:
        if isinstance(given, list):
            return [self.value(entry) for entry in given]
        if isinstance(given, dict):
            return {self._key(key): self.value(entry) for key, entry in given.items()}
        if isinstance(given, tuple):
            return tuple([self.value(entry) for entry in given])
        if isinstance(given, Object):
            return self._object(given)
        raise self.refusal(f"uses {_what(given)} as a value")

    def _object(self, given: Object) -> Any:
        name = given.made_by.name
        if self._make is not None and self._known(name):
            return self._make(given)
        read = READERS.get(name)
        if read is None:
            raise self.refusal(f"makes an object of {_shorten(name)} where plain data is needed")
        return read(self, given)

    def _key(self, key: Any) -> Any:
        key = self.value(key)
        if type(key) not in KEYS or (type(key) is int and abs(key) >> LONGEST_KEY):
            raise self.refusal(f"uses a {type(key).__name__} as a key")
        return key

    def _dictionary(self, given: Object) -> OrderedDict:
        pairs = list(given.items)
        if given.args:  # protocol 0 to 2 of old pickles: a list of pairs
            pairs = [tuple(pair) for pair in given.args[0]] + pairs
        found = OrderedDict()
        for key, entry in pairs:
            found[self._key(key)] = self.value(entry)
        return found  # a state, such as the _metadata of a state_dict, is not needed

    def _set(self, given: Object) -> set:
        first = given.args[0] if given.args else ()
        return {self._key(entry) for entry in [*self.value(first), *given.entries]}

    def _size(self, given: Object) -> torch.Size:
        return torch.Size(_whole(self.value(given.args[0]), "a size"))

    def _path(self, given: Object) -> str:
        parts = self.value(given.args)
        return str(PATHS[given.made_by.name](*[part for part in parts if isinstance(part, str)]))

    def _bytes(self, given: Object) -> bytes:
        text, encoding = given.args
        if type(text) is not str or encoding != "latin1":
            raise ValueError("bytes are no latin-1 text")
        return text.encode("latin-1")

    def _dtype(self, given: Object) -> np.dtype:
        name = given.args[0]
        if type(name) is not str or name not in NUMBERS:
            raise ValueError("it is no numeric type")
        return np.dtype(name)

    def _scalar(self, given: Object) -> np.generic:
        dtype, content = (self.value(part) for part in given.args)
        return np.frombuffer(content, dtype, 1)[0]

    def _device(self, given: Object) -> str:
        if type(given.args[0]) is not str:
            raise ValueError("a device is no text")
        return given.args[0]

    def _tensor(self, given: Object) -> Tensor:
        stored, offset, size, stride, requires_grad, hooks = given.args[:6]
        if hooks.items or hooks.entries or hooks.args or any(given.args[6:]):
            raise ValueError("a tensor has hooks")
        storage = self._storage(stored)
        offset, *shape = _whole((offset, *size), "a tensor's shape")
        steps = _whole(stride, "a tensor's strides")
        last = offset + sum((count - 1) * step for count, step in zip(shape, steps, strict=True))
        count = int(np.prod(shape, dtype=object))
        claims = count > len(storage) or last >= len(storage) if count else max(shape) > LONGEST_EMPTY
        if claims or len(shape) > MOST_AXES:
            raise ValueError(f"a tensor of shape {_shorten(str(shape))} does not fit its storage of {len(storage)}")
        self._left -= count * storage.element_size()
        if self._left < 0:
            raise ValueError("its tensors are larger than the file")
        made = storage.as_strided(shape, steps, offset)
        return made.requires_grad_() if requires_grad is True and made.is_floating_point() else made

    def _parameter(self, given: Object) -> nn.Parameter:
        data, requires_grad, hooks = given.args
        if hooks.items or hooks.entries or hooks.args:
            raise ValueError("a parameter has hooks")
        data = self.value(data)
        if not isinstance(data, Tensor):
            raise ValueError("a parameter is no tensor")
        return nn.Parameter(data.detach(), requires_grad=requires_grad is True and data.is_floating_point())

    def _storage(self, stored: Stored) -> Tensor:
        """The numbers of a storage, 1-d; read once."""
        kind, storage_type, key, _, count = stored.identity
        dtype = DTYPES.get(storage_type.name) if isinstance(storage_type, Reference) else None
        if kind != "storage" or dtype is None or type(key) is not str or type(count) is not int:
            raise ValueError("a storage is of no known kind")
        if key not in self._storages:
            size = self.archive.storage_size(key)
            if size is None or size < count * dtype.itemsize or count < 0:
                raise ValueError(f"the storage {_shorten(key)} is missing, or smaller than it claims")
            found = torch.empty(count, dtype=dtype)  # memory of torch's own, aligned as its kernels like it
            content = np.frombuffer(self.archive.storage(key), np.uint8, count * dtype.itemsize)
            found.view(torch.uint8).numpy()[:] = content != 0 if dtype == torch.bool else content
            self._storages[key] = found
        elif self._storages[key].dtype != dtype:
            raise ValueError(f"the storage {_shorten(key)} has two types")
        return self._storages[key]


def _guarded(read: Callable) -> Callable:
    """A reader whose own errors, of arguments that are not as torch writes them, become refusals."""

    def guarded(reader: Reader, given: Object):
        try:
            return read(reader, given)
        except CheckpointError:
            raise
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RuntimeError) as error:
            raise reader.refusal(f"describes {given.made_by.name} wrongly ({error})") from error

    return guarded


READERS = {
    name: _guarded(read)
    for name, read in {
        TENSOR: Reader._tensor,
        PARAMETER: Reader._parameter,
        DICTIONARY: Reader._dictionary,
        "torch.Size": Reader._size,
        "torch.device": Reader._device,
        "_codecs.encode": Reader._bytes,
        "numpy.dtype": Reader._dtype,
        **dict.fromkeys(SETS, Reader._set),
        **dict.fromkeys(PATHS, Reader._path),
        **dict.fromkeys(SCALARS, Reader._scalar),
    }.items()
}


def _whole(values: Any, what: str) -> tuple[int, ...]:
    whole = isinstance(values, tuple | list) and all(type(value) is int for value in values)
    if not whole or any(not 0 <= value < 1 << 40 for value in values):
        raise ValueError(f"{what} is not made of whole numbers from 0")
    return tuple(values)


def _what(given: Any) -> str:
    return f"the name {_shorten(given.name)}" if isinstance(given, Reference) else f"a {type(given).__name__}"


def _shorten(text: str) -> str:
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= 80 else text[:77] + "…"
