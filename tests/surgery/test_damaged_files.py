"""Genuine files with a few bytes changed at random: each still opens, or is refused; nothing else comes out."""

import io
import random
import zipfile
from pathlib import Path

import pytest

import anatomy
from detectors import fastvit
from tests.surgery.hostile.cases_calls import genuine

ROUNDS = 150
WEIGHTS = Path(fastvit.__file__).parents[1] / "demo" / "weights" / "demo.pt"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return genuine(tmp_path_factory.mktemp("whole")).read_bytes()


def flip(content: bytes, rng: random.Random, start: int, stop: int) -> bytes:
    """``content`` with one to four bytes between ``start`` and ``stop`` changed, one of them left out or put in."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        changed[rng.randrange(start, stop)] = rng.randrange(256)
    at = rng.randrange(start, stop)
    if rng.random() < 0.2:
        del changed[at]
    elif rng.random() < 0.2:
        changed.insert(at, rng.randrange(256))
    return bytes(changed)


def with_pickle(content: bytes, change) -> bytes:
    """The archive with its pickle changed, all sums of the archive being right."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new:
        for entry in old.infolist():
            found = old.read(entry)
            new.writestr(entry.filename, change(found) if entry.filename.endswith("data.pkl") else found)
    return made.getvalue()


def pickle_flipped(content: bytes, rng: random.Random) -> bytes:
    return with_pickle(content, lambda found: flip(found, rng, 0, len(found)))


def pickle_spliced(content: bytes, rng: random.Random) -> bytes:
    """A stretch of the pickle put to another place of it."""

    def splice(found: bytes) -> bytes:
        start, to = rng.randrange(len(found)), rng.randrange(len(found))
        piece = found[start : start + rng.randint(1, 60)]
        return found[:to] + piece + found[to + (len(piece) if rng.random() < 0.5 else 0) :]

    return with_pickle(content, splice)


def numbers_changed(content: bytes, rng: random.Random) -> bytes:
    """Only small whole numbers of the pickle changed: sizes, strides, shapes, places in its memory."""

    def change(found: bytes) -> bytes:
        places = [at for at in range(len(found) - 1) if found[at : at + 1] in (b"K", b"M", b"h", b"q")]
        changed = bytearray(found)
        for at in rng.sample(places, 3):
            changed[at + 1] = rng.choice((0, 1, 2, 3, 127, 255, rng.randrange(256)))
        return bytes(changed)

    return with_pickle(content, change)


def index_flipped(content: bytes, rng: random.Random) -> bytes:
    return flip(content, rng, content.index(b"PK\x01\x02"), len(content))


def headers_flipped(content: bytes, rng: random.Random) -> bytes:
    return flip(content, rng, 0, 300)


@pytest.mark.parametrize(
    "damage",
    [pickle_flipped, pickle_spliced, numbers_changed, index_flipped, headers_flipped],
    ids=lambda f: f.__name__,
)
def test_a_damaged_file_opens_or_is_refused(whole, tmp_path, damage):
    opened, path = 0, tmp_path / "damaged.pt"
    for seed in range(ROUNDS):
        path.write_bytes(damage(whole, random.Random(seed)))
        try:
            anatomy.open_checkpoint(path)
        except anatomy.CheckpointError:
            continue
        opened += 1
    assert opened < ROUNDS


@pytest.mark.parametrize("damage", [pickle_flipped, numbers_changed], ids=lambda f: f.__name__)
def test_a_damaged_file_of_another_family_opens_or_is_refused(tmp_path, damage):
    opened, path, content = 0, tmp_path / "damaged.pt", WEIGHTS.read_bytes()
    for seed in range(ROUNDS // 10):
        path.write_bytes(damage(content, random.Random(seed)))
        try:
            fastvit.load(path)
        except ValueError:
            continue
        opened += 1
    assert opened <= ROUNDS
