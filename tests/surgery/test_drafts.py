"""Drafts of files: those of a process that was killed go with the next write there, those of a living one stay."""

import os
import signal

import pytest

import surgery
from anatomy.archive import write_whole
from anatomy.archive.drafts import draft_prefix, this_process
from tests.fresh_process import in_a_fork


@pytest.mark.skipif(os.name != "posix", reason="only there can be told whether a process lives")
def test_the_draft_of_a_killed_write_goes_with_the_next_one(tmp_path):
    path = tmp_path / "recipe.json"
    path.write_text("old")
    ended = in_a_fork(lambda: write_whole(path, lambda file: os.kill(os.getpid(), signal.SIGKILL)) and 0)
    assert ended == -signal.SIGKILL and path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2
    write_whole(tmp_path / "other.json", lambda file: file.write(b"x"))
    assert len(list(tmp_path.iterdir())) == 3  # the draft of another file is none of its business
    surgery.write_recipe([], path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["other.json", "recipe.json"]


def test_drafts_of_the_living_and_of_other_hosts_and_files_of_others_stay(tmp_path):
    path, owner = tmp_path / "recipe.json", this_process()
    kept = {
        f"{draft_prefix(path)}abc.tmp",
        f".recipe.json-00000000-{owner.pid}-1-abc.tmp",
        ".recipe.json-backup.tmp",
        f".recipe.json-{owner.host}-{2**22 + 1}-1-abc.bak",
    }
    for name in kept:
        (tmp_path / name).write_text("mine")
    surgery.write_recipe([], path)
    assert {entry.name for entry in tmp_path.iterdir()} == {*kept, "recipe.json"}


def test_a_very_long_name_has_a_draft_too(tmp_path):
    path = tmp_path / f"{'n' * 250}.json"
    assert surgery.write_recipe([], path).read_text() == "[]\n"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
