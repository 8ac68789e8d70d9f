"""Batches and frames as Ultralytics' validation makes them, beside its own code; its matching and precision by hand."""

import urllib.error
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ultralytics.data.base import BaseDataset
from ultralytics.engine.results import Results

from anatomy import Letterbox, Pass
from anatomy.families.ultralytics import published
from anatomy.families.ultralytics.scoring import average_precision, matched
from anatomy.families.ultralytics.validation import batches, framed, seated
from anatomy.head.batches import Batch, in_parts
from anatomy.head.level_colors import level_color

SIZES = [(480, 640), (640, 480), (500, 500), (100, 400), (333, 500), (427, 640), (640, 427), (900, 300)]


@pytest.mark.parametrize(("imgsz", "size", "stride"), [(640, 3, 32), (96, 2, 32), (320, 1, 64), (640, 8, 32)])
def test_batches_are_those_of_ultralytics(imgsz, size, stride):
    labels = [{"shape": shape} for shape in SIZES]
    its = SimpleNamespace(ni=8, batch_size=size, labels=labels, im_files=list(range(8)), pad=0.5)
    its.imgsz, its.stride = imgsz, stride
    BaseDataset.set_rectangle(its)
    made = batches(SIZES, imgsz, size, stride)
    assert [batch.input_shape for batch in made] == [tuple(shape) for shape in its.batch_shapes.tolist()]
    assert [index for batch in made for index in batch.indices] == its.im_files
    assert [len(batch.indices) for batch in made] == np.bincount(its.batch).tolist()


def test_shapes_of_batches_by_hand():
    assert batches([], 640, 4, 32) == []
    assert batches([(50, 100)], 64, 4, 32) == [Batch((0,), (64, 96))]  # ceil(32 / 32 + 0.5), ceil(64 / 32 + 0.5)
    assert batches([(100, 50)], 64, 4, 32) == [Batch((0,), (96, 64))]
    assert batches([(50, 100), (100, 100)], 64, 4, 32) == [Batch((0, 1), (96, 96))]
    assert batches([(60, 100), (50, 100)], 640, 4, 32) == [Batch((1, 0), (416, 672))]
    assert batches([(100, 60), (100, 50)], 640, 4, 32) == [Batch((0, 1), (672, 416))]
    assert list(in_parts(iter([5, 3, 4]), 2)) == [(5, 3), (4,)] and list(in_parts([], 2)) == []


@pytest.mark.parametrize("imgsz", [96, 64])
@pytest.mark.parametrize("size", [(50, 100), (100, 50), (64, 64), (33, 77), (200, 300), (96, 20)])
def test_an_image_lies_in_its_frame_where_its_letterbox_says(size, imgsz):
    image = np.full((*size, 3), (255, 254, 253), np.uint8)  # BGR, nothing of it the grey of the padding
    frame = framed([image, image], (96, 128), imgsz)
    assert frame.frames.shape == (2, 3, 96, 128) and frame.frames.dtype == torch.float32
    box = frame.letterboxes[1]
    assert (box.original_shape, box.input_shape) == (size, (96, 128))
    rows, cols = (np.flatnonzero((frame.frames[1, 0] > 0.9).any(axis).numpy()) for axis in (1, 0))
    corners = box.to_input([0, 0, size[1], size[0]])
    np.testing.assert_allclose(corners, [cols[0], rows[0], cols[-1] + 1, rows[-1] + 1], atol=1e-9)
    assert max(corners[2] - corners[0], corners[3] - corners[1]) == imgsz or size == (96, 20)
    middle = frame.frames[1, :, rows[len(rows) // 2], cols[len(cols) // 2]] * 255
    assert middle.tolist() == pytest.approx([253, 254, 255])


def test_a_frame_smaller_than_the_image_shrinks_it_again():
    frame = framed([np.full((50, 100, 3), 255, np.uint8)], (32, 64), 96)  # 48 × 96, then two thirds of it
    assert frame.letterboxes == (Letterbox((50, 100), (32, 64), (0.64, 0.64), (0, 0)),)
    assert float(frame.frames.min()) == 1


def test_a_side_is_rounded_up_and_never_longer_than_asked():
    frame = framed([np.full((1, 301, 3), 255, np.uint8)], (32, 32), 30)
    assert frame.letterboxes[0].gain == pytest.approx((30 / 301, 1))
    assert frame.letterboxes[0].pad == (1, 15)


def test_a_pass_of_a_frame_is_seated_in_its_original():
    rows = torch.tensor([[10.0, 20, 30, 40, 0.9, 1], [-90, -90, 900, 900, 0.5, 0]])
    frame = np.zeros((96, 128, 3), np.uint8)
    result = Results(orig_img=frame, path="a.png", names={0: "a", 1: "b"}, boxes=rows)
    none = torch.empty(0)
    run = Pass("a.png", frame, (96, 128), "one2many", (), (), (), none, none, none, result)
    original = np.zeros((50, 70, 3), np.uint8)
    letterbox = Letterbox((50, 70), (96, 128), (2.0, 4.0), (4, 8))
    found = seated(run, original, letterbox)
    assert found.original is original and found.letterbox is letterbox and found.path == "a.png"
    assert found.result.boxes.data[0].tolist() == pytest.approx([3, 3, 13, 8, 0.9, 1])
    assert found.result.boxes.data[1].tolist() == pytest.approx([0, 0, 70, 50, 0.5, 0])
    assert found.result.orig_shape == (50, 70) and found.result.names == {0: "a", 1: "b"}
    assert result.boxes.data[0].tolist() == pytest.approx(rows[0].tolist())


def test_matches_by_hand():
    true = np.array([[0.0, 0, 10, 10], [50, 50, 60, 60]])
    found = np.array([[0.0, 0, 10, 7.2], [50, 50, 60, 60], [0, 0, 10, 10], [90, 90, 95, 95]])
    right = matched(found, np.array([1, 1, 1, 0]), true, np.array([1, 2]))
    assert right.shape == (4, 10) and right.dtype == bool
    assert right.sum(0).tolist() == [1] * 10 and right[2, 5:].all()  # each label once, for two that overlap it
    assert not right[[1, 3]].any()
    assert matched(found[:1], np.array([1]), true, np.array([1, 2])).tolist() == [[True] * 5 + [False] * 5]
    assert matched(found[1:2], np.array([2]), true, np.array([1, 2])).all()
    assert matched(found[:0], np.array([], int), true, np.array([1, 2])).shape == (0, 10)
    assert not matched(found, np.array([1] * 4), true[:0], np.array([], int)).any()


def test_average_precision_by_hand():
    right = np.zeros((3, 10), bool)
    right[0] = True
    right[2, :5] = True
    confidence, found, labelled = np.array([0.9, 0.8, 0.7]), np.array([4, 4, 2]), np.array([2, 4, 7])
    classes, precision = average_precision(right, confidence, found, labelled)
    assert classes.tolist() == [2, 4, 7] and precision.shape == (3, 10)
    assert precision[0] == pytest.approx([0.995] * 5 + [0] * 5)
    assert precision[1] == pytest.approx([0.995] * 10) and not precision[2].any()


def test_published_weights_are_looked_for_where_they_lie(tmp_path, monkeypatch):
    from ultralytics import settings

    (tmp_path / "weights").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(settings, "weights_dir", str(tmp_path / "weights"))
    assert published.weights_at_hand("n.pt") is None
    (tmp_path / "weights" / "n.pt").touch()
    assert published.weights_at_hand("n.pt") == tmp_path / "weights" / "n.pt"
    (tmp_path / "n.pt").touch()
    assert published.weights_at_hand("n.pt") == Path("n.pt")
    assert all(path.is_file() and path.stem == name for name, path in published.sample_photographs().items())


@pytest.mark.parametrize("word", ["1", "true", "YES", "on"])
def test_no_download_where_it_is_forbidden(monkeypatch, word):
    monkeypatch.setenv("YOLO_OFFLINE", word)
    monkeypatch.setattr(published.urllib.request, "urlopen", None)
    assert published.why_no_download("n.pt") == "YOLO_OFFLINE forbids a download"


@pytest.mark.parametrize("word", ["0", "", None])
def test_whether_weights_can_be_reached_is_asked_of_their_place(monkeypatch, word):
    asked = []
    answers = [SimpleNamespace(close=lambda: asked.append("closed")), urllib.error.URLError("no route"), OSError("cut")]

    def urlopen(request, timeout):
        asked.append((request.method, request.full_url, timeout))
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.delenv("YOLO_OFFLINE") if word is None else monkeypatch.setenv("YOLO_OFFLINE", word)
    monkeypatch.setattr(published.urllib.request, "urlopen", urlopen)
    assert published.why_no_download("n.pt") is None
    assert asked == [("HEAD", f"{published.RELEASE}/n.pt", 5.0), "closed"]
    assert published.why_no_download("n.pt", 2.0) == "the network does not reach it (no route)"
    assert published.why_no_download("n.pt") == "the network does not reach it (cut)"


def test_colours_of_levels():
    assert [level_color(f"P{index}") for index in (2, 7)] == ["#F0E442", "#D55E00"]
    assert [level_color(name) for name in ("P1", "P8", "P9")] == ["#0072B2", "#999999", "#000000"]
