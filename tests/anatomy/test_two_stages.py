"""torchvision's Faster R-CNN: which cell proposed, which level was pooled, and rows that read what was pooled."""

import copy
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.ops import clip_boxes_to_image

import anatomy
import diagnosis
import surgery
import viz
from anatomy.head.forward import Refined
from tests.contract.rows import blocks, torchvision_predict
from tests.ssd_and_rcnn_nets import tiny_faster_rcnn

OWN = {"conf": None, "iou": None, "imgsz": None}


@cache
def built():
    return tiny_faster_rcnn()


@pytest.fixture
def net():
    """A network that is built once; edits are taken back."""
    yield built()
    surgery.reset(built())


@pytest.fixture(scope="module")
def trace():
    return anatomy.trace(built(), blocks(96, 160, 3), **OWN)


@pytest.mark.parametrize(
    "made",
    [
        {"rpn_pre_nms_top_n_test": 30, "rpn_score_thresh": 0.5, "box_detections_per_img": 9},
        {"box_score_thresh": 0.05, "box_nms_thresh": 0.2, "classes": 7, "rpn_post_nms_top_n_test": 400},
    ],
    ids=str,
)
def test_the_answer_is_the_models_own_bit_for_bit(made):
    net = tiny_faster_rcnn(seed=2, **made)
    for turn, shape in enumerate([(96, 160), (128, 48)]):
        picture = blocks(*shape, turn)
        trace, expected = anatomy.trace(net, picture, **OWN), torchvision_predict(net, picture, {})
        for answer in (trace.result, trace.replay().result):
            assert all(map(torch.equal, (answer.boxes, answer.scores, answer.labels), expected))
        assert len(trace.detections) > 2


def test_the_recorded_anchor_proposed_the_box(trace):
    heard, refined = trace.run.private.heard, trace.run.refined
    assert len(refined.anchor) == len(set(refined.anchor.tolist())) == len(heard.proposals) > 50
    proposals = torch.from_numpy(trace.decode(refined.anchor))
    assert torch.equal(clip_boxes_to_image(proposals, heard.resized), heard.proposals)
    scores = torch.cat([level.flatten() for level in trace.objectness()])
    cell = refined.anchor // 3
    assert (scores[cell].diff() <= 0).sum() > 0.5 * len(cell)  # proposals come in the order of their objectness
    found = trace.detections
    moved = trace.decode(found.anchor, found.class_id)
    assert not np.allclose(moved, trace.decode(found.anchor))
    for i, (anchor, label) in enumerate(zip(found.anchor, found.class_id, strict=True)):
        (row,) = np.flatnonzero(refined.anchor.numpy() == anchor)
        assert np.allclose(moved[i], refined.boxes[row, label])
    other = np.setdiff1d(np.arange(trace.pyramid.count), refined.anchor.numpy())[:5]
    assert np.array_equal(trace.decode(other, [1] * 5), trace.decode(other))
    assert not trace.scores()[:, other].any()


def test_the_size_of_a_proposal_chooses_the_level_it_is_pooled_from(trace):
    boxes, pooled = trace.run.private.heard.proposals.double().numpy(), trace.run.refined.pooled.numpy()
    side = np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(1))
    expected = np.floor(4 + np.log2(side / 24) + 1e-6).clip(3, 5) - 3  # equation 1 of the FPN paper, of P3 to P5
    assert np.array_equal(pooled, expected) and len(set(pooled)) == 3
    found = trace.detections
    assert (found.pooled_level != found.level).any()
    at = dict(zip(trace.run.refined.anchor.tolist(), pooled.tolist(), strict=True))
    assert found.pooled_level.tolist() == [at[anchor] for anchor in found.anchor.tolist()]
    table = trace.to_df()
    assert table["pooled_level"].to_list() == found.pooled_level.tolist()
    assert table["pooled_level_name"].to_list() == [f"P{3 + level}" for level in found.pooled_level]


def test_one_level_is_pooled_where_there_is_one():
    net = tiny_faster_rcnn()
    net.roi_heads.box_roi_pool.featmap_names = ["3"]
    assert set(anatomy.trace(net, blocks(64, 64, 0), **OWN).run.refined.pooled.tolist()) == {1}


def test_a_replay_runs_the_class_rows_alone(net, trace):
    heard, layer = trace.run.private.heard, net.roi_heads.box_predictor.cls_score
    assert all(anatomy.describe(net).class_conv(level, "one2many") is layer for level in range(5))
    with torch.inference_mode():
        assert torch.equal(layer(heard.features), heard.logits)
    hooks = [part.register_forward_pre_hook(lambda *_: pytest.fail("run")) for part in (net.backbone, net.rpn)]
    surgery.swap_classes(net, "all", 1, 2)
    replayed = trace.replay()
    for hook in hooks:
        hook.remove()
    assert torch.equal(replayed.result.scores, torchvision_predict(net, blocks(96, 160, 3), {})[1])
    assert torch.equal(replayed.logits[0][1], trace.logits[0][2])
    with pytest.raises(ValueError, match=r"share one class convolution.*level='all'"):
        surgery.mute_level(net, "P3")
    surgery.mute_level(net, "all")
    assert len(trace.replay().detections) == 0 and len(trace.silenced("P3").detections) < len(trace.detections)
    other = copy.deepcopy(net)
    far = anatomy.trace(other, blocks(96, 160, 3), **OWN)
    other.roi_heads.box_predictor.cls_score = nn.Linear(24, 3)
    other.roi_heads.box_predictor.bbox_pred = nn.Linear(24, 12)
    with pytest.raises(RuntimeError, match="has 5 class rows, the model now 3"):
        far.replay()


def test_heat_is_the_objectness_of_the_proposing_network(net, trace):
    with torch.no_grad():
        logits, _ = net.rpn.head([level[None] for level in trace.inputs])
    for level, expected in zip(trace.objectness(), logits, strict=True):
        torch.testing.assert_close(level, expected[0].sigmoid().amax(0))
    for figure in (viz.heatmaps(trace), viz.anchor_grid(trace, level="P4")):
        figure.set_dpi(20)
        figure.canvas.draw()


def test_an_object_is_missed_or_found_by_the_boxes_of_its_class(trace):
    found = trace.detections
    solid = (found.xyxy[:, 2:] - found.xyxy[:, :2] > 2).all(1)
    result = diagnosis.missed(trace, found.xyxy[solid], found.class_id[solid], iou=0.99)
    assert (result.found >= 0).all()
    i = next(i for i, rivals in enumerate(found.suppressed) if len(rivals))
    rival = found.suppressed[i]
    lost = diagnosis.missed(trace, np.stack((found.xyxy[i], rival.xyxy[0])), [found.class_id[i]] * 2, iou=0.99)
    assert lost.stage(1) == "suppressed"


def test_the_pooling_keeps_what_it_learned_of_the_first_image(net):
    pool = net.roi_heads.box_roi_pool
    before = pool.scales, pool.map_levels
    anatomy.layers(net, imgsz=64)
    assert (pool.scales, pool.map_levels) == before


def test_of_no_proposals_none_is_found():
    none = Refined(torch.empty(0, dtype=torch.int64), torch.empty(0, 5, 4), torch.empty(0, dtype=torch.int64))
    assert none.rows(torch.tensor([3, 4])).tolist() == [-1, -1]
    net = tiny_faster_rcnn()
    net.rpn.score_thresh = 1.0
    trace = anatomy.trace(net, blocks(64, 64, 0), **OWN)
    assert len(trace.run.refined.anchor) == 0 and len(trace.replay().detections) == 0
    assert trace.decode([5], [1]).shape == (1, 4)


def test_what_cannot_be_followed_is_refused(trace):
    class Own(RegionProposalNetwork):
        def filter_proposals(self, *arguments):
            return []

    net = tiny_faster_rcnn()
    net.rpn.__class__ = Own
    with pytest.raises(anatomy.UnsupportedModelError, match="Own has a filter_proposals of its own"):
        anatomy.describe(net)
    net.rpn.__class__ = RegionProposalNetwork
    net.roi_heads.box_predictor.bbox_pred = nn.Linear(24, 4)
    with pytest.raises(anatomy.UnsupportedModelError, match="bbox_pred with four for each are needed"):
        anatomy.describe(net)
    net.roi_heads.box_roi_pool = nn.Identity()
    with pytest.raises(anatomy.UnsupportedModelError, match="Identity, where a MultiScaleRoIAlign is needed"):
        anatomy.describe(net)
    masks = MaskRCNN(net.backbone, 5)
    with pytest.raises(anatomy.UnsupportedModelError, match=r"MaskRCNN makes masks or key points.*Trace a FasterRCNN"):
        anatomy.describe(masks)
    with pytest.raises(anatomy.UnsupportedModelError, match="class rows of a FasterRCNN read pooled proposals"):
        diagnosis.attribute(trace, 0)
    with pytest.raises(anatomy.UnsupportedModelError, match="those of a FasterRCNN are of pooled proposals"):
        diagnosis.check_grid(built())


def test_a_comparison_is_refused_in_the_words_of_the_head():
    with pytest.raises(anatomy.UnsupportedModelError, match=r"^The class rows of a FasterRCNN read pooled proposals"):
        anatomy.equivalent(built(), built(), blocks(96, 160, 3), **OWN)
