"""The example of each public function, run as it stands in its documentation."""

import doctest
import inspect
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest
import torch

import anatomy
import diagnosis
import surgery
import viz
from tests.public_calls import functions
from tests.ultralytics_nets import small

# what an example would need more for than it tells: files of a training, an encoder, a decoder, a browser
WITHOUT = {
    "anatomy.open_checkpoint",
    "diagnosis.check_decoder",
    "diagnosis.check_loss",
    "diagnosis.check_targets",
    "diagnosis.fix_labels",
    "diagnosis.infer_layout",
    "diagnosis.read_watch",
    "viz.explore",
    "viz.report",
    "viz.survey",
    "viz.survey_report",
    "viz.targets",
    "viz.watch",
}
EXAMPLES = [(name, function) for name, function in functions() if name not in WITHOUT]


@pytest.fixture(scope="module")
def around(picture, tmp_path_factory):
    """What examples speak of: a model, a photograph, its trace and its labels."""
    folder = tmp_path_factory.mktemp("examples")
    for name in ("images", "labels"):
        (folder / name).mkdir()
    photo, labels, checkpoint = folder / "images" / "photo.png", folder / "labels" / "photo.txt", folder / "model.pt"
    cv2.imwrite(str(photo), picture)
    labels.write_text("0 0.25 0.5 0.2 0.4\n2 0.75 0.5 0.1 0.2\n")
    model = small("yolov8n", picture, 3, bodiless=True)
    surgery.save(model, checkpoint)
    trace = anatomy.trace(model, str(photo), imgsz=192, max_det=4)
    return SimpleNamespace(
        folder=folder, photo=str(photo), labels=str(labels), checkpoint=checkpoint, model=model, trace=trace
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "function"), EXAMPLES, ids=lambda value: value if isinstance(value, str) else "")
def test_the_example_runs_as_it_stands(name, function, around):
    known = {"anatomy": anatomy, "surgery": surgery, "diagnosis": diagnosis, "viz": viz, "torch": torch} | vars(around)
    doc = inspect.getdoc(function) or ""
    example = doctest.DocTestParser().get_doctest(doc, known, name, str(Path(__file__)), 0)
    assert example.examples, f"{name} has no example"
    told: list[str] = []
    try:
        failed = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=told.append).failed
    finally:
        surgery.reset(around.model)
    assert not failed, "".join(told)


def test_what_has_no_example_is_named():
    assert {name for name, _ in functions()} >= WITHOUT
