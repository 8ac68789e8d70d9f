"""Arguments that a trace hands to predict(): known ones, classes by id or name; and the version behind it."""

import sys
import tomllib
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import anatomy
import surgery
from anatomy.families.ultralytics.version import BEYOND, LOWEST, check_version
from detectors import demo_scene, demo_weights
from tests.torchvision_nets import tiny


@pytest.fixture(scope="module")
def model():
    return surgery.load(demo_weights())


@pytest.fixture(scope="module")
def scene():
    return demo_scene().image[..., ::-1].copy()


def test_classes_are_ids_or_names(model, scene):
    names = anatomy.describe(model).names
    found = anatomy.trace(model, scene).detections
    chosen = int(found.class_id[0])
    expected = anatomy.trace(model, scene, classes=[chosen]).detections
    assert 0 < len(expected) < len(found) and set(expected.class_id.tolist()) == {chosen}
    for given in (chosen, names[chosen], [names[chosen]], (names[chosen].upper(),), {chosen}, torch.tensor([chosen])):
        trace = anatomy.trace(model, scene, classes=given)
        assert trace.detections.anchor.tolist() == expected.anchor.tolist()
        assert (
            trace.limits.classes == (chosen,) and trace.replay().detections.anchor.tolist() == expected.anchor.tolist()
        )
    assert len(anatomy.trace(model, scene, classes=None).detections) == len(found)
    assert len(anatomy.trace(model, scene, classes="all").detections) == len(found)


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ({"classes": ["persn"]}, ValueError, r"Class 'persn' does not exist among"),
        ({"classes": [999]}, ValueError, r"Class 999 is out of range"),
        ({"classes": []}, ValueError, r"At least one class is needed"),
        ({"classes": [1.0]}, TypeError, r"A class given by id must be a whole number, but 1\.0"),
        ({"treshold": 0.5}, TypeError, r"predict\(\) has no argument 'treshold'\. .*conf"),
        ({"confidence": 0.5}, TypeError, r"has no argument 'confidence'\..* The least confidence is conf"),
        ({"image_size": 64}, TypeError, r"has no argument 'image_size'\..* the size of the input imgsz"),
        ({"stream": True}, TypeError, r"stream= is no argument of a trace: anatomy\.stream always goes image by image"),
        ({"stream": False}, TypeError, r"stream= is no argument of a trace"),
        ({"source": "a.jpg"}, TypeError, r"source"),
        ({"predictor": object}, TypeError, r"predictor= is no argument of a trace"),
        ({"mode": "train"}, TypeError, r"mode= is no argument of a trace"),
        ({"conf": None}, TypeError, r"conf must be a number, but None"),
        ({"conf": "0.5"}, TypeError, r"conf must be a number, but '0\.5'"),
        ({"conf": True}, TypeError, r"conf must be a number, but True"),
        ({"conf": 1.5}, ValueError, r"conf must be from 0 to 1, but 1\.5"),
        ({"conf": float("nan")}, ValueError, r"conf must be finite, but nan"),
        ({"iou": -0.1}, ValueError, r"iou must be from 0 to 1, but -0\.1"),
        ({"augment": True}, ValueError, r"augment=True cannot be traced"),
    ],
)
def test_bad_arguments_are_refused_at_once(model, scene, args, error, message):
    with pytest.raises(error, match=message):
        anatomy.stream(model, scene, **args)
    with pytest.raises(error, match=message):
        anatomy.trace(model, scene, **args)
    assert len(anatomy.trace(model, scene).detections)


def test_numbers_of_every_library_are_thresholds(model, scene):
    expected = anatomy.trace(model, scene, conf=0.5).detections.anchor.tolist()
    for conf in (np.float32(0.5), np.array(0.5), torch.tensor(0.5)):
        assert anatomy.trace(model, scene, conf=conf).detections.anchor.tolist() == expected


def test_batch_device_and_save_are_answered(model, scene, tmp_path):
    import cv2

    for name in ("a.png", "b.png", "c.png"):
        cv2.imwrite(str(tmp_path / name), scene)
    alone = anatomy.trace(model, scene, device="cpu").detections.anchor.tolist()
    traces = list(anatomy.stream(model, tmp_path, batch=2, device="cpu"))
    assert [trace.detections.anchor.tolist() for trace in traces] == [alone] * 3
    out = tmp_path / "out"
    saved = anatomy.trace(model, tmp_path / "a.png", save=True, project=str(out), name="here", exist_ok=True)
    assert saved.detections.anchor.tolist() == alone
    assert [path.name for path in out.rglob("*.*")] == ["a.jpg"]


class OwnHead:
    """Stands for a head whose passes name their arguments."""

    net = SimpleNamespace()

    def passes(self, source, *, conf=0.25, iou=0.7, imgsz=640):
        raise AssertionError("nothing runs")


def test_a_family_without_an_argument_says_which_it_takes():
    with pytest.raises(TypeError, match=r"The prediction of \w+ has no argument 'classes'\. It takes conf, iou, imgsz"):
        anatomy.Head.predict_args(OwnHead(), {"classes": ["person"]})
    assert anatomy.Head.predict_args(OwnHead(), {"conf": 0.5}) == {"conf": 0.5}
    net, image = tiny("fcos"), np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(TypeError, match=r"prediction of FCOS has no argument 'classes'\. It takes conf, iou, imgsz"):
        anatomy.trace(net, image, classes=[1])


@pytest.fixture
def installed(monkeypatch):
    import ultralytics

    def pretend(version: str) -> None:
        monkeypatch.setattr(ultralytics, "__version__", version)
        check_version.cache_clear()

    yield pretend
    monkeypatch.undo()
    check_version.cache_clear()
    check_version()


def test_an_older_ultralytics_is_refused_at_the_first_use(installed, model):
    for version in ("8.4.189", "8.3.0", "7.9"):
        installed(version)
        with pytest.raises(
            ImportError, match=rf"Ultralytics {version} is older than .*Install 'ultralytics>=8\.4\.190,<8\.5'"
        ):
            anatomy.levels(model)
        with pytest.raises(ImportError, match="is older than"):
            surgery.load(demo_weights())


def test_a_newer_ultralytics_is_warned_of_once(installed, model):
    installed("8.5.0")
    with pytest.warns(RuntimeWarning, match=r"Ultralytics 8\.5\.0 is newer than .*results can be wrong"):
        anatomy.levels(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        anatomy.levels(model)
        installed("8.4.200")
        anatomy.levels(model)


def test_the_range_is_that_of_the_package():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    (asked,) = (entry for entry in project["dependencies"] if entry.startswith("ultralytics"))
    assert asked == f"ultralytics>={'.'.join(map(str, LOWEST))},<{BEYOND[0]}.{BEYOND[1]}"
    assert "ultralytics" in sys.modules
