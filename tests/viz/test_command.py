"""``detector-report`` as a user meets it: the folder, the words, the exit status."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

import surgery
from detectors import demo_weights, draw_scene
from viz import command

ROOT = Path(__file__).parents[2]
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
    return [str(word) for word in (demo_weights(), *given, *QUICK)]


def test_a_folder_becomes_a_report(photos, capsys):
    assert command.main(words("photos")) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"Report: {Path('report').resolve() / 'index.html'}"
    assert {entry.name for entry in Path("report/images").iterdir()} == {"scene1", "scene2"}
    page = Path("report/index.html").read_text()
    assert "<dt>imgsz</dt><dd>160</dd>" in page and "<dt>source</dt><dd>photos</dd>" in page


def test_edits_are_made_before_and_recorded_and_the_checkpoint_stays(photos):
    before = demo_weights().read_bytes()
    fresh = surgery.load(demo_weights())
    surgery.mute_level(fresh, "P3")
    surgery.write_recipe(surgery.history(fresh), "mute.json")
    shifts = ["--recipe", "mute.json", "--shift", "P4=1", "--shift", "2=-2"]
    assert command.main(words("photos/scene1.png", "--out", "shifted", *shifts)) == 0
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
def test_what_cannot_be_done_is_said_on_one_line(photos, capsys, given, told):
    line = words()
    line[1:1] = given[:1]
    assert command.main(line + given[1:]) == 2
    err = capsys.readouterr().err
    assert err.startswith("detector-report: ") and err.count("\n") == 1 and told in err
    assert {entry.name for entry in Path().iterdir()} == {"photos"}


@pytest.mark.parametrize("given", [["--shift", "P4"], ["--shift", "P4=x"], ["--imgsz", "0"], ["--imgsz", "-3"], []])
def test_a_line_that_is_no_command_is_refused_by_the_parser(capsys, given):
    with pytest.raises(SystemExit) as stopped:
        command.main(["weights.pt", "photos", *given] if given else ["weights.pt"])
    assert stopped.value.code == 2
    assert "detector-report: error: " in capsys.readouterr().err


def test_an_interruption_keeps_what_was_finished_and_says_where(photos, capsys, monkeypatch):
    stream = command.anatomy.stream

    def interrupted(*args, **kwargs):
        yield next(stream(*args, **kwargs))
        raise KeyboardInterrupt

    monkeypatch.setattr("anatomy.stream", interrupted)
    assert command.main(words("photos")) == 130
    first, second = capsys.readouterr().err.splitlines()
    assert first == "detector-report: interrupted"
    assert second.startswith("detector-report: The report of the 1 images")
    assert [entry.name for entry in Path("report/images").iterdir()] == ["scene1"]


def test_it_runs_as_a_module_and_explains_itself(tmp_path):
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "viz.command", "--help"], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "usage: detector-report" in done.stdout and "--shift LEVEL=K" in done.stdout
