"""``key=value`` among the words of a command: what is one, what is refused, and what stays a word."""

import pytest
import typer

from viz.command import app
from viz.command.settings import SettingError, take_settings

PARAMS = {name: command.params for name, command in typer.main.get_command(app).commands.items()}


@pytest.mark.parametrize(
    ("words", "rest", "settings"),
    [
        ([], [], {}),
        (["best.pt", "coco.yaml"], ["best.pt", "coco.yaml"], {}),
        (["model=best.pt", "data=coco.yaml"], [], {"model": "best.pt", "data": "coco.yaml"}),
        (["best.pt", "data=a=b.yaml"], ["best.pt"], {"data": "a=b.yaml"}),
        (["data=x.yaml", "best.pt"], ["best.pt"], {"data": "x.yaml"}),
        (["--out", "conf=1", "conf=0.5"], ["--out", "conf=1"], {"conf": "0.5"}),
        (["--quiet", "conf=0.5", "--out=a"], ["--quiet", "--out=a"], {"conf": "0.5"}),
        (["--no-page", "batch=4", "split=test"], ["--no-page"], {"batch": "4", "split": "test"}),
        (["./a=b.pt", "a/b=c.yaml"], ["./a=b.pt", "a/b=c.yaml"], {}),
        (["--", "conf=1.pt", "iou=2.yaml"], ["--", "conf=1.pt", "iou=2.yaml"], {}),
        (["device="], [], {"device": ""}),
        (["--out"], ["--out"], {}),
    ],
)
def test_settings_are_taken_and_words_stay(words, rest, settings):
    assert take_settings(words, PARAMS["survey"]) == (rest, settings)


def test_a_shift_is_the_value_of_its_option():
    words = ["--shift", "P4=1", "imgsz=64"]
    assert take_settings(words, PARAMS["report"]) == (["--shift", "P4=1"], {"imgsz": "64"})


@pytest.mark.parametrize(
    ("command", "words", "told"),
    [
        ("survey", ["modle=best.pt"], "There is no setting modle=. Did you mean model=?"),
        ("survey", ["img=640"], "Did you mean imgsz=?"),
        ("survey", ["Conf=0.5"], "Did you mean conf=?"),
        ("survey", ["match_iou=0.5"], "It is the option --match-iou."),
        ("survey", ["P4=1"], "a path that looks like one is written ./P4=..."),
        ("report", ["data=x.yaml"], "Settings of this command are model=, source=, imgsz=, conf=, iou=, device=;"),
        ("survey", ["source=photos"], "There is no setting source="),
        ("survey", ["conf=0.1", "conf=0.2"], "conf is given twice, as conf=0.1 and conf=0.2."),
        ("survey", ["--conf", "0.1", "conf=0.2"], "conf is given twice, as conf=0.2 and as --conf."),
        ("survey", ["conf=0.2", "--conf=0.1"], "conf is given twice, as conf=0.2 and as --conf."),
        (
            "survey",
            ["model=a.pt", "b.yaml"],
            "model is given twice, as model=a.pt and as the word 'b.yaml' in its place",
        ),
        ("survey", ["a.pt", "b.yaml", "data=c.yaml"], "data is given twice, as data=c.yaml and as the word 'b.yaml'"),
    ],
)
def test_what_is_unknown_or_given_twice_is_refused(command, words, told):
    with pytest.raises(SettingError) as refused:
        take_settings(words, PARAMS[command])
    assert told in str(refused.value)


def test_nothing_is_near_a_word_of_another_kind():
    with pytest.raises(SettingError, match=r"There is no setting zzz=\. Settings of"):
        take_settings(["zzz=1"], PARAMS["survey"])


def test_a_refusal_is_one_line_and_names_the_help_of_its_command(call):
    done = call("survey", "modle=best.pt")
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("detector-workbench: error: There is no setting modle=.")
    assert "detector-workbench survey --help" in done.stderr
