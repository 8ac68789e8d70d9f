"""What fix_labels refuses, before anything is written, and what an interruption or a kill leaves: nothing."""

import os
import signal
from pathlib import Path

import pytest

import diagnosis
from diagnosis import LabelReport, Mend, Reading
from diagnosis.labels.fixing.folder import draft_of

from .planted import data_yaml, plant, report_of

CORNER = Reading(format="xywh")


@pytest.fixture
def planted(tmp_path):
    """A set whose corners are centres, its data YAML, and a report with the mend."""
    plant(tmp_path / "set", CORNER)
    path = data_yaml(tmp_path / "set")
    return path, report_of(sorted(tmp_path.rglob("*.png")), reading=CORNER, classes={0: 1}, codes=["ids_shifted"])


def untouched(root: Path) -> bool:
    return {entry.name for entry in root.iterdir()} == {"set"} and {
        entry.name for entry in (root / "set").iterdir()
    } == {"images", "labels", "data.yaml"}


@pytest.mark.parametrize("out", ["set/images/new", "set/images/val", "set/labels/val/new", "set/labels/new"])
def test_a_place_among_the_data_is_refused(planted, tmp_path, out):
    path, report = planted
    with pytest.raises(ValueError, match=r"beside the data, never into it.*Give another folder"):
        diagnosis.fix_labels(report, path, tmp_path / out)
    assert untouched(tmp_path)


def test_a_place_among_the_data_is_found_behind_links(planted, tmp_path):
    path, report = planted
    (tmp_path / "near").symlink_to(tmp_path / "set" / "images")
    with pytest.raises(ValueError, match="beside the data"):
        diagnosis.fix_labels(report, path, tmp_path / "near" / "new")


def test_beside_the_images_of_the_set_there_is_room(planted, tmp_path):
    path, report = planted
    made = diagnosis.fix_labels(report, path, tmp_path / "set" / "mended")
    assert made.is_file() and len(diagnosis.read_labels(path)) == 4


def test_a_place_within_the_path_that_the_yaml_names_is_refused(planted, tmp_path):
    text = f"path: {tmp_path / 'set'}\nval: images/val\nnames: [bird, cat, dog]\n"
    path = data_yaml(tmp_path / "set", text)
    with pytest.raises(ValueError, match="beside the data, never into it"):
        diagnosis.fix_labels(planted[1], path, tmp_path / "set" / "mended", progress=False)
    assert untouched(tmp_path)


@pytest.mark.parametrize("out", ["full", "file"])
def test_what_is_there_is_never_overwritten(planted, tmp_path, out):
    path, report = planted
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match=r"exists and is not empty.*Give a new folder"):
        diagnosis.fix_labels(report, path, tmp_path / out)
    assert (tmp_path / "file").read_text() == "mine" and list((tmp_path / "full").iterdir())


def test_an_empty_folder_is_taken_and_a_missing_parent_is_told(planted, tmp_path):
    path, report = planted
    (tmp_path / "empty").mkdir()
    assert diagnosis.fix_labels(report, path, tmp_path / "empty").is_file()
    with pytest.raises(FileNotFoundError, match="Make it first"):
        diagnosis.fix_labels(report, path, tmp_path / "a" / "b")


def test_what_is_no_report_is_refused(planted, tmp_path):
    with pytest.raises(TypeError, match="what check_labels returned, but 'report' "):
        diagnosis.fix_labels("report", planted[0], tmp_path / "out")


def test_where_there_is_nothing_to_mend_nothing_is_written(planted, tmp_path):
    for report in (LabelReport(subject="fine"), LabelReport("fine", mends=(Mend(images=(Path("a.png"),)),))):
        with pytest.raises(ValueError, match="There is nothing to mend: the report names nothing"):
            diagnosis.fix_labels(report, planted[0], tmp_path / "out")
    assert untouched(tmp_path)


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        (["flipped"], r"'flipped' is not. It can mend: corner_as_centre, ids_shifted; rows that can be dropped: dup"),
        ([], "nothing to mend"),
        ("corner", "'corner' is not"),
    ],
)
def test_codes_that_nothing_mends_are_told(planted, tmp_path, codes, told):
    with pytest.raises(ValueError, match=told):
        diagnosis.fix_labels(planted[1], planted[0], tmp_path / "out", codes=codes)
    assert untouched(tmp_path)


def test_a_reading_is_mended_whole(planted, tmp_path):
    report = report_of(sorted(tmp_path.rglob("*.png")), reading=Reading(format="xywh", turn="rotated_180"))
    with pytest.raises(ValueError, match=r"as a whole, but of corner_as_centre, rotated_180 only rotated_180"):
        diagnosis.fix_labels(report, planted[0], tmp_path / "out", codes="rotated_180")


def test_a_report_about_other_images_is_refused(planted, tmp_path):
    report = report_of([tmp_path / "other.png"], reading=CORNER)
    with pytest.raises(ValueError, match=r"1 of its 1 images, such as .*other.png.*Check these labels"):
        diagnosis.fix_labels(report, planted[0], tmp_path / "out")


@pytest.mark.parametrize(
    ("data", "error", "told"),
    [
        ("nowhere.yaml", FileNotFoundError, "does not exist"),
        (3, TypeError, "read from files"),
        ([], ValueError, "empty"),
    ],
)
def test_data_that_cannot_be_read_is_told_as_when_it_is_checked(planted, tmp_path, data, error, told):
    with pytest.raises(error, match=told):
        diagnosis.fix_labels(planted[1], data, tmp_path / "out")
    assert untouched(tmp_path)


def test_an_interruption_leaves_nothing(planted, tmp_path, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("diagnosis.labels.fixing.label_files.bring", interrupted)
    with pytest.raises(KeyboardInterrupt) as raised:
        diagnosis.fix_labels(planted[1], planted[0], tmp_path / "out")
    assert raised.value.__notes__ == [f"Nothing was written to {str(tmp_path / 'out')!r}; the labels are as they were."]
    assert untouched(tmp_path)


def test_a_kill_leaves_nothing_that_looks_finished_and_the_next_run_clears_it(planted, tmp_path):
    path, report = planted
    child = os.fork()
    if child == 0:
        with draft_of(tmp_path / "out") as draft:
            (draft / "data.yaml").touch()
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert not (tmp_path / "out").exists()
    (left,) = [entry for entry in tmp_path.iterdir() if entry.name.startswith(".out-")]
    made = diagnosis.fix_labels(report, path, tmp_path / "out")
    assert made.is_file() and not left.exists()
