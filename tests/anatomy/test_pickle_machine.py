"""The machine that runs a pickle on values that do nothing: each operation by hand, what it costs, what it refuses."""

import pickle
import pickletools
import re

import pytest

from anatomy import CheckpointError
from anatomy.archive.machine import OPERATIONS, Machine, Object, Reference, Stored, read_program

NAME = b"cos\nsystem\n"
LONG = b"\x8a\x11"  # a whole number of 17 bytes


def plain(value):
    """The value with every note of a call as a dict of its fields."""
    if isinstance(value, Object):
        fields = (value.state, value.items, value.entries)
        return {"call": value.made_by.name, "with": plain(value.args), "then": [plain(part) for part in fields]}
    if isinstance(value, Stored):
        return {"storage": plain(value.identity)}
    if isinstance(value, list | tuple):
        return type(value)(map(plain, value))
    return value


@pytest.mark.parametrize(
    ("operations", "value"),
    [
        (b"N", None),
        (b"\x88", True),
        (b"\x89", False),
        (b"J\xff\xff\xff\xff", -1),
        (b"M\x01\x02", 513),
        (b"\x8a\x02\x00\x01", 256),
        (b"\x8b\x02\x00\x00\x00\x00\x01", 256),
        (b"G?\xf8\0\0\0\0\0\0", 1.5),
        (b"X\x02\0\0\0\xc3\xa9", "é"),
        (b"\x8c\x01a", "a"),
        (b"\x8d\x01\0\0\0\0\0\0\0a", "a"),
        (b"B\x01\0\0\0a", b"a"),
        (b"C\x01a", b"a"),
        (b"\x8e\x01\0\0\0\0\0\0\0a", b"a"),
        (b"\x80\x04\x95\x01\0\0\0\0\0\0\0N", None),
        (b"K\x01K\x020", 1),
        (b"(K\x01K\x02l", [1, 2]),
        (b"K\x09(K\x01K\x02t\x86", (9, (1, 2))),
        (b"K\x01\x85", (1,)),
        (b"K\x01K\x02\x86", (1, 2)),
        (b"K\x01K\x02K\x03\x87", (1, 2, 3)),
        (b")", ()),
        (b"(K\x01K\x02K\x03K\x04d", {1: 2, 3: 4}),
        (b"]K\x01(K\x02d\x86", "a key has no value"),
        (b"](d\x86", ([], {})),
        (b"}(K\x01K\x02K\x03K\x04u", {1: 2, 3: 4}),
        (b"}K\x01K\x02s", {1: 2}),
        (b"]K\x01a(K\x02K\x03e", [1, 2, 3]),
        (b"]\x94h\x00\x86", ([], [])),
        (b"]q\x05Nj\x05\0\0\0\x86", (None, [])),
        (b"N]q\x01h\x01\x87", (None, [], [])),
        (b"]r\x05\0\0\0h\x05\x86", ([], [])),
        (NAME + b"K\x01\x85R", {"call": "os.system", "with": (1,), "then": [None, [], []]}),
        (NAME + b")\x81K\x07b", {"call": "os.system", "with": (), "then": [7, [], []]}),
        (b"\x8c\x02os\x8c\x04path\x93)R", {"call": "os.path", "with": (), "then": [None, [], []]}),
        (NAME + b")RK\x01K\x02s", {"call": "os.system", "with": (), "then": [None, [(1, 2)], []]}),
        (NAME + b")R(K\x01K\x02\x90", {"call": "os.system", "with": (), "then": [None, [], [1, 2]]}),
        (b"\x8f", {"call": "builtins.set", "with": (), "then": [None, [], []]}),
        (b"\x8c\x01a\x85Q", {"storage": ("a",)}),
        (b"}\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x0fNs", {(1 << 60) - 1: None}),
        (b"}\x88Ns", {True: None}),
        (LONG + b"\xff" * 16 + b"\0", (1 << 128) - 1),
        # what is refused, and why
        (b"", "pop from empty list"),
        (b"(", "a mark stands where a value is needed"),
        (b"Nt", "a mark is missing"),
        (b"t", "list index out of range"),
        (b"N)R", "it calls what is no name"),
        (NAME + b"NR", "it calls what is no name"),
        (b"NNb", "it gives a state to what can have none"),
        (NAME + b")RK\x01bK\x02b", "it gives a state to what can have none"),
        (b"}(K\x01u", "a key has no value"),
        (b"}]Ns", "a key of a dictionary is a list"),
        (b"}\x8a\x08\0\0\0\0\0\0\0\x10Ns", "a key of a dictionary is a int"),
        (b"}\x8a\x08\0\0\0\0\0\0\0\xf0Ns", "a key of a dictionary is a int"),
        (b"]K\x01K\x02s", "it puts items into what holds none"),
        (b"}K\x01a", "it appends to what is no list"),
        (LONG + b"\0" * 16 + b"\x01", "a number is too long"),
        (b"N\x8c\x01a\x93", "a name is no text"),
        (b"\x8c\x01aN\x93", "a name is no text"),
        (b"NQ", "a storage has no identity"),
        (b"Nh\x05", "5"),
        (b"I1\n", "torch.save never writes the operation INT"),
    ],
)
def test_each_operation(operations, value):
    if (isinstance(value, str) and len(value) > 1) or operations == b"Nh\x05":
        told = f"'x.pt' cannot be read: its description of objects is damaged or hostile ({value})."
        with pytest.raises(CheckpointError, match=f"^{re.escape(told)}$"):
            read_program(operations + b".", "x.pt")
    else:
        found = plain(read_program(operations + b".").root)
        assert found == value and type(found) is type(value)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_plain_values_come_out_as_python_reads_them(protocol):
    value = {"a": [1, 2.5, None, True, "é" * 300], 2: (1, (2, 3, 4), ()), "big": 1 << 100, "low": [-70000, {}, []]}
    assert read_program(pickle.dumps(value, protocol)).root == value


def test_every_name_is_noted_once_used_or_not():
    program = read_program(b"cos\nsystem\n0ca\nb c\n0cos\nsystem\n.")
    assert program.names == ("os.system", "a.b.c") and program.root == Reference("os.system")
    assert read_program(b"cos\nsystem\ncos\nsystem\n\x86.").root == (Reference("os.system"), Reference("os.system"))


@pytest.mark.parametrize(
    ("operations", "cost"),
    [
        (b"N", 16),
        (b"(", 16),
        (b"K\x01", 16),
        (b"\x8a\x01\x01", 16),
        (b")", 16),
        (b"]", 240),
        (b"}", 240),
        (b"(l", 16 + 240),
        (b"(t", 16 + 240),
        (b"(d", 16 + 240),
        (b"N\x85", 16 + 240),
        (b"\x8f", 480),
        (NAME, 100),
        (NAME + b")R", 100 + 16 + 480),
        (b"N\x94", 16 + 100),
        (b"N\x94h\x00", 16 + 100 + 16),
        (b")Q", 16 + 240),
        (b"}K\x01K\x02s", 240 + 16 + 16 + 100),
    ],
)
def test_what_each_operation_costs(operations, cost):
    machine = Machine(0)
    before = machine.left
    for operation, argument, _ in pickletools.genops(operations + b"."):
        if operation.name != "STOP":
            OPERATIONS[operation.name](machine, argument)
    assert before - machine.left == cost


def test_a_pickle_may_take_forty_megabytes_and_twice_its_size(monkeypatch):
    assert Machine(10).left == 40 * 1024 * 1024 + 20
    monkeypatch.setattr("anatomy.archive.machine.ALWAYS", 16 - 2 * 2)  # what a None costs, less what two bytes give
    assert read_program(b"N.").root is None
    monkeypatch.setattr("anatomy.archive.machine.ALWAYS", 16 - 2 * 2 - 1)
    with pytest.raises(CheckpointError, match="more objects than a checkpoint of its size can need"):
        read_program(b"N.")
