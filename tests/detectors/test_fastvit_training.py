"""Losses, suppression, average precision, data sets, and a training run that is stopped and goes on."""

import itertools
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from detectors.fastvit import FastViTDetector, load
from detectors.fastvit.loss import loss
from detectors.fastvit.published import naive
from detectors.fastvit.training import train
from detectors.fastvit.training.run import Options, Run
from detectors.pyramid import targets
from detectors.pyramid.data import YoloFolder, collate, label_file, open_data, read_labels
from detectors.pyramid.evaluate import average_precision, evaluate, hits
from detectors.pyramid.images import input_size, letterbox
from detectors.pyramid.selection import select
from detectors.scenes import kinds as scenes

TINY = Options("fastvit_t8", branches=1, naive=False, pretrained=False, imgsz=64, epochs=10, batch=2, seed=0)


def perfect(objects, size=(64, 64), classes=3):
    """Targets of a batch, and the boxes (B, A, 4) and logits (B, A, nc) that meet them."""
    encoded = [targets.encode(torch.tensor(boxes), torch.tensor(labels), size, classes) for boxes, labels in objects]
    wanted = [torch.stack(level) for level in zip(*encoded, strict=True)]
    flat = torch.cat([level.flatten(2) for level in wanted], 2).permute(0, 2, 1)
    boxes = torch.zeros(*flat.shape[:2], 4)
    for image, (truth, labels) in enumerate(objects):
        for box, label in zip(truth, labels, strict=True):
            boxes[image, flat[image, :, 5 + label] > 0] = torch.tensor(box)
    boxes[..., 2:] += (flat[..., 4:5] == 0).float()
    return wanted, boxes, flat[..., 5:] * 40 - 20


OBJECTS = [([[8.0, 8, 32, 40]], [1]), ([[16.0, 30, 40, 60], [0.0, 0, 62, 62]], [0, 2])]


def test_the_loss_of_a_perfect_answer_is_nothing_and_a_moved_box_costs():
    wanted, boxes, logits = perfect(OBJECTS)
    best = loss(boxes, logits, wanted)
    assert best.numbers() == pytest.approx({"total": 0, "classes": 0, "objectness": 0, "boxes": 0}, abs=1e-5)
    assert loss(boxes + 8, logits, wanted).boxes > 0.2
    assert loss(boxes, -logits, wanted).classes > 1
    assert loss(boxes, logits, wanted).numbers()["total"] == float(best.total)


def test_an_image_without_objects_has_a_loss():
    wanted = [torch.stack([level]) for level in targets.encode(torch.zeros(0, 4), torch.zeros(0), (32, 32), 3)]
    boxes, logits = torch.rand(1, 21, 4, requires_grad=True), torch.zeros(1, 21, 3, requires_grad=True)
    losses = loss(boxes, logits, wanted)
    losses.total.backward()
    assert losses.boxes == 0 < losses.classes
    assert torch.isfinite(logits.grad).all()


def test_the_loss_does_not_depend_on_the_order_of_a_batch_and_the_published_one_mixes_cells():
    wanted, boxes, logits = perfect(OBJECTS)
    other = loss(boxes.flip(0) + 3, logits.flip(0), [level.flip(0) for level in wanted])
    assert loss(boxes + 3, logits, wanted).numbers() == pytest.approx(other.numbers())
    wanted = [torch.stack([level]) for level in naive.encode(torch.tensor([[8.0, 8, 32, 40]]), [1], (64, 64), 3, ())]
    flat = torch.cat([level.flatten(2) for level in wanted], 2)
    logits = flat[:, 5:].permute(0, 2, 1) * 40 - 20
    assert naive.loss(flat[:, :4], logits, wanted, ()).total < 1e-4
    moved = flat[:, :4].clone()
    moved[:, :2, flat[0, 4] > 0] += 8
    assert naive.loss(moved, logits, wanted, ()).boxes > 0.2
    for faults, reached in (((), True), (tuple(naive.BATCH_FAULTS), False)):  # does the loss look at the right cell?
        predicted = moved.clone().requires_grad_()
        naive.loss(predicted, logits, wanted, faults).boxes.backward()
        assert bool(predicted.grad[0][:, flat[0, 4] > 0].any()) is reached


def test_suppression_keeps_images_and_classes_apart_and_the_published_one_does_not():
    _, boxes, logits = perfect([OBJECTS[0], OBJECTS[0]])
    logits = logits / 10
    logits[1] += 0.5
    found = select(boxes, logits, 0.3, 0.5)
    assert [len(image) for image in found] == [1, 1]
    assert [len(image) for image in naive.select(boxes, logits, 0.3, 0.5)] == [0, 1]
    assert [len(image) for image in naive.select(boxes, logits, 0.3, 0.5, ())] == [1, 1]
    assert found[0].boxes[0].tolist() == OBJECTS[0][0][0]
    twice = boxes[0, found[0].anchor].expand(1, 2, 4)
    assert len(select(twice, torch.tensor([[[2.0, -9], [-9, 2]]]), 0.3, 0.5)[0]) == 2
    assert len(select(twice, torch.tensor([[[2.0, -9], [3, -9]]]), 0.3, 0.5)[0]) == 1


@pytest.mark.parametrize(
    ("right", "objects", "expected"),
    [
        ([], 3, 0.0),
        ([True], 0, 0.0),
        ([True, True], 2, 1.0),
        ([False, True], 1, 0.5),
        ([True, False, True], 2, 0.5 + 0.5 * 2 / 3),
        ([True, False, False], 4, 0.25),
    ],
)
def test_average_precision_is_the_area_under_the_curve(right, objects, expected):
    assert average_precision(np.array(right, bool), objects) == pytest.approx(expected)


def test_each_object_is_found_once():
    truth = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]])
    found = torch.tensor([[0.0, 0, 10, 9], [0, 0, 10, 10], [22, 20, 32, 30], [50, 50, 60, 60]])
    assert hits(found, truth).tolist() == [True, False, True, False]
    assert hits(found[:0], truth).tolist() == []
    assert hits(found, truth[:0]).tolist() == [False] * 4


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return scenes.write_kinds(tmp_path_factory.mktemp("kinds"), 5, 2, 64)


def test_scenes_are_written_in_yolos_format_and_read_back(data):
    opened = open_data(data)
    assert opened.names == tuple(scenes.KINDS)
    assert (len(opened.train), len(opened.val)) == (5, 2)
    scene = scenes.draw_kinds(3, 64)
    boxes, labels = read_labels(label_file(opened.train[3]), (64, 64), 3)
    assert np.allclose(boxes, scene.boxes, atol=1e-3)
    assert labels.tolist() == scene.labels.tolist()
    assert not read_labels(data / "none.txt", (64, 64), 4)[0].size


def test_a_sample_is_letterboxed_and_its_boxes_follow(data):
    opened = open_data(data)
    seen = {}

    def note(boxes, labels, size):
        seen.update(boxes=boxes, size=size)
        return (torch.zeros(1, 1, 1),)

    small, large = (YoloFolder(opened.train, 4, imgsz, note)[0] for imgsz in (64, 128))
    assert torch.allclose(small.boxes * 2, large.boxes, atol=1e-3)
    assert large.image.shape == (3, 128, 128)
    assert seen["size"] == (128, 128)
    mirrored = YoloFolder(opened.train, 4, 64, note)[len(opened.train)]
    assert torch.equal(mirrored.image, small.image.flip(2))
    assert torch.allclose(mirrored.boxes[:, 0], 64 - small.boxes[:, 2])


def test_the_letterbox_is_that_of_anatomy():
    from anatomy import Letterbox

    rng = np.random.default_rng(0)
    for _ in range(50):
        height, width = (int(side) for side in rng.integers(3, 300, 2))
        size = input_size((height, width), int(rng.integers(1, 8)) * 32)
        frame, box = letterbox(np.zeros((height, width, 3), np.uint8), size)
        assert box == Letterbox.fit((height, width), size)
        assert frame.shape[:2] == size
        rows, cols = round(height * box.gain[1]), round(width * box.gain[0])
        left, top = box.pad
        assert (frame[top : top + rows, left : left + cols] == 0).all()
        assert ((frame == 0).all(2).sum()) == rows * cols


@pytest.mark.parametrize(
    ("text", "message"),
    [("names: [a]\n", "needs train, val and names, but lacks train, val"), ("train: x\nval: x\nnames: [a]\n", "'.*x'")],
)
def test_a_data_file_that_lacks_something_is_refused(tmp_path, text, message):
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        open_data(tmp_path / "data.yaml")


@pytest.mark.parametrize(("line", "message"), [("0 0.5 0.5 x 1", "a class and four"), ("7 .5 .5 .1 .1", "names 4")])
def test_a_label_file_that_is_wrong_is_refused(tmp_path, line, message):
    (tmp_path / "a.txt").write_text(line)
    with pytest.raises(ValueError, match=message):
        read_labels(tmp_path / "a.txt", (64, 64), 4)


def arguments(data, work, *more):
    fixed = ["--backbone", "fastvit_t8", "--branches", "1", "--imgsz", "64", "--epochs", "2", "--batch", "2"]
    return ["--data", str(data), "--work", str(work), *fixed, *more]


@pytest.mark.long
@pytest.mark.parametrize("kind", [[], ["--naive"]])
def test_the_command_trains_and_its_checkpoint_opens(data, tmp_path, capsys, kind):
    assert train.main(arguments(data, tmp_path / "run", *kind)) == 0
    printed = capsys.readouterr().out
    assert "epoch 2/2: loss" in printed
    assert "mAP50 0." in printed
    assert (tmp_path / "run" / "scores.csv").read_text().count("\n") == 3
    assert list(load(tmp_path / "run" / "last.pt").names.values()) == list(scenes.KINDS)
    with pytest.raises(FileExistsError, match="Give --resume"):
        train.main(arguments(data, tmp_path / "run", *kind))
    with pytest.raises(ValueError, match="these same options"):
        train.main([*arguments(data, tmp_path / "run", *kind), "--seed", "5", "--resume"])


@pytest.mark.parametrize(("more", "message"), [({"imgsz": 100}, "multiples of 32"), ({"epochs": 0}, "At least one ep")])
def test_options_that_cannot_be_are_refused(more, message):
    with pytest.raises(ValueError, match=message):
        replace(TINY, **more)


@pytest.mark.long
def test_ctrl_c_loses_nothing_and_a_resumed_run_ends_where_an_unbroken_one_does(data, tmp_path, monkeypatch, capsys):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train.main(arguments(data, whole))
    learn, calls = train.Run.learn, itertools.count()

    def interrupted(self, batch, watch):
        if next(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return learn(self, batch, watch)

    with monkeypatch.context() as patch:
        patch.setattr(train.Run, "learn", interrupted)
        assert train.main(arguments(data, broken)) == 130
    assert "stopped after 1 steps of epoch 2" in capsys.readouterr().out
    assert train.main([*arguments(data, broken), "--resume"]) == 0
    states = [torch.load(run / "last.pt", weights_only=True)["state"] for run in (whole, broken)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


@pytest.mark.long
def test_learning_brings_the_loss_down(data):
    opened = open_data(data)
    run = Run(TINY, opened.names, len(opened.train))
    images = YoloFolder(opened.train, 4, 64, run.model.encode)
    batch = collate([images[0], images[1]])
    run.model.train()
    first, *_, last = (run.learn(batch)["total"] for _ in range(10))
    assert last < 0.8 * first


def test_scoring_leaves_the_mode_as_it_was(data):
    opened = open_data(data)
    net = FastViTDetector(opened.names, "fastvit_t8", branches=1)
    images = YoloFolder(opened.val, 4, 64, net.encode)
    score = evaluate(net, [collate([images[0], images[1]])])
    assert net.training
    assert 0 <= score.map50 <= 1
    assert set(score.ap50) <= set(opened.names)
