"""A pass keeps its own image's values and says nothing: no print, no log record, at the first call or later."""

import logging

import cv2
import numpy as np
import pytest
import torch

import anatomy
from tests.torchvision_nets import tiny

ARGS = {"imgsz": 192}


def yolo(build, picture):
    return build("yolov8n", picture)


def bare_network(build, picture):
    return build("yolov8n", picture).model


def fcos(build, picture):
    return tiny("fcos")


@pytest.fixture
def messages():
    """A list that gains the text of every log record, whatever logger it comes from and whatever its level is."""
    told, handler = [], logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in list(logging.root.manager.loggerDict))]
    before = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        if logger is logging.root or not logger.propagate:  # any other hands its records on
            logger.addHandler(handler)
    yield told
    for logger, level in before:
        logger.removeHandler(handler)
        logger.setLevel(level)


@pytest.mark.parametrize("make", [yolo, bare_network, fcos], ids=lambda make: make.__name__)
def test_tracing_prints_and_logs_nothing(build, picture, make, capfd, messages):
    model = make(build, picture)
    messages.clear()
    capfd.readouterr()
    for conf in (0.25, 0.25, 0.9):  # the first call makes the predictor, the last one changes an argument of it
        trace = anatomy.trace(model, picture, conf=conf, **ARGS)
        trace.replay()
    assert len(list(anatomy.stream(model, [picture, picture], **ARGS))) == 2
    assert capfd.readouterr() == ("", "")
    assert messages == []


def test_what_was_asked_to_be_told_is_told(build, picture, messages):
    model = build("yolov8n", picture)
    anatomy.trace(model, picture, **ARGS)
    anatomy.trace(model, picture, verbose=True, **ARGS)
    assert any("128x192" in message for message in messages)


@pytest.mark.parametrize(("name", "nms"), [("yolov8n", None), ("yolov8n-seg", None), ("yolo26n-seg", False)])
def test_every_pass_of_a_batch_keeps_its_own_values(build, picture, tmp_path, name, nms):
    model = lively(build(name, picture), picture)
    pictures = [picture, np.ascontiguousarray(picture[::-1]), np.ascontiguousarray(255 - picture)]
    for index, image in enumerate(pictures):
        cv2.imwrite(str(tmp_path / f"{index}.png"), image)
    given = ARGS if nms is None else ARGS | {"nms": nms}
    alone = [kept_values(anatomy.trace(model, image, **given)) for image in pictures]
    together = list(anatomy.stream(model, tmp_path, batch=2, **given))
    assert len(together) == 3
    for index, (image, trace) in enumerate(zip(pictures, together, strict=True)):
        assert np.array_equal(trace.image, image[..., ::-1])
        for part, values in kept_values(trace).items():
            off = [float((values - other[part]).abs().max()) for other in alone]
            assert off[index] < 0.01 * min(off[:index] + off[index + 1 :]), part
        found = trace.detections
        assert len(found) > 5
        made = trace.letterbox.to_original(trace.decode(found.anchor)).clip(0, (192, 128, 192, 128))
        np.testing.assert_allclose(made, found.xyxy, atol=1e-3)
        replayed = trace.replay().result
        assert torch.equal(replayed.boxes.data, trace.result.boxes.data)
        if trace.result.masks is not None:
            assert torch.equal(replayed.masks.data, trace.result.masks.data)


def lively(model, picture):
    """The model with normalizations of this picture's scale, without which random features hardly depend on it."""
    frame = torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1)[None] / 255
    norms = [module for module in model.model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for module in norms:
        module.momentum = 1.0
    with torch.no_grad():
        model.model.train()(torch.cat((frame, frame.flip(2))))
    model.model.eval()
    return model


def kept_values(trace) -> dict[str, torch.Tensor]:
    """All that one pass keeps of its own image, by name and level."""
    levels = {
        f"{part} {level}": values
        for part in ("inputs", "features", "logits")
        for level, values in enumerate(getattr(trace, part))
    }
    boxes = torch.from_numpy(trace.decode(range(len(trace.points()))))
    return levels | {"frame": trace.frame, "boxes": boxes, "box logits": trace.run.box_logits}
