"""torchvision's SSD and SSDlite: unlike numbers of default boxes a level, a background, one fixed size."""

from functools import cache

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.ssd import SSD

import anatomy
import diagnosis
import surgery
import viz
from anatomy.families.torchvision.measured import levels
from diagnosis.surveys.evaluation.table import PLAIN, changed_variants
from diagnosis.surveys.looking.own_selection import own_selection
from tests.contract.rows import blocks, torchvision_predict
from tests.ssd_and_rcnn_nets import tiny_ssd
from viz.canvas.cell_values import readings

OWN = {"conf": None, "iou": None, "imgsz": None}


@cache
def built():
    return tiny_ssd()


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
        {"steps": True, "topk_candidates": 12, "detections_per_img": 9},
        {"size": (160, 96), "score_thresh": 0.02, "detections_per_img": 40},  # width, height; NMS class by class
        {"lite": True, "nms_thresh": 0.1, "classes": 2},
    ],
    ids=str,
)
def test_the_answer_is_the_models_own_bit_for_bit(made):
    net = tiny_ssd(seed=2, **made)
    for turn, shape in enumerate([(96, 160), (48, 32)]):
        picture = blocks(*shape, turn)
        trace, expected = anatomy.trace(net, picture, **OWN), torchvision_predict(net, picture, {})
        for answer in (trace.result, trace.replay().result):
            assert all(map(torch.equal, (answer.boxes, answer.scores, answer.labels), expected))
        assert len(trace.detections) > 2
        size = made.get("size", (128, 128))
        assert trace.input_shape == size[::-1]
        edges = np.tile(trace.letterbox.to_input([picture.shape[1::-1]])[0], 2)
        boxes = trace.decode(trace.detections.anchor).clip(0, edges)
        assert (
            np.abs(boxes - trace.letterbox.to_input(trace.detections.xyxy.reshape(-1, 2)).reshape(-1, 4)).max() < 1e-4
        )


def test_default_boxes_stand_at_the_middle_of_their_cells(trace):
    assert trace.pyramid.counts == (16 * 16 * 4, 8 * 8 * 6, 4 * 4 * 4)
    priors = trace.run.private.heard.priors.numpy()
    assert np.allclose((priors[:, :2] + priors[:, 2:]) / 2, trace.points(), atol=1e-4)
    place = trace.places([1024 + (3 * 8 + 5) * 6 + 4])  # row 3, column 5 of P4, its fifth box
    assert [int(part[0]) for part in (place.level, place.row, place.col, place.turn)] == [1, 3, 5, 4]
    assert trace.points([1024 + (3 * 8 + 5) * 6 + 4]).tolist() == [[5.5 * 16, 3.5 * 16]]
    with pytest.raises(ValueError, match="A cell has anchors 0 to 3 here, but 4 was given"):
        trace.pyramid.anchor(0, 0, 0, 4)
    with pytest.raises(ValueError, match=r"one for each of the 1 levels, but \(4, 6\) came"):
        anatomy.Pyramid(((2, 2),), ((8.0, 8.0),), anchors_per_cell=(4, 6))


def test_scores_are_a_softmax_in_which_the_background_is_never_found(trace):
    logits = trace.run.logits[1].view(6, 5, 8, 8)[4, :, 3, 5].double()
    anchor, chances = 1024 + (3 * 8 + 5) * 6 + 4, (logits.exp() / logits.exp().sum()).tolist()
    assert np.allclose(trace.scores()[:, anchor], [0, *chances[1:]])
    every = trace.run.logits[1].view(6, 5, 8, 8).double().exp()
    every = (every / every.sum(1, keepdim=True)).amax(0)
    torch.testing.assert_close(trace.probabilities()[1].double(), every, rtol=0, atol=1e-6)
    torch.testing.assert_close(trace.objectness()[1].double(), every[1:].amax(0), rtol=0, atol=1e-6)
    assert trace.anchor("P4", 3, 5) == 1024 + 29 * 6 + int(trace.scores()[:, 1024 + 29 * 6 :][:, :6].amax(0).argmax())
    (score,) = readings(trace, [2], "score")
    assert np.allclose(score.heat[1], every[2])
    (largest,) = readings(trace, None, "objectness")
    assert np.allclose(largest.heat[1], every[1:].amax(0)) and "largest class probability" in largest.meaning


def test_a_muted_level_keeps_its_background(net, trace):
    before = [conv.bias.detach().clone() for conv in net.head.classification_head.module_list]
    edit = surgery.mute_level(net, "P4")
    assert edit.classes == (1, 2, 3, 4)
    after = [conv.bias.detach() for conv in net.head.classification_head.module_list]
    assert torch.equal(after[1].view(6, 5)[:, 0], before[1].view(6, 5)[:, 0])
    assert (after[1].view(6, 5)[:, 1:] == -1e4).all() and torch.equal(after[0], before[0])
    assert 1 not in trace.replay().detections.level
    assert trace.silenced("P4").to_df().equals(trace.replay().to_df())
    surgery.undo(net)
    assert surgery.zero_classes(net, "P4", "all").classes == (1, 2, 3, 4)
    assert surgery.zero_classes(net, "P4", 0).classes == (0,)
    assert (trace.silenced("P3", 0).scores()[1:, :1024] > trace.scores()[1:, :1024]).all()


def test_a_silent_row_raises_the_others_in_a_survey(trace):
    rows = own_selection(trace, ablation=True)
    added, removed = changed_variants(3, 5, 0, 2)

    def listed(variant, which=lambda class_id: True):
        here = (rows.variant == variant) & [which(label) for label in rows.class_id]
        return set(zip(rows.anchor[here], rows.class_id[here], rows.confidence[here], strict=True))

    usual = listed(PLAIN, lambda label: label != 2) | listed(0, lambda label: label == 2)
    found = trace.silenced(0, 2).detections
    assert usual - listed(removed) | listed(added) == set(
        zip(found.anchor, found.class_id, found.confidence, strict=True)
    )
    assert {label for _, label, _ in listed(removed)} - {2}  # others, whose confidence was lower


def test_it_has_one_size(net):
    picture = blocks(64, 64, 0)
    assert len(anatomy.trace(net, picture, conf=None, iou=None, imgsz=128).detections)
    with pytest.raises(ValueError, match=r"scales every image to its own size, here 128 × 128 px.*Give imgsz=128 or"):
        anatomy.trace(net, picture)
    with pytest.raises(anatomy.UnsupportedModelError, match=r"an? SSD scales every image to 128 × 128 px"):
        diagnosis.check_grid(net)


def test_levels_go_by_the_nearest_power_of_two():
    def names(strides):
        return [level.name for level in levels(strides, [8] * len(strides), ["head"] * len(strides))]

    assert names([8, 16, 32, 64, 100, 300]) == ["P3", "P4", "P5", "P6", "P7", "P8"]  # SSD300
    assert names([16, 32, 64, 320 / 3, 160, 320]) == ["P4", "P5", "P6", "P7", "P8", "P9"]  # SSDlite320
    assert names([32, 32, 64]) == ["P5", "P5b", "P6"]  # Faster R-CNN on MobileNetV3


def test_figures_draw_it(net, trace):
    with surgery.scratch(net):
        surgery.bias_classes(net, "P4", 1, 2.0)
        figures = [viz.heatmaps(trace), viz.anchor_grid(trace, level="P4"), viz.compare(trace, trace.replay())]
    for figure in figures:
        figure.set_dpi(20)
        figure.canvas.draw()


def test_what_cannot_be_followed_is_refused():
    class Own(SSD):
        def postprocess_detections(self, *arguments):
            return []

    net = tiny_ssd()
    net.__class__ = Own
    with pytest.raises(anatomy.UnsupportedModelError, match="Own has a postprocess_detections of its own"):
        anatomy.describe(net)
    net.__class__, net.transform.fixed_size = SSD, None
    with pytest.raises(anatomy.UnsupportedModelError, match="SSD has no fixed_size"):
        anatomy.describe(net)
    net.head.classification_head.module_list[2] = nn.Conv2d(32, 7, 3, padding=1)
    with pytest.raises(anatomy.UnsupportedModelError, match=r"module_list\.2 is Conv2d.*with 4 × 5 channels"):
        anatomy.describe(net)
    net.anchor_generator = AnchorGenerator()
    with pytest.raises(anatomy.UnsupportedModelError, match="AnchorGenerator, where the DefaultBoxGenerator is needed"):
        anatomy.describe(net)
