"""The place of a report: only reports are replaced, nothing that one did not write is deleted, no draft stays."""

import json
import os
import signal
from pathlib import Path

import pytest

import viz
from anatomy.archive.drafts import draft_prefix, this_process
from viz.reports.folder import move_in, open_place, staging
from viz.reports.mark import seal

unlaid = pytest.mark.usefixtures("unlaid")

QUICK = {"formats": "png", "figures": ("detections",), "dpi": 50, "progress": False}


@pytest.fixture
def two(stage, hot):
    traces = [stage((128, 192), [hot(1, 2, 3, 2)]), stage((64, 96))]
    for name, trace in zip(("street", "park"), traces, strict=True):
        trace.path = f"photos/{name}.jpg"
    return traces


def entries(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


@unlaid
def test_only_what_a_report_wrote_itself_is_ever_replaced(two, tmp_path):
    place = viz.report(two[0], tmp_path / "out", **QUICK)
    listed = json.loads((place / "report.json").read_text())
    there = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    assert listed["format"] == "detector-workbench report" and set(listed["files"]) == there - {"report.json"}
    added = {"images/street/mine.png": b"mine", "images/other/deep.txt": b"mine", "index.html": b"my own words"}
    for name, content in added.items():
        before = (place / name).read_bytes() if (place / name).exists() else None
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_bytes(content)
        with pytest.raises(FileExistsError, match=f"also holds .*{name}.* did not write or which was changed since"):
            viz.report(two[1], place, overwrite=True, **QUICK)
        assert (place / name).read_bytes() == content
        (place / name).unlink() if before is None else (place / name).write_bytes(before)
    (place / "images" / "other").rmdir()
    (place / "images" / "empty").mkdir()
    with pytest.raises(FileExistsError, match=r"also holds 'images/empty/'"):
        viz.report(two[1], place, overwrite=True, **QUICK)
    (place / "images" / "empty").rmdir()
    viz.report(two[1], place, overwrite=True, **QUICK)
    assert entries(place / "images") == {"park"} and entries(tmp_path) == {"out"}


@unlaid
@pytest.mark.parametrize("mark", [None, "", "{}", "[]", "[" * 50_000, '{"format": "another", "files": {}}'])
def test_a_folder_that_only_looks_like_a_report_is_left_alone(two, tmp_path, mark):
    place = tmp_path / "out"
    (place / "images" / "holiday").mkdir(parents=True)
    (place / "images" / "holiday" / "beach.jpg").write_bytes(b"mine")
    (place / "index.html").write_text("mine")
    if mark is not None:
        (place / "report.json").write_text(mark)
    with pytest.raises(
        FileExistsError, match=r"holds no report\.json that lists what a report wrote.*Delete the folder"
    ):
        viz.report(two[0], place, overwrite=True, **QUICK)
    assert (place / "images" / "holiday" / "beach.jpg").read_bytes() == b"mine"
    assert (place / "index.html").read_text() == "mine" and entries(tmp_path) == {"out"}


@unlaid
def test_a_list_that_leads_out_of_the_folder_deletes_nothing_there(two, tmp_path):
    place = viz.report(two[0], tmp_path / "out", **QUICK)
    (tmp_path / "precious.txt").write_text("mine")
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "one.jpg").write_text("mine")
    listed = json.loads((place / "report.json").read_text())
    listed["files"] |= {"../precious.txt": "", str(tmp_path / "precious.txt"): "", "album/one.jpg": ""}
    (place / "report.json").write_text(json.dumps(listed))
    viz.report(two[1], place, overwrite=True, **QUICK)
    assert entries(tmp_path) == {"out", "precious.txt", "album"}
    (place / "album").symlink_to(tmp_path / "album")
    with pytest.raises(FileExistsError, match=r"also holds 'album'"):
        viz.report(two[1], place, overwrite=True, **QUICK)
    assert (tmp_path / "album" / "one.jpg").read_text() == "mine"


def killed(place: Path, at: str) -> None:
    """What a process does that is killed while it writes, or between the two renames that replace an old report."""
    place = open_place(place, True)
    with staging(place) as stage:
        (stage / "images").mkdir()
        (stage / "images" / "a.png").write_bytes(b"x")
        if at == "between":
            seal(stage)
            real, count = os.rename, []

            def rename(source, target):
                if count:
                    os.kill(os.getpid(), signal.SIGKILL)
                count.append(target)
                real(source, target)

            os.rename = rename
            move_in(stage, place, True)
        os.kill(os.getpid(), signal.SIGKILL)


def kill_a_report(place: Path, at: str) -> None:
    child = os.fork()
    if not child:
        try:
            killed(place, at)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@unlaid
def test_what_a_killed_report_left_goes_with_the_next_one_at_that_place(two, tmp_path):
    place = tmp_path / "out"
    kill_a_report(place, "draft")
    (draft,) = entries(tmp_path)
    assert draft.startswith(".out-") and draft.endswith(".tmp")
    viz.report(two[0], tmp_path / "another", **QUICK)
    assert entries(tmp_path) == {draft, "another"}
    viz.report(two[0], place, **QUICK)
    assert entries(tmp_path) == {"out", "another"}


@unlaid
def test_a_report_that_was_being_replaced_comes_back_after_a_kill(two, tmp_path):
    place = viz.report(two[0], tmp_path / "out", **QUICK)
    page = (place / "index.html").read_bytes()
    kill_a_report(place, "between")
    assert not place.exists() and len(entries(tmp_path)) == 2
    with pytest.raises(FileExistsError, match="exists already and is not empty"):
        viz.report(two[1], place, **QUICK)
    assert (place / "index.html").read_bytes() == page and entries(tmp_path) == {"out"}


@unlaid
def test_drafts_of_the_living_of_other_hosts_and_of_others_stay(two, tmp_path):
    place, owner = tmp_path / "out", this_process()
    living = f"{draft_prefix(place)}abc.tmp"
    elsewhere = f".out-00000000-{owner.pid}-{owner.start}-abc.tmp"
    reused = f".out-{owner.host}-{owner.pid}-{owner.start + 1}-abc.tmp"
    theirs, of_another = ".out-backup.tmp", f".outer-{owner.host}-{2**22 + 1}-1-abc.tmp"
    unmarked = f".out-{owner.host}-{2**22 + 1}-1-mine.tmp"
    for name in (living, elsewhere, reused, theirs, of_another, unmarked):
        (tmp_path / name).mkdir()
    for name in (theirs, unmarked):
        (tmp_path / name / "mine.txt").write_text("mine")
    viz.report(two[0], place, **QUICK)
    assert entries(tmp_path) == {"out", living, elsewhere, theirs, of_another, unmarked}
