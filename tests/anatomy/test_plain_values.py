"""Plain values and tensors out of the notes of a pickle, by hand; everything else is refused, with the reason."""

import re
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from anatomy import CheckpointError
from anatomy.archive import plain
from anatomy.archive.machine import Object, Program, Reference, Stored
from anatomy.archive.plain import Reader

TENSOR, PARAMETER = "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter"


class Archive:
    """Storages by key, in memory; ``read`` notes which were asked for."""

    def __init__(self, size=0, pickle=b"", **storages):
        self.path, self.size, self.pickle = Path("x.pt"), size, pickle
        self.storages = {key.removeprefix("_"): content for key, content in storages.items()}
        self.read = []

    def storage_size(self, key):
        return len(self.storages[key]) if key in self.storages else None

    def storage(self, key):
        self.read.append(key)
        return self.storages[key]


def note(name: str, *args, items=(), entries=()) -> Object:
    return Object(Reference(name), args, None, list(items), list(entries))


def stored(count=6, kind="torch.FloatStorage", key="0", word="storage") -> Stored:
    return Stored((word, Reference(kind), key, "cpu", count))


def tensor(storage=None, offset=0, size=(2, 3), stride=(3, 1), grad=False, hooks=None, *more) -> Object:
    return note(
        TENSOR, storage or stored(), offset, size, stride, grad, hooks or note("collections.OrderedDict"), *more
    )


def six(**more) -> Archive:
    return Archive(_0=np.arange(6, dtype=np.float32).tobytes(), **more)


def refused(why: str, given, archive=None, wrongly: str = "", **more) -> None:
    why = f"describes {wrongly} wrongly ({why})" if wrongly else why
    told = f"'x.pt' is damaged, or asks for more than can be checked: it {why}. Nothing was run."
    with pytest.raises(CheckpointError, match=f"^{re.escape(told)}$"):
        Reader(archive or six(), **more).value(given)


def read(given, archive=None):
    return Reader(archive or six()).value(given)


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ([1, 2.5, None, True, "a", b"b"], [1, 2.5, None, True, "a", b"b"]),
        ((1, (2,)), (1, (2,))),
        (
            {"a": [1], (1 << 60) - 1: 2, None: 3, 1.5: 4, True: 5},
            {"a": [1], (1 << 60) - 1: 2, None: 3, 1.5: 4, True: 5},
        ),
        (note("collections.OrderedDict", [["a", 1]], [["c", 3]], items=[("b", [2])]), OrderedDict(a=1, b=[2])),
        (note("collections.OrderedDict"), OrderedDict()),
        (note("builtins.set", [1, 2], [9], entries=[3]), {1, 2, 3}),
        (note("builtins.frozenset"), set()),
        (note("torch.Size", (2, (1 << 40) - 1)), torch.Size((2, (1 << 40) - 1))),
        (note("torch.Size", [0], [7]), torch.Size((0,))),
        (note("pathlib.PosixPath", "a", 5, "b"), "a/b"),
        (note("pathlib._local.WindowsPath", "a", "b"), "a\\b"),
        (note("_codecs.encode", "é", "latin1"), b"\xe9"),
        (note("numpy.dtype", "f4"), np.dtype("f4")),
        (note("numpy.dtype", "b1", False, True), np.dtype("bool")),
        (note("torch.device", "cuda", 1), "cuda"),
        (note("numpy._core.multiarray.scalar", note("numpy.dtype", "i2"), b"\x01\x02"), np.int16(513)),
        (note("numpy.core.multiarray.scalar", note("numpy.dtype", "u1"), b"\x01\x02"), np.uint8(1)),
    ],
)
def test_plain_values(given, value):
    found = read(given)
    assert found == value and type(found) is type(value)
    assert list(found) == list(value) if isinstance(value, dict) else True


@pytest.mark.parametrize(
    ("why", "given"),
    [
        ("uses a int as a key", {1 << 60: 1}),
        ("uses a int as a key", {-(1 << 60): 1}),
        ("uses a Size as a key", {note("torch.Size", (1,)): 1}),
        ("uses the name os.system as a value", [Reference("os.system")]),
        ("uses a Stored as a value", [stored()]),
        ("makes an object of os.system where plain data is needed", note("os.system", "x")),
    ],
)
def test_what_is_no_plain_value(why, given):
    refused(why, given)


@pytest.mark.parametrize(
    ("why", "name", "args"),
    [
        ("a size is not made of whole numbers from 0", "torch.Size", ((-1,),)),
        ("a size is not made of whole numbers from 0", "torch.Size", ((True,),)),
        ("a size is not made of whole numbers from 0", "torch.Size", ((1 << 40,),)),
        ("a size is not made of whole numbers from 0", "torch.Size", (5,)),
        ("bytes are no latin-1 text", "_codecs.encode", ("a", "utf8")),
        ("bytes are no latin-1 text", "_codecs.encode", (b"a", "latin1")),
        ("it is no numeric type", "numpy.dtype", ("f1",)),
        ("it is no numeric type", "numpy.dtype", ("O8",)),
        ("it is no numeric type", "numpy.dtype", (5,)),
        ("a device is no text", "torch.device", (5,)),
        ("tuple index out of range", "torch.device", ()),
        ("a parameter is no tensor", PARAMETER, ([1], True, note("collections.OrderedDict"))),
    ],
)
def test_what_is_described_wrongly(why, name, args):
    refused(why, note(name, *args), wrongly=name)


@pytest.mark.parametrize(
    "refusing",
    [TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError, RuntimeError],
)
def test_errors_of_a_reader_are_refusals_and_a_refusal_stays_itself(refusing):
    def fail(reader, given):
        raise refusing("why")

    told = str(refusing("why"))
    with pytest.raises(CheckpointError, match=rf"describes a\.b wrongly \({told}\)"):
        plain._guarded(fail)(Reader(six()), note("a.b"))
    with pytest.raises(CheckpointError, match=r"^'x.pt' is damaged.*: it uses a Stored as a value\. Nothing"):
        read(note("builtins.set", [stored()]))


def test_the_same_note_becomes_the_same_object():
    shared, reader = [1, 2], Reader(six())
    first, second = reader.value([shared, shared])
    assert first is second == [1, 2] and any(entry is shared for entry in reader._kept)  # else its id may be used anew
    assert reader._values == 1 + (1 + 2) * 2
    made = object()
    reader.remember(given := note("a.b"), made)
    assert reader.value(given) is made and any(entry is given for entry in reader._kept)


def test_values_are_counted_with_what_a_shared_container_holds(monkeypatch):
    assert Reader(six(pickle=b"12345"))._most == 1_000_005
    monkeypatch.setattr(plain, "MOST_VALUES", 7)
    shared = [1, 2]
    assert read([shared, shared]) == [[1, 2], [1, 2]]
    monkeypatch.setattr(plain, "MOST_VALUES", 6)
    refused("holds more values than a checkpoint of its size can need", [shared, shared])


def test_containers_nest_sixty_deep_and_never_within_themselves():
    deep: list = []
    for _ in range(59):
        deep = [deep]
    assert read(deep) == deep
    refused("nests more than 60 containers", [deep])
    assert read([[[1]], [[1]], ([1],)] * 30)  # beside one another as many as one likes
    own: list = []
    own.append(own)
    refused("holds a container within itself", own)


def test_a_caller_makes_what_it_knows_and_nothing_else():
    size = note("torch.Size", (1,))
    known = Reader(six(), lambda name: name == "a.B", lambda given: ["made", *given.args])
    assert known.value([note("a.B", 5), size]) == [["made", 5], torch.Size((1,))]
    assert Reader(six(), lambda name: True).value(size) == torch.Size((1,))
    remedy = r"Nothing was run\. Do this\.$"
    with pytest.raises(CheckpointError, match=remedy):
        Reader(six(), remedy=" Do this.").value(note("a.C"))


def test_names_beyond_plain_data_are_refused_sorted_and_eight_of_them_told():
    reader = Reader(six(), lambda name: name == "a.B", remedy=" Do this.")
    reader.check_names(Program(None, (*sorted(plain.NAMES), "a.B")))
    start = "'x.pt' asks for more than model classes: "
    end = ". Opening it could run any code of its author, so nothing was run. Do this."
    eight = [f"x.{number}" for number in range(8)]
    for names, told in (
        (["x.b", "torch.Size", "x.a"], "x.a, x.b"),
        (eight[::-1], ", ".join(eight)),
        ([*eight, "x.8"], ", ".join(eight) + " and more"),
        (["y" * 80], "y" * 80),
        (["y" * 81], "y" * 77 + "…"),
        (["a\nb"], r"'a\nb'"),
    ):
        with pytest.raises(CheckpointError, match=f"^{re.escape(start + told + end)}$"):
            reader.check_names(Program(None, tuple(names)))
    assert {"numpy.dtype", "_codecs.encode", "torch.device", "torch.FloatStorage"} <= plain.NAMES
    numbers = {"i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "b1"}
    assert numbers == plain.NUMBERS


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("Float", torch.float32),
        ("Half", torch.float16),
        ("BFloat16", torch.bfloat16),
        ("Double", torch.float64),
        ("Long", torch.int64),
        ("Int", torch.int32),
        ("Short", torch.int16),
        ("Char", torch.int8),
        ("Byte", torch.uint8),
        ("Bool", torch.bool),
    ],
)
def test_a_tensor_of_every_type(name, dtype):
    wanted = torch.tensor([1, 0, 3]).to(dtype)
    content = wanted.view(torch.uint8).numpy().tobytes() + b"more than it claims"
    found = read(tensor(stored(3, f"torch.{name}Storage"), 0, (3,), (1,)), Archive(1 << 20, _0=content))
    assert found.dtype == dtype and torch.equal(found, wanted) and not found.requires_grad
    if dtype == torch.bool:
        odd = read(tensor(stored(3, "torch.BoolStorage"), 0, (3,), (1,)), Archive(_0=b"\x00\x02\xff"))
        assert odd.view(torch.uint8).tolist() == [0, 1, 1]


def test_tensors_are_views_of_a_storage_that_is_read_once():
    archive = six()
    reader = Reader(archive)
    found = reader.value([tensor(), tensor(offset=1, size=(2, 2), stride=(2, 1)), tensor(size=(), stride=())])
    assert [entry.tolist() for entry in found] == [[[0, 1, 2], [3, 4, 5]], [[1, 2], [3, 4]], 0]
    assert archive.read == ["0"]
    refused(
        "the storage 0 has two types", [tensor(), tensor(stored(3, "torch.HalfStorage"), 0, (3,), (1,))], wrongly=TENSOR
    )


@pytest.mark.parametrize(
    ("fits", "offset", "size", "stride"),
    [
        (True, 1, (5,), (1,)),
        (False, 2, (5,), (1,)),
        (True, 0, (3, 2), (2, 1)),
        (False, 0, (3, 2), (2, 2)),
        (True, 0, (6,), (0,)),
        (False, 0, (7,), (0,)),
        (True, 5, (), ()),
        (False, 6, (), ()),
        (True, 0, (0, 4096), (1, 1)),
        (False, 0, (4097, 0), (1, 1)),
        (True, 0, (1,) * 16, (1,) * 16),
        (False, 0, (1,) * 17, (1,) * 17),
    ],
)
def test_a_tensor_fits_its_storage(fits, offset, size, stride):
    given = tensor(offset=offset, size=size, stride=stride)
    if fits:
        assert read(given).shape == size
    else:
        refused(f"a tensor of shape {list(size)} does not fit its storage of 6", given, wrongly=TENSOR)


def test_tensors_together_are_no_larger_than_the_file_and_a_little():
    whole, none = [tensor(), tensor(size=(0,), stride=(1,))], six(size=24 - (1 << 20))
    assert len(read(whole, none)) == 2
    refused("its tensors are larger than the file", [*whole, tensor(size=(1,), stride=(1,))], none, wrongly=TENSOR)


def test_gradient_is_wanted_where_the_file_says_true_and_can_be():
    whole = tensor(stored(3, "torch.ShortStorage"), 0, (3,), (1,), True)
    assert read(tensor(grad=True)).requires_grad and not read(tensor(grad=1)).requires_grad
    assert not read(whole).requires_grad
    hooks = note("collections.OrderedDict")
    for given, wanted in ((tensor(), True), (tensor(), False), (tensor(grad=True), False)):
        found = read(note(PARAMETER, given, wanted, hooks))
        assert isinstance(found, torch.nn.Parameter) and found.requires_grad is wanted
        assert found.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert not read(note(PARAMETER, whole, True, hooks)).requires_grad
    assert not read(note(PARAMETER, tensor(), 1, hooks)).requires_grad


@pytest.mark.parametrize("fields", [{"items": [(1, 2)]}, {"entries": [1]}, {"args": [[]]}])
def test_hooks_are_refused(fields):
    hooks = note("collections.OrderedDict", *fields.pop("args", ()), **fields)
    refused("a tensor has hooks", tensor(hooks=hooks), wrongly=TENSOR)
    refused("a parameter has hooks", note(PARAMETER, tensor(), True, hooks), wrongly=PARAMETER)


def test_more_than_six_arguments_of_a_tensor_are_none():
    six_of_them = (stored(), 0, (6,), (1,), False, None)
    assert read(tensor(*six_of_them, None, [])).shape == (6,)
    for more in (({1: 2},), (None, 5)):
        refused("a tensor has hooks", tensor(*six_of_them, *more), wrongly=TENSOR)


@pytest.mark.parametrize(
    "given",
    [
        stored(word="module"),
        stored(kind="torch.ComplexStorage"),
        stored(key=5),
        stored(count=6.0),
        stored(count=True),
        Stored(("storage", "torch.FloatStorage", "0", "cpu", 6)),
    ],
)
def test_a_storage_of_no_known_kind(given):
    archive = six()
    archive.storages[5] = archive.storages["0"]
    refused("a storage is of no known kind", tensor(given), archive, wrongly=TENSOR)


def test_a_storage_may_hold_nothing_and_less_than_there_is():
    assert read(tensor(stored(0), 0, (0,), (1,))).shape == (0,)
    assert read(tensor(stored(2), 0, (2,), (1,))).tolist() == [0, 1]


@pytest.mark.parametrize(("key", "count"), [("9", 6), ("0", 7), ("0", -1)])
def test_a_storage_that_is_not_there(key, count):
    why = f"the storage {key} is missing, or smaller than it claims"
    refused(why, tensor(stored(count, key=key), 0, (0,), (1,)), wrongly=TENSOR)
