"""``detector-workbench survey``: what it asks for, what it prints, and what it says when it is stopped."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import diagnosis
import viz
from detectors import demo_weights

SCORES = {"AP": 0.40125, "APs": float("nan"), "mAP50_95": None}
USUAL = {
    "conf": 0.25,
    "iou": 0.7,
    "imgsz": 640,
    "match_iou": 0.5,
    "split": "val",
    "ablation": False,
    "workers": 0,
    "engine": None,
    "batch": 16,
    "progress": True,
}


class StagedSurvey:
    """A finished survey that says what it is told to."""

    truth = True

    def __init__(self, path):
        self.path = Path(path)
        if "nowhere" in str(path):
            raise FileNotFoundError(f"There is no survey in {str(path)!r}.")

    def scores(self):
        return SCORES

    def compare(self, after):
        return f"from {self.path.name} to {after.path.name}"


@pytest.fixture
def staged(tmp_path, monkeypatch):
    """In an empty folder: the survey, its verdict and its page staged; ``asked`` and ``pages`` are what they got."""
    seen = SimpleNamespace(asked=[], pages=[], fails=None)

    def survey(model, data, out, **settings):
        seen.asked.append((model, data, out, settings))
        if seen.fails:
            Path(out).mkdir(parents=True)
            raise seen.fails
        return StagedSurvey(out)

    words = ModuleType("viz.reports.survey.verdict")
    words.verdict = lambda done: [f"Verdict on {done.path.name}:", "  P3 misses the small ones."]
    monkeypatch.setitem(sys.modules, "viz.reports.survey", ModuleType("viz.reports.survey"))
    monkeypatch.setitem(sys.modules, "viz.reports.survey.verdict", words)
    monkeypatch.setattr(diagnosis, "survey", survey, raising=False)
    monkeypatch.setattr(diagnosis, "Survey", StagedSurvey, raising=False)
    monkeypatch.setitem(vars(viz), "survey_report", lambda done, place: seen.pages.append((done.path, place)))
    monkeypatch.chdir(tmp_path)
    return seen


def test_verdict_scores_tables_and_page_are_told(staged, call, tmp_path):
    done = call("survey", demo_weights(), "data.yaml")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines() == [
        "Verdict on survey:",
        "  P3 misses the small ones.",
        "",
        "AP        0.4012",
        "APs       -",
        "mAP50_95  -",
        "",
        f"Tables: {tmp_path / 'runs' / 'survey' / 'shards'}",
        f"Page:   {tmp_path / 'runs' / 'survey' / 'index.html'}",
    ]
    assert done.stderr == ""
    assert staged.pages == [(Path("runs/survey"), Path("runs/survey/index.html"))]


def test_the_usual_settings_are_those_of_the_function(staged, call):
    call("survey", demo_weights(), "data.yaml")
    [(model, data, out, settings)] = staged.asked
    assert type(model).__name__ == "YOLO"
    assert (data, out, settings) == ("data.yaml", "runs/survey", USUAL)


def test_every_option_arrives(staged, call):
    words = [
        "--out",
        "there",
        "--conf",
        "0.1",
        "--iou",
        "0.6",
        "--imgsz",
        "320",
        "--match-iou",
        "0.75",
        "--split",
        "test",
    ]
    words += ["--ablation", "--workers", "3", "--engine", "ray", "--batch", "4", "--device", "cpu", "--quiet"]
    assert call("survey", demo_weights(), "data.yaml", *words).exit_code == 0
    assert staged.asked[0][2:] == (
        "there",
        {
            "conf": 0.1,
            "iou": 0.6,
            "imgsz": 320,
            "match_iou": 0.75,
            "split": "test",
            "ablation": True,
            "workers": 3,
            "engine": "ray",
            "batch": 4,
            "device": "cpu",
            "progress": False,
        },
    )


def test_settings_in_the_manner_of_ultralytics_arrive(staged, call):
    words = [f"model={demo_weights()}", "data=coco.yaml", "imgsz=320", "conf=0.1", "batch=2", "split=train", "device=0"]
    assert call("survey", *words).exit_code == 0
    _, data, _, settings = staged.asked[0]
    assert data == "coco.yaml"
    assert settings == USUAL | {"imgsz": 320, "conf": 0.1, "batch": 2, "split": "train", "device": "0"}


def test_no_page_is_written_where_none_is_wanted(staged, call):
    done = call("survey", demo_weights(), "data.yaml", "--no-page")
    assert done.exit_code == 0
    assert staged.pages == [] and "Page:" not in done.stdout


def test_without_labels_there_are_no_scores(staged, call, monkeypatch):
    monkeypatch.setattr(StagedSurvey, "truth", False)
    done = call("survey", demo_weights(), "photos")
    assert done.exit_code == 0
    assert "no labels, so there are no scores" in done.stdout and "AP" not in done.stdout


def test_an_earlier_survey_is_the_one_before(staged, call):
    done = call("survey", demo_weights(), "data.yaml", "--out", "new", "--compare", "runs/old")
    assert f"Since {Path('runs/old')}:\nfrom old to new\n" in done.stdout


def test_an_earlier_survey_that_is_not_there_is_said_before_the_work(staged, call):
    done = call("survey", demo_weights(), "data.yaml", "--compare", "nowhere")
    assert done.exit_code == 2
    assert done.stderr == "detector-workbench: There is no survey in 'nowhere'.\n"
    assert staged.asked == []


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("The set has no images."), "The set has no images."),
        (FileExistsError("'there' holds\n  another survey."), "'there' holds another survey."),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_what_cannot_be_done_is_one_line(staged, call, error, told):
    staged.fails = error
    done = call("survey", demo_weights(), "data.yaml")
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", f"detector-workbench: {told}\n")


def test_a_checkpoint_that_is_not_there_is_one_line(staged, call):
    done = call("survey", "best.pt", "data.yaml")
    assert done.exit_code == 2
    assert "There is no checkpoint 'best.pt'" in done.stderr and done.stderr.count("\n") == 1
    assert staged.asked == []


def test_an_interruption_says_that_the_same_call_goes_on(staged, call, tmp_path):
    staged.fails = KeyboardInterrupt()
    done = call("survey", demo_weights(), "data.yaml")
    assert done.exit_code == 130
    assert done.stderr.splitlines() == [
        "detector-workbench: interrupted",
        f"detector-workbench: What is finished is kept in {str(tmp_path / 'runs' / 'survey')!r}: the same call goes on "
        "from there.",
    ]


def test_what_the_interruption_tells_itself_is_not_told_twice(staged, call):
    staged.fails = KeyboardInterrupt()
    staged.fails.add_note("2 of 3 shards are kept; the same call goes on from there.")
    done = call("survey", demo_weights(), "data.yaml")
    assert done.stderr.splitlines() == [
        "detector-workbench: interrupted",
        "detector-workbench: 2 of 3 shards are kept; the same call goes on from there.",
    ]


def test_an_interruption_before_anything_was_done_promises_nothing(staged, call, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("surgery.load", interrupted)
    done = call("survey", demo_weights(), "data.yaml")
    assert (done.exit_code, done.stderr) == (130, "detector-workbench: interrupted\n")
