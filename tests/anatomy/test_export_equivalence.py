"""A model against its exported file: what deviates is planted here, and must be named."""

import pickle

import cv2
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import anatomy
import surgery
from anatomy.network.recognized import recognize, scale_in_words
from tests.contract.rows import PICTURE, blocks
from tests.exported import export_file, exported, plain

PHOTOGRAPH = cv2.resize(blocks(128, 192, seed=5), (180, 110))  # of another shape than the input, 64 × 128
IMAGES = [PHOTOGRAPH, PICTURE]
FRAMED = anatomy.Preprocessing()


@pytest.fixture(scope="module")
def model():
    return plain("yolov8n", PICTURE)


@pytest.fixture(scope="module")
def file():
    return export_file("yolov8n", PICTURE)


def framed(**choices):
    """What a program of one's own makes of an image."""
    return lambda image: anatomy.Preprocessing(**choices).frame(image, (64, 128))


def test_a_faithful_file_is_equal(model, file):
    found = anatomy.equivalent(model, file, IMAGES)
    assert found and found.equal and found.begins is None and found.preprocessing == ()
    assert (found.images, found.precision, found.input_shape, found.larger) == (2, "float32", (64, 128), 0)
    names = {(output.level, output.quantity) for output in found.outputs}
    assert names == {(f"P{i}", what) for i in (3, 4, 5) for what in ("class logits", "box outputs", "scores", "boxes")}
    assert all(0 <= output.relative < 1e-4 and output.mean <= output.largest for output in found.outputs)
    convs = [node for node in onnx.load(file).graph.node if node.op_type == "Conv"]
    assert len(found.rows) == len(convs)
    detections = sum(len(anatomy.trace(model, image, imgsz=(64, 128), rect=False).detections) for image in IMAGES)
    assert found.count("same") == len(found.fates) == detections > 10
    assert "DetectionModel and yolov8n.onnx are equal" in str(found)
    assert repr(found).startswith("ExportEquivalence(DetectionModel and yolov8n.onnx: equal; ")
    assert pickle.loads(pickle.dumps(found)) == found


PLANTED = {
    "BGR": ({"order": "BGR"}, {"channel order": ("RGB", "BGR")}),
    "not divided": ({"scale": 1.0}, {"scale": ("0 to 1 (divided by 255)", "0 to 255 (not divided)")}),
    "minus one": (
        {"scale": 1 / 127.5, "shift": -1.0},
        {"scale": ("0 to 1 (divided by 255)", "-1 to 1 (divided by 127.5, less 1)")},
    ),
    "stretched": ({"fit": "stretch"}, {"fit": ("ratio kept, centred", "stretched")}),
    "corner": ({"fit": "corner"}, {"fit": ("ratio kept, centred", "ratio kept, in the upper left corner")}),
    "black": ({"pad": 0}, {"grey of the padding": ("114", "0")}),
    "nearest": ({"interpolation": "nearest"}, {"interpolation": ("linear", "nearest")}),
    "two at once": (
        {"order": "BGR", "pad": 0},
        {"channel order": ("RGB", "BGR"), "grey of the padding": ("114", "0")},
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_another_preprocessing_is_named_and_the_graph_is_not_blamed(model, file, planted):
    choices, expected = PLANTED[planted]
    found = anatomy.equivalent(model, file, PHOTOGRAPH, preprocess=framed(**choices))
    assert {entry.what: (entry.model, entry.export) for entry in found.preprocessing} == expected
    assert not found.equal and found.begins is None
    assert len(found.outputs) == 12 and all(output.relative < 1e-4 for output in found.outputs)
    assert all(f"{what}: {ours} for the model, {theirs} for" in str(found) for what, (ours, theirs) in expected.items())


def test_the_preprocessing_that_a_file_is_opened_with_is_its_own(model, file):
    export = anatomy.open_export(file, preprocessing=anatomy.Preprocessing(order="BGR"))
    assert [entry.what for entry in anatomy.equivalent(model, export, PHOTOGRAPH).preprocessing] == ["channel order"]
    for wrong in ({"fit": "squash"}, {"order": "GBR"}, {"pad": 300}, {"scale": float("nan")}):
        with pytest.raises(ValueError, match=r"must be"):
            anatomy.Preprocessing(**wrong)


def test_pixels_that_no_preprocessing_explains_are_said_to_be_so(model, file):
    noise = np.random.default_rng(0).random((1, 3, 64, 128))
    found = anatomy.equivalent(model, file, PHOTOGRAPH, preprocess=lambda image: noise)
    assert not found.recognized and not found.equal
    assert "made in no way that is known" in str(found)


def test_imagenet_s_numbers_are_recognized_channel_by_channel():
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    made = anatomy.Preprocessing(scale=tuple(1 / (255 * deviation)), shift=tuple(-mean / deviation))
    found = recognize(PHOTOGRAPH, made.frame(PHOTOGRAPH, (64, 128))[0])
    assert found.certain and scale_in_words(found.preprocessing) == "ImageNet's mean and deviation"
    assert found.preprocessing.pad == pytest.approx(114, abs=0.1)


def spoiled(file, folder, change, place: int):
    """The file with the weights of one convolution changed, and the path of that."""
    proto = onnx.load(file)
    node = [node for node in proto.graph.node if node.op_type == "Conv"][place]
    stored = next(entry for entry in proto.graph.initializer if entry.name == node.input[1])
    stored.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(stored)), stored.name))
    onnx.save(proto, folder / "spoiled.onnx")
    return folder / "spoiled.onnx", node.input[1].removesuffix(".weight")


@pytest.mark.parametrize("place", [1, 4])
def test_the_convolution_at_which_a_deviation_begins_is_named(model, file, tmp_path, place):
    path, planted = spoiled(file, tmp_path, lambda weight: weight * np.float32(1.5), place)
    found = anatomy.equivalent(model, path, PICTURE)
    assert found.begins.path == planted
    assert found.begins.relative == pytest.approx(0.5, abs=0.3)
    assert not found.equal and f"begins: {planted} (Conv2d)" in str(found)


def test_an_overflow_of_half_precision_is_found_where_it_begins(model, tmp_path):
    half = export_file("yolov8n", PICTURE, quantize=16)
    path, planted = spoiled(half, tmp_path, lambda weight: np.full_like(weight, 6e4), 1)
    found = anatomy.equivalent(model, path, PICTURE)
    assert found.precision == "float16" and found.tolerance == 0.03
    assert found.begins.path == planted and found.begins.largest == float("inf")
    faithful = anatomy.equivalent(model, half, PICTURE)
    assert faithful.begins is None and 0 < faithful.outputs[0].largest < 0.1


def test_whole_numbers_are_told_by_level_and_size(file, quantized):
    """Two files: the damage adds up to all detections."""
    found = anatomy.equivalent(file, quantized, IMAGES)
    assert found.names == ("yolov8n.onnx", "yolov8n_int8.onnx")
    assert found.precision == "int8" and found.tolerance == 0.1
    assert all(output.largest > 1e-3 for output in found.outputs) and any(row.largest > 1e-3 for row in found.rows)
    table = found.damage()
    assert table.columns[:7] == ["level_name", "size", "same", "moved", "changed", "lost", "new"]
    total = sum(table[fate].sum() for fate in ("same", "moved", "changed", "lost", "new"))
    assert total == len(found.fates) == len(found.to_df()) > 0
    assert set(found.damage("level_name")["level_name"]) <= {"P3", "P4", "P5"}


def test_the_fate_of_every_detection_follows_from_what_was_edited(file, tmp_path):
    """P3 muted: lost there, and nowhere else; classes swapped at P5: changed there; at P4 all stay."""
    export = anatomy.open_export(file)
    before = anatomy.trace(export, PICTURE, iou=1.0).detections
    surgery.mute_level(export, "P3")
    surgery.permute_classes(export, "P5", [1, 0, 3, 2])
    edited = surgery.save(export, tmp_path / "edited.onnx")
    found = anatomy.equivalent(file, edited, PICTURE, iou=1.0)
    rows = {row["level_name"]: row for row in found.damage("level_name").iter_rows(named=True)}
    by_level = {name: before.level_name.count(name) for name in ("P3", "P4", "P5")}
    assert min(by_level.values()) > 0
    assert sum(row["lost"] for row in rows.values()) == by_level["P3"]
    assert sum(row["new"] for row in rows.values()) == 0
    assert found.count("changed") + found.count("same") + found.count("moved") == by_level["P4"] + by_level["P5"]
    assert [row.path for row in found.rows if row.largest] == ["model.6.cv3.0.2", "model.6.cv3.2.2"]


def test_a_file_whose_one_size_is_larger_than_the_model_s_own_is_said_to_be_so(model, file):
    tall = PICTURE[:, :40]
    found = anatomy.equivalent(model, file, tall)
    assert found.larger == 1 and "pads 1 of 1 photographs less" in str(found)
    assert anatomy.equivalent(model, exported("yolov8n", PICTURE, dynamic=True), tall, imgsz=128).larger == 0


def test_the_one_to_one_branch_is_compared_with_itself():
    found = anatomy.equivalent(plain("yolo26n", PICTURE), export_file("yolo26n", PICTURE, nms=False), PICTURE)
    assert found.equal and len(found.rows) > 10 and found.count("same") == len(found.fates) > 5


def test_what_cannot_be_compared_is_refused(model, file):
    for ask, message in (
        (lambda: anatomy.equivalent(model, file), "compared on photographs: give image="),
        (lambda: anatomy.equivalent(model, file, PICTURE, inputs=64), "inputs is for two networks"),
        (lambda: anatomy.equivalent(model, model, PICTURE, preprocess=framed()), "preprocess is for an exported file"),
        (
            lambda: anatomy.equivalent(model, file, PICTURE, preprocess=lambda image: np.zeros((64, 128, 3))),
            r"an input \(1, 3, h, w\) of 64 × 128 px, but it made \(1, 64, 128, 3\)",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            ask()
    with pytest.raises(TypeError, match="The second of the two must be the exported file"):
        anatomy.equivalent(file, model, PICTURE)
