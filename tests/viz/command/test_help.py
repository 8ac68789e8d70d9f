"""What the command says of itself, how soon, and that it starts as a script, as a module and as installed."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import typer

from viz.command import app, main
from viz.command.words import STATUSES, VERDICTS
from viz.reports.kinds import FORMATS, KINDS

ROOT = Path(__file__).parents[3]
COMMANDS = ("report", "survey", "labels", "demo")
HEAVY = {"torch", "numpy", "matplotlib", "ultralytics", "polars", "cv2", "PIL", "jinja2", "scipy"}


def as_module(*words, folder) -> subprocess.CompletedProcess:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "viz.command", *words]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120)


def test_it_runs_as_a_module_and_explains_itself(tmp_path):
    done = as_module("report", "--help", folder=tmp_path)
    assert done.returncode == 0
    assert "Usage: detector-workbench report" in done.stdout and "--shift LEVEL=K" in done.stdout
    assert not re.search("[╭│\x1b]", done.stdout)  # neither frames nor colours in a pipe


def test_a_mistake_is_one_line_on_stderr_and_status_2(tmp_path):
    done = as_module("survey", "nowhere.pt", "data.yaml", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("detector-workbench: There is no checkpoint 'nowhere.pt'")
    assert done.stderr.count("\n") == 1


def test_help_loads_nothing_heavy():
    code = "import sys, viz.command; viz.command.main(['survey', '--help'])\n"
    code += f"print(*{HEAVY!r} & set(sys.modules), file=sys.stderr)"
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert "Usage:" in done.stdout
    assert done.stderr.split() == []


def test_what_is_installed_is_this_command():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert list(scripts) == ["detector-workbench"]
    assert EntryPoint("detector-workbench", scripts["detector-workbench"], "console_scripts").load() is main


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_without_a_command_it_tells_where_to_begin(call, words):
    done = call(*words)
    assert done.exit_code == 0
    assert all(re.search(rf"^  {name} +\w", done.stdout, re.MULTILINE) for name in COMMANDS)
    assert "    detector-workbench survey best.pt data.yaml\n" in done.stdout


def test_it_says_its_version(call):
    done = call("--version")
    assert done.exit_code == 0
    assert re.fullmatch(r"detector-workbench( \d+\.\d+\.\d+\S*|, not installed .+)\n", done.stdout)


def test_main_returns_the_status(capsys):
    assert main(["--version"]) == 0
    assert main(["survey"]) == 2
    assert capsys.readouterr().err.startswith("detector-workbench: error: Missing argument 'MODEL'")


def test_a_command_that_does_not_exist_is_told_with_the_nearest(call):
    done = call("surve", "best.pt")
    assert done.exit_code == 2
    assert "No such command 'surve'. Did you mean 'survey'?" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_examples_and_the_exit_statuses(call, name):
    done = call(name, "--help")
    assert done.exit_code == 0
    text = " ".join(done.stdout.split())
    assert (
        VERDICTS if name == "labels" else STATUSES
    ) in text and f"detector-workbench {name}" in done.stdout.partition("Examples:")[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_tells_what_it_is_and_its_default(name):
    for param in typer.main.get_command(app).commands[name].params:
        assert param.help
        if param.param_type_name == "option":
            given = param.default if param.show_default is True and not param.is_flag else None
            shown = given is not None or isinstance(param.show_default, str) or param.secondary_opts
            assert shown or "(default:" in param.help, param.name


@pytest.mark.parametrize("name", COMMANDS)
def test_an_example_is_a_line_that_the_parser_takes(name):
    command = typer.main.get_command(app).commands[name]
    examples = re.findall(rf"^  detector-workbench {name}(.*)$", command.epilog, re.MULTILINE)
    assert examples
    for example in examples:
        command.make_context(name, example.split())


def test_help_of_a_report_names_what_there_is(call):
    text = " ".join(call("report", "--help").stdout.split())
    assert f"Of {', '.join(FORMATS)}." in text and f"Of {', '.join(KINDS)}." in text


def test_on_a_terminal_help_has_frames(call, monkeypatch):
    command = typer.main.get_command(app).commands["demo"]
    context = command.make_context("demo", [], resilient_parsing=True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    command.get_help(context)
    assert command.rich_markup_mode == "rich"


def test_a_fault_of_ours_is_no_line_but_a_traceback_without_locals(call, monkeypatch):
    def broken(*args, **kwargs):
        raise KeyError("lost")

    monkeypatch.setattr("surgery.load", broken)
    done = call("survey", "best.pt", "data.yaml")
    assert done.exit_code == 1 and isinstance(done.exception, KeyError)
    assert not app.pretty_exceptions_enable
