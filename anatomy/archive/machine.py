"""A pickle run on values that do nothing: what it names stays a name, what it calls stays a note of the call."""

import pickletools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from os import PathLike
from typing import Any

from ..errors import CheckpointError

ALWAYS, PER_BYTE = 40 << 20, 2  # bytes that the values of a pickle may take in memory, and more by its size
VALUE, NOTE, CONTAINER, OBJECT = 16, 100, 240, 480  # about the bytes that each takes, once read as well
KEYS = (str, int, float, bool, type(None))  # of dictionaries and sets: no file can make many of them collide
LONGEST_KEY = 60  # bits of a whole number that is a key: longer ones can all have one hash
LONGEST_INT = 16  # bytes of a whole number


@dataclass(frozen=True, slots=True)
class Reference:
    """A name of something importable, "package.module.name": never imported."""

    name: str


@dataclass(eq=False, slots=True)
class Object:
    """What a pickle would have made by calling ``made_by`` with ``args``: never called.

    ``state`` is what it would have been given afterwards, ``items`` and ``entries`` what would have been put in.
    """

    made_by: Reference
    args: tuple
    state: Any = None
    items: list[tuple[Any, Any]] = field(default_factory=list)
    entries: list = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Stored:
    """A storage of tensors by its persistent id, as torch writes it."""

    identity: tuple


@dataclass(frozen=True)
class Program:
    """The value that a pickle describes, and every name that it mentions, used or not."""

    root: Any
    names: tuple[str, ...]


_MARK = object()


class Machine:
    """Runs the operations of one pickle; see ``pickletools`` for what each means.

    ``left``: the bytes of memory that its values may still take. No operation takes more than a few times what the
    values on the stack took before, so that it is enough to look at ``left`` after each.
    """

    def __init__(self, size: int):
        self.stack: list = []
        self.memo: dict[int, Any] = {}
        self.names: dict[str, Reference] = {}
        self.left = ALWAYS + PER_BYTE * size

    def push(self, value: Any, size: int = VALUE) -> None:
        """Put a value on the stack, at this cost in bytes."""
        self.left -= size
        self.stack.append(value)

    def pop(self) -> Any:
        """Take the topmost value; ValueError for a mark."""
        value = self.stack.pop()
        if value is _MARK:
            raise ValueError("a mark stands where a value is needed")
        return value

    def pop_to_mark(self) -> list:
        """Take the values above the last mark, and the mark."""
        last = len(self.stack) - 1
        while self.stack[last] is not _MARK:  # an IndexError where there is no mark
            last -= 1
            if last < 0:
                raise ValueError("a mark is missing")
        values = self.stack[last + 1 :]
        del self.stack[last:]
        return values

    def remember(self, index: int) -> None:
        """Note the topmost value under a number."""
        self.left -= NOTE
        self.memo[index] = self.stack[-1]

    def reference(self, name: str) -> None:
        """Push a name of something importable."""
        self.push(self.names.setdefault(name, Reference(name)), NOTE)

    def make(self, made_by: Any, args: Any) -> None:
        """Push the note of a call; ValueError where no name is called."""
        if not isinstance(made_by, Reference) or type(args) is not tuple:
            raise ValueError("it calls what is no name")
        self.push(Object(made_by, args), OBJECT)

    def build(self) -> None:
        """Give the topmost value, as its state, to the note of a call below it."""
        state, made = self.pop(), self.stack[-1]
        if not isinstance(made, Object) or made.state is not None:
            raise ValueError("it gives a state to what can have none")
        made.state = state

    def put_items(self, values: list) -> None:
        """Put keys and values, in turns, into the topmost dictionary or note."""
        held = self.stack[-1]
        if len(values) % 2:
            raise ValueError("a key has no value")
        for key, value in zip(values[::2], values[1::2], strict=True):
            if not isinstance(key, (*KEYS, Object)) or (type(key) is int and abs(key) >> LONGEST_KEY):
                raise ValueError(f"a key of a dictionary is a {type(key).__name__}")
            self.left -= NOTE
            if isinstance(held, Object):
                held.items.append((key, value))
            elif type(held) is dict:
                held[key] = value
            else:
                raise ValueError("it puts items into what holds none")

    def put_entries(self, values: list) -> None:
        """Append values to the topmost list or note."""
        held = self.stack[-1]
        if isinstance(held, Object):
            held.entries.extend(values)
        elif type(held) is list:
            held.extend(values)
        else:
            raise ValueError("it appends to what is no list")

    def container(self, value: Any) -> None:
        """Push a list, tuple or dictionary."""
        self.push(value, CONTAINER)

    def tuple_of(self, count: int) -> None:
        """Make a tuple of the topmost values."""
        values = tuple(self.pop() for _ in range(count))[::-1]
        self.container(values)

    def integer(self, value: int) -> None:
        """Push a whole number of bounded length."""
        if abs(value) >> (8 * LONGEST_INT):
            raise ValueError("a number is too long")
        self.push(value)


def _global(machine: Machine, text: str) -> None:
    machine.reference(text.replace(" ", "."))


def _stack_global(machine: Machine, _) -> None:
    name, module = machine.pop(), machine.pop()
    if type(name) is not str or type(module) is not str:
        raise ValueError("a name is no text")
    machine.reference(f"{module}.{name}")


def _reduce(machine: Machine, _) -> None:
    args, made_by = machine.pop(), machine.pop()
    machine.make(made_by, args)


def _persistent(machine: Machine, _) -> None:
    identity = machine.pop()
    if type(identity) is not tuple:
        raise ValueError("a storage has no identity")
    machine.container(Stored(identity))


def _put_item(machine: Machine, _) -> None:
    value, key = machine.pop(), machine.pop()
    machine.put_items([key, value])


def _put_entry(machine: Machine, _) -> None:
    value = machine.pop()
    machine.put_entries([value])


def _dictionary(machine: Machine, _) -> None:
    values = machine.pop_to_mark()
    machine.container({})
    machine.put_items(values)


_push = Machine.push
OPERATIONS: dict[str, Callable[[Machine, Any], object]] = {
    "PROTO": lambda m, _: None,
    "FRAME": lambda m, _: None,
    "MARK": lambda m, _: m.push(_MARK),
    "POP": lambda m, _: m.pop(),
    "NONE": _push,
    "NEWTRUE": lambda m, _: m.push(True),
    "NEWFALSE": lambda m, _: m.push(False),
    "BININT": _push,
    "BININT1": _push,
    "BININT2": _push,
    "LONG1": Machine.integer,
    "LONG4": Machine.integer,
    "BINFLOAT": _push,
    "BINUNICODE": _push,
    "SHORT_BINUNICODE": _push,
    "BINUNICODE8": _push,
    "BINBYTES": _push,
    "SHORT_BINBYTES": _push,
    "BINBYTES8": _push,
    "EMPTY_LIST": lambda m, _: m.container([]),
    "EMPTY_DICT": lambda m, _: m.container({}),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "EMPTY_SET": lambda m, _: m.make(m.names.setdefault("builtins.set", Reference("builtins.set")), ()),
    "LIST": lambda m, _: m.container(m.pop_to_mark()),
    "TUPLE": lambda m, _: m.container(tuple(m.pop_to_mark())),
    "TUPLE1": lambda m, _: m.tuple_of(1),
    "TUPLE2": lambda m, _: m.tuple_of(2),
    "TUPLE3": lambda m, _: m.tuple_of(3),
    "DICT": _dictionary,
    "APPEND": _put_entry,
    "APPENDS": lambda m, _: m.put_entries(m.pop_to_mark()),
    "ADDITEMS": lambda m, _: m.put_entries(m.pop_to_mark()),
    "SETITEM": _put_item,
    "SETITEMS": lambda m, _: m.put_items(m.pop_to_mark()),
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _reduce,
    "NEWOBJ": _reduce,
    "BUILD": lambda m, _: m.build(),
    "BINPERSID": _persistent,
    "BINGET": lambda m, index: m.push(m.memo[index]),
    "LONG_BINGET": lambda m, index: m.push(m.memo[index]),
    "BINPUT": Machine.remember,
    "LONG_BINPUT": Machine.remember,
    "MEMOIZE": lambda m, _: m.remember(len(m.memo)),
}


CODES = {operation.code: operation for operation in pickletools.opcodes}


def _steps() -> Iterator[tuple[bytes, Callable | None, Callable[[Machine, Any], object]]]:
    """The byte of each operation, what reads its argument (None: it has none), and what runs it."""
    for code, operation in CODES.items():
        if operation.name in OPERATIONS:
            reader = None if operation.arg is None else operation.arg.reader
            yield code.encode("latin-1"), reader, OPERATIONS[operation.name]


STEPS = {code: (reader, run) for code, reader, run in _steps()}
STOP = b"."


def read_program(pickle: bytes, path: str | PathLike = "the file") -> Program:
    """The value that a pickle describes, made of plain containers, numbers, texts and the notes above.

    ``path`` is named by errors. Raises CheckpointError for operations that torch.save never writes, and for what is
    no whole pickle.
    """
    machine = Machine(len(pickle))
    try:
        _run(machine, BytesIO(pickle))
        root = machine.pop()
    except (ValueError, IndexError, KeyError, UnicodeError, TypeError, OverflowError) as error:
        raise CheckpointError(
            f"{str(path)!r} cannot be read: its description of objects is damaged or hostile ({error})."
        ) from error
    return Program(root, tuple(machine.names))


def _run(machine: Machine, pickle: BytesIO) -> None:
    """Run all operations up to the one that says that the value is whole."""
    while (code := pickle.read(1)) != STOP:
        if code not in STEPS:
            raise ValueError(_unknown(code))
        reader, run = STEPS[code]
        run(machine, None if reader is None else reader(pickle))
        if machine.left < 0:
            raise ValueError("it makes more objects than a checkpoint of its size can need")


def _unknown(code: bytes) -> str:
    if not code:
        return "it ends before its value is whole"
    operation = CODES.get(code.decode("latin-1"))
    if operation is None:
        return f"{code!r} is no operation"
    return f"torch.save never writes the operation {operation.name}"
