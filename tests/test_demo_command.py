"""`make demo`, which is `detector-workbench demo`: the table, the figures, and what it says when it cannot be run."""

import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import ultralytics

from anatomy.families.ultralytics import published
from detectors import demo_weights
from viz.command import main
from viz.command.level_experiment import chosen, experiment

pytestmark = pytest.mark.long

ROOT = Path(__file__).parent.parent
FIGURES = ("before", "after", "compare", "heatmaps", "anchors")


def demo(folder: Path, *words, **env) -> subprocess.CompletedProcess:
    """Run the command in an empty folder, offline, with no weights at hand but those it is given."""
    kept = {name: value for name, value in os.environ.items() if name != "WORKBENCH_WEIGHTS"}
    kept |= {"YOLO_OFFLINE": "1", "YOLO_CONFIG_DIR": str(folder), "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", "viz.command", "demo", *map(str, words)]
    return subprocess.run(command, cwd=folder, env=kept | env, capture_output=True, text=True, timeout=300)


@pytest.fixture
def demo_here(tmp_path, monkeypatch, capsys):
    """As ``demo``, in this process, which has everything imported already."""

    def run(*words, **env) -> subprocess.CompletedProcess:
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("WORKBENCH_WEIGHTS", raising=False)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        code = main(["demo", *map(str, words)])
        printed = capsys.readouterr()
        return subprocess.CompletedProcess(words, code, printed.out, printed.err)

    return run


def rows(output: str) -> list[list[str]]:
    """The cells of the numbered rows of all tables; columns stand at least two spaces apart."""
    return [re.split(r" {2,}", line.strip()) for line in output.splitlines() if re.match(r" +\d+  P\d", line)]


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("embedded")
    return folder, demo(folder)


def test_the_embedded_detector_is_taken_offline_and_named(embedded):
    _, done = embedded
    assert done.returncode == 0, done.stderr
    assert "Detector: the embedded one" in done.stdout
    assert "YOLO_OFFLINE forbids a download" in done.stdout


def test_level_by_index_and_by_shift_stand_side_by_side_and_agree(embedded):
    _, done = embedded
    table = rows(done.stdout)
    pairs = [(by_index, by_shift) for _, by_index, by_shift, *_ in table]
    assert {by_index for by_index, _ in pairs} == {"P3", "P4", "P5"}
    assert all(by_shift in (by_index, "-") for by_index, by_shift in pairs)
    before = int(re.search(r"(\d+) detections before", done.stdout)[1])
    told = sum(by_shift != "-" for _, by_shift in pairs)
    assert f"agree for {told} of {told} detections" in done.stdout
    assert told <= before <= len(pairs)


def test_undo_is_verified_and_said(embedded):
    _, done = embedded
    assert "2 edits taken back" in done.stdout
    assert "bit for bit" in done.stdout.partition("Undo:")[2]


def test_figures_are_written_where_it_says(embedded):
    folder, done = embedded
    out = folder / "out" / "demo"
    assert str(out) in done.stdout
    assert {path.name for path in out.iterdir()} == {
        f"scene-{kind}.{ext}" for kind in FIGURES for ext in ("png", "pdf")
    }
    for path in out.iterdir():
        assert path.read_bytes().startswith(b"%PDF" if path.suffix == ".pdf" else b"\x89PNG")
        assert path.name.partition(".")[0] in done.stdout


def test_nothing_is_complained_about(embedded):
    _, done = embedded
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--weights", "nowhere.pt"), "There is no checkpoint 'nowhere.pt'"),
        (("--images", "nowhere.jpg"), "There is no file 'nowhere.jpg'"),
    ],
)
def test_a_missing_file_is_one_clear_line(demo_here, words, said):
    done = demo_here(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_weights_in_the_current_folder_are_found_and_an_empty_image_is_no_trouble(tmp_path, demo_here):
    shutil.copy(demo_weights(), tmp_path / "yolov8n.pt")
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((96, 128, 3), 128, np.uint8))
    done = demo_here("--images", "grey.png")
    assert done.returncode == 0, done.stderr
    assert "Detector: yolov8n.pt, found at hand." in done.stdout
    assert "grey: 0 detections before, 0 after" in done.stdout
    assert "bit for bit" in done.stdout.partition("Undo:")[2]


@pytest.fixture
def nothing_at_hand(monkeypatch, tmp_path):
    """An empty folder, with no weights at hand and nothing that forbids a download."""
    importlib.import_module("anatomy.families.ultralytics.head")  # takes its YOLO before a test replaces it
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORKBENCH_WEIGHTS", raising=False)
    monkeypatch.delenv("YOLO_OFFLINE", raising=False)
    monkeypatch.setitem(ultralytics.settings, "weights_dir", str(tmp_path / "weights"))


@pytest.mark.usefixtures("nothing_at_hand")
def test_the_published_weights_are_downloaded_where_they_can_be(monkeypatch, capsys):
    monkeypatch.setattr(published, "why_no_download", lambda name: None)
    monkeypatch.setattr(ultralytics, "YOLO", lambda name: f"the model {name}")
    assert chosen.open_model(None) == ("the model yolov8n.pt", False)
    assert "downloaded" in capsys.readouterr().out


@pytest.mark.usefixtures("nothing_at_hand")
def test_a_download_that_breaks_off_is_said_and_the_embedded_detector_steps_in(monkeypatch, capsys):
    def broken(name):
        raise ConnectionError("the line is cut")

    monkeypatch.setattr(published, "why_no_download", lambda name: None)
    monkeypatch.setattr(ultralytics, "YOLO", broken)
    _, embedded = chosen.open_model(None)
    assert embedded
    assert "its download failed (the line is cut)" in capsys.readouterr().out


@pytest.mark.usefixtures("nothing_at_hand")
def test_a_host_that_does_not_answer_is_no_download(monkeypatch):
    monkeypatch.setattr(published, "RELEASE", "http://localhost:9")
    assert "the network does not reach it" in published.why_no_download("yolov8n.pt", seconds=1.0)


def test_photographs_of_one_name_are_told_apart():
    assert chosen.choose_pictures(["a/1.jpg", "b/2.jpg"], embedded=False) == {"1": "a/1.jpg", "2": "b/2.jpg"}
    assert chosen.choose_pictures(["a/1.jpg", "b/1.jpg"], embedded=True) == {"1-1": "a/1.jpg", "2-1": "b/1.jpg"}


def test_levels_that_would_move_alike_are_refused(monkeypatch):
    monkeypatch.setattr(chosen, "MOVES", (0, 1, 13))
    with pytest.raises(ValueError, match=r"moves of \(0, 1, 13\) classes among 12 do not"):
        chosen.choose_moves(ultralytics.YOLO(demo_weights()))


def test_photographs_are_given_with_or_without_their_option(monkeypatch):
    seen = []
    monkeypatch.setattr(experiment, "experiment", lambda model, pictures, moves, **how: seen.append((pictures, how)))
    words = [
        "--images",
        "one.png",
        "two.png",
        "three.png",
        "--weights",
        str(demo_weights()),
        "conf=0.9",
        "--out",
        "there",
    ]
    assert main(["demo", *words]) == 0
    [(pictures, how)] = seen
    assert pictures == {"one": "one.png", "two": "two.png", "three": "three.png"}
    assert how == {"conf": 0.9, "out": Path("there")}


def test_real_weights_show_what_is_known_of_the_sample_photographs(real, tmp_path, demo_here):
    done = demo_here("--out", tmp_path / "figures", WORKBENCH_WEIGHTS=str(real / "weights" / "yolov8n_coco.pt"))
    assert done.returncode == 0, done.stderr
    found = {
        (by_index, by_shift, before, after) for _, by_index, by_shift, _, before, _, after, *_ in rows(done.stdout)
    }
    assert {
        ("P5", "P5", "bus", "fire hydrant"),
        ("P5", "P5", "person", "bus"),
        ("P4", "P4", "tie", "suitcase"),
    } <= found
    assert (tmp_path / "figures" / "zidane-compare.png").is_file()


def test_a_box_that_appears_names_the_one_it_had_lost_to(real, demo_here):
    photograph = real / "images" / "000000000143.jpg"
    weights = real / "weights" / "yolov8n_coco.pt"
    done = demo_here("--weights", weights, "--images", photograph)
    new = [row for row in rows(done.stdout) if row[-1].startswith("new")]
    assert len(new) == 3
    assert all(re.fullmatch(r"new: had lost to #\d+ \(P\d bird\)", row[-1]) and row[2] == "-" for row in new)
    assert "only the index knows" in done.stdout
