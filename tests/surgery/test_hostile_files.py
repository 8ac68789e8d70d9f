"""Hostile files by every door: nothing of them runs, each gets its answer, and none fills the memory."""

import re

import pytest

from tests.surgery.hostile import CASES, OPENS, Case
from tests.surgery.hostile.run import run

MEMORY, PER_BYTE = 64 << 20, 4
SECONDS = 60


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return run(tmp_path_factory.mktemp("hostile"))


def _check(case: Case, door: str, kind: str, message: str) -> None:
    if door == "detector-workbench":
        assert (kind, message) == ("", "" if case.answer == OPENS else "2")
    elif case.name == "record" and door in ("open_checkpoint", "certify"):
        assert not kind  # what surgery has noted is read by surgery.load alone
    elif door == "fastvit.load" or (door == "certify" and case.answer):
        assert kind in ("ValueError", "CheckpointError", "FileNotFoundError"), message
    elif case.answer == OPENS:
        assert not kind, f"{door}: {kind}: {message}"
    else:
        assert kind == case.error, f"{door}: {kind}: {message}"
        assert re.search(case.answer, message), f"{door}: {message}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}-{case.name}")
def test_hostile_file(rows, case):
    row = rows[f"{case.kind}/{case.name}"]
    assert not row["ran"]
    assert row["events"] == []
    for door, (kind, message) in row["answers"].items():
        _check(case, door, kind, message)
    assert row["growth"] <= PER_BYTE * row["size"] + MEMORY, f"{row['growth'] >> 20} MB"
    assert row["seconds"] < SECONDS


def test_a_genuine_file_opens_by_its_doors(rows):
    answers = rows["warm"]["answers"]
    assert {door: kind for door, (kind, _) in answers.items() if kind} == {"fastvit.load": "CheckpointError"}
    assert rows["warm"]["events"] == []
