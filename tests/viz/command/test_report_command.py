"""``detector-workbench report`` as a user meets it: the folder, the words, the exit status."""

from pathlib import Path

import cv2
import pytest

import anatomy
import surgery
from detectors import demo_weights, draw_scene

unlaid = pytest.mark.usefixtures("unlaid")

QUICK = ["--quiet", "--formats", "png", "--figures", "detections", "--imgsz", "160"]


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in (1, 2):
        cv2.imwrite(str(folder / f"scene{seed}.png"), draw_scene(seed, (120, 160), 3).image[..., ::-1])
    monkeypatch.chdir(tmp_path)
    return folder


def words(*given) -> list[str]:
    return ["report", *(str(word) for word in (demo_weights(), *given, *QUICK))]


def test_a_folder_becomes_a_report(photos, call):
    done = call(*words("photos"))
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == f"Report: {Path('report').resolve() / 'index.html'}"
    assert {entry.name for entry in Path("report/images").iterdir()} == {"scene1", "scene2"}
    page = Path("report/index.html").read_text()
    assert "<dt>imgsz</dt><dd>160</dd>" in page and "<dt>source</dt><dd>photos</dd>" in page


@unlaid
def test_settings_in_the_manner_of_ultralytics_do_the_same(photos, call):
    weights = [f"model={demo_weights()}", "source=photos/scene1.png", "imgsz=96", "conf=0.5", "iou=0.6"]
    done = call("report", *weights, *QUICK[:-2])
    assert done.exit_code == 0, done.stderr
    page = Path("report/index.html").read_text()
    assert "<dt>imgsz</dt><dd>96</dd>" in page and "<dt>source</dt><dd>photos/scene1.png</dd>" in page
    assert "<dt>iou</dt><dd>0.6</dd>" in page


@unlaid
def test_edits_are_made_before_and_recorded_and_the_checkpoint_stays(photos, call):
    before = demo_weights().read_bytes()
    fresh = surgery.load(demo_weights())
    surgery.mute_level(fresh, "P3")
    surgery.write_recipe(surgery.history(fresh), "mute.json")
    shifts = ["--recipe", "mute.json", "--shift", "P4=1", "--shift", "2=-2"]
    assert call(*words("photos/scene1.png", "--out", "shifted", *shifts)).exit_code == 0
    done = surgery.read_recipe("shifted/recipe.json")
    assert [(edit.operation, edit.levels) for edit in done] == [
        ("mute_level", (0,)),
        ("shift_classes", (1,)),
        ("shift_classes", (2,)),
    ]
    assert done[2].parameters == {"k": -2}
    assert demo_weights().read_bytes() == before


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["nowhere"], "There is no file 'nowhere'"),
        (["photos", "--formats", "png,gif"], "but 'gif' was given"),
        (["photos", "--figures", ""], "none was given"),
        (["photos", "--shift", "P9=1"], "Level 'P9' does not exist"),
        (["photos", "--out", "a/b"], "Make it first"),
        (["photos", "--out", "photos"], "exists already"),
        (["photos", "--recipe", "no.json"], "no.json"),
        (["photos", "--conf", "7"], "conf"),
    ],
)
def test_what_cannot_be_done_is_said_on_one_line(photos, call, given, told):
    line = words()
    line[2:2] = given[:1]
    done = call(*line, *given[1:])
    assert done.exit_code == 2
    err = done.stderr
    assert err.startswith("detector-workbench: ") and err.count("\n") == 1 and told in err
    assert {entry.name for entry in Path().iterdir()} == {"photos"}


@pytest.mark.parametrize("given", [["--shift", "P4"], ["--shift", "P4=x"], ["--imgsz", "0"], ["--imgsz", "-3"], []])
def test_a_line_that_is_no_command_is_refused_by_the_parser(call, given):
    done = call("report", *(["weights.pt", "photos", *given] if given else ["weights.pt"]))
    assert done.exit_code == 2
    assert done.stderr.startswith("detector-workbench: error: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--shift", "P4"], "a shift is LEVEL=K, as in P4=1, but 'P4' was given"),
        (["--imgsz", "0"], "a size is a whole number of px from 1, but '0' was given"),
        (["imgsz=0"], "a size is a whole number of px from 1, but '0' was given"),
    ],
)
def test_the_parser_says_the_rule_and_what_was_given(call, given, told):
    assert told in call("report", "weights.pt", "photos", *given).stderr


@unlaid
def test_an_interruption_keeps_what_was_finished_and_says_where(photos, call, monkeypatch):
    stream = anatomy.stream

    def interrupted(*args, **kwargs):
        yield next(stream(*args, **kwargs))
        raise KeyboardInterrupt

    monkeypatch.setattr("anatomy.stream", interrupted)
    done = call(*words("photos"))
    assert done.exit_code == 130
    first, second = done.stderr.splitlines()
    assert first == "detector-workbench: interrupted"
    assert second.startswith("detector-workbench: The report of the 1 images")
    assert [entry.name for entry in Path("report/images").iterdir()] == ["scene1"]
