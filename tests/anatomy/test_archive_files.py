"""The zip archive around a checkpoint, and files that are written whole: where the limits lie, byte by byte."""

import hashlib
import io
import os
import platform
import re
import struct
import zipfile
from types import SimpleNamespace

import psutil
import pytest

from anatomy import CheckpointError
from anatomy.archive import drafts, read_plain, write_whole, zipped
from anatomy.archive.drafts import Owner, abandoned, draft_prefix, this_process
from anatomy.archive.whole import allowed
from anatomy.archive.zipped import open_archive

NONE = b"\x80\x02N."


def written(path, entries=None, method=zipfile.ZIP_STORED, comment=b""):
    """An archive of these entries, by default of one that describes nothing."""
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in (entries or {"a/data.pkl": NONE}).items():
            file.writestr(name, content)
        file.comment = comment
    return path


def refused(path, why: str) -> None:
    with pytest.raises(CheckpointError, match=f"^{re.escape(why)}"), open_archive(path):
        pass


def test_what_an_archive_holds(tmp_path):
    entries = {"a/data.pkl": NONE, "a/byteorder": b"little", "a/data/0": b"1234", "a/data/10": b""}
    with open_archive(str(written(tmp_path / "x.pt", entries))) as archive:
        assert archive.pickle == NONE and archive.size == 4 + 6 + 4
        assert (archive.storage_size("0"), archive.storage_size("10"), archive.storage_size("1")) == (4, 0, None)
        assert archive.storage("0") == b"1234"
        with pytest.raises(CheckpointError, match=r"x\.pt' is damaged and cannot be read"):
            archive.storage("1")


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ({"a/data.pkl": NONE, "a/byteorder": b"big"}, "{} was written on a big-endian machine"),
        ({"data.pkl": NONE}, "{} is a zip archive without a torch checkpoint in it."),
        ({"a/b/data.pkl": NONE}, "{} is a zip archive without a torch checkpoint in it."),
        ({"a/data.pkl": NONE, "b/data.pkl": NONE}, "{} is a zip archive without a torch checkpoint in it."),
        ({"a/other.pkl": NONE}, "{} is a zip archive without a torch checkpoint in it."),
        ({"a/data.pkl": NONE, "b/x": b""}, "{} holds 'b/x' outside of its folder 'a/'; it is not read."),
        ({"a/data.pkl": NONE, "a/../x": b""}, "{} holds an entry with the path 'a/../x'; torch.save never"),
        ({"a/data.pkl": NONE, "/x": b""}, "{} holds an entry with the path '/x'"),
        ({"a/data.pkl": NONE, "a\\x": b""}, "{} holds an entry with the path 'a\\\\x'"),
        ({"a/data.pkl": NONE, "a/constants.pkl": b""}, "{} is a TorchScript archive"),
    ],
)
def test_what_torch_never_writes(tmp_path, entries, why):
    path = written(tmp_path / "x.pt", entries)
    refused(path, why.format(repr(str(path))))


def test_an_empty_note_of_the_order_of_bytes_says_nothing(tmp_path):
    with open_archive(written(tmp_path / "x.pt", {"a/data.pkl": NONE, "a/byteorder": b""})) as archive:
        assert archive.pickle == NONE


def test_entries_are_stored_as_they_are_once_and_in_the_open(tmp_path):
    path = written(tmp_path / "x.pt", {"a/data.pkl": NONE * 99}, zipfile.ZIP_DEFLATED)
    refused(path, f"{str(path)!r} holds a compressed entry, 'a/data.pkl', where torch stores them as they are")
    content = bytearray(written(path).read_bytes())
    at = content.index(b"PK\x01\x02")
    for place, value, why in (
        (at + 20, 3, "holds a compressed entry"),  # of three bytes, four when it is read
        (at + 8, 1, "holds an encrypted entry, 'a/data.pkl'"),
    ):
        changed = bytearray(content)
        changed[place] = value
        path.write_bytes(changed)
        refused(path, f"{str(path)!r} {why}")
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a/data.pkl", NONE)
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("a/data.pkl", NONE)
    refused(path, f"{str(path)!r} holds two entries named 'a/data.pkl'")


def test_entries_claim_no_more_bytes_than_the_file_has(tmp_path):
    path = written(tmp_path / "x.pt")
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    for size in (len(content), len(content) + 1):
        content[at + 20 : at + 28] = struct.pack("<II", size, size)
        path.write_bytes(content)
        claims = size > len(content)
        refused(path, f"The entries of {str(path)!r} claim" if claims else f"{str(path)!r} is damaged and cannot be")


def test_how_much_a_description_and_an_index_may_take(tmp_path, monkeypatch):
    assert (zipped.MOST_INDEX, zipped.MOST_PICKLE) == (2 * 1024**2, 32 * 1024**2)
    path = written(tmp_path / "x.pt")
    size = zipped._index_size(io.BytesIO(path.read_bytes()))
    assert size == 46 + len("a/data.pkl")
    for name, most, why in (("MOST_INDEX", size, "has an index of 0 MB"), ("MOST_PICKLE", len(NONE), "describes its")):
        monkeypatch.setattr(zipped, name, most)
        with open_archive(path):
            pass
        monkeypatch.setattr(zipped, name, most - 1)
        refused(path, f"{str(path)!r} {why}")
        monkeypatch.undo()


def end(size: int, comment: bytes = b"") -> bytes:
    """The record that ends an archive, with an index of this size."""
    return struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, size, 0, len(comment)) + comment


def wide(size: int) -> bytes:
    """The record of a large archive, and its locator."""
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, size, 7)
    return record + struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (b"", 0),
        (b"no archive", 0),
        (end(77), 77),
        (b"x" * 9 + end(70_000), 70_000),
        (end(77)[:-1], 0),
        (end(5) + end(77, b"a comment"), 77),
        (b"x" * 99 + end(77, b"c" * 65535), 77),
        (wide(1 << 33) + end(77), 1 << 33),
        (b"x" * 9 + wide(1 << 33) + end(77, b"c" * 65535), 1 << 33),
        (wide(1 << 33) + b"x" + end(77), 77),
        (end(0x12345678), 0x12345678),
        (wide(0x123456789ABCDEF0) + end(77), 0x123456789ABCDEF0),
    ],
)
def test_the_size_that_an_index_claims(content, size):
    assert zipped._index_size(io.BytesIO(content)) == size


def test_of_a_large_file_the_end_alone_is_read():
    read = []

    class Counted(io.BytesIO):
        def read(self, *args):
            read.append(super().read(*args))
            return read[-1]

    assert zipped._index_size(Counted(bytes(300_000) + end(77))) == 77
    assert [len(part) for part in read] == [22 + 65535 + 20 + 56]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty (0 bytes)."),
        (b"PK12", "is cut short (4 bytes) or damaged: the index at the end of the archive cannot be read ("),
        (b"\x80\x02N.", "is a bare pickle, older than torch's zip format"),
        (b"text", "is no torch checkpoint (it is not a zip archive)."),
    ],
)
def test_what_else_a_file_is(tmp_path, content, why):
    (tmp_path / "x.pt").write_bytes(content)
    refused(tmp_path / "x.pt", f"{str(tmp_path / 'x.pt')!r} {why}")
    refused(tmp_path, f"A checkpoint is a file, but {str(tmp_path)!r} is none.")
    with pytest.raises(FileNotFoundError, match="There is no checkpoint"), open_archive(tmp_path / "none.pt"):
        pass


def test_one_entry_of_a_dictionary_is_read_and_no_other(tmp_path):
    foreign = b"\x80\x02}X\x01\0\0\0aK\x07sX\x01\0\0\0bcos\nsystem\ns."
    path = written(tmp_path / "x.pt", {"a/data.pkl": foreign})
    assert (read_plain(path, "a"), read_plain(path, "c")) == (7, None)
    with pytest.raises(CheckpointError, match=r"asks for more than model classes: os\.system"):
        read_plain(path)
    assert read_plain(written(path, {"a/data.pkl": b"\x80\x02]K\x07a."})) == [7]
    assert read_plain(path, "a") is None


def test_a_file_is_whole_on_the_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    path, synced = tmp_path / "x", []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_size))
    assert write_whole(path, lambda file: file.write(b"12345")) == path
    assert synced == [5] and path.read_bytes() == b"12345"
    monkeypatch.undo()

    def fail(file):
        file.write(b"half")
        raise RuntimeError("disk full")

    with pytest.raises(OSError, match=r"x' was not written \(disk full\); what was there before is whole\.$"):
        write_whole(path, fail)
    with pytest.raises(KeyError):
        write_whole(path, lambda file: {}[0])
    assert path.read_bytes() == b"12345" and list(tmp_path.iterdir()) == [path]


def test_what_the_umask_leaves():
    before = os.umask(0o027)
    try:
        assert (allowed(0o666), allowed(0o777)) == (0o640, 0o750)
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)


def test_whether_the_owner_of_a_draft_lives(monkeypatch):
    mine = this_process()
    assert mine == Owner(drafts._host(), os.getpid(), drafts._start(os.getpid())) and mine.start > 0
    there = f"{platform.node()} {os.readlink('/proc/self/ns/pid')}"
    assert mine.host == hashlib.sha256(there.encode()).hexdigest()[:8]
    since = psutil.Process().create_time() - psutil.boot_time()
    assert mine.start / os.sysconf("SC_CLK_TCK") == pytest.approx(since, abs=1)
    assert mine.alive and Owner(mine.host, mine.pid, 0).alive
    assert not Owner(mine.host, mine.pid, mine.start + 1).alive  # the number is another process's by now
    assert Owner("00000000", mine.pid, mine.start + 1).alive

    asked, error = [], [ProcessLookupError]

    def kill(pid, signal):
        asked.append((pid, signal))
        raise error[0]

    monkeypatch.setattr(os, "kill", kill)
    assert not Owner(mine.host, 5, 1).alive and not Owner(mine.host, 5, 0).alive
    error[0] = PermissionError
    assert Owner(mine.host, 5, 1).alive
    assert asked == [(5, 0)] * 3
    assert drafts._start(2**22 + 1) == 0
    monkeypatch.setattr(drafts, "os", SimpleNamespace(name="nt", kill=kill))
    assert Owner(mine.host, 5, 1).alive and len(asked) == 3


def test_drafts_of_the_dead_are_found_by_their_names(tmp_path):
    path, mine = tmp_path / ("n" * 101), this_process()
    start = f".{'n' * 100}-"
    assert draft_prefix(path) == f"{start}{mine.host}-{mine.pid}-{mine.start}-"
    dead = f"{start}{mine.host}-{2**22 + 1}-1-a"
    for name in (f"{dead}.tmp", f"{dead}.part", f"x{dead}.tmp", f"{dead}.tmp.tmp"):
        (tmp_path / name).touch()
    assert [entry.name for entry in abandoned(path)] == [f"{dead}.tmp"]
    assert [entry.name for entry in abandoned(path, ".part")] == [f"{dead}.part"]
    assert list(abandoned(tmp_path / "nowhere" / "x")) == []
