"""A model object that is given another network: what is known of the record is said, and nothing is made up."""

import shutil
import warnings

import pytest
import torch
from ultralytics import YOLO

import anatomy
import surgery
from tests.surgery.test_record import conv, rows, same
from tests.ultralytics_nets import narrow

IMAGES = 4


@pytest.fixture(scope="module")
def data(real, tmp_path_factory):
    """A copy of a few labelled photographs, as Ultralytics writes caches beside them."""
    folder = tmp_path_factory.mktemp("data")
    for image in sorted((real / "images").glob("*.jpg"))[:IMAGES]:
        label = real / "labels" / f"{image.stem}.txt"
        for source in (image, label):
            (folder / source.parent.name).mkdir(exist_ok=True)
            shutil.copy(source, folder / source.parent.name)
    text = (real / "data.yaml").read_text()
    (folder / "data.yaml").write_text(f"path: {folder}\n{text}")
    return folder / "data.yaml"


@pytest.fixture
def model(real):
    return YOLO(str(real / "weights" / "yolov8n_coco.pt"))


def untrained() -> YOLO:
    """A YOLO object of its own, of which nothing is known."""
    return narrow("yolov8n", 80, bodiless=True)


def train(model, data, folder) -> None:
    model.train(
        data=str(data),
        imgsz=64,
        epochs=1,
        batch=IMAGES,
        workers=0,
        plots=False,
        val=False,
        device="cpu",
        project=str(folder),
        name="run",
        verbose=False,
    )


def test_a_training_ends_the_record_and_that_is_said(model, data, real, tmp_path):
    surgery.zero_classes(model, "all", ["person", "car"])
    surgery.shift_classes(model, "P5", 1)
    train(model, data, tmp_path)
    with pytest.warns(surgery.RecordWarning, match=r"The record of 2 edit\(s\) ended when the network was replaced"):
        assert surgery.history(model) == ()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert surgery.history(model) == ()  # told once
    found = surgery.certify(model)
    assert (found.original, found.untouched, found.ended) == (None, None, 2)
    assert "the record of 2 edit(s) ended when the network was replaced" in str(found)
    with pytest.raises(ValueError, match=r"0 edit\(s\) are recorded"):
        surgery.undo(model)
    found = surgery.certify(model, against=real / "weights" / "yolov8n_coco.pt")
    assert found.untouched is False
    surgery.shift_classes(model, "P3", 1)
    assert len(surgery.history(model)) == 1
    surgery.forget(model)
    assert surgery.certify(model).ended == 0


def test_scratch_around_a_training(model, data, tmp_path):
    net, before = model.model, rows(model.model)
    surgery.swap_classes(model, "P3", 0, 1)
    edited = rows(net)

    def inside():
        with surgery.scratch(model):
            surgery.mute_level(model, "all")
            train(model, data, tmp_path)
            inside.left = rows(model.model)

    with pytest.warns(surgery.RecordWarning, match="another network inside scratch"):
        inside()
    assert same(rows(model.model), inside.left)
    assert same(rows(net), edited)
    surgery.reset(net)
    assert same(rows(net), before)


def test_undo_after_load_is_refused(model):
    surgery.shift_classes(model, "P3", 1)
    model.load(YOLO("yolov8n.yaml").model)
    kept = rows(model.model)
    with pytest.raises(surgery.RecordError, match=r"P3 \(one2many\): 80 of 80 rows"):
        surgery.undo(model)
    assert same(rows(model.model), kept)


def test_a_network_that_carries_a_record_brings_it_along():
    first, second = untrained(), untrained()
    surgery.shift_classes(first, "P3", 1)
    surgery.mute_level(second, "P4")
    first.model = second.model
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [edit.operation for edit in surgery.history(first)] == ["mute_level"]
    assert surgery.certify(first).ended == 0
    surgery.undo(first)
    assert surgery.history(second) == ()


def test_the_network_before_comes_back_with_its_record():
    model = untrained()
    first = model.model
    surgery.shift_classes(model, "P3", 1)
    for _ in range(2):
        model.model = untrained().model
        assert surgery.certify(model).ended == 1
    model.model = first
    assert surgery.certify(model).ended == 0
    assert len(surgery.history(model)) == 1


def test_where_nothing_is_known_nothing_is_said():
    model = untrained()
    anatomy.levels(model)
    model.model = untrained().model
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert surgery.history(model) == ()
    assert "ended" not in str(surgery.certify(model))


@pytest.mark.parametrize("name", ["yolov8n", "yolo26n"])
def test_with_the_bias_kept_every_cell_answers_with_it(build, picture, name):
    model = build(name, picture)
    before = {
        level.index: anatomy.describe(model).class_conv(level.index, "one2many") for level in anatomy.levels(model)
    }
    before = {level: module.bias.detach().clone() for level, module in before.items()}
    surgery.zero_classes(model, "all", [3, 5], bias="keep")
    trace = anatomy.trace(model, picture, imgsz=192)
    for level, bias in before.items():
        module = anatomy.describe(model).class_conv(level, "one2many")
        assert (module.weight[[3, 5]] == 0).all()
        assert (module.weight[4] != 0).any()
        assert torch.equal(module.bias, bias)
        for class_id in (3, 5):
            assert (trace.logits[level][class_id] == bias[class_id]).all()
        assert trace.logits[level][4].unique().numel() > 1


def test_an_overwritten_file_keeps_its_mode_and_the_umask_stays(tmp_path):
    import os

    model, umask = untrained(), os.umask(0o027)
    try:
        path = surgery.save(model, tmp_path / "model.pt")
        assert path.stat().st_mode & 0o777 == 0o640
        path.chmod(0o604)
        surgery.save(model, path)
        assert path.stat().st_mode & 0o777 == 0o604
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(umask)
    assert conv(model.model) is not None


def test_a_trace_is_not_replayed_on_another_network(build, picture):
    model = build("yolov8n", picture)
    trace = anatomy.trace(model, picture, imgsz=192)
    bare = anatomy.trace(model.model, picture, imgsz=192)
    first, model.model = model.model, build("yolo11n", picture).model
    with pytest.raises(RuntimeError, match=r"given another network since this trace.*Trace the image again"):
        trace.replay()
    assert len(bare.replay().detections) == len(bare.detections)  # made of the network itself, which is still there
    model.model = first
    assert len(trace.replay().detections) == len(trace.detections)


def test_forget_that_is_interrupted_half_way_comes_to_its_end(monkeypatch):
    model = untrained()
    surgery.shift_classes(model, "P3", 1)
    asked = []

    def interrupted_once(head):
        asked.append(head)
        if len(asked) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr("surgery.ledger.forget_end", interrupted_once)
    with pytest.raises(KeyboardInterrupt):
        surgery.forget(model)
    assert len(asked) == 2
    assert surgery.history(model) == ()
    assert surgery.certify(model).untouched
