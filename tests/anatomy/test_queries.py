"""RT-DETR: where each query begins, what it makes, and which levels the decoder looks at for it."""

import pickle
from contextlib import ExitStack

import numpy as np
import pytest
import torch
from torch import nn

import anatomy
import diagnosis
import surgery
from tests.class_rows import as_frame
from tests.contract.rows import PICTURE, blocks
from tests.other_heads import of_text, rtdetr

ASKED = {"imgsz": 128, "conf": 0.25}


@pytest.fixture(scope="module")
def model():
    return rtdetr(seed=5)


@pytest.fixture(scope="module")
def trace(model):
    return anatomy.trace(model, PICTURE, **ASKED)


@pytest.fixture(scope="module")
def heard(model, trace):
    """What hooks of its own find while the network reads the frame of the trace: outputs of layers, by name."""
    decoder, made = model.model.model[-1], {}
    layers = {"cells": decoder.enc_score_head, "classes": decoder.dec_score_head[2]}
    layers |= {f"attention {i}": layer.cross_attn.attention_weights for i, layer in enumerate(decoder.decoder.layers)}
    with ExitStack() as stack, torch.no_grad():
        for name, layer in layers.items():
            stack.callback(layer.register_forward_hook(lambda *call, name=name: made.update({name: call[2]})).remove)
        made["rows"] = model.model(trace.frame[None].clone())[0]
    return made


def test_queries_begin_at_the_cells_of_which_the_encoder_is_surest(trace, heard):
    sure = heard["cells"][0].amax(1)
    by_hand = sorted(range(len(sure)), key=lambda cell: -float(sure[cell]))[:40]
    assert trace.run.chosen.tolist() == by_hand
    flat = torch.cat([level.flatten() for level in trace.objectness()])
    torch.testing.assert_close(flat, sure.sigmoid(), rtol=1e-4, atol=1e-5)


def test_each_detection_is_of_the_query_that_made_it(trace, heard):
    scores = heard["classes"][0].sigmoid().flatten()
    pairs = [pair for pair in scores.argsort(descending=True).tolist() if scores[pair] > 0.25][:40]
    queries, classes = np.divmod(pairs, 4)
    found = trace.detections
    assert found.anchor.tolist() == trace.run.chosen[queries].tolist()
    assert found.class_id.tolist() == classes.tolist()
    assert len(found) > len(set(found.anchor.tolist())) > 5  # a query may be found as several classes
    assert trace.limits == anatomy.Limits(conf=0.25, classes=None, most=40, every_class=True)
    few = anatomy.trace(trace.head.yolo, PICTURE, **ASKED, max_det=7, classes=["dog", 2])
    kept = [i for i, label in enumerate(classes.tolist()) if label in (1, 2)][:7]
    assert few.detections.anchor.tolist() == found.anchor[kept].tolist()


def test_the_photograph_is_stretched_over_the_input(model):
    picture = blocks(48, 160, seed=1)
    trace = anatomy.trace(model, picture, **ASKED)
    assert trace.input_shape == (128, 128)
    assert trace.letterbox.gain == (128 / 160, 128 / 48) and trace.letterbox.pad == (0, 0)
    decoded = trace.letterbox.to_original(trace.decode(trace.detections.anchor))
    assert np.abs(decoded - trace.detections.xyxy).max() < 1e-3
    assert trace.detections.center[:, 1].max() < 48


def test_the_shares_are_those_of_the_attention(trace, heard):
    shares = anatomy.level_shares(trace)
    assert shares.shares.shape == (len(trace.detections), 3, 3) and shares.levels == ("P3", "P4", "P5")
    query = trace.run.chosen.tolist().index(int(trace.detections.anchor[1]))
    for layer in range(3):
        weights = heard[f"attention {layer}"][0, query].double().view(4, 3 * 2)  # heads, levels times points
        weights = (weights.exp() / weights.exp().sum(1, keepdim=True)).mean(0)
        by_level = [float(weights[2 * level : 2 * level + 2].sum()) for level in range(3)]
        assert shares.shares[1, layer] == pytest.approx(by_level, abs=1e-5)
    assert shares.shares.sum(2) == pytest.approx(1, abs=1e-5)
    frame = shares.to_df()
    assert frame.height == 3 * len(shares) and frame["share_P4"][4] == shares.shares[1, 1, 1]
    assert frame["level_name"][3:6].to_list() == [trace.detections.level_name[1]] * 3
    travelled = pickle.loads(pickle.dumps(trace))
    assert np.array_equal(anatomy.level_shares(travelled).shares, shares.shares)


def test_a_decoder_that_looks_at_one_level_alone_says_so():
    model = rtdetr(seed=6)
    for layer in model.model.model[-1].decoder.layers:
        weights = layer.cross_attn.attention_weights
        nn.init.zeros_(weights.weight)
        with torch.no_grad():
            weights.bias.view(4, 3, 2)[:, 1] = 50.0
    shares = anatomy.level_shares(anatomy.trace(model, PICTURE, **ASKED))
    assert shares.mean == pytest.approx(np.tile([0.0, 1.0, 0.0], (len(shares), 1)), abs=1e-6)


def test_a_head_without_a_decoder_has_no_shares():
    plain = anatomy.trace(of_text("worldv2", PICTURE), PICTURE, **ASKED)
    with pytest.raises(anatomy.UnsupportedModelError, match=r"no decoder that looks at several levels.*level_name"):
        anatomy.level_shares(plain)


def test_an_object_where_no_query_began_is_told_so(trace):
    everywhere = trace.letterbox.to_original(trace.decode(np.arange(trace.pyramid.count)))
    left = np.setdiff1d(np.arange(trace.pyramid.count), trace.run.chosen.numpy())
    height, width = PICTURE.shape[:2]
    boxes = everywhere[left].clip(0, (width, height, width, height))
    large = boxes[(boxes[:, 2] - boxes[:, 0] > 4) & (boxes[:, 3] - boxes[:, 1] > 4)][:1]
    missed = diagnosis.missed(trace, large, [3], iou=0.95)
    assert "no query began there (the encoder was sure by" in str(missed)


def test_validation_sees_square_letterboxes(model):
    head = anatomy.describe(model)
    (batch,) = head.batches([PICTURE.shape[:2]], 128, 16)
    assert batch.input_shape == (128, 128)
    (pass_,) = head.batch_passes([PICTURE], batch, imgsz=128, conf=0.25)
    trace = anatomy.Trace(head, pass_)
    assert trace.letterbox.gain == (1.0, 1.0) and trace.letterbox.pad == (0, 32)
    padded = np.pad(PICTURE, ((32, 32), (0, 0), (0, 0)), constant_values=114)
    with torch.no_grad():
        rows = model.model(as_frame(padded))[0][0]
    assert trace.detections.confidence == pytest.approx(rows[: len(trace.detections), 4].numpy(), abs=1e-5)
    x, _, width, _ = (rows[: len(trace.detections), :4] * 128).T.numpy()
    assert trace.detections.xyxy[:, 0] == pytest.approx((x - width / 2).clip(0, 128), abs=1e-3)
    assert (trace.detections.xyxy[:, 1] <= 64).all() and len(trace.detections) > 5


def test_edits_reach_predictors_that_were_made_before_the_network_was_seen():
    model = rtdetr(seed=7)
    before = model.predict(PICTURE, verbose=False, **ASKED)[0].boxes.cls
    predictor = model.predictor
    surgery.shift_classes(model, "all", 1)
    after = model.predict(PICTURE, verbose=False, **ASKED)[0].boxes.cls
    assert model.predictor is predictor and torch.equal(after, (before + 1) % 4)
    assert surgery.certify(model).in_step
    assert [layer.weight.shape[0] for layer in model.model.model[-1].dec_score_head] == [4, 4, 4]


def test_parts_and_stacks_are_named(model):
    head = anatomy.describe(model)
    parts = head.parts()
    assert parts["model.6.input_proj.1"] == "head P4" and parts["model.5"] == "neck" and parts["model.0"] == "backbone"
    assert not any("dec_score_head" in path for path in parts)
    assert head.stacks(0, "one2one") == {"class": ("model.6.dec_score_head.2",), "box": ("model.6.dec_bbox_head.2",)}


def test_what_would_be_misread_is_refused(model):
    with pytest.raises(anatomy.UnsupportedModelError, match=r"check_grid moves a patch.*chooses the cells"):
        diagnosis.check_grid(model)
    with pytest.raises(anatomy.UnsupportedModelError, match="no cell of a level is assigned"):
        diagnosis.watch(model)
