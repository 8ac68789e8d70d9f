"""``detector-workbench labels``: what it asks for and prints, what it writes, and its exit status."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

import diagnosis
from detectors import demo_weights
from diagnosis import Finding, LabelReport, Mend, Reading
from diagnosis.labels.how_to_mend import in_python
from diagnosis.labels.tables import problem_rows, suspect_rows

USUAL = {"split": None, "images": 1000, "conf": 0.25, "progress": True}
CORNER = Finding("corner_as_centre", "error", None, "corners stand where centres belong.", {"share": 1.0})
GUESS = Finding("cannot_tell", "warning", None, "too few images.")


@pytest.fixture
def staged(tmp_path, monkeypatch):
    """In a folder with a set of two images whose corners are centres: a check that finds what it is told to."""
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for i in range(2):
        cv2.imwrite(str(tmp_path / "images" / f"{i}.png"), np.full((20, 20, 3), 90, np.uint8))
        (tmp_path / "labels" / f"{i}.txt").write_text("0 0.1 0.1 0.4 0.4\n")
    (tmp_path / "data.yaml").write_text("train: images\nval: images\nnames: [car]\n")
    monkeypatch.chdir(tmp_path)
    images = tuple(sorted((tmp_path / "images").iterdir()))
    mend = Mend(images=images, reading=Reading(format="xywh"), split="val", codes=("corner_as_centre",))
    seen = SimpleNamespace(asked=[], findings=(CORNER, GUESS), mends=(mend,), suspects=[], problems=[], fails=None)

    def check_labels(data, model, **settings):
        seen.asked.append((data, model, settings))
        if seen.fails:
            raise seen.fails
        return LabelReport(
            subject=f"labels of {data}",
            findings=seen.findings,
            mends=seen.mends,
            suspects=suspect_rows(seen.suspects),
            problems=problem_rows(seen.problems),
            images=2,
            data=data,
        )

    monkeypatch.setattr(diagnosis, "check_labels", check_labels)
    return seen


def test_findings_are_told_with_what_would_be_mended_and_errors_have_a_status(staged, call):
    done = call("labels", "data.yaml")
    assert (done.exit_code, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        "labels of data.yaml: 2 images, 1 error, 1 warning",
        "  error: corner_as_centre: corners stand where centres belong.",
        "  warning: cannot_tell: too few images.",
        "  would mend 2 files of val: corner_as_centre",
    ]
    assert staged.asked == [("data.yaml", None, USUAL)]
    assert {entry.name for entry in Path().iterdir()} == {"data.yaml", "images", "labels"}


def test_warnings_alone_are_status_0(staged, call):
    staged.findings, staged.mends = (GUESS,), ()
    staged.problems = [{"split": "val", "path": "a.txt", "line": 1, "code": "duplicate_row", "message": "twice"}] * 2
    done = call("labels", "data.yaml")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[2:] == ["  problems of the files: 2 duplicate_row"]


def test_every_option_arrives(staged, call):
    words = ["--split", "train", "--images", "0", "--conf", "0.1", "--imgsz", "320", "--device", "cpu", "--quiet"]
    call("labels", "data.yaml", "--model", demo_weights(), *words)
    [(_, model, settings)] = staged.asked
    assert type(model).__name__ == "YOLO"
    expected = {"split": "train", "images": None, "conf": 0.1, "imgsz": 320, "device": "cpu", "progress": False}
    assert settings == expected


def test_settings_in_the_manner_of_ultralytics_arrive(staged, call):
    call("labels", "data=data.yaml", f"model={demo_weights()}", "split=val", "imgsz=160", "conf=0.5")
    [(data, _, settings)] = staged.asked
    assert data == "data.yaml"
    assert settings == USUAL | {"split": "val", "imgsz": 160, "conf": 0.5}


def test_json_alone_is_printed_on_request(staged, call):
    done = call("labels", "data.yaml", "--json", "-", "--quiet")
    assert done.exit_code == 1
    assert [found["code"] for found in json.loads(done.stdout)["findings"]] == ["corner_as_centre", "cannot_tell"]
    assert "would mend 2 files" in done.stderr
    done = call("labels", "data.yaml", "--json", "report.json")
    assert json.loads(Path("report.json").read_text())["images"] == 2 and "would mend 2 files" in done.stdout


def test_a_fix_writes_mended_copies_and_the_figure_beside_them(staged, call, tmp_path):
    done = call("labels", "data.yaml", "--fix", "mended", "--quiet")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[4:] == [
        f"Figure: {tmp_path / 'mended.png'}",
        "corner_as_centre: 2 rows in 2 files mended",
        "images: 2 linked",
        f"Mended: {tmp_path / 'mended' / 'data.yaml'}",
    ]
    assert (tmp_path / "mended.png").stat().st_size > 1000
    assert (tmp_path / "mended/labels/0.txt").read_text() == "0 0.3 0.3 0.4 0.4\n"
    assert (tmp_path / "labels/0.txt").read_text() == "0 0.1 0.1 0.4 0.4\n"


def test_figures_go_where_they_are_wanted(staged, call, tmp_path):
    staged.suspects = [
        {"image": str(tmp_path / "images/0.png"), "kind": "lacking", "class_name": "car", "confidence": 0.9}
        | dict.fromkeys(("x1", "y1"), 1.0)
        | dict.fromkeys(("x2", "y2"), 9.0)
    ]
    done = call("labels", "data.yaml", "--figures", "a/b")
    assert {entry.name for entry in Path("a/b").iterdir()} == {"labels.png", "suspects.png"}
    assert "  suspects: 1 lacking" in done.stdout.splitlines()


def test_where_there_is_nothing_to_mend_nothing_is_written(staged, call):
    staged.findings, staged.mends = (), ()
    done = call("labels", "data.yaml", "--fix", "mended")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[1:] == ["There is nothing to mend, so nothing was written."]
    assert not Path("mended").exists() and not Path("mended.png").exists()


def test_a_warning_is_mended_where_it_is_asked_for(staged, call):
    (mend,) = staged.mends
    staged.mends = (replace(mend, proven=Mend(images=mend.images, split="val")),)
    done = call("labels", "data.yaml", "--fix", "mended")
    assert "  would mend 2 files of val if asked: --also corner_as_centre" in done.stdout.splitlines()
    assert "There is nothing to mend but what must be asked for by --also, so nothing was written." in done.stdout
    assert not Path("mended").exists()
    call("labels", "data.yaml", "--fix", "mended", "--also", "corner_as_centre")
    assert Path("mended/labels/0.txt").read_text() == "0 0.3 0.3 0.4 0.4\n"
    done = call("labels", "data.yaml", "--also", "duplicates")
    assert done.exit_code == 2 and "give --fix FOLDER with it" in done.stderr


@pytest.mark.parametrize(
    ("out", "told"), [("images", "exists and is not empty"), ("no/where", "Make it first"), ("data.yaml", "exists")]
)
def test_a_folder_that_cannot_be_written_is_said_before_the_work(staged, call, out, told):
    done = call("labels", "data.yaml", "--fix", out)
    assert done.exit_code == 2 and told in done.stderr and done.stderr.count("\n") == 1
    assert staged.asked == []


@pytest.mark.parametrize(
    "error", [FileNotFoundError("'x.yaml' does not exist."), ValueError("no labels"), TypeError("no")]
)
def test_what_cannot_be_done_is_one_line(staged, call, error):
    staged.fails = error
    done = call("labels", "x.yaml")
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", f"detector-workbench: {error}\n")


def test_an_interruption_is_status_130(staged, call):
    staged.fails = KeyboardInterrupt()
    done = call("labels", "data.yaml", "--fix", "mended")
    assert (done.exit_code, done.stderr) == (130, "detector-workbench: interrupted\n")
    assert not Path("mended").exists()


def test_a_checkpoint_that_is_not_there_is_one_line(staged, call):
    done = call("labels", "data.yaml", "--model", "best.pt")
    assert done.exit_code == 2 and "There is no checkpoint 'best.pt'" in done.stderr
    assert staged.asked == []


def test_what_was_not_mended_is_said_last_and_how_to_ask_for_it(staged, call):
    (mend,) = staged.mends
    sure = Mend(images=mend.images, classes={0: 1}, codes=("ids_shifted",))
    staged.mends = (replace(mend, classes={0: 1}, codes=("corner_as_centre", "ids_shifted"), proven=sure),)
    corner = replace(CORNER, severity="warning")
    rows = [Finding(code, "warning", None, "rows.") for code in ("duplicates", "labels_missing", "class_unknown")]
    staged.findings = (Finding("ids_shifted", "error", None, "ids."), corner, *rows)
    last = call("labels", "data.yaml", "--fix", "mended", "--quiet").stdout.splitlines()[-4:]
    assert last[0].startswith("Mended: ")
    assert last[1:] == [
        "not mended: corner_as_centre, 2 files; add --also corner_as_centre",
        "not mended: duplicates; add --also duplicates to drop the rows",
        "not mended: labels_missing; it is not in the files what would be right",
    ]


@pytest.mark.parametrize(
    ("words", "told", "asked"),
    [
        (["--also", "corner_as_center"], "Did you mean corner_as_centre?", 0),
        (["--also", "wrong_side"], "'wrong_side' is not", 1),
        (["--images", "-1"], "or 0 for all, but -1 was given", 0),
    ],
)
def test_what_cannot_be_asked_is_refused_and_leaves_no_figure(staged, call, words, told, asked):
    done = call("labels", "data.yaml", "--fix", "mended", *words)
    assert done.exit_code == 2 and told in done.stderr
    assert len(staged.asked) == asked and not Path("mended.png").exists() and not Path("mended").exists()


def test_the_command_names_its_options_and_not_python(staged, call):
    found = [
        Finding(CORNER.code, "warning", None, f"Corners. {in_python(also)}", {"also": also})
        for also in (["a", "b"], [])
    ]
    staged.findings = tuple(found)
    told = call("labels", "data.yaml").stdout
    assert "Corners. --fix OUT --also a --also b writes mended copies" in told and "--fix OUT writes" in told
    assert "diagnosis." not in told and "viz." not in told


def test_a_report_of_labels_counts_images():
    text = str(LabelReport(subject="set", findings=(CORNER,), probes=2, images=3))
    assert text.splitlines() == [
        "set: 1 error, 0 warnings in 3 images, of which 2 were looked at",
        "  error: corner_as_centre: corners stand where centres belong.",
    ]


def test_what_is_asked_for_is_not_told_as_yet_to_be_asked_for(staged, call):
    staged.mends = (replace(staged.mends[0], proven=Mend(images=staged.mends[0].images, split="val")),)
    told = call("labels", "data.yaml").stdout
    assert "would mend 2 files of val if asked: --also corner_as_centre" in told
    told = call("labels", "data.yaml", "--fix", "mended", "--also", "corner_as_centre").stdout
    assert "if asked" not in told and "  mends 2 files of val: corner_as_centre" in told


@pytest.mark.parametrize(
    ("code", "told"),
    [("corner", "Did you mean centre_as_corner or corner_as_centre"), ("zzz", "can be mended: axes_swapped, bad_ann")],
)
def test_a_code_that_is_none_is_answered_by_those_that_it_could_be(staged, call, code, told):
    done = call("labels", "data.yaml", "--fix", "mended", "--also", code)
    assert f"{code!r} is none" in done.stderr and told in " ".join(done.stderr.split())
