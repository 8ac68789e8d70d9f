"""Archives that lie, files that are none, and paths that could be taken for others."""

import io
import os
import struct
import tarfile
import zipfile
from pathlib import Path

import torch

from . import opcodes as ops
from .case import Case, collect
from .cases_calls import fuse_runs_a_gadget, genuine
from .networks import save

CASES: list[Case] = []
case = collect("files", CASES)
NONE = ops.entries(model=b"N")


@case("two entries of one name: a genuine pickle and another", "holds two entries named")
def two_entries(folder):
    path = genuine(folder)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("genuine/data.pkl", NONE)
    return path


def _entry(name, tries, answer, entry, content=b"x"):
    def build(folder):
        path = genuine(folder)
        with zipfile.ZipFile(path, "a") as file:
            file.writestr(entry, content)
        return path

    build.__name__ = name
    case(tries, answer)(build)


_entry("climbing_entry", "an entry that climbs out of its folder", "holds an entry with the path", "genuine/../../x")
_entry("absolute_entry", "an entry with an absolute path", "holds an entry with the path", "/tmp/evil")
_entry("second_pickle", "a second data.pkl in another folder", "without a torch checkpoint", "other/data.pkl", NONE)
_entry("entry_outside", "an entry beside the folder", "outside of its folder", "other.txt")
_entry("torchscript", "a program beside the weights", "is a TorchScript archive", "genuine/constants.pkl", NONE)
_entry("big_endian", "the other order of bytes, said twice", "two entries named", "genuine/byteorder", b"big")


@case("a compressed bomb: 300 MB in 300 kB", "holds a compressed entry")
def compressed(folder):
    path = folder / "evil.pt"
    return ops.archive(path, NONE, compression=zipfile.ZIP_DEFLATED, _0=bytes(300 << 20))


@case("entries larger than they claim", "damaged|outside|compressed")
def larger_than_claimed(folder):
    path = genuine(folder)
    content, mark = path.read_bytes(), b"PK\x01\x02"
    at = content.index(mark)
    lie = content[at : at + 20] + struct.pack("<II", 8, 8)
    return ops.patched(path, content, content[at : at + 28], lie)


@case("entries that claim more than the file has", "claim more bytes than the file has")
def more_than_the_file(folder):
    path = genuine(folder)
    content = path.read_bytes()
    at = content.index(b"PK\x01\x02")
    lie = content[at : at + 20] + struct.pack("<II", 1 << 30, 1 << 30)
    return ops.patched(path, content, content[at : at + 28], lie)


@case("an entry at the place of another", "damaged|overlap")
def overlapping(folder):
    path = genuine(folder)
    with zipfile.ZipFile(path) as file:
        first, second = [entry for entry in file.infolist() if "/data/" in entry.filename][:2]
    content = path.read_bytes()
    start = content.index(second.filename.encode(), content.index(b"PK\x01\x02")) - 46
    lie = content[start : start + 42] + struct.pack("<I", first.header_offset)
    return ops.patched(path, content, content[start : start + 46], lie)


@case("an encrypted entry", "holds an encrypted entry")
def encrypted(folder):
    path = genuine(folder)
    content = path.read_bytes()
    at = content.index(b"PK\x01\x02")
    lie = content[at : at + 8] + struct.pack("<H", 1)
    return ops.patched(path, content, content[at : at + 10], lie)


@case("an index in zip64 that claims 2^62 bytes", "has an index of 4398046511104 MB")
def zip64(folder):
    path = genuine(folder)
    content = path.read_bytes()
    end = content.rindex(b"PK\x05\x06")
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 1 << 62, 0)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1)
    full = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(content[:end] + record + locator + full)
    return path


@case("an index of 200,000 entries", "has an index of 8 MB")
def many_entries(folder):
    path = folder / "evil.pt"
    one = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0)
    index = (one + b"a") * 200_000
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(index), 0, 0)
    path.write_bytes(index + end)
    return path


@case("another program before the archive", "")
def prefix(folder):
    path = genuine(folder)
    path.write_bytes(b"#!/bin/sh\ntouch ran\nexit\n" + path.read_bytes())
    return path


@case("a comment after the archive", "")
def comment(folder):
    path = genuine(folder)
    with zipfile.ZipFile(path, "a") as file:
        file.comment = b"#!/bin/sh\ntouch ran\n" * 100
    return path


def _cut(share):
    def build(folder):
        path = genuine(folder)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        return path

    build.__name__ = f"cut_at_{int(100 * share)}_percent"
    case(f"a file cut at {share:.0%}", "is cut short")(build)


for share in (0.02, 0.5, 0.99):
    _cut(share)


def _content(name, tries, answer, content, file="evil.pt", **more):
    def build(folder):
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_bytes(content)
        return folder / file

    build.__name__ = name
    case(tries, answer, **more)(build)


_content("empty", "an empty file", "is empty", b"")
_content("text", "a text", "is no torch checkpoint", b"print('hello')")
_content("html", "a page that says that there is no such file", "is no torch checkpoint", b"<!DOCTYPE html>404")
_content("zeros", "a file of zeros", "is no torch checkpoint", bytes(1000))
_content("only_pk", "the first bytes of an archive alone", "is cut short", b"PK\x03\x04")
_content("ending", "a checkpoint with another ending", "must end in .pt", b"x", "weights.bin")
_content("yaml_ending", "a description in place of weights", "must end in .pt", b"nc: 2", "yolov8n.yaml")


@case("a tar archive", "is no torch checkpoint")
def tar(folder):
    with tarfile.open(folder / "evil.pt", "w") as file:
        info = tarfile.TarInfo("pickle")
        info.size = len(NONE)
        file.addfile(info, io.BytesIO(NONE))
    return folder / "evil.pt"


@case("a folder", "is none")
def a_folder(folder):
    (folder / "evil.pt").mkdir()
    return folder / "evil.pt"


@case("a pipe, which would never end", "is none")
def a_pipe(folder):
    os.mkfifo(folder / "evil.pt")
    return folder / "evil.pt"


@case("a link to nothing", "There is no checkpoint", error="FileNotFoundError")
def dangling(folder):
    (folder / "evil.pt").symlink_to(folder / "nothing.pt")
    return folder / "evil.pt"


def _missing(name, tries, path):
    case(tries, "There is no checkpoint", error="FileNotFoundError")(_named(name, lambda folder: Path(path)))


def _named(name, build):
    build.__name__ = name
    return build


_missing("asset", "the name of weights that Ultralytics would fetch", "yolo11n.pt")
_missing("address", "an address", "https://localhost:9/yolov8n.pt")
_missing("platform", "an address of a platform", "ul://user/project/model.pt")


def _beside(name, tries, named, other):
    """A path at which nothing lies, or no checkpoint, beside one that Ultralytics would open in its place."""

    def build(folder):
        genuine(folder).rename(folder / other)
        return folder / named

    case(tries, "There is no checkpoint", error="FileNotFoundError")(_named(name, build))


_beside("quote", "bob's.pt, beside bobs.pt", "bob's.pt", "bobs.pt")
_beside("blank", "' lead.pt', beside lead.pt", " lead.pt", "lead.pt")
_beside("case", "LEAD.pt, beside lead.pt", "LEAD.pt", "lead.pt")


def _evil_beside(name, tries, named, other):
    """The file named is hostile, and the one that Ultralytics would open in its place is genuine."""

    def build(folder):
        genuine(folder).rename(folder / other)
        evil = fuse_runs_a_gadget(folder)
        (folder / named).parent.mkdir(exist_ok=True)
        return evil.rename(folder / named)

    case(tries, "a key of a dictionary is a tuple")(_named(name, build))


_evil_beside("evil_quote", "a hostile bob's.pt beside a genuine bobs.pt", "bob's.pt", "bobs.pt")
_evil_beside("evil_blank", "a hostile ' lead.pt' beside a genuine lead.pt", " lead.pt", "lead.pt")
_evil_beside("evil_asset", "a hostile file named like weights that are fetched", "yolov5n.pt", "yolov5nu.pt")
_evil_beside("evil_folder", "a hostile file in a folder with a quote", "o'dir/weights.pt", "weights.pt")


@case("a genuine file in a folder with a quote and a blank", "", shell=True)
def genuine_quote(folder):
    (folder / "o' dir").mkdir()
    return genuine(folder).rename(folder / "o' dir" / " bob's.pt")


@case("tensors without a network", "holds no Ultralytics model")
def tensors(folder):
    torch.save({"weights": torch.zeros(3)}, folder / "evil.pt")
    return folder / "evil.pt"


@case("a checkpoint of FastViT that claims another size", "holds no Ultralytics model")
def fastvit_claim(folder):
    config = {"names": ["a"] * 50_000, "backbone": "fastvit_t8", "branches": 64, "naive": True, "faults": [[]]}
    torch.save({"format": "detectors.fastvit 1", "config": config, "state": {1: 2, "a": 3}}, folder / "evil.pt")
    return folder / "evil.pt"


@case("the record of edits is none", "carries a record of edits that is broken")
def record(folder):
    return save(folder / "evil.pt", surgery={"edits": [5], "before": [[]], "baseline": [["x"]]})
