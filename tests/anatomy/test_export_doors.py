"""What is said of an exported file, or asked of one, and cannot be so: refused at the door, with the rule."""

import copy
import pickle

import numpy as np
import onnx
import pytest
import torch

import anatomy
import surgery
from tests.contract.rows import PICTURE
from tests.exported import export_file, exported, plain


@pytest.fixture(scope="module")
def path():
    return export_file("yolov8n", PICTURE)


@pytest.mark.parametrize("wrong", [["a"], list("abcdefgh")])
def test_names_of_another_number_of_classes_are_refused(path, wrong):
    with pytest.raises(anatomy.CheckpointError, match=rf"put out 4 classes, but {len(wrong)} are named"):
        anatomy.open_export(path, names=wrong)


def test_names_of_a_caller_stand_for_those_of_the_file_where_these_are_broken(path, tmp_path):
    model = onnx.load(path)
    next(entry for entry in model.metadata_props if entry.key == "names").value = "{0: 'a', 5: 'b'}"
    onnx.save(model, tmp_path / "named.onnx")
    with pytest.raises(anatomy.CheckpointError, match="Give names="):
        anatomy.open_export(tmp_path / "named.onnx")
    names = dict(enumerate("abcd"))
    assert anatomy.open_export(tmp_path / "named.onnx", names=names).names == names


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ({"names": "abcd"}, TypeError, "names must be a sequence of class names"),
        ({"names": 3}, TypeError, r"names must be a sequence of class names.*3 \(int\)"),
        ({"names": {0.5: "a"}}, TypeError, r"names are given by class id.*whole number, but 0\.5"),
        ({"strides": "8"}, TypeError, "strides, in px, one a level, must be whole numbers"),
        ({"strides": [0, 8, 16]}, ValueError, "strides must be positive numbers of px"),
        ({"strides": []}, ValueError, "strides must be positive numbers of px"),
        ({"preprocessing": "BGR"}, TypeError, r"must be an anatomy\.Preprocessing.*'BGR' \(str\)"),
    ],
)
def test_what_is_said_of_a_file_is_checked(path, given, error, told):
    with pytest.raises(error, match=told):
        anatomy.open_export(path, **given)


def test_a_graph_without_outputs_is_no_whole_one(path, tmp_path):
    model = onnx.load(path)
    del model.graph.output[:]
    onnx.save(model, tmp_path / "open.onnx")
    with pytest.raises(anatomy.CheckpointError, match=r"holds no whole ONNX graph \(\d+ nodes, 0 outputs"):
        anatomy.open_export(tmp_path / "open.onnx")


def test_a_negative_number_of_detections_is_refused():
    with pytest.raises(ValueError, match="max_det must be 0 or more detections, but -1 was given"):
        anatomy.trace(exported("yolov8n", PICTURE), PICTURE, max_det=-1)


@pytest.mark.parametrize("cast", ["half", "double"])
def test_rows_keep_the_precision_of_the_file(tmp_path, cast):
    model = exported("yolov8n", PICTURE)
    with pytest.raises(anatomy.UnsupportedModelError, match=r"stay torch\.float32 on the cpu"):
        getattr(model, cast)()
    assert {value.dtype for value in model.parameters()} == {model.float().classes[0].weight.dtype}
    surgery.bias_classes(model.cpu(), "P4", 0, 0.5)
    surgery.save(model, tmp_path / "edited.onnx")
    before, after = (anatomy.trace(one, PICTURE) for one in (model, surgery.load(tmp_path / "edited.onnx")))
    assert np.array_equal(before.detections.confidence, after.detections.confidence)


def test_a_file_that_takes_two_images_at_once_is_compared_as_any_other():
    file = exported("yolov8n", PICTURE, batch=2)
    found = anatomy.equivalent(plain("yolov8n", PICTURE), file, PICTURE)
    assert found.equal
    assert len(found.rows) > 3
    logits, _ = file(torch.rand(2, 3, *PICTURE.shape[:2]))
    assert [tuple(level.shape[:2]) for level in logits] == [(2, 4)] * 3


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ({"tolerance": -1}, ValueError, "tolerance, a relative difference, must be 0 or more"),
        ({"tolerance": "x"}, TypeError, "tolerance, a relative difference, must be a number"),
        ({"preprocess": 3}, TypeError, r"preprocess must be a function.*3 \(int\)"),
        ({"preprocess": lambda _: np.full((1, 3, *PICTURE.shape[:2]), np.nan)}, ValueError, "finite numbers"),
    ],
)
def test_what_a_comparison_is_given_is_checked(path, given, error, told):
    with pytest.raises(error, match=told):
        anatomy.equivalent(plain("yolov8n", PICTURE), path, PICTURE, **given)


def test_a_file_of_other_classes_or_levels_is_no_export_of_a_model(path):
    model = plain("yolov8n", PICTURE)
    with surgery.scratch(model):
        surgery.keep_classes(model, [0, 1])
        with pytest.raises(ValueError, match=r"model has 2 classes on 8, 16, 32 px and 'yolov8n\.onnx' 4 classes"):
            anatomy.equivalent(model, path, PICTURE)
    with pytest.raises(ValueError, match=r"4 classes on 4, 8, 16, 32 px and .* 4 classes on 8, 16, 32 px"):
        anatomy.equivalent(plain("yolov8n-p2", PICTURE), path, PICTURE)


def test_other_names_of_classes_are_a_difference(path):
    model = plain("yolov8n", PICTURE)
    names = dict(model.names)
    file = anatomy.open_export(path, names={**names, 0: names[1], 1: names[0]})
    found = anatomy.equivalent(model, file, PICTURE)
    assert found.renamed == ((0, names[0], names[1]), (1, names[1], names[0])) and not found.equal
    assert f"class names: 0 {names[0]} for the model, {names[1]} for the file" in str(found)
    assert anatomy.equivalent(model, path, PICTURE).renamed == ()


def test_logits_that_were_told_from_scores_are_not_held_against_true_ones(tmp_path):
    """Merged classes pass through a maximum, which is not followed; tiny scores are 0 in onnxruntime."""
    model = plain("yolov8n", PICTURE)
    surgery.merge_classes(model, {"two": [0, 1]})
    surgery.bias_classes(model, "P3", "two", -30.0)
    model.ckpt_path = model.model.pt_path = str(tmp_path / "merged.pt")
    file = model.export(format="onnx", imgsz=PICTURE.shape[:2], verbose=False, simplify=False)
    found = anatomy.equivalent(model, file, PICTURE)
    assert found.equal, str(found)
    assert {output.quantity for output in found.outputs} == {"scores", "boxes"}


def test_a_program_is_pickled_and_has_as_many_classes_as_it_puts_out():
    path = export_file("yolov8n", PICTURE, kind="torchscript")
    file = anatomy.open_export(path, trusted=True)
    before = anatomy.trace(file, PICTURE).detections.confidence
    for copied in (pickle.loads(pickle.dumps(file)), copy.deepcopy(file)):
        assert len(before) and np.array_equal(anatomy.trace(copied, PICTURE).detections.confidence, before)
    for names in (["a"], list("abcde")):
        told = rf"4 \+ {len(names)} classes, cells\).* strides= says other strides than 8, 16, 32\."
        with pytest.raises(anatomy.UnsupportedModelError, match=told):
            anatomy.trace(anatomy.open_export(path, trusted=True, names=names), PICTURE)


def test_what_asks_the_network_step_by_step_is_sent_to_the_model(path):
    with pytest.raises(anatomy.UnsupportedModelError, match=r"exported file 'yolov8n\.onnx'.*Ask the model that"):
        anatomy.receptive_field(anatomy.open_export(path), "P3", 3, 3)
