"""The same tables from this process, from workers on this machine, and from a Ray cluster, also where workers die."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

import diagnosis
import surgery
from detectors import demo_weights
from tests.diagnosis.surveys.sets import files_of, scene_set

pytestmark = pytest.mark.long
ASKED = {"imgsz": 160, "batch": 2, "shard": 4, "progress": False}


@pytest.fixture(scope="module")
def demo():
    model = surgery.load(demo_weights())
    surgery.bias_classes(model, "all", "all", 0.25)  # so that the file of the weights would not do
    return model


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return scene_set(tmp_path_factory.mktemp("scenes"), images=16)


@pytest.fixture(scope="module")
def alone(demo, data, tmp_path_factory):
    return diagnosis.survey(demo, data, tmp_path_factory.mktemp("alone") / "out", **ASKED)


def killed_once(place: Path, find) -> threading.Thread:
    """A thread that kills one worker, found by its process id, as soon as a first shard is finished."""

    def watch():
        while not list(place.glob("shards/[0-9]*")):
            time.sleep(0.05)
        workers = find()
        if workers:
            os.kill(workers[0], signal.SIGKILL)
            killed.append(workers[0])

    killed: list[int] = []
    thread = threading.Thread(target=watch, daemon=True)
    thread.killed = killed
    thread.start()
    return thread


def children_named(text: str) -> list[int]:
    """The ids of living processes below this one whose command line holds a text."""
    import psutil

    return [
        each.pid
        for each in psutil.Process().children(recursive=True)
        if each.status() != psutil.STATUS_ZOMBIE and text in " ".join(each.cmdline())
    ]


def test_two_workers_one_killed(demo, data, alone, tmp_path):
    watch = killed_once(tmp_path / "out", lambda: children_named("spawn_main"))
    survey = diagnosis.survey(demo, data, tmp_path / "out", workers=2, **ASKED)
    watch.join(10)
    assert watch.killed, "a worker was killed while there was work"
    assert files_of(survey) == files_of(alone)
    assert not [path for path in survey.path.rglob("*") if path.name.startswith(".")], "no draft is left"


def test_ray_with_two_workers_one_killed(demo, data, alone, tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # or it writes a token to the home
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "300")  # of a machine that has much else to do
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    ray = pytest.importorskip("ray")
    watch = killed_once(tmp_path / "out", lambda: children_named("ray::_Actor"))
    try:
        survey = diagnosis.survey(demo, data, tmp_path / "out", workers=2, engine="ray", **ASKED)
    finally:
        ray.shutdown()
    watch.join(10)
    assert watch.killed, "an actor was killed while there was work"
    assert files_of(survey) == files_of(alone)


def test_workers_that_always_die_end_the_run(demo, data, tmp_path, monkeypatch):
    from concurrent.futures.process import BrokenProcessPool

    from diagnosis.surveys.running import engines

    def dies(*_):
        raise BrokenProcessPool("a worker died")
        yield

    monkeypatch.setattr(engines, "_pooled", dies)
    with pytest.raises(RuntimeError, match="died 5 times in a row"):
        diagnosis.survey(demo, data, tmp_path / "out", workers=2, **ASKED)


def test_a_network_that_cannot_be_sent_is_refused(demo, data, tmp_path):
    demo.model.of_this_call = lambda: None
    try:
        with pytest.raises(TypeError, match="cannot be sent to other processes"):
            diagnosis.survey(demo, data, tmp_path / "out", workers=2, **ASKED)
    finally:
        del demo.model.of_this_call
