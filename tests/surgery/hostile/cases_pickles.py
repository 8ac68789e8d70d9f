"""Pickles put together by hand: operations that torch never writes, old protocols, halves of pickles."""

import pickle
import struct

import torch

from . import opcodes as ops
from .case import Case, collect, mark
from .networks import Call, network

CASES: list[Case] = []
case = collect("pickles", CASES)
NEVER = "torch.save never writes the operation "
DAMAGED = "damaged or hostile"


def _program(name, tries, answer, content, **more):
    def build(folder):
        found = content(folder) if callable(content) else content
        return ops.archive(folder / "evil.pt", found)

    build.__name__ = name
    case(tries, answer, **more)(build)


def _system(folder) -> bytes:
    return ops.text(f"touch {mark(folder)}")


def _entry(content: bytes) -> bytes:
    return ops.entries(model=ops.EMPTY, extra=content)


SYSTEM = ops.name("os", "system")
_program(
    "reduce",
    "os.system by REDUCE",
    "asks for more than model classes: os.system",
    lambda folder: _entry(SYSTEM + _system(folder) + b"\x85R"),
    shell=True,
)
_program("newobj", "os.system by NEWOBJ", "os.system", lambda folder: _entry(SYSTEM + _system(folder) + b"\x85\x81"))
_program(
    "newobj_ex",
    "os.system by NEWOBJ_EX",
    NEVER + "NEWOBJ_EX",
    lambda folder: _entry(SYSTEM + _system(folder) + b"\x85}\x92"),
)
_program("inst", "os.system by INST", NEVER + "INST", lambda folder: _entry(b"(" + _system(folder) + b"ios\nsystem\n"))
_program("obj", "os.system by OBJ", NEVER + "OBJ", lambda folder: _entry(b"(" + SYSTEM + _system(folder) + b"o"))
_program("ext", "a class by its number, EXT1", NEVER + "EXT1", _entry(b"\x82\x01"))
_program("ext4", "a class by its number, EXT4", NEVER + "EXT4", _entry(b"\x84\x01\x00\x00\x00"))
_program("persid", "a persistent id as text", NEVER + "PERSID", _entry(b"Pstorage\n"))
_program("bytearray", "a byte array of 2^62 bytes", DAMAGED, _entry(b"\x96" + struct.pack("<Q", 1 << 62)))
_program("next_buffer", "a buffer from outside", NEVER + "NEXT_BUFFER", _entry(b"\x97"))
_program("duplicate", "DUP, to build bombs with", NEVER + "DUP", _entry(b"]2"))
_program("text_number", "a number as text", NEVER + "INT", _entry(b"I1\n"))
_program("frozen_set", "FROZENSET", NEVER + "FROZENSET", _entry(b"(\x91"))
_program(
    "build_on_class",
    "the state of a class itself",
    "gives a state to what can have none",
    _entry(ops.name("torch.nn.modules.conv", "Conv2d") + ops.EMPTY + ops.text("a") + ops.number(1) + b"sb"),
)
_program("build_on_dictionary", "the state of a dictionary", "gives a state to what can have none", _entry(b"}}b"))
_program(
    "items_of_class",
    "items put into a class",
    "puts items into what holds none",
    _entry(ops.name("torch.nn.modules.conv", "Conv2d") + ops.text("a") + ops.number(1) + b"s"),
)
_program("call_of_text", "a text is called", "calls what is no name", _entry(ops.text("os.system") + b")R"))
_program(
    "call_of_result",
    "the result of a call is called",
    "calls what is no name",
    _entry(ops.call(ops.name("builtins", "getattr"), ops.text("a")) + b")R"),
)
_program("pop_of_nothing", "more is taken than was put", DAMAGED, b"\x80\x02000.")
_program("no_mark", "values to a mark that is missing", DAMAGED, b"\x80\x02]]t.")
_program("unset_memo", "a value that was never noted", DAMAGED, b"\x80\x02h\x07.")
_program("odd_items", "a key without a value", "a key has no value", b"\x80\x02}(" + ops.text("a") + b"u.")
_program("no_stop", "a pickle without its end", DAMAGED, b"\x80\x02}")
_program("half", "a text of 4 GB that is not there", DAMAGED, b"\x80\x02X\xff\xff\xff\x7fabc.")
_program("not_unicode", "a text that is none", DAMAGED, b"\x80\x02X\x02\x00\x00\x00\xff\xfe.")
_program("unknown", "an operation that does not exist", DAMAGED, b"\x80\x02\xff.")
_program("empty", "no pickle at all", DAMAGED, b"")
_program("a_list", "a list where entries are expected", "holds no Ultralytics model", b"\x80\x02].")
_program(
    "an_object",
    "a persistent id that is no storage",
    "persistent|uses a Stored as a value",
    _entry(ops.numbers(1, 2) + b"Q"),
)
_program(
    "tensor_without_storage",
    "a tensor of numbers",
    "_rebuild_tensor_v2 wrongly",
    _entry(ops.tensor(ops.number(1), ops.numbers(1), ops.numbers(1))),
)
_program(
    "parameter_of_text",
    "a parameter made of a text",
    "_rebuild_parameter wrongly",
    _entry(
        ops.call(
            ops.name("torch._utils", "_rebuild_parameter"),
            ops.text("x"),
            b"\x89",
            ops.call(ops.name("collections", "OrderedDict")),
        )
    ),
)
_program(
    "other_rebuild",
    "another function of torch that rebuilds",
    "asks for more than model classes: torch._utils",
    _entry(ops.call(ops.name("torch._utils", "_rebuild_wrapper_subclass"), ops.number(1))),
)
_program(
    "tensor_from_numpy",
    "a scalar of objects of numpy",
    "numpy.dtype wrongly",
    _entry(ops.call(ops.name("numpy", "dtype"), ops.text("O8"))),
)
_program(
    "bytes_by_codec",
    "bytes by a codec that unpacks",
    "_codecs.encode wrongly",
    _entry(ops.call(ops.name("_codecs", "encode"), ops.text("x"), ops.text("zlib"))),
)
_program(
    "two_programs",
    "a second pickle after the end of the first",
    "holds no Ultralytics model",
    lambda folder: b"\x80\x02}." + b"\x80\x02" + SYSTEM + _system(folder) + b"\x85R.",
)


def _protocol(number):
    def build(folder):
        path = folder / "evil.pt"
        content = {"model": network(), "extra": Call(__import__("os").system, f"touch {mark(folder)}")}
        torch.save(content, path, pickle_protocol=number)
        return path

    build.__name__ = f"protocol_{number}"
    answer = r"\.system" if number > 1 else "torch.save never writes|damaged"
    case(f"os.system by protocol {number}", answer)(build)


for protocol in (1, 2, 3, 4, 5):
    _protocol(protocol)


@case("a bare pickle that runs os.system", "no torch checkpoint|bare pickle", shell=True)
def bare_pickle(folder):
    (folder / "evil.pt").write_bytes(pickle.dumps(Call(__import__("os").system, f"touch {mark(folder)}")))
    return folder / "evil.pt"


@case("the same by protocol 0, which is text", "is no torch checkpoint")
def bare_pickle_0(folder):
    (folder / "evil.pt").write_bytes(pickle.dumps(Call(__import__("os").system, f"touch {mark(folder)}"), 0))
    return folder / "evil.pt"


@case("torch's format before zip archives", "bare pickle")
def legacy(folder):
    torch.save({"model": network()}, folder / "evil.pt", _use_new_zipfile_serialization=False)
    return folder / "evil.pt"
